"""Finding objects: by name, by selector, all of a kind, and the pods behind something that has pods."""

from collections.abc import Mapping

from breakglass.kubernetes_objects import Object, at, condition_of, mapping, name_of, objects, text, texts
from breakglass.policy.kubectl.operations import Selection, Target
from breakglass.transport.kubectl.api import Query
from breakglass.transport.kubectl.faults import misused, refused_here
from breakglass.transport.kubectl.resources import WELL_KNOWN, Resource
from breakglass.transport.kubectl.run import KubectlRun
from breakglass.values import Json

PAGE = 500
"""Objects of a list that are asked for at once, as kubectl does."""

PODS = next(resource for resource in WELL_KNOWN if resource.plural == "pods")
NODES = next(resource for resource in WELL_KNOWN if resource.plural == "nodes")


async def place(run: KubectlRun, resource: Resource, given: str | None) -> str:
    """The namespace of an object of a kind; empty for kinds that have none."""
    return await run.namespace(given=given) if resource.namespaced else ""


async def one(run: KubectlRun, resource: Resource, target: Target) -> Object:
    """The object. Raises FaultError when it is not there."""
    path = resource.path(await place(run, resource, target.namespace), target.name)
    return await run.read(path, f"get {resource.plural} {target.name}")


async def pages(
    run: KubectlRun,
    resource: Resource,
    selection: Selection,
    headers: Mapping[str, str] | None = None,
    more: Query = (),
) -> list[Object]:
    """The lists, page by page, of the objects of one kind that a selection takes. more: for the query."""
    namespace = "" if selection.all_namespaces else await place(run, resource, selection.namespace)
    query: list[tuple[str, str]] = [("limit", str(PAGE)), *more]
    if selection.labels:
        query.append(("labelSelector", selection.labels))
    if selection.fields:
        query.append(("fieldSelector", selection.fields))
    found: list[Object] = []
    token = ""
    while True:
        asked: Query = [*query, ("continue", token)] if token else query
        page = await run.read(
            resource.path(namespace), f"list {resource.plural}", query=asked, headers=headers
        )
        found.append(page)
        token = text(page, "metadata", "continue")
        if not token:
            return found


async def many(run: KubectlRun, resource: Resource, selection: Selection) -> list[Object]:
    """The objects of one kind that a selection takes, each with the kind and version that lists leave out."""
    found: list[Object] = []
    for page in await pages(run, resource, selection):
        for item in objects(page, "items"):
            found.append({"apiVersion": resource.api_version, "kind": resource.kind, **item})
    return found


async def selected(run: KubectlRun, selection: Selection) -> list[tuple[Resource, Target]]:
    """The objects of a selection by name: those that are named, or those that are there and match."""
    if selection.targets:
        found: list[tuple[Resource, Target]] = []
        for target in selection.targets:
            resource = await run.find(target.resource)
            found.append((resource, Target(target.resource, target.name, target.namespace)))
        return found
    listed: list[tuple[Resource, Target]] = []
    for kind in selection.kinds:
        resource = await run.find(kind)
        for item in await many(run, resource, selection):
            namespace = text(item, "metadata", "namespace") or None
            listed.append((resource, Target(kind, name_of(item), namespace)))
    return listed


async def pods_behind(run: KubectlRun, target: Target) -> list[Object]:
    """The pod itself, or the pods of a workload or service; first the running and ready, the longest so."""
    resource = await run.find(target.resource)
    value = await one(run, resource, target)
    if resource.plural == "pods" and not resource.group:
        return [value]
    selector = at(value, "spec", "selector")
    labels = selector_text(selector)
    if resource.kind in ("Service", "ReplicationController"):
        labels = ",".join(f"{name}={value}" for name, value in sorted(mapping(selector).items()))
    if not labels:
        raise refused_here(
            "rejected",
            f"{run.where}: {resource.plural} {target.name} has no selector, so no pods belong to it",
            f"error: cannot get the pods of {resource.plural}/{target.name}: it has no selector",
        )
    chosen = Selection(kinds=("pods",), namespace=target.namespace, labels=labels)
    found = sorted(await many(run, PODS, chosen), key=pod_order)
    if not found:
        raise refused_here(
            "not-found",
            f"{run.where}: {resource.plural} {target.name} has no pods now; look at its events",
            f"error: no pods found for {resource.plural}/{target.name}",
        )
    return found


def selector_text(selector: Json) -> str:
    """A label selector of an object's spec in the form of a query, its parts in the order of their names."""
    parts = [(name, f"{name}={value}") for name, value in mapping(selector, "matchLabels").items()]
    for each in objects(selector, "matchExpressions"):
        key, operator = text(each, "key"), text(each, "operator")
        listed = ",".join(sorted(texts(each, "values")))
        words = {
            "In": f"{key} in ({listed})",
            "NotIn": f"{key} notin ({listed})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        # One that is not known stays, so that the server refuses it and no more is selected than is meant.
        parts.append((key, words.get(operator, f"{key} {operator} ({listed})")))
    return ",".join(words for _, words in sorted(parts, key=lambda part: part[0]))


def pod_order(pod: Object) -> tuple[bool, bool, bool, str, str]:
    """Pods that are of use come first."""
    ready = condition_of(pod, "Ready")
    return (
        not text(pod, "spec", "nodeName"),
        text(pod, "status", "phase") != "Running",
        text(ready, "status") != "True",
        text(ready, "lastTransitionTime"),
        name_of(pod),
    )


def container_of(run: KubectlRun, pod: Object, given: str) -> str:
    """The container that is meant: the one named, the pod's default, or its first, which is then said."""
    containers = [text(each, "name") for each in objects(pod, "spec", "containers")]
    initial = [text(each, "name") for each in objects(pod, "spec", "initContainers")]
    short_lived = [text(each, "name") for each in objects(pod, "spec", "ephemeralContainers")]
    if given:
        if given not in (*containers, *initial, *short_lived):
            raise refused_here(
                "rejected",
                f"{run.where}: pod {name_of(pod)} has no container {given!r}; it has: "
                f"{', '.join(containers)}",
                f"error: container {given} is not valid for pod {name_of(pod)}",
            )
        return given
    marked = text(pod, "metadata", "annotations", "kubectl.kubernetes.io/default-container")
    if marked in containers:
        return marked
    if not containers:
        raise misused(f"{run.where}: pod {name_of(pod)} has no containers")
    if len(containers) + len(initial) > 1:
        others = ", ".join([*containers, *(f"{name} (init)" for name in initial)])
        run.err(f'Defaulted container "{containers[0]}" out of: {others}')
    return containers[0]
