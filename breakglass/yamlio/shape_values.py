"""Shapes of single values: text, numbers, words of a list, durations, paths, and data of any kind."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias, cast

from breakglass.values import Json
from breakglass.yamlio.position import Problem
from breakglass.yamlio.shape_base import (
    LONGEST_TEXT,
    TYPES,
    UNREADABLE,
    Definitions,
    Schema,
    Shape,
    T,
    T_co,
    Unreadable,
    expected,
    meant,
)
from breakglass.yamlio.source import MappingNode, Node, ScalarNode, SequenceNode


class _Text(Shape[str]):
    def __init__(
        self, what: str, pattern: str | None, may_be_empty: bool, as_written: bool, title: str
    ) -> None:
        self.what = what
        self._title = title or (what if what != "text" else "")
        self._pattern = re.compile(pattern) if pattern is not None else None
        self._may_be_empty = may_be_empty
        self._as_written = as_written

    def read(self, node: Node, problems: list[Problem]) -> str | Unreadable:
        if not isinstance(node, ScalarNode) or node.value is None:
            return expected(self.what, node, problems)
        if not isinstance(node.value, str) and not self._as_written:
            return expected(self.what, node, problems, "; quote it")
        if not node.text.strip() and not self._may_be_empty:
            return expected(self.what, node, problems)
        if len(node.text) > LONGEST_TEXT:
            message = f"{len(node.text)} characters, and {LONGEST_TEXT} are the most in one text"
            problems.append(Problem(node.position, message))
            return UNREADABLE
        if self._pattern is not None and self._pattern.fullmatch(node.text) is None:
            message = f"{node.text[:80]!r} is not {self.what}; it must match {self._pattern.pattern}"
            problems.append(Problem(node.position, message))
            return UNREADABLE
        return node.text

    def schema(self, definitions: Definitions) -> Schema:
        schema: Schema = {"title": self._title} if self._title else {}
        schema["type"] = ["string", "number", "boolean"] if self._as_written else "string"
        if self._pattern is not None:
            schema["pattern"] = f"^(?:{self._pattern.pattern})$"
        elif not self._may_be_empty:
            schema["minLength"] = 1
        return schema


def text(
    what: str = "text",
    *,
    pattern: str | None = None,
    may_be_empty: bool = False,
    as_written: bool = False,
    title: str = "",
) -> Shape[str]:
    """Text. `what` names it in messages, and in the schema unless `title` is given; `pattern` must match the
    whole of it.

    With `as_written`, numbers and truth values are taken as they were written; otherwise they must be quoted.
    """
    return _Text(what, pattern, may_be_empty, as_written, title)


TEXT = text()


class _Number(Shape[float]):
    def __init__(self, minimum: float | None, maximum: float | None, whole: bool) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self._whole = whole
        self.what = "a whole number" if whole else "a number"

    def read(self, node: Node, problems: list[Problem]) -> float | Unreadable:
        kinds = int if self._whole else (int, float)
        if not isinstance(node, ScalarNode) or isinstance(node.value, bool):
            return expected(self.what, node, problems)
        if not isinstance(node.value, kinds):
            return expected(self.what, node, problems)
        if (self._minimum is not None and node.value < self._minimum) or (
            self._maximum is not None and node.value > self._maximum
        ):
            return expected(f"{self.what} {_range(self._minimum, self._maximum)}", node, problems)
        return node.value

    def schema(self, definitions: Definitions) -> Schema:
        schema: Schema = {"type": "integer" if self._whole else "number"}
        if self._minimum is not None:
            schema["minimum"] = self._minimum
        if self._maximum is not None:
            schema["maximum"] = self._maximum
        return schema


def _range(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f"from {minimum} to {maximum}"
    return f"of at least {minimum}" if maximum is None else f"of at most {maximum}"


def integer(minimum: int | None = None, maximum: int | None = None) -> Shape[int]:
    """A whole number within bounds."""
    return cast("Shape[int]", _Number(minimum, maximum, whole=True))


def number(minimum: float | None = None, maximum: float | None = None) -> Shape[float]:
    """A number within bounds."""
    return _Number(minimum, maximum, whole=False)


class _Boolean(Shape[bool]):
    what = "true or false"

    def read(self, node: Node, problems: list[Problem]) -> bool | Unreadable:
        if not isinstance(node, ScalarNode) or not isinstance(node.value, bool):
            return expected(self.what, node, problems)
        return node.value

    def schema(self, definitions: Definitions) -> Schema:
        return {"type": "boolean"}


BOOLEAN: Shape[bool] = _Boolean()


class _Choice(Shape[T_co]):
    def __init__(self, values: Mapping[str, T_co]) -> None:
        self._values = values
        self.what = f"one of {', '.join(values)}"

    def read(self, node: Node, problems: list[Problem]) -> T_co | Unreadable:
        if isinstance(node, ScalarNode) and node.text in self._values:
            return self._values[node.text]
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            hint = meant(node.text, self._values)
            problems.append(Problem(node.position, f"{node.text[:80]!r} is not known here{hint}"))
            return UNREADABLE
        return expected(self.what, node, problems)

    def written(self, value: object) -> Json:
        return next((word for word, meaning in self._values.items() if meaning == value), None)

    def schema(self, definitions: Definitions) -> Schema:
        return {"enum": list(self._values)}


def choice(values: Mapping[str, T]) -> Shape[T]:
    """One of several words, each with what it becomes."""
    return _Choice(values)


_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class _Duration(Shape[float]):
    what = "a duration such as 500ms, 10s, 2m or a number of seconds"

    def read(self, node: Node, problems: list[Problem]) -> float | Unreadable:
        if isinstance(node, ScalarNode) and not isinstance(node.value, bool):
            if isinstance(node.value, int | float) and math.isfinite(node.value) and node.value >= 0:
                return float(node.value)
            if isinstance(node.value, str) and (match := _DURATION.fullmatch(node.text.strip())):
                return float(match[1]) * _SECONDS[match[2]]
        return expected(self.what, node, problems)

    def written(self, value: object) -> Json:
        return f"{value:g}s" if isinstance(value, float) else None

    def schema(self, definitions: Definitions) -> Schema:
        written: Json = {"type": "string", "pattern": f"^{_DURATION.pattern}$"}
        return {"title": "duration", "anyOf": [{"type": "number", "minimum": 0}, written]}


DURATION: Shape[float] = _Duration()
"""Seconds, written `500ms`, `10s`, `2m`, `1h` or as a number of seconds."""


_AMOUNT = re.compile(r"([1-9][0-9]{0,5}) ?(KiB|MiB|GiB)")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class _Bytes(Shape[int]):
    what = "an amount such as 512 KiB, 64 MiB or 1 GiB"

    def read(self, node: Node, problems: list[Problem]) -> int | Unreadable:
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            match = _AMOUNT.fullmatch(node.text.strip())
            if match is not None:
                return int(match[1]) * _UNITS[match[2]]
        return expected(self.what, node, problems)

    def written(self, value: object) -> Json:
        return f"{value >> 20} MiB" if isinstance(value, int) else None

    def schema(self, definitions: Definitions) -> Schema:
        return {"title": "amount of bytes", "type": "string", "pattern": f"^{_AMOUNT.pattern}$"}


BYTES: Shape[int] = _Bytes()
"""Bytes, written `512 KiB`, `64 MiB` or `1 GiB`."""


class _PathShape(Shape[Path]):
    what = TEXT.what

    def read(self, node: Node, problems: list[Problem]) -> Path | Unreadable:
        given = TEXT.read(node, problems)
        if isinstance(given, Unreadable):
            return given
        try:
            return node.position.file.parent / Path(given).expanduser()
        except RuntimeError as error:
            problems.append(Problem(node.position, f"{given!r}: {error}"))
            return UNREADABLE

    def schema(self, definitions: Definitions) -> Schema:
        return {"title": "path", "type": "string", "minLength": 1}


PATH: Shape[Path] = _PathShape()
"""A path: `~` is the home folder, and a relative one starts at the folder of the file it is written in."""


def plain(node: Node) -> Json:
    """A tree as plain JSON."""
    match node:
        case ScalarNode():
            return node.value
        case SequenceNode():
            return [plain(item) for item in node.items]
        case MappingNode():
            return {key.text: plain(value) for key, value in node.entries}


class _Anything(Shape[Json]):
    what = "any data"

    def read(self, node: Node, problems: list[Problem]) -> "Json | Unreadable":
        return plain(node)

    def schema(self, definitions: Definitions) -> Schema:
        return {}


JSON: Shape[Json] = _Anything()
"""Any data at all."""

IDENTIFIER = text("a name of letters, digits and _", pattern=r"[A-Za-z_][A-Za-z0-9_]*")
SITE_NAME = text("a name of the site", pattern=r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""The name of a cluster, host, endpoint or variable."""

Identifier: TypeAlias = Annotated[str, IDENTIFIER]
SiteName: TypeAlias = Annotated[str, SITE_NAME]

TYPES.update({str: TEXT, bool: BOOLEAN, int: integer(), float: number(), Path: PATH, cast(str, Json): JSON})
