"""The small wrong changes of the tables of programs: an entry removed, one that changes something made a
read, a value of an option forgotten, a form or a condition dropped."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import yaml

RISKS = ("change", "destructive", "probe")
MARKED = ("changes", "destroys", "unsure")
DROPPED = ("needs", "unknown", "strict", "style", "harmless", "bare")

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One wrong change of a file, and how to make the text that it leaves."""

    where: str
    what: str
    make: Callable[[], str]


def changes(text: str, name: str) -> list[Change]:
    """Every change of a file of tables. Options that read, which are most, are changed in what follows them
    only: whether they take a value."""
    loaded: dict[str, Any] = yaml.load(text, yaml.CBaseLoader)
    found: list[Change] = []
    if name.startswith("_"):
        for key in loaded:
            found.append(_change(loaded, (key,), "removed", _remove))
            found.append(_change(loaded, (key,), "any text", lambda at, last: _put(at, last, "(?s:.*)")))
        return found
    for program, value in loaded.items():
        if not (isinstance(value, dict) and list(cast("dict[str, Any]", value)) == ["as"]):
            found += [_change(loaded, path, what, do) for path, what, do in _of(value, (program,))]
    return found


def _change(loaded: Mapping[str, Any], path: Path, what: str, do: "Do") -> Change:
    def make() -> str:
        copy: Any = deepcopy(loaded)
        at = copy
        for step in path[:-1]:
            at = at[step]
        do(at, path[-1])
        return yaml.dump(copy, sort_keys=False, width=10**9, allow_unicode=True)

    return Change(" / ".join(map(str, path)), what, make)


Do = Callable[[Any, Any], None]
"""A change at the last step of a path: of a mapping or list, its key or index."""


def _remove(at: Any, last: Any) -> None:
    del at[last]


def _put(at: Any, last: Any, new: object) -> None:
    at[last] = new


def _of(value: Any, path: Path) -> Iterator[tuple[Path, str, Do]]:
    """The changes of a usage, wherever it stands."""
    if isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            yield from _of(each, (*path, index))
            yield (*path, index), "removed", _remove
    elif isinstance(value, str):
        if value in RISKS:
            yield path, f"{value} made a read", lambda at, last: _put(at, last, "any...")
            yield path, f"{value} removed", _remove
        else:
            yield from _words(value, path)
    else:
        yield from _of_a_mapping(cast("Mapping[str, Any]", value), path)


def _of_a_mapping(usage: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str, Do]]:
    for key, value in usage.items():
        here = (*path, key)
        if key == "is":
            yield here, f"{value} made a read", _remove
        elif key in ("usage", "global"):
            lines = cast("list[str]", value) if isinstance(value, list) else [value]
            for index, line in enumerate(lines):
                yield from _words(line, (*here, index) if isinstance(value, list) else here)
        elif key in MARKED:
            for line in cast("Mapping[str, str]", value) if isinstance(value, dict) else [cast("str", value)]:
                for option in line.split():
                    yield here, f"{option} removed", _without(line, option)
                    yield path, f"{key} {option} made a read", _read(key, line, option)
        elif key in DROPPED:
            yield here, "dropped", _remove
        elif key == "subcommands":
            for names, below in cast("Mapping[str, Any]", value).items():
                yield from _of(below, (*here, names))


def _words(line: str, path: Path) -> Iterator[tuple[Path, str, Do]]:
    """Words of a usage whose meaning is forgotten."""
    words = line.split()
    for index, word in enumerate(words):
        for new in _forgotten(word):
            changed = " ".join([*words[:index], new, *words[index + 1 :]])
            yield path, f"{word} -> {new}", lambda at, last, changed=changed: _put(at, last, changed)


def _forgotten(word: str) -> Sequence[str]:
    name, equals, form = word.partition("=")
    if word.startswith("-") and word not in ("--", "-<number>"):
        if name.endswith("["):
            return [name[:-1], name[:-1] + "="]
        return [name, *([f"{name}="] if form.lstrip("=") else [])] if equals else [f"{name}="]
    if word.startswith(("any", "--")):
        return []
    bare = word.rstrip(".?")
    return ["any" + word[len(bare) :]]


def _without(line: str, option: str) -> Do:
    rest = " ".join(each for each in line.split() if each != option)

    def do(at: Any, last: Any) -> None:
        value = at[last]
        if isinstance(value, dict):
            at[last] = {(rest if key == line else key): why for key, why in value.items()}  # pyright: ignore[reportUnknownVariableType]
        else:
            at[last] = rest

    return do


def _read(key: str, line: str, option: str) -> Do:
    """An option that is marked becomes one that reads."""

    def do(at: Any, last: Any) -> None:
        usage = at[last]
        _without(line, option)(usage, key)
        before = usage.get("usage", "")
        usage["usage"] = [*before, option] if isinstance(before, list) else f"{option} {before}"

    return do
