"""`kubectl apply --server-side`: objects as a manifest of the runbook has them, by server-side apply.

The server puts the manifest's fields in, takes those away that this field manager applied before and that the
manifest no longer has, and refuses fields that another manager owns. From 1.25 on it refuses unknown fields.
What kubectl's client-side apply does is not here: it decides by an annotation what to remove.

Of several objects the first that is refused ends it, where kubectl goes on with the others.

Source: "Server-Side Apply" in the Kubernetes reference; `staging/src/k8s.io/kubectl/pkg/cmd/apply` of 1.34.
"""

from dataclasses import replace

from breakglass.kubernetes_objects import Object, mapping, name_of
from breakglass.policy.kubectl.changes import Apply
from breakglass.policy.kubectl.manifest import objects_of, target_of
from breakglass.policy.kubectl.operations import Target
from breakglass.transport.kubectl.difference import difference
from breakglass.transport.kubectl.faults import KubectlFaultError, misused, refused_here
from breakglass.transport.kubectl.find import one, place
from breakglass.transport.kubectl.printing import bare
from breakglass.transport.kubectl.resources import Resource
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs
from breakglass.transport.kubectl.verb_change import check_pin, print_changed
from breakglass.values import Json, parse_json

CONTENT_TYPE = "application/apply-patch+yaml"


async def apply(run: KubectlRun, request: Apply) -> VerbResult:
    """Apply the objects, one after the other. The engine's dry run also prints what would differ. Raises
    FaultError; `conflict` for a pin, or for fields of another manager."""
    applied: list[Json] = []
    for wanted in objects_of(_manifest(run)):
        target = target_of(wanted, request.namespace)
        resource = await _resource(run, wanted, target)
        before = await _before(run, resource, target)
        after = await _applied(run, request, resource, target, wanted)
        applied.append(bare(after))
        print_changed(run, request.output, resource, after, f"serverside-applied{run.dry_suffix}")
        if run.request.dry_run:
            run.out("".join(f"{line}\n" for line in difference(before, after)))
    return VerbResult(data=applied[0] if len(applied) == 1 else applied)


def _manifest(run: KubectlRun) -> Json:
    try:
        return parse_json(run.request.stdin or b"")
    except ValueError:
        raise misused(f"{run.where}: there is no manifest, so nothing was sent") from None


async def _resource(run: KubectlRun, wanted: Object, target: Target) -> Resource:
    """The kind, in the version that the manifest is written in."""
    found = await run.find(target.resource)
    return replace(found, version=str(wanted["apiVersion"]).rpartition("/")[2])


async def _before(run: KubectlRun, resource: Resource, target: Target) -> Object | None:
    """The object as it is now; None where it is not there. A pin that does not hold is a fault."""
    try:
        found = await one(run, resource, target)
    except KubectlFaultError as error:
        if error.status != 404:
            raise
        if run.request.uid is None and run.request.resource_version is None:
            return None
        message = f"{resource.plural} {target.name} is gone, and the pin is to the one that was diagnosed"
        raise refused_here(
            "conflict", f"{run.where}: {message}; diagnose again", f"error: {message}"
        ) from None
    check_pin(run, resource, found)
    return found


async def _applied(
    run: KubectlRun, request: Apply, resource: Resource, target: Target, wanted: Object
) -> Object:
    namespace = await place(run, resource, target.namespace)
    metadata = dict(mapping(wanted, "metadata"))
    if namespace:
        metadata["namespace"] = namespace
    for name, pin in (("uid", run.request.uid), ("resourceVersion", run.request.resource_version)):
        if pin is not None:
            metadata[name] = pin  # the server refuses where it is another's
    query = [("fieldManager", request.manager), ("fieldValidation", "Strict")]
    query.append(("force", "true" if request.force_conflicts else "false"))
    return await run.change(
        "PATCH",
        resource.path(namespace, name_of(wanted)),
        f"apply {resource.plural} {target.name}",
        body={**wanted, "metadata": metadata},
        query=query,
        headers={"Content-Type": CONTENT_TYPE},
    )


VERBS: Verbs = {Apply: apply}
