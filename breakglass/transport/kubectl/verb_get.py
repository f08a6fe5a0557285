"""`kubectl get`: objects as the line asks for them, in the text that kubectl prints."""

from typing import cast

from breakglass.kubernetes_objects import Object, mapping, name_of, objects
from breakglass.policy.kubectl.operations import Get, Target
from breakglass.transport.kubectl.faults import KubectlFaultError
from breakglass.transport.kubectl.find import many, one, pages, place
from breakglass.transport.kubectl.printing import (
    as_json,
    as_list,
    as_yaml,
    bare,
    joined,
    server_table,
    table,
)
from breakglass.transport.kubectl.resources import Resource
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs
from breakglass.transport.kubectl.sorting import FieldPath, sorted_by
from breakglass.values import Json

AS_TABLE = {
    "Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,"
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
}


async def get(run: KubectlRun, request: Get) -> VerbResult:
    """Print the objects. Raises KubectlFaultError after what could be printed is printed."""
    if request.output in ("", "wide"):
        return await _tables(run, request)
    items: list[tuple[Resource, Object]] = []
    failures: list[KubectlFaultError] = []
    for resource, target in await _asked(run, request):
        try:
            found = (
                [await one(run, resource, target)] if target else await many(run, resource, request.selection)
            )
        except KubectlFaultError as error:
            failures += _kept(error, request)
            continue
        items += [(resource, bare(each)) for each in found]
    if request.sort_by:
        items = sorted_by(run, request.sort_by, items, lambda item: item[1])
    single = len(request.selection.targets) == 1
    data = _print(run, request, items, single)
    _raise(run, failures)
    return VerbResult(data=data)


async def _asked(run: KubectlRun, request: Get) -> list[tuple[Resource, Target | None]]:
    """The kinds to list, or the objects to get."""
    chosen = request.selection
    if chosen.targets:
        return [(await run.find(target.resource), target) for target in chosen.targets]
    return [(await run.find(kind), None) for kind in chosen.kinds]


def _kept(error: KubectlFaultError, request: Get) -> list[KubectlFaultError]:
    missing = error.status == 404 and error.reason == "NotFound"
    return [] if request.ignore_not_found and missing else [error]


def _raise(run: KubectlRun, failures: list[KubectlFaultError]) -> None:
    for failed in failures[:-1]:
        run.err(failed.said)
    if failures:
        raise failures[-1]


def _print(run: KubectlRun, request: Get, items: list[tuple[Resource, Object]], single: bool) -> Json:
    """Print the objects, and give what is the result's data: the objects, where they were asked for whole."""
    values = [value for _, value in items]
    if single and not values:
        return None
    whole: Object = values[0] if single else as_list(values)
    match request.output:
        case "json":
            run.out(as_json(whole))
        case "yaml":
            run.out(as_yaml(whole))
        case _:
            run.out(joined(f"{resource.qualified}/{name_of(value)}" for resource, value in items))
            return None
    return whole


async def _tables(run: KubectlRun, request: Get) -> VerbResult:
    chosen = request.selection
    asked = await _asked(run, request)
    several = len({resource for resource, _ in asked}) > 1
    groups: list[tuple[Resource, list[list[str]]]] = []
    failures: list[KubectlFaultError] = []
    for resource, target in asked:
        try:
            found = await _table_of(run, request, resource, target)
        except KubectlFaultError as error:
            failures += _kept(error, request)
            continue
        if request.sort_by:
            found = _sorted_pages(run, request.sort_by, found)
        same = bool(groups) and groups[-1][0] == resource
        rows: list[list[str]] = []
        for index, page in enumerate(found):
            rows += server_table(
                page,
                wide=request.output == "wide",
                headers=request.headers and not same and index == 0,
                namespaces=chosen.all_namespaces and resource.namespaced,
                prefix=f"{resource.qualified}/" if several else "",
            )
        if not any(objects(page, "rows") for page in found):
            continue
        if same:
            groups[-1][1].extend(rows)
        else:
            groups.append((resource, rows))
    run.out("\n".join(table(rows) for _, rows in groups))
    if not groups and not failures and not request.ignore_not_found:
        run.err(await _nothing(run, request, [resource for resource, _ in asked]))
    _raise(run, failures)
    return VerbResult()


async def _table_of(run: KubectlRun, request: Get, resource: Resource, target: Target | None) -> list[Object]:
    if target is None:
        whole = [("includeObject", "Object")] if request.sort_by else []
        found = await pages(run, resource, request.selection, AS_TABLE, whole)
    else:
        path = resource.path(await place(run, resource, target.namespace), target.name)
        found = [await run.read(path, f"get {resource.plural} {target.name}", headers=AS_TABLE)]
    return [page if page.get("kind") == "Table" else _own_table(page) for page in found]


def _sorted_pages(run: KubectlRun, path: FieldPath, found: list[Object]) -> list[Object]:
    """The pages as one, whose rows are in order."""
    rows = [row for page in found for row in objects(page, "rows")]
    ordered = sorted_by(run, path, rows, lambda row: mapping(row, "object"))
    return [{**found[0], "rows": cast("list[Json]", ordered)}]


def _own_table(found: Object) -> Object:
    """A table of names, for an aggregated API that makes none."""
    items = objects(found, "items") if "items" in found else [found]
    rows = [cast(Json, {"cells": [name_of(item)], "object": item}) for item in items]
    return {"kind": "Table", "columnDefinitions": [{"name": "Name"}], "rows": rows}


async def _nothing(run: KubectlRun, request: Get, resources: list[Resource]) -> str:
    chosen = request.selection
    if chosen.all_namespaces or not any(resource.namespaced for resource in resources):
        return "No resources found"
    return f"No resources found in {await run.namespace(given=chosen.namespace)} namespace."


VERBS: Verbs = {Get: get}
