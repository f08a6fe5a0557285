"""`kubectl delete`: one request for each object, held to the uid that was diagnosed, and then the wait."""

from dataclasses import dataclass

from breakglass.kubernetes_objects import Object, text, uid_of
from breakglass.policy.kubectl.changes import Delete
from breakglass.transport.kubectl.faults import KubectlFaultError
from breakglass.transport.kubectl.find import place, selected
from breakglass.transport.kubectl.resources import Resource
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs
from breakglass.transport.kubectl.waiting import Pace, condition_not_met, is_gone
from breakglass.values import Json

CASCADES = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


@dataclass(frozen=True, slots=True)
class PendingDeletion:
    """An object whose deletion the server has accepted."""

    resource: Resource
    name: str
    path: str
    uid: str


async def delete(run: KubectlRun, request: Delete) -> VerbResult:
    """Delete the objects and wait until they are gone. Raises KubectlFaultError."""
    found = await selected(run, request.selection)
    if not found:
        run.err("No resources found")
        return VerbResult()
    if request.force:
        run.err(
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been "
            "terminated. The resource may continue to run on the cluster indefinitely."
        )
    going: list[PendingDeletion] = []
    for resource, target in found:
        path = resource.path(await place(run, resource, target.namespace), target.name)
        try:
            answer = await run.change(
                "DELETE", path, f"delete {resource.plural} {target.name}", body=_options(run, request)
            )
        except KubectlFaultError as error:
            if request.ignore_not_found and error.status == 404 and error.reason == "NotFound":
                continue
            raise
        going.append(
            PendingDeletion(resource, target.name, path, uid_of(answer) or text(answer, "details", "uid"))
        )
        run.out(_line(run, request, resource, target.name))
    run.waiting = True
    if request.wait and not run.is_dry_run:
        for each in going:
            await _until_gone(run, request, each)
    return VerbResult()


def _options(run: KubectlRun, request: Delete) -> Object:
    options: Object = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": CASCADES[request.cascade],
    }
    if request.grace is not None:
        options["gracePeriodSeconds"] = request.grace
    preconditions: dict[str, Json] = {}
    if run.request.uid is not None:
        preconditions["uid"] = run.request.uid
    if run.request.resource_version is not None:
        preconditions["resourceVersion"] = run.request.resource_version
    if preconditions:
        options["preconditions"] = preconditions
    return options


def _line(run: KubectlRun, request: Delete, resource: Resource, name: str) -> str:
    if request.output == "name":
        return f"{resource.qualified}/{name}\n"
    word = "force deleted" if request.force and request.grace == 0 else "deleted"
    return f'{resource.qualified} "{name}" {word}{run.dry_suffix}\n'


async def _until_gone(run: KubectlRun, request: Delete, going: PendingDeletion) -> None:
    pace = Pace(request.timeout, lambda: condition_not_met(run, going.resource, going.name))
    doing = f"wait until {going.resource.plural} {going.name} is gone"
    try:
        while not await is_gone(run, going.path, going.uid, doing):
            await pace.rest()
    except KubectlFaultError as error:
        if error.status not in (403, 405):
            raise
        # Whoever may delete and not look cannot wait, and has deleted all the same; kubectl does so too.


VERBS: Verbs = {Delete: delete}
