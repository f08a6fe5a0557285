"""Labels, annotations and taints: `kubectl label`, `annotate` and `taint`.

Source: `staging/src/k8s.io/kubectl/pkg/cmd/{label,annotate,taint}` of Kubernetes 1.34.
"""

from collections.abc import Mapping
from typing import cast

from breakglass.kubernetes_objects import Object, mapping, name_of, objects, text
from breakglass.policy.kubectl.changes import NodeTaint, Relabel, Taint
from breakglass.transport.kubectl.faults import KubectlFaultError, refused_here
from breakglass.transport.kubectl.find import NODES, one, selected
from breakglass.transport.kubectl.resources import Resource
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs
from breakglass.transport.kubectl.verb_change import nodes_of, patched, print_changed
from breakglass.values import Json


async def relabel(run: KubectlRun, request: Relabel) -> VerbResult:
    """Set or remove labels or annotations. What has another value stays without `--overwrite`. Raises
    FaultError."""
    chosen = await selected(run, request.selection)
    if not chosen:
        run.err("No resources found")
    for resource, target in chosen:
        found = await one(run, resource, target)
        now = mapping(found, "metadata", request.field)
        other = sorted(name for name, value in request.values.items() if _is_other(name, value, now))
        if other and not request.overwrite:
            raise _kept(run, request, resource, target.name, other, now)
        singular = request.field.removesuffix("s")
        change = {name: value for name, value in request.values.items() if now.get(name) != value}
        for name in [name for name, value in request.values.items() if value is None and name not in now]:
            run.out(f'{singular} "{name}" not found.\n')
        body: Object = {"metadata": {request.field: cast(Json, change)}} if change else {}
        after = await patched(run, resource, found, "merge", body)
        print_changed(run, request.output, resource, after, _line_of(request, change, now) + run.dry_suffix)
    return VerbResult()


def _is_other(name: str, value: str | None, now: Object) -> bool:
    # That a change had another cause is always let pass, as kubectl does.
    return value is not None and now.get(name, value) != value and name != "kubernetes.io/change-cause"


def _line_of(request: Relabel, change: Mapping[str, str | None], now: Object) -> str:
    """What kubectl says was done. An object that had no labels has an empty set of them afterwards, for
    it."""
    if request.field == "annotations":
        return "annotated"
    if not change:
        return "not labeled" if now else "labeled"
    only_removed = not request.overwrite and all(value is None for value in change.values())
    return "unlabeled" if only_removed else "labeled"


def _kept(
    run: KubectlRun, request: Relabel, resource: Resource, name: str, other: list[str], now: Object
) -> KubectlFaultError:
    said = [f"'{each}' already has a value ({now[each]})" for each in other]
    if request.field == "labels":
        line = ", ".join(f"{each}, and --overwrite is false" for each in said)
        line = f"[{line}]" if len(said) > 1 else line
    else:
        line = f"--overwrite is false but found the following declared annotation(s): {'; '.join(said)}"
    message = f"{run.where}: {resource.plural} {name}: {line}"
    return refused_here("conflict", message, f"error: {line}")


async def taint(run: KubectlRun, request: Taint) -> VerbResult:
    """Put taints on nodes, or take them away. One that changes meanwhile gives `conflict`. Raises
    FaultError."""
    for node in await nodes_of(run, request.nodes, request.labels):
        line, taints = _tainted(run, request, node)
        version = text(node, "metadata", "resourceVersion")
        change: Object = {"metadata": {"resourceVersion": version}, "spec": {"taints": cast(Json, taints)}}
        await patched(run, NODES, node, "merge", change)
        run.out(f"node/{name_of(node)} {line}{run.dry_suffix}\n")
    return VerbResult()


def _tainted(run: KubectlRun, request: Taint, node: Object) -> tuple[str, list[Object]]:
    """The taints that a node is to have, and kubectl's word for the change. Raises FaultError."""
    before = objects(node, "spec", "taints")
    same = {(each.key, each.effect) for each in request.add}
    there = sorted(
        {text(each, "key") for each in before if (text(each, "key"), text(each, "effect")) in same}
    )
    name = name_of(node)
    if there and not request.overwrite:
        line = (
            f"node {name} already has {','.join(there)} taint(s) with same effect(s) and --overwrite is false"
        )
        raise refused_here("conflict", f"{run.where}: {line}", f"error: {line}")
    new: list[Object] = [
        {"key": each.key, **({"value": each.value} if each.value else {}), "effect": each.effect}
        for each in request.add
    ]
    new += [each for each in before if (text(each, "key"), text(each, "effect")) not in same]
    added, removed = len(new) != len(before), False
    for gone in request.remove:
        kept = [each for each in new if not _is_meant(gone, each)]
        if len(kept) == len(new):
            shown = f"{gone.key}:{gone.effect}" if gone.effect else gone.key
            line = f'taint "{shown}" not found'
            raise refused_here("not-found", f"{run.where}: node {name}: {line}", f"error: {line}")
        new, removed = kept, True
    if (added and removed) or request.overwrite:
        return "modified", new
    return ("tainted" if added else "untainted"), new


def _is_meant(gone: NodeTaint, taint: Object) -> bool:
    return text(taint, "key") == gone.key and gone.effect in ("", text(taint, "effect"))


VERBS: Verbs = {Relabel: relabel, Taint: taint}
