"""Going back to an earlier version of a Deployment, and which there are: `rollout undo` and `rollout
history`.

Source: `staging/src/k8s.io/kubectl/pkg/polymorphichelpers/{rollback,history}.go` of Kubernetes 1.34.
"""

from typing import cast

from breakglass.kubernetes_objects import Object, at, mapping, namespace_of, objects, text, uid_of
from breakglass.policy.kubectl.changes import RolloutUndo
from breakglass.policy.kubectl.operations import RolloutHistory, Selection, Target
from breakglass.transport.kubectl.faults import misused, refused_here
from breakglass.transport.kubectl.find import many, one
from breakglass.transport.kubectl.resources import Resource
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs
from breakglass.transport.kubectl.verb_change import patched
from breakglass.values import Json

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
ITS_OWN = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        "deployment.kubernetes.io/revision-history",
        "deployment.kubernetes.io/desired-replicas",
        "deployment.kubernetes.io/max-replicas",
        "deprecated.deployment.rollback.to",
    }
)
"""Annotations that stay the Deployment's own, whichever version it goes back to."""


async def undo(run: KubectlRun, request: RolloutUndo) -> VerbResult:
    """Give a Deployment the pod template of an earlier version. Raises FaultError."""
    resource, found = await _deployment(run, request.target)
    revisions = await _revisions(run, resource, found)
    chosen = request.to or next(iter(sorted(revisions, reverse=True)[1:]), 0)
    if chosen not in revisions:
        said = f'no rollout history found for deployment "{request.target.name}"'
        if request.to:
            said = f"unable to find specified revision {request.to} in history"
        raise refused_here("not-found", f"{run.where}: {said}", f"error: {said}")
    if at(found, "spec", "paused") is True:
        said = (
            "cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again"
        )
        raise refused_here("rejected", f"{run.where}: {said}", f"error: {said}")
    template = without_hash(mapping(revisions[chosen], "spec", "template"))
    name = f"{resource.qualified}/{request.target.name}"
    if template == without_hash(mapping(found, "spec", "template")):
        run.out(f"{name} skipped rollback (current template already matches revision {request.to})\n")
        return VerbResult()
    now, then = (
        mapping(found, "metadata", "annotations"),
        mapping(revisions[chosen], "metadata", "annotations"),
    )
    annotations = {name: value for name, value in now.items() if name in ITS_OWN}
    annotations |= {name: value for name, value in then.items() if name not in ITS_OWN}
    change = [
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "replace", "path": "/metadata/annotations", "value": annotations},
    ]
    await patched(run, resource, found, "json", cast(Json, change))
    run.out(f"{name} rolled back{run.dry_suffix}\n")
    return VerbResult()


async def history(run: KubectlRun, request: RolloutHistory) -> VerbResult:
    """Print the versions of a Deployment that one can go back to. Raises FaultError."""
    resource, found = await _deployment(run, request.target)
    revisions = await _revisions(run, resource, found)
    rows = [("REVISION", "CHANGE-CAUSE")]
    rows += [
        (
            str(number),
            text(revisions[number], "metadata", "annotations", "kubernetes.io/change-cause") or "<none>",
        )
        for number in sorted(revisions)
    ]
    run.out(f"{resource.qualified}/{request.target.name} \n")
    run.out("".join(f"{number:<10}{cause}\n" for number, cause in rows) + "\n")
    return VerbResult()


async def _deployment(run: KubectlRun, target: Target) -> tuple[Resource, Object]:
    resource = await run.find(target.resource)
    if resource.kind != "Deployment":
        raise misused(
            f"{run.where}: of rollouts of a {resource.kind} only `driver: binary` knows the versions"
        )
    return resource, await one(run, resource, target)


async def _revisions(run: KubectlRun, resource: Resource, deployment: Object) -> dict[int, Object]:
    """The versions by their number: the ReplicaSets that are the Deployment's."""
    wanted = Selection(kinds=("replicasets",), namespace=namespace_of(deployment))
    found: dict[int, Object] = {}
    for each in await many(run, await run.find("replicasets.apps"), wanted):
        number = text(each, "metadata", "annotations", REVISION)
        owners = objects(each, "metadata", "ownerReferences")
        if number.isdecimal() and any(text(owner, "uid") == uid_of(deployment) for owner in owners):
            found[int(number)] = each
    return found


def without_hash(template: Object) -> Object:
    """A pod template without the label that tells ReplicaSets apart."""
    metadata = mapping(template, "metadata")
    labels = {name: value for name, value in mapping(metadata, "labels").items() if name != HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


VERBS: Verbs = {RolloutUndo: undo, RolloutHistory: history}
