"""Functions that turn text into data, usable in every expression as `text.function()`, and `map.merged(map)`.

The rest (`trim`, `split`, `join`, `replace`, `lowerAscii`, `matches`, `math.greatest`)
comes with CEL's own extensions.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from breakglass.values import Json

if TYPE_CHECKING:
    from cel_expr_python import cel

    from breakglass.yamlio.source import Node

LARGEST = 16 * 1024 * 1024
"""Characters of text that a function looks at."""


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
    wide = re.compile(r"\s{2,}|\t")
    split = wide if wide.search(rows[0]) else re.compile(r"\s+")
    names = split.split(rows[0])
    table = [_cells(row, split, len(names)) for row in rows[1:]]
    for at in range(len(names) - 1, -1, -1):
        words = names[at].split()
        if len(words) > 1 and table and all(_as_many(cells[at : at + 1], words) for cells in table):
            names[at : at + 1] = words
            for cells in table:
                cells[at : at + 1] = cells[at].split()
    keys = [_key(name) for name in names]
    return [dict(zip(keys, cells, strict=False)) for cells in table]


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
        if joined and len(joined[-1].split()) == 1:
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    found: list[dict[str, Json]] = []
    for line in joined:
        match = re.match(r"^(.+?)\s+(\d+)\s+(\d+)\s+(-?\d+)\s+(\d+|-)%?\s+(/.*)$", line)
        if match:
            use = 0 if match[5] == "-" else int(match[5])
            found.append(
                {
                    "filesystem": match[1],
                    "blocks": int(match[2]),
                    "used": int(match[3]),
                    "available": int(match[4]),
                    "use_percent": use,
                    "mounted_on": match[6],
                }
            )
    if not found:
        raise ValueError("df(): no line looks like one of df")
    return found


def key_values(text: str) -> dict[str, str]:
    """Lines of `key: value`, `key=value` or `Key   value`, keyed as they are written; the last of a key
    counts."""
    pairs: dict[str, str] = {}
    for line in lines(text):
        match = re.match(r"^\s*([^:=\s][^:=]*?)\s*(?:[:=]\s*|\s{2,}|\t)(.*?)\s*$", line)
        if match:
            pairs[match[1]] = match[2]
    return pairs


def parse_json(text: str) -> Json:
    """JSON as data."""
    try:
        return cast(Json, json.loads(_bounded(text)))
    except ValueError as error:
        raise ValueError(f"json(): {error}") from error


def parse_yaml(text: str) -> Json:
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
    match = _pattern(pattern).search(_bounded(text))
    if match is None:
        return None
    return cast("str | None", match[1] if match.re.groups else match[0])


def every(text: str, pattern: str) -> list[str]:
    """All matches of a pattern, as `first` gives one."""
    return [match[1] if match.re.groups else match[0] for match in _pattern(pattern).finditer(_bounded(text))]


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


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise ValueError(f"pattern {pattern!r}: {error}") from error


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
        member("json", anything, parse_json),
        member("yaml", anything, parse_yaml),
        member("first", anything, first, text),
        member("all", cel.Type.List(text), every, text),
        member("lower", text, str.lower),
        member("to_int", number, to_int),
        member("age_seconds", cel.Type.DOUBLE, age_seconds),
    ]
