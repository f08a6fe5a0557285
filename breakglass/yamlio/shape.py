"""A small vocabulary of shapes. One declaration reads YAML into a value, and yields the JSON Schema for it.

    PORTS = mapping_of(list_of(integer(1, 65535)))
    ports = read_as(PORTS, parse(text, path))        # raises InvalidFileError with every problem

A shape never raises for what a file holds: it adds a Problem for each fault and reads on, so that one run
shows them all. What cannot be read at all is `UNREADABLE`; lists and mappings leave such entries out.
Mappings with known keys are records: see `breakglass.yamlio.record`.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from breakglass.values import Json
from breakglass.yamlio.position import InvalidFileError, Problem
from breakglass.yamlio.shape_base import (
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
    read_as,
)
from breakglass.yamlio.shape_values import (
    BOOLEAN,
    BYTES,
    DURATION,
    IDENTIFIER,
    JSON,
    PATH,
    SITE_NAME,
    TEXT,
    Identifier,
    SiteName,
    choice,
    integer,
    number,
    plain,
    text,
)
from breakglass.yamlio.source import MappingNode, Node, ScalarNode, SequenceNode

__all__ = [
    "BOOLEAN",
    "BYTES",
    "DURATION",
    "IDENTIFIER",
    "JSON",
    "PATH",
    "SITE_NAME",
    "TEXT",
    "TYPES",
    "UNREADABLE",
    "Definitions",
    "Identifier",
    "Schema",
    "Shape",
    "SiteName",
    "Unreadable",
    "by_kind",
    "choice",
    "converted",
    "integer",
    "list_of",
    "made",
    "mapping_of",
    "meant",
    "number",
    "one_or_more",
    "plain",
    "read_as",
    "text",
]

U = TypeVar("U")


class _ListOf(Shape[tuple[T_co, ...]]):
    def __init__(self, item: Shape[T_co], what: str, minimum: int, maximum: int | None) -> None:
        self._item = item
        self.what = what
        self._minimum = minimum
        self._maximum = maximum

    def read(self, node: Node, problems: list[Problem]) -> tuple[T_co, ...] | Unreadable:
        if not isinstance(node, SequenceNode):
            return expected(self.what, node, problems)
        if len(node.items) < self._minimum:
            problems.append(Problem(node.position, f"expected {self.what}, and this one is empty"))
            return UNREADABLE
        if self._maximum is not None and len(node.items) > self._maximum:
            message = f"expected {self.what} of at most {self._maximum} items, not {len(node.items)}"
            problems.append(Problem(node.items[self._maximum].position, message))
            return UNREADABLE
        values = [self._item.read(item, problems) for item in node.items]
        return tuple(value for value in values if not isinstance(value, Unreadable))

    def schema(self, definitions: Definitions) -> Schema:
        schema: Schema = {"type": "array", "items": self._item.schema(definitions)}
        if self._minimum:
            schema["minItems"] = self._minimum
        if self._maximum is not None:
            schema["maxItems"] = self._maximum
        return schema


def list_of(
    item: Shape[T], what: str = "a list", *, minimum: int = 0, maximum: int | None = None
) -> Shape[tuple[T, ...]]:
    """A list whose items are all of one shape."""
    return _ListOf(item, what, minimum, maximum)


class _MappingOf(Shape[dict[str, T]]):
    def __init__(self, value: Shape[T], key: Shape[str], what: str) -> None:
        self._value = value
        self._key = key
        self.what = what

    def read(self, node: Node, problems: list[Problem]) -> dict[str, T] | Unreadable:
        if not isinstance(node, MappingNode):
            return expected(self.what, node, problems)
        entries: dict[str, T] = {}
        for name, inner in node.entries:
            key = self._key.read(name, problems)
            value = self._value.read_entry(inner, problems, name)
            if not isinstance(key, Unreadable) and not isinstance(value, Unreadable):
                entries[key] = value
        return entries

    def schema(self, definitions: Definitions) -> Schema:
        return {
            "type": "object",
            "propertyNames": self._key.schema(definitions) | {"type": "string"},
            "additionalProperties": self._value.schema(definitions),
        }


def mapping_of(value: Shape[T], *, key: Shape[str] = TEXT, what: str = "a mapping") -> Shape[dict[str, T]]:
    """A mapping from names of the file's choosing to values of one shape, in the file's order."""
    return _MappingOf(value, key, what)


class _Converted(Shape[U], Generic[T, U]):
    def __init__(self, inner: Shape[T], convert: Callable[[T, Node, list[Problem]], U | Unreadable]) -> None:
        self._inner = inner
        self._convert = convert
        self.what = inner.what

    def read(self, node: Node, problems: list[Problem]) -> U | Unreadable:
        value = self._inner.read(node, problems)
        return UNREADABLE if isinstance(value, Unreadable) else self._convert(value, node, problems)

    def written(self, value: object) -> Json:
        return self._inner.written(value)

    def schema(self, definitions: Definitions) -> Schema:
        return self._inner.schema(definitions)


def converted(inner: Shape[T], convert: Callable[[T, Node, list[Problem]], U | Unreadable]) -> Shape[U]:
    """Another shape's value, made into something else.

    `convert` takes the value, its node, and the problems to add to; it returns UNREADABLE when it added one.
    """
    return _Converted(inner, convert)


def made(inner: Shape[T], make: Callable[[T], U]) -> Shape[U]:
    """Another shape's value, made into something else by what raises ValueError for a wrong one, or
    InvalidFileError with the problems inside of it."""

    def convert(value: T, node: Node, problems: list[Problem]) -> U | Unreadable:
        try:
            return make(value)
        except InvalidFileError as error:
            problems.extend(error.problems)
        except ValueError as error:
            problems.append(Problem(node.position, str(error)))
        return UNREADABLE

    return converted(inner, convert)


def one_or_more(item: Shape[T], *, minimum: int = 1) -> Shape[tuple[T, ...]]:
    """A list, or its one item as it is."""
    one: Shape[tuple[T, ...]] = converted(item, lambda value, node, problems: (value,))
    several = list_of(item, minimum=minimum)
    return by_kind(f"{item.what}, or a list of them", scalar=one, sequence=several, mapping=one)


class _ByKind(Shape[T_co]):
    def __init__(
        self,
        what: str,
        scalar: Shape[T_co] | None,
        sequence: Shape[T_co] | None,
        mapping: Shape[T_co] | None,
    ) -> None:
        self.what = what
        self._scalar = scalar
        self._sequence = sequence
        self._mapping = mapping

    def read(self, node: Node, problems: list[Problem]) -> T_co | Unreadable:
        match node:
            case ScalarNode():
                shape = self._scalar if node.value is not None else None
            case SequenceNode():
                shape = self._sequence
            case MappingNode():
                shape = self._mapping
        if shape is None:
            return expected(self.what, node, problems)
        return shape.read(node, problems)

    def schema(self, definitions: Definitions) -> Schema:
        alternatives: list[Json] = []
        for shape in (self._scalar, self._sequence, self._mapping):
            if shape is not None and (schema := shape.schema(definitions)) not in alternatives:
                alternatives.append(schema)
        return {"anyOf": alternatives}


def by_kind(
    what: str,
    *,
    scalar: Shape[T] | None = None,
    sequence: Shape[T] | None = None,
    mapping: Shape[T] | None = None,
) -> Shape[T]:
    """One thing that may be written in several ways: as a value, as a list, or as a mapping."""
    return _ByKind(what, scalar, sequence, mapping)
