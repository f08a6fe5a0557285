"""The three kinds of patch that the API takes: merge (RFC 7386), JSON patch (RFC 6902), strategic merge."""

import copy

from breakglass.errors import SimulatorError
from breakglass.kubernetes_objects import objects
from breakglass.values import Json


class PatchError(SimulatorError):
    """The patch cannot be applied. `invalid` where it is well formed but does not fit the object."""

    def __init__(self, message: str, *, invalid: bool = False) -> None:
        super().__init__(message)
        self.invalid = invalid


def merge_patch(target: Json, change: Json) -> Json:
    """Apply a JSON merge patch; null removes, lists are replaced. Neither argument is modified."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    merged = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(target: Json, operations: Json) -> Json:
    """Apply a JSON patch. PatchError where an operation is malformed, leads nowhere, or a test fails."""
    if not isinstance(operations, list):
        raise PatchError("json: cannot unmarshal this into Go value of type jsonpatch.Patch")
    document = copy.deepcopy(target)
    for operation in operations:
        if not isinstance(operation, dict):
            raise PatchError("an operation of a JSON patch is a mapping")
        document = _operate(document, operation)
    return document


def _operate(document: Json, operation: dict[str, Json]) -> Json:
    what = operation.get("op")
    path = _pointer(operation.get("path"))
    if what in ("add", "replace", "test") and "value" not in operation:
        raise PatchError(f"the operation {what} needs a value")
    value = copy.deepcopy(operation.get("value"))
    match what:
        case "add":
            return _add(document, path, value)
        case "remove":
            _take(document, path)
            return document
        case "replace":
            if not path:
                return value
            _look(document, path)
            parent = _look(document, path[:-1])
            if isinstance(parent, list):
                parent[_index(parent, path[-1])] = value
            elif isinstance(parent, dict):
                parent[path[-1]] = value
            return document
        case "move":
            return _add(document, path, _take(document, _pointer(operation.get("from"))))
        case "copy":
            return _add(document, path, copy.deepcopy(_look(document, _pointer(operation.get("from")))))
        case "test":
            if _look(document, path) != value:
                raise PatchError(f"testing value {operation.get('path')} failed: test failed", invalid=True)
            return document
        case _:
            raise PatchError(f"unexpected kind: {what}", invalid=True)


def _pointer(path: Json) -> list[str]:
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise PatchError(f"not a JSON pointer: {path}")
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _index(values: list[Json], part: str) -> int:
    if part not in (str(index) for index in range(len(values))):
        raise PatchError(f"no element {part} in the list", invalid=True)
    return int(part)


def _look(document: Json, path: list[str]) -> Json:
    for part in path:
        if isinstance(document, list):
            document = document[_index(document, part)]
        elif isinstance(document, dict) and part in document:
            document = document[part]
        else:
            raise PatchError(f"the path /{'/'.join(path)} leads nowhere: no {part}", invalid=True)
    return document


def _add(document: Json, path: list[str], value: Json) -> Json:
    if not path:
        return value
    parent = _look(document, path[:-1])
    if isinstance(parent, list):
        at_end = path[-1] == "-" or path[-1] == str(len(parent))
        parent.insert(len(parent) if at_end else _index(parent, path[-1]), value)
    elif isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        raise PatchError(f"nothing can be added at /{'/'.join(path)}", invalid=True)
    return document


def _take(document: Json, path: list[str]) -> Json:
    if not path:
        raise PatchError("the whole document cannot be removed")
    value = _look(document, path)
    parent = _look(document, path[:-1])
    if isinstance(parent, list):
        del parent[_index(parent, path[-1])]
    elif isinstance(parent, dict):
        del parent[path[-1]]
    return value


MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port"),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "ownerReferences": ("uid",),
    "addresses": ("type",),
    "secrets": ("name",),
}
"""By field name, the key that tells the entries of a list apart. Ports have one in containers and another in
Services. Lists that are not named here are replaced, as `tolerations` and `args` are. Source: the
`patchMergeKey` tags in `staging/src/k8s.io/api` of Kubernetes 1.34."""

SET_LISTS = frozenset({"finalizers"})
"""Lists of plain values that are merged as sets."""

_DIRECTIVES = ("$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/")


def strategic_patch(target: Json, change: Json) -> Json:
    """Apply a strategic merge patch, with the directives `$patch: delete|replace|merge`,
    `$deleteFromPrimitiveList`, `$setElementOrder` and `$retainKeys`."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    if change.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in change.items() if key != "$patch"}
    if change.get("$patch") == "delete":
        return {}
    merged = copy.deepcopy(target) if isinstance(target, dict) else {}
    kept = change.get("$retainKeys")
    if isinstance(kept, list):
        merged = {key: value for key, value in merged.items() if key in kept}
    for key, value in change.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            _delete_from(merged, key.partition("/")[2], value)
        elif key.startswith(_DIRECTIVES):
            continue
        elif value is None:
            merged.pop(key, None)
        elif isinstance(value, list):
            merged[key] = _merge_list(key, merged.get(key), value)
        else:
            merged[key] = strategic_patch(merged.get(key), value)
    for key, value in change.items():
        if key.startswith("$setElementOrder/"):
            _order(merged, key.partition("/")[2], value)
    return merged


def _delete_from(merged: dict[str, Json], field: str, gone: Json) -> None:
    values = merged.get(field)
    if isinstance(values, list) and isinstance(gone, list):
        merged[field] = [value for value in values if value not in gone]


def _merge_list(field: str, old: Json, change: list[Json]) -> Json:
    before = list(old) if isinstance(old, list) else []
    if field in SET_LISTS:
        return before + [value for value in change if value not in before]
    key = next((key for key in MERGE_KEYS.get(field, ()) if _all_have(change, key)), None)
    if key is None:
        return copy.deepcopy(_without_directives(change))
    if any(
        isinstance(entry, dict) and set(entry) == {"$patch"} and entry["$patch"] == "replace"
        for entry in change
    ):
        return copy.deepcopy(_without_directives(change))
    merged = copy.deepcopy(before)
    for entry in objects(change):
        found = next(
            (index for index, value in enumerate(merged) if _key_of(value, key) == entry.get(key)), None
        )
        if entry.get("$patch") == "delete":
            if found is not None:
                del merged[found]
        elif found is None:
            merged.append(strategic_patch({}, entry))
        else:
            merged[found] = strategic_patch(merged[found], entry)
    return merged


def _all_have(entries: list[Json], key: str) -> bool:
    return all(isinstance(entry, dict) and (key in entry or set(entry) == {"$patch"}) for entry in entries)


def _key_of(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, dict) else None


def _without_directives(entries: list[Json]) -> list[Json]:
    return [entry for entry in entries if not (isinstance(entry, dict) and "$patch" in entry)]


def _order(merged: dict[str, Json], field: str, order: Json) -> None:
    values = merged.get(field)
    if not isinstance(values, list) or not isinstance(order, list):
        return
    keys = MERGE_KEYS.get(field, ())

    def place(value: Json) -> int:
        for index, wanted in enumerate(order):
            same = value == wanted or (
                isinstance(value, dict)
                and isinstance(wanted, dict)
                and any(key in wanted and value.get(key) == wanted[key] for key in keys)
            )
            if same:
                return index
        return len(order)

    merged[field] = sorted(values, key=place)
