"""Functions that turn text into data, usable in every expression as `text.function()`, and `map.merged(map)`.

The rest (`trim`, `split`, `join`, `replace`, `lowerAscii`, `matches`, `math.greatest`)
comes with CEL's own extensions.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from breakglass.regex import compile_pattern
from breakglass.values import Json, parse_json

if TYPE_CHECKING:
    from cel_expr_python import cel

    from breakglass.yamlio.source import Node

LARGEST = 16 * 1024 * 1024
"""Characters of text that a function looks at."""

DEEPEST = 100
"""Levels of lists and mappings inside each other that a function gives; CEL walks them by recursion."""

_WORD = re.compile(r"\S+")
_WIDE = re.compile(r"\s{2,}|\t")
_BLANKS = re.compile(r"\s+")
_SEPARATOR = re.compile(r"\s*[:=]|\s{2,}|\t")
"""What ends a key. Of a run of blanks the first decides, so that a run is looked at once."""
_NUMBER = re.compile(r"[0-9]{1,18}")


def lines(text: str) -> list[str]:
    """The lines that are not blank, without their ends."""
    return [line for line in _bounded(text).splitlines() if line.strip()]


def columns(text: str) -> list[dict[str, str]]:
    """A table with a header row, as one map a row, keyed by the header in lower case with `_` for blanks.

    Columns are separated by two or more blanks, or by one where the header shows no wider gap; the last
    column takes the rest of the line. A header of several words is one column (`NOMINATED NODE`), unless each
    row has as many words there (`VMID NAME`, of which the first is set to the right). This is the form of
    kubectl, `ps`, `docker` and `qm list`.
    """
    rows = [row.strip() for row in lines(text)]
    if not rows:
        return []
    split = _WIDE if _WIDE.search(rows[0]) else _BLANKS
    names = split.split(rows[0])
    table = [_cells(row, split, len(names)) for row in rows[1:]]
    apart = {
        at
        for at, name in enumerate(names)
        if len(words := name.split()) > 1
        and table
        and all(_as_many(cells[at : at + 1], words) for cells in table)
    }
    keys = [_key(name) for name in _in_words(names, apart)]
    return [dict(zip(keys, _in_words(cells, apart), strict=False)) for cells in table]


def _in_words(cells: list[str], apart: set[int]) -> Iterator[str]:
    """The cells, and those in `apart` word by word."""
    for at, cell in enumerate(cells):
        yield from cell.split() if at in apart else (cell,)


def _cells(row: str, split: re.Pattern[str], count: int) -> list[str]:
    cells = split.split(row, maxsplit=count - 1)
    return cells if len(cells) >= count else row.split(maxsplit=count - 1)


def _as_many(cell: list[str], words: list[str]) -> bool:
    return bool(cell) and len(cell[0].split()) == len(words)


def df(text: str) -> list[dict[str, Json]]:
    """The output of `df -k` or `df -P`: file system, sizes in KiB, use in percent, and where it is mounted.

    A long device name that pushes the numbers to the next line is joined to it again.
    """
    joined: list[str] = []
    for line in lines(text):
        if joined and len(joined[-1].split(maxsplit=1)) == 1:
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    found = [row for line in joined if (row := _df_row(line)) is not None]
    if not found:
        raise ValueError("df(): no line looks like one of df")
    return found


def _df_row(line: str) -> dict[str, Json] | None:
    """A line of `df`: what stands before the first four numbers that a path follows is the file system's
    name, blanks and all."""
    words = list(_WORD.finditer(line))
    for at in range(5, len(words)):
        if not line.startswith("/", words[at].start()):
            continue
        blocks, used, available, percent = (word[0] for word in words[at - 4 : at])
        percent = percent.removesuffix("%")
        whole = (blocks, used, available.removeprefix("-"), "0" if percent == "-" else percent)
        if all(_NUMBER.fullmatch(each) for each in whole):
            return {
                "filesystem": line[: words[at - 5].end()],
                "blocks": int(blocks),
                "used": int(used),
                "available": int(available),
                "use_percent": 0 if percent == "-" else int(percent),
                "mounted_on": line[words[at].start() :],
            }
    return None


def key_values(text: str) -> dict[str, str]:
    """Lines of `key: value`, `key=value` or `Key   value`, keyed as they are written; the last of a key
    counts."""
    pairs: dict[str, str] = {}
    for line in lines(text):
        line = line.lstrip()
        separator = _SEPARATOR.search(line)
        if separator is not None and separator.start() > 0:
            pairs[line[: separator.start()]] = line[separator.end() :].strip()
    return pairs


def from_json(text: str) -> Json:
    """JSON as data."""
    try:
        value = parse_json(_bounded(text))
    except ValueError as error:
        raise ValueError(f"json(): {error}") from error
    if _is_deeper(value, DEEPEST):
        raise ValueError(f"json(): nested more than {DEEPEST} levels deep")
    return value


def _is_deeper(value: Json, levels: int) -> bool:
    if not isinstance(value, list | dict):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)


def from_yaml(text: str) -> Json:
    """YAML as data, without tags or aliases."""
    from pathlib import Path

    from breakglass.yamlio.position import InvalidFileError
    from breakglass.yamlio.source import parse

    try:
        return _plain(parse(_bounded(text), Path("output")))
    except InvalidFileError as error:
        raise ValueError(f"yaml(): {error.problems[0].message}") from error


def _plain(node: "Node") -> Json:
    from breakglass.yamlio.source import MappingNode, SequenceNode

    if isinstance(node, MappingNode):
        return {key.text: _plain(value) for key, value in node.entries}
    if isinstance(node, SequenceNode):
        return [_plain(item) for item in node.items]
    return node.value


def first(text: str, pattern: str) -> str | None:
    """The first match of a pattern: its first group where it has one. Null when nothing matches."""
    return next(compile_pattern(pattern, "(?m)").all(_bounded(text)), None)


def every(text: str, pattern: str) -> list[str]:
    """All matches of a pattern, as `first` gives one."""
    return list(compile_pattern(pattern, "(?m)").all(_bounded(text)))


def to_int(text: str) -> int:
    """The whole number that the text is, blanks aside."""
    try:
        return int(text.strip())
    except ValueError:
        raise ValueError(f"to_int(): {text.strip()[:40]!r} is not a whole number") from None


def age_seconds(timestamp: str) -> float:
    """Seconds since an RFC 3339 timestamp, by this machine's clock."""
    try:
        moment = datetime.fromisoformat(timestamp.strip().replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(f"age_seconds(): {timestamp[:40]!r} is not a timestamp") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (datetime.now(UTC) - moment).total_seconds()


def merged(one: dict[str, Json], other: dict[str, Json]) -> dict[str, Json]:
    """A map with the entries of another added or put in their place; the maps inside are not merged.

    For an API that replaces an object as a whole: change one key and send back all the others.
    """
    return {**one, **other}


def _bounded(text: str) -> str:
    if len(text) > LARGEST:
        raise ValueError(f"the text is longer than {LARGEST} characters")
    return text


def _key(header: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", header.lower()).strip("_")


@lru_cache(maxsize=1)
def declarations() -> list["cel.FunctionDecl"]:
    """The functions as CEL knows them."""
    from cel_expr_python import cel

    text, number, anything = cel.Type.STRING, cel.Type.INT, cel.Type.DYN

    def member(
        name: str, result: "cel.Type", function: Callable[..., object], *more: "cel.Type"
    ) -> "cel.FunctionDecl":
        overload = cel.Overload(
            f"string_{name}", return_type=result, parameters=[text, *more], is_member=True, impl=function
        )
        return cel.FunctionDecl(name, [overload])

    mapping = cel.Type.Map(anything, anything)
    merging = cel.Overload(
        "map_merged", return_type=mapping, parameters=[mapping, mapping], is_member=True, impl=merged
    )
    return [
        cel.FunctionDecl("merged", [merging]),
        member("lines", cel.Type.List(text), lines),
        member("columns", anything, columns),
        member("df", anything, df),
        member("key_values", anything, key_values),
        member("json", anything, from_json),
        member("yaml", anything, from_yaml),
        member("first", anything, first, text),
        member("all", cel.Type.List(text), every, text),
        member("lower", text, str.lower),
        member("to_int", number, to_int),
        member("age_seconds", cel.Type.DOUBLE, age_seconds),
    ]
