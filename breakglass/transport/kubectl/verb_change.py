"""The small changes: patch, scale, rollout restart, cordon, and a job from a cron job."""

from datetime import datetime
from typing import cast

from breakglass.kubernetes_objects import Object, at, mapping, name_of, namespace_of, number, text, uid_of
from breakglass.policy.kubectl.changes import Cordon, CreateJob, Patch, RolloutRestart, Scale
from breakglass.policy.kubectl.operations import Output, Selection, Target
from breakglass.transport.kubectl.faults import KubectlFaultError, refused_here
from breakglass.transport.kubectl.find import NODES, many, one, place
from breakglass.transport.kubectl.printing import as_json, as_yaml, bare
from breakglass.transport.kubectl.resources import Resource
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs
from breakglass.values import Json

PATCH_TYPES = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}
SCALE_ATTEMPTS = 5
"""How often a pinned scale is read and sent when something else writes to the object in between."""


async def patch(run: KubectlRun, request: Patch) -> VerbResult:
    """Patch one object. A pin that does not hold gives the fault `conflict`. Raises FaultError."""
    resource = await run.find(request.target.resource)
    before = await one(run, resource, request.target)
    after = await patched(run, resource, before, request.type, request.patch)
    # kubectl says nothing of a dry run here.
    line = "patched" if _essence(after) != _essence(before) else "patched (no change)"
    print_changed(run, request.output, resource, after, line)
    return VerbResult(data=bare(after))


def _essence(value: Object) -> Object:
    """The object without what a server and its controllers write by themselves."""
    metadata = mapping(value, "metadata")
    kept: Object = {
        name: each for name, each in metadata.items() if name not in ("resourceVersion", "managedFields")
    }
    rest: Object = {name: each for name, each in value.items() if name != "status"}
    return {**rest, "metadata": kept}


async def patched(run: KubectlRun, resource: Resource, before: Object, form: str, change: Json) -> Object:
    """The object after a patch that carries the request's pins. Raises FaultError, `conflict` for a pin."""
    name = name_of(before)
    check_pin(run, resource, before)
    path = resource.path(namespace_of(before), name)
    try:
        return await run.change(
            "PATCH",
            path,
            f"patch {resource.plural} {name}",
            body=_pinned(run, change),
            headers={"Content-Type": PATCH_TYPES[form]},
        )
    except KubectlFaultError as error:
        uid = run.request.uid
        if uid is not None and error.status == 422 and "metadata.uid" in str(error):
            message = f"{run.where}: {resource.plural} {name} is no longer the one with uid {uid}: {error}"
            raise refused_here("conflict", message, error.said) from None
        raise


def check_pin(run: KubectlRun, resource: Resource, found: Object) -> None:
    """Refuse an object that is not the pinned one. Raises FaultError with `conflict`."""
    for pin, here, what in (
        (run.request.uid, uid_of(found), "uid"),
        (run.request.resource_version, text(found, "metadata", "resourceVersion"), "resourceVersion"),
    ):
        if pin is not None and pin != here:
            message = (
                f"{resource.plural} {name_of(found)} was replaced or changed: its {what} was {pin}, is {here}"
            )
            raise refused_here("conflict", f"{run.where}: {message}; diagnose again", f"error: {message}")


def _pinned(run: KubectlRun, change: Json) -> Json:
    """The patch with the pins in it: a server refuses to change an object's uid or an old version."""
    pins: dict[str, Json] = {}
    if run.request.uid is not None:
        pins["uid"] = run.request.uid
    if run.request.resource_version is not None:
        pins["resourceVersion"] = run.request.resource_version
    if not pins:
        return change
    if isinstance(change, list):
        held = [
            {"op": "replace", "path": f"/metadata/{name}", "value": value} for name, value in pins.items()
        ]
        return [*cast("list[Json]", held), *change]
    given = change if isinstance(change, dict) else {}
    return {**given, "metadata": {**mapping(given, "metadata"), **pins}}


async def scale(run: KubectlRun, request: Scale) -> VerbResult:
    """Set the number of replicas through the `scale` subresource. Raises FaultError."""
    for target in request.targets:
        resource = await run.find(target.resource)
        path = resource.path(await place(run, resource, target.namespace), target.name, "scale")
        held = run.request.uid is not None or run.request.resource_version is not None
        for attempt in range(SCALE_ATTEMPTS):
            version = ""
            if held or request.current is not None:
                version = await _looked_at(run, resource, path, request)
            try:
                await _scaled(run, resource, target, path, request.replicas, version)
                break
            except KubectlFaultError as error:
                pinned_version = run.request.resource_version is not None
                if error.status != 409 or not version or pinned_version or attempt == SCALE_ATTEMPTS - 1:
                    raise
        run.out(f"{resource.qualified}/{target.name} scaled{run.dry_suffix}\n")
    return VerbResult()


async def _looked_at(run: KubectlRun, resource: Resource, path: str, request: Scale) -> str:
    """The version of a scale that is the pinned object's and has the replicas it should have."""
    found = await run.read(path, f"get the scale of {resource.plural}")
    check_pin(run, resource, found)
    now = number(found, "spec", "replicas")
    if request.current is not None and now != request.current:
        message = f"Expected replicas to be {request.current}, was {now}"
        raise refused_here(
            "conflict", f"{run.where}: {resource.plural} {name_of(found)}: {message}", f"error: {message}"
        )
    return text(found, "metadata", "resourceVersion")


async def _scaled(
    run: KubectlRun, resource: Resource, target: Target, path: str, replicas: int, version: str
) -> None:
    body: Object = {"spec": {"replicas": replicas}}
    if version:
        body["metadata"] = {"resourceVersion": version}
    await run.change(
        "PATCH",
        path,
        f"scale {resource.plural} {target.name}",
        body=body,
        headers={"Content-Type": PATCH_TYPES["merge"]},
    )


async def restart(run: KubectlRun, request: RolloutRestart) -> VerbResult:
    """Give the pod template a new annotation, as `kubectl rollout restart` does. Raises FaultError."""
    for target in request.targets:
        resource = await run.find(target.resource)
        found = await one(run, resource, target)
        if resource.kind not in ("Deployment", "StatefulSet", "DaemonSet"):
            message = f"{resource.plural} {target.name} is not restarted by a rollout"
            said = f'error: {resource.plural} "{target.name}" restarting is not supported'
            raise refused_here("rejected", f"{run.where}: {message}", said)
        if at(found, "spec", "paused") is True:
            message = f"can't restart paused {resource.singular} (run rollout resume first)"
            said = f'error: {resource.plural}.{resource.group} "{target.name}" {message}'
            raise refused_here("rejected", f"{run.where}: {resource.plural} {target.name}: {message}", said)
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        annotation: Object = {"kubectl.kubernetes.io/restartedAt": now}
        change: Object = {"spec": {"template": {"metadata": {"annotations": annotation}}}}
        await patched(run, resource, found, "strategic", change)
        run.out(f"{resource.qualified}/{target.name} restarted{run.dry_suffix}\n")
    return VerbResult()


async def nodes_of(run: KubectlRun, names: tuple[str, ...], labels: str) -> list[Object]:
    """The nodes that a line names or selects. Raises FaultError."""
    if names:
        return [await one(run, NODES, Target("nodes", name)) for name in names]
    return await many(run, NODES, Selection(kinds=("nodes",), labels=labels))


async def cordon(run: KubectlRun, request: Cordon) -> VerbResult:
    """Mark nodes unschedulable, or schedulable again. Raises FaultError."""
    found = await nodes_of(run, request.nodes, request.labels)
    if not found:
        run.err("No resources found")
    for node in found:
        await mark(run, node, schedulable=request.schedulable)
    return VerbResult()


async def mark(run: KubectlRun, node: Object, *, schedulable: bool) -> None:
    """Mark one node and say so; one that is already so is left alone, and said."""
    word = "uncordoned" if schedulable else "cordoned"
    check_pin(run, NODES, node)
    if (at(node, "spec", "unschedulable") is True) is not schedulable:
        run.out(f"node/{name_of(node)} already {word}{run.dry_suffix}\n")
        return
    change: Object = {"spec": {"unschedulable": None if schedulable else True}}
    await patched(run, NODES, node, "strategic", change)
    run.out(f"node/{name_of(node)} {word}{run.dry_suffix}\n")


async def create_job(run: KubectlRun, request: CreateJob) -> VerbResult:
    """A job with the template of a cron job. Raises FaultError."""
    cron = await run.find(request.source.resource or "cronjobs")
    source = await one(run, cron, request.source)
    jobs = await run.find("jobs")
    template = mapping(source, "spec", "jobTemplate")
    owner: Object = {
        "apiVersion": cron.api_version,
        "kind": "CronJob",
        "name": name_of(source),
        "uid": uid_of(source),
        "controller": True,
    }
    annotations = {
        "cronjob.kubernetes.io/instantiate": "manual",
        **mapping(template, "metadata", "annotations"),
    }
    metadata: Object = {
        "name": request.name,
        "namespace": namespace_of(source),
        "annotations": cast(Json, annotations),
        "labels": mapping(template, "metadata", "labels"),
        "ownerReferences": [owner],
    }
    job: Object = {
        "apiVersion": jobs.api_version,
        "kind": "Job",
        "metadata": metadata,
        "spec": mapping(template, "spec"),
    }
    path = jobs.path(namespace_of(source))
    made = await run.change("POST", path, f"create job {request.name}", body=job)
    print_changed(run, request.output, jobs, made, f"created{run.dry_suffix}")
    return VerbResult(data=bare(made))


def print_changed(run: KubectlRun, output: Output, resource: Resource, value: Object, line: str) -> None:
    match output:
        case "json":
            run.out(as_json(bare(value)))
        case "yaml":
            run.out(as_yaml(bare(value)))
        case "name":
            run.out(f"{resource.qualified}/{name_of(value)}\n")
        case _:
            run.out(f"{resource.qualified}/{name_of(value)} {line}\n")


VERBS: Verbs = {
    Patch: patch,
    Scale: scale,
    RolloutRestart: restart,
    Cordon: cordon,
    CreateJob: create_job,
}
