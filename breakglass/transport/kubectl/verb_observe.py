"""The verbs that look and wait: wait, rollout status, auth can-i."""

from dataclasses import dataclass

from breakglass.kubernetes_objects import Object, at, condition_of, name_of, number, text, uid_of
from breakglass.policy.kubectl.operations import CanI, RolloutStatus, Wait
from breakglass.transport.base import Fault
from breakglass.transport.kubectl.api import Sending
from breakglass.transport.kubectl.faults import KubectlFaultError, refused_here
from breakglass.transport.kubectl.find import one, place, selected
from breakglass.transport.kubectl.resources import Resource
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs
from breakglass.transport.kubectl.waiting import Pace, condition_not_met
from breakglass.values import Json


async def wait(run: KubectlRun, request: Wait) -> VerbResult:
    """Until every object is as it should be. Raises FaultError, `timeout` when the line's time is over."""
    found = await selected(run, request.selection)
    if not found:
        if request.until == "delete":
            return VerbResult()
        raise refused_here(
            "not-found", f"{run.where}: wait: nothing matches", "error: no matching resources found"
        )
    current: list[tuple[Resource, str]] = [(found[0][0], found[0][1].name)]
    pace = Pace(request.timeout, lambda: condition_not_met(run, *current[0]))
    for resource, target in found:
        current[0] = (resource, target.name)
        address = resource.path(await place(run, resource, target.namespace), target.name)
        first = True
        uid = ""
        while True:
            value = await _look(run, request, resource, address, target.name)
            if value is None or (uid and uid_of(value) != uid and request.until == "delete"):
                if not first:
                    run.out(f"{resource.qualified}/{target.name} condition met\n")
                break
            uid, first = uid or uid_of(value), False
            if _is_met(request, value):
                run.out(f"{resource.qualified}/{target.name} condition met\n")
                break
            if request.timeout == 0:
                raise condition_not_met(run, resource, target.name)
            await pace.rest()
    return VerbResult()


async def _look(run: KubectlRun, request: Wait, resource: Resource, path: str, name: str) -> Object | None:
    """The object; None when it is gone and that is what is waited for."""
    try:
        return await run.read(path, f"wait for {resource.plural} {name}")
    except KubectlFaultError as error:
        if request.until == "delete" and error.status == 404:
            return None
        raise


def _is_met(request: Wait, value: Object) -> bool:
    found = condition_of(value, request.condition) if request.until == "condition" else {}
    if not found or _is_old(found, value):
        return False
    return text(found, "status").lower() == (request.status or "True").lower()


def _is_old(found: Object, value: Object) -> bool:
    """Whether a condition was written for an earlier generation of the object."""
    seen = at(found, "observedGeneration")
    if seen is None:
        seen = at(value, "status", "observedGeneration")
    return isinstance(seen, int) and seen < number(value, "metadata", "generation")


@dataclass(frozen=True, slots=True)
class RolloutProgress:
    """Where a rollout stands."""

    line: str
    done: bool = False
    failed: bool = False


async def rollout_status(run: KubectlRun, request: RolloutStatus) -> VerbResult:
    """Tell how the rollout goes on until it is over. Raises FaultError when it cannot be any more."""
    resource = await run.find(request.target.resource)
    look = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set}.get(
        resource.kind
    )
    if look is None:
        said = f'error: no status viewer has been implemented for "{resource.plural}"'
        raise refused_here("rejected", f"{run.where}: {resource.plural} have no rollout", said)
    pace = Pace(request.timeout, lambda: condition_not_met(run, resource, request.target.name))
    shown = ""
    while True:
        progress = look(await one(run, resource, request.target))
        if progress.failed:
            message = f"{run.where}: {resource.plural} {request.target.name}: {progress.line}"
            raise refused_here("rejected", message, f"error: {progress.line}")
        if progress.line != shown:
            run.out(progress.line + "\n")
            shown = progress.line
        if progress.done or not request.watch:
            return VerbResult()
        await pace.rest()


def _is_unseen(value: Object) -> bool:
    return number(value, "status", "observedGeneration") < number(value, "metadata", "generation")


def _deployment(value: Object) -> RolloutProgress:
    name = name_of(value)
    if _is_unseen(value):
        return RolloutProgress("Waiting for deployment spec update to be observed...")
    if text(condition_of(value, "Progressing"), "reason") == "ProgressDeadlineExceeded":
        return RolloutProgress(f'deployment "{name}" exceeded its progress deadline', failed=True)
    wanted = number(value, "spec", "replicas", default=1)
    there, updated = number(value, "status", "replicas"), number(value, "status", "updatedReplicas")
    available = number(value, "status", "availableReplicas")
    head = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < wanted:
        return RolloutProgress(f"{head}{updated} out of {wanted} new replicas have been updated...")
    if there > updated:
        return RolloutProgress(f"{head}{there - updated} old replicas are pending termination...")
    if available < updated:
        return RolloutProgress(f"{head}{available} of {updated} updated replicas are available...")
    return RolloutProgress(f'deployment "{name}" successfully rolled out', done=True)


def _daemon_set(value: Object) -> RolloutProgress:
    name = name_of(value)
    if text(value, "spec", "updateStrategy", "type") not in ("", "RollingUpdate"):
        return RolloutProgress(
            "rollout status is only available for RollingUpdate strategy type", failed=True
        )
    if _is_unseen(value):
        return RolloutProgress("Waiting for daemon set spec update to be observed...")
    wanted = number(value, "status", "desiredNumberScheduled")
    updated = number(value, "status", "updatedNumberScheduled")
    available = number(value, "status", "numberAvailable")
    head = f'Waiting for daemon set "{name}" rollout to finish: '
    if updated < wanted:
        return RolloutProgress(f"{head}{updated} out of {wanted} new pods have been updated...")
    if available < wanted:
        return RolloutProgress(f"{head}{available} of {wanted} updated pods are available...")
    return RolloutProgress(f'daemon set "{name}" successfully rolled out', done=True)


def _stateful_set(value: Object) -> RolloutProgress:
    if text(value, "spec", "updateStrategy", "type") not in ("", "RollingUpdate"):
        return RolloutProgress(
            "rollout status is only available for RollingUpdate strategy type", failed=True
        )
    if _is_unseen(value) or not number(value, "status", "observedGeneration"):
        return RolloutProgress("Waiting for statefulset spec update to be observed...")
    wanted = number(value, "spec", "replicas", default=1)
    ready, updated = number(value, "status", "readyReplicas"), number(value, "status", "updatedReplicas")
    if ready < wanted:
        return RolloutProgress(f"Waiting for {wanted - ready} pods to be ready...")
    # Also of 0, which the API fills in, kubectl says that it is partitioned.
    partition = at(value, "spec", "updateStrategy", "rollingUpdate", "partition")
    if isinstance(partition, int):
        if updated < wanted - partition:
            line = (
                f"Waiting for partitioned roll out to finish: {updated} out of {wanted - partition} new pods"
            )
            return RolloutProgress(f"{line} have been updated...")
        line = f"partitioned roll out complete: {updated} new pods have been updated..."
        return RolloutProgress(line, done=True)
    update, now = text(value, "status", "updateRevision"), text(value, "status", "currentRevision")
    if update != now:
        return RolloutProgress(
            f"waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
        )
    current = number(value, "status", "currentReplicas")
    return RolloutProgress(
        f"statefulset rolling update complete {current} pods at revision {now}...", done=True
    )


async def can_i(run: KubectlRun, request: CanI) -> VerbResult:
    """Ask the server what the user may do. "no" ends with status 1, as kubectl does."""
    attributes: Object = {"verb": request.verb, "resource": request.resource}
    if request.resource != "*":
        attributes |= await _named(run, request.resource)
    if not request.all_namespaces:
        attributes["namespace"] = await run.namespace(given=request.namespace)
    if request.name:
        attributes["name"] = request.name
    if request.subresource:
        attributes["subresource"] = request.subresource
    review: Object = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    sending = Sending(f"ask whether {request.verb} {request.resource} is allowed")
    run.doing = sending.doing
    answer: Json = await run.api.json("POST", path, sending, body=review)
    if at(answer, "status", "allowed") is True:
        if not request.quiet:
            run.out("yes\n")
        return VerbResult()
    reason = text(answer, "status", "reason")
    if not request.quiet:
        run.out(f"no - {reason}\n" if reason else "no\n")
    message = f"{run.where}: {request.verb} {request.resource} is not allowed"
    return VerbResult(1, fault=Fault("exit", message))


async def _named(run: KubectlRun, word: str) -> Object:
    """What an access review calls a resource; nothing more than the word for one that the server lacks."""
    try:
        resource = await run.find(word)
    except KubectlFaultError as error:
        if error.fault.kind != "not-found":
            raise
        run.err(f"Warning: the server doesn't have a resource type '{word}'")
        return {}
    if not resource.namespaced:
        run.err(f"Warning: resource '{resource.plural}' is not namespace scoped")
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


VERBS: Verbs = {Wait: wait, RolloutStatus: rollout_status, CanI: can_i}
