"""Server-side apply: which fields a manager applied, which it leaves, and which another one owns.

Source: "Server-Side Apply" in the Kubernetes reference. A real server keeps this in `managedFields`, for
every way of writing. Here it is kept beside the objects, and only of what was applied: a field that somebody
updated or patched conflicts with nobody. A list is one value, but for entries with names, which are merged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from breakglass.kubernetes_objects import Object, at, name_of, objects, text
from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.simulator.kubernetes.objects import copied
from breakglass.values import Json

CONTENT_TYPE = "application/apply-patch+yaml"
Path = tuple[str, ...]
IDENTITY = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"))


def manager_of(given: str) -> str:
    """The field manager of a request. ApiError 422 where there is none."""
    if not given:
        message = "Required value: is required for apply patch"
        raise statuses.invalid_options("PatchOptions", "fieldManager", "FieldValueRequired", message)
    return given


@dataclass
class Applied:
    """What each manager applied last, by the object's uid and the manager's name."""

    _by_manager: dict[tuple[str, str], Object] = field(default_factory=dict[tuple[str, str], Object])

    def remember(self, uid: str, manager: str, wanted: Object) -> None:
        self._by_manager[uid, manager] = copied(wanted)

    def check(self, kind: ResourceKind, before: Object, uid: str, manager: str, wanted: Object) -> None:
        """ApiError 409 for fields that another manager applied with another value."""
        for other, taken in self._taken(before, uid, manager, wanted):
            raise statuses.apply_conflict(
                kind, name_of(before), other, [".".join(("", *path)) for path in taken]
            )

    def take(self, before: Object, uid: str, manager: str, wanted: Object) -> None:
        """Take the fields that differ from the managers that applied them, as `force` does."""
        for other, taken in self._taken(before, uid, manager, wanted):
            self._by_manager[uid, other] = _without(self._by_manager[uid, other], taken)

    def patch(self, uid: str, manager: str, wanted: Object) -> Object:
        """The patch that the manifest comes to: its fields, and the end of those that this manager applied
        before, no longer does, and nobody else applied."""
        last = self._by_manager.get((uid, manager), {})
        others = {path for _, applied in self._others(uid, manager) for path, _ in _leaves(applied)}
        kept = {path for path, _ in _leaves(wanted)} | others
        change = copied(wanted)
        for path, value in _leaves(last):
            if path not in kept:
                _end(change, path)
            elif isinstance(value, list):
                _end_entries(change, path, value)
        return change

    def _others(self, uid: str, manager: str) -> list[tuple[str, Object]]:
        return [
            (other, applied)
            for (of, other), applied in self._by_manager.items()
            if of == uid and other != manager
        ]

    def _taken(
        self, before: Object, uid: str, manager: str, wanted: Object
    ) -> Iterator[tuple[str, list[Path]]]:
        """The managers whose fields are wanted with other values than they have, and which."""
        for other, applied in self._others(uid, manager):
            theirs = {path for path, _ in _leaves(applied)} - set(IDENTITY)
            differ = [
                path for path, value in _leaves(wanted) if path in theirs and value != at(before, *path)
            ]
            if differ:
                yield other, differ


def _leaves(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _leaves(each, (*path, name))
    elif path:
        yield path, value


def _without(value: Object, paths: list[Path]) -> Object:
    kept = copied(value)
    for path in paths:
        holder = at(kept, *path[:-1])
        if isinstance(holder, dict):
            holder.pop(path[-1], None)
    return kept


def _end(change: Object, path: Path) -> None:
    """Let a patch end a field. One whose place is now a single value ends with it."""
    here = change
    for part in path[:-1]:
        inner = here.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        here = inner
    here[path[-1]] = None


def _end_entries(change: Object, path: Path, before: list[Json]) -> None:
    """Let a patch end the entries of a list, by their names, that were applied before and no longer are."""
    here = at(change, *path)
    if isinstance(here, list):
        named = {text(each, "name") for each in objects(here)}
        gone = [name for each in objects(before) if (name := text(each, "name")) and name not in named]
        here += [{"$patch": "delete", "name": name} for name in gone]
