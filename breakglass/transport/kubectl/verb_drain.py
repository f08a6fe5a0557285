"""`kubectl drain`: cordon, then evict through the API, which keeps to disruption budgets.

Source: `staging/src/k8s.io/kubectl/pkg/drain` of Kubernetes 1.34. An eviction that a budget refuses is asked
for again; every other refusal ends the drain.
"""

import asyncio
import time

from breakglass.kubernetes_objects import Object, mapping, name_of, namespace_of, objects, text, uid_of
from breakglass.policy.kubectl.changes import Drain
from breakglass.policy.kubectl.operations import Selection
from breakglass.transport.base import Delivery
from breakglass.transport.kubectl.faults import KubectlFaultError, refused_here
from breakglass.transport.kubectl.find import PODS, many
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs
from breakglass.transport.kubectl.verb_change import mark, nodes_of
from breakglass.transport.kubectl.waiting import Pace, is_gone

AGAIN_AFTER = 5.0
"""Seconds after which an eviction that a budget refused is asked for again, as kubectl does."""

FINISHED = ("Succeeded", "Failed")


async def drain(run: KubectlRun, request: Drain) -> VerbResult:
    """Empty the nodes, one after the other. Raises FaultError naming the pods that are still there."""
    found = await nodes_of(run, request.nodes, request.labels)
    if not found:
        run.err("No resources found")
    end = time.monotonic() + request.timeout if request.timeout > 0 else None
    version = await _eviction_version(run)
    for node in found:
        await mark(run, node, schedulable=False)
        pods = await _to_evict(run, request, node)
        await _evict_all(run, request, pods, version, end)
        run.out(f"node/{name_of(node)} drained{run.dry_suffix}\n")
    return VerbResult()


async def _to_evict(run: KubectlRun, request: Drain, node: Object) -> list[Object]:
    """The pods of a node that have to go. Raises FaultError for those that the flags do not let go."""
    chosen = Selection(
        kinds=("pods",),
        all_namespaces=True,
        labels=request.pods,
        fields=f"spec.nodeName={name_of(node)}",
    )
    going: list[Object] = []
    refused: dict[str, list[str]] = {}
    warned: dict[str, list[str]] = {}
    for pod in await many(run, PODS, chosen):
        if "kubernetes.io/config.mirror" in mapping(pod, "metadata", "annotations"):
            continue
        name = f"{namespace_of(pod)}/{name_of(pod)}"
        owner = _controller(pod)
        if text(owner, "kind") == "DaemonSet" and text(pod, "status", "phase") not in FINISHED:
            if request.ignore_daemonsets:
                warned.setdefault("ignoring DaemonSet-managed Pods", []).append(name)
            else:
                why = "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
                refused.setdefault(why, []).append(name)
            continue
        if text(pod, "status", "phase") in FINISHED:
            going.append(pod)
            continue
        if not owner and not request.force:
            why = "cannot delete Pods that declare no controller (use --force to override)"
            refused.setdefault(why, []).append(name)
        elif _has_local_data(pod) and not request.delete_emptydir:
            why = "cannot delete Pods with local storage (use --delete-emptydir-data to override)"
            refused.setdefault(why, []).append(name)
        else:
            if not owner:
                warned.setdefault("deleting Pods that declare no controller", []).append(name)
            going.append(pod)
    if refused:
        said = ", ".join(f"{why}: {', '.join(names)}" for why, names in refused.items())
        line = f'error: unable to drain node "{name_of(node)}" due to error: {said}, continuing command...'
        message = f"{run.where}: node {name_of(node)} is not drained: {said}"
        raise refused_here("rejected", message, line)
    if warned:
        run.err("Warning: " + "; ".join(f"{why}: {', '.join(names)}" for why, names in warned.items()))
    return going


def _controller(pod: Object) -> Object:
    owners = [each for each in objects(pod, "metadata", "ownerReferences") if each.get("controller")]
    return owners[0] if owners else {}


def _has_local_data(pod: Object) -> bool:
    return any("emptyDir" in volume for volume in objects(pod, "spec", "volumes"))


async def _eviction_version(run: KubectlRun) -> str:
    """The version of evictions that the server takes: before Kubernetes 1.22 it is v1beta1."""
    listed = await run.read("/api/v1", "read which evictions the server takes")
    for entry in objects(listed, "resources"):
        if entry.get("name") == "pods/eviction":
            return f"{text(entry, 'group') or 'policy'}/{text(entry, 'version') or 'v1'}"
    return "policy/v1"


async def _evict_all(
    run: KubectlRun, request: Drain, pods: list[Object], version: str, end: float | None
) -> None:
    """Evict at the same time, as kubectl does, so that one held pod keeps no other. Raises FaultError after
    all have come to an end."""
    results = await asyncio.gather(
        *(_evict(run, request, pod, version, end) for pod in pods), return_exceptions=True
    )
    failures = [each for each in results if isinstance(each, BaseException)]
    for failure in failures:
        if not isinstance(failure, KubectlFaultError):
            raise failure
    for failure in failures[:-1]:
        if isinstance(failure, KubectlFaultError):
            run.err(failure.said)
    if failures:
        raise failures[-1]


async def _evict(run: KubectlRun, request: Drain, pod: Object, version: str, end: float | None) -> None:
    namespace, name = namespace_of(pod), name_of(pod)
    path = PODS.path(namespace, name)
    options: Object = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": uid_of(pod)},
    }
    if request.grace is not None:
        options["gracePeriodSeconds"] = request.grace
    if run.is_dry_run:
        options["dryRun"] = ["All"]
    eviction: Object = {
        "apiVersion": version,
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": options,
    }
    run.out(f"evicting pod {namespace}/{name}{run.dry_suffix}\n")
    while True:
        try:
            await run.change("POST", f"{path}/eviction", f"evict pod {namespace}/{name}", body=eviction)
            break
        except KubectlFaultError as error:
            if error.status == 404:
                return
            if error.status == 409 and uid_of(pod) in str(error):
                return  # another pod of that name; the one that was here is gone
            if error.status != 429:
                raise
            await _rest(run, pod, error, end)
    if run.is_dry_run:
        return
    pace = Pace(0.0 if end is None else max(0.001, end - time.monotonic()), lambda: _held(run, pod))
    while not await is_gone(run, path, uid_of(pod), f"wait until pod {namespace}/{name} is gone"):
        await pace.rest()
    run.out(f"pod/{name} evicted\n")


async def _rest(run: KubectlRun, pod: Object, refusal: KubectlFaultError, end: float | None) -> None:
    """Until the eviction is asked for again. Raises FaultError when the line's time is over before."""
    causes = refusal.said.removeprefix("Error from server (TooManyRequests): ")
    budget = refusal.detail or causes
    after = min(refusal.retry_after or AGAIN_AFTER, AGAIN_AFTER)
    line = f'error when evicting pods/"{name_of(pod)}" -n "{namespace_of(pod)}"'
    left = None if end is None else end - time.monotonic()
    if left is not None and left <= 0:
        raise KubectlFaultError(
            "timeout",
            f"{run.where}: pod {namespace_of(pod)}/{name_of(pod)} cannot be evicted: {budget}",
            Delivery.ANSWERED,
            said=f"{line}: global timeout reached: {causes}",
        )
    run.err(f"{line} (will retry after {after:g}s): {causes} {refusal.detail}".rstrip())
    await asyncio.sleep(after if left is None else min(after, left))


def _held(run: KubectlRun, pod: Object) -> KubectlFaultError:
    where = f'pod "{name_of(pod)}" in namespace "{namespace_of(pod)}"'
    said = f"error when waiting for {where} to terminate: global timeout reached"
    return KubectlFaultError(
        "timeout", f"{run.where}: {where} was evicted and is not gone in time", Delivery.ANSWERED, said=said
    )


VERBS: Verbs = {Drain: drain}
