"""Mappings with known keys, read into a value of the reader's own."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast, overload

from breakglass.values import Json
from breakglass.yamlio.position import Position, Problem
from breakglass.yamlio.shape_base import (
    UNREADABLE,
    Definitions,
    Schema,
    Shape,
    T,
    T_co,
    Unreadable,
    expected,
    meant,
    nearest,
)
from breakglass.yamlio.source import MappingNode, Node, ScalarNode

U = TypeVar("U")


class Field(Generic[T_co]):
    """A key of a record: its shape, whether it must be there, and what stands in for it."""

    __slots__ = ("default", "help", "key", "must", "shape")

    def __init__(
        self, key: str, shape: Shape[T_co], default: T_co | Unreadable, *, must: bool, help: str
    ) -> None:
        self.key = key
        self.shape = shape
        self.default = default
        self.must = must
        self.help = help


def required(key: str, shape: Shape[T], *, help: str = "", instead: T | Unreadable = UNREADABLE) -> Field[T]:
    """A key that must be there.

    Without it, or where it cannot be read, the record is unreadable; given `instead`, that stands in for it,
    so that the rest is still read and checked. Either way there is a Problem.
    """
    return Field(key, shape, instead, must=True, help=help)


@overload
def optional(key: str, shape: Shape[T], *, help: str = ...) -> "Field[T | None]": ...
@overload
def optional(key: str, shape: Shape[T], *, default: U, help: str = ...) -> "Field[T | U]": ...
def optional(key: str, shape: Shape[T], *, default: U | None = None, help: str = "") -> "Field[T | U | None]":
    """A key that may be left out; `default`, otherwise None, stands in for it."""
    return Field[T | U | None](key, shape, default, must=False, help=help)


class Fields:
    """What a record's mapping gave: `given[FIELD]` is the value of a field, with the field's type."""

    __slots__ = ("_nodes", "_values", "lost", "node", "position", "problems")

    def __init__(self, node: MappingNode, problems: list[Problem]) -> None:
        self.node = node
        self.position: Position = node.position
        self.problems = problems
        self.lost: set[str] = set()
        """Keys that are there, but of which something could not be read."""
        self._values: dict[str, object] = {}
        self._nodes: dict[str, Node] = {}

    def __getitem__(self, field: Field[T]) -> T:
        return cast(T, self._values[field.key])

    def has(self, field: "Field[T]") -> bool:
        """Whether the key is there, readable or not."""
        return field.key in self._nodes

    def position_of(self, field: "Field[T]") -> Position:
        """Where the field's value stands; the record's own place when it is not there."""
        node = self._nodes.get(field.key)
        return node.position if node is not None else self.position

    def problem(self, position: Position, message: str) -> None:
        self.problems.append(Problem(position, message))

    def read(self, field: "Field[T]", node: Node) -> None:
        """Read one field; for `record` only."""
        before = len(self.problems)
        value = field.shape.read(node, self.problems)
        self._nodes[field.key] = node
        self._values[field.key] = field.default if isinstance(value, Unreadable) else value
        if len(self.problems) > before:
            self.lost.add(field.key)

    def complete(self, fields: Sequence["Field[object]"], what: str) -> bool:
        """Put defaults where nothing is; for `record` only. False when something needed is missing."""
        for field in fields:
            if field.key in self._nodes:
                continue
            if field.must:
                self.problem(self.position, f"{what} needs {field.key!r}")
            self._values[field.key] = field.default
        return all(value is not UNREADABLE for value in self._values.values())


_VOWELS = ("a", "e", "i", "o", "http", "ssh")
"""Beginnings of names that are spoken with a vowel."""


class _Record(Shape[T_co]):
    def __init__(
        self,
        name: str,
        fields: Sequence["Field[object]"],
        build: Callable[[Fields], T_co | Unreadable],
        one_of: Sequence["Field[object]"],
        at_most_one: bool,
        what: str,
        help: str,
    ) -> None:
        self._name = name
        self._what = what or f"{'an' if name.startswith(_VOWELS) else 'a'} {name}"
        self._fields = {field.key: field for field in fields}
        self._build = build
        self._one_of = [field.key for field in one_of]
        self._at_most_one = at_most_one
        self._help = help

    def read(self, node: Node, problems: list[Problem]) -> T_co | Unreadable:
        if not isinstance(node, MappingNode):
            return expected(f"{self._what} (a mapping)", node, problems)
        given = Fields(node, problems)
        strange: list[tuple[ScalarNode, Node]] = []
        for key, value in node.entries:
            field = self._fields.get(key.text)
            if field is None:
                strange.append((key, value))
            else:
                given.read(field, value)
        for key, value in strange:
            self._read_strange(given, key, value)
        whole = given.complete(list(self._fields.values()), self._what)
        if self._one_of and not self._has_one(given):
            return UNREADABLE
        return self._build(given) if whole else UNREADABLE

    def _read_strange(self, given: Fields, key: ScalarNode, value: Node) -> None:
        """An unknown key is a problem; it is read as the one that was meant, to find what is wrong inside."""
        given.problem(
            key.position, f"unknown key {key.text[:80]!r} in {self._what}{meant(key.text, self._fields)}"
        )
        guess = nearest(key.text, self._fields)
        field = self._fields[guess] if guess is not None else None
        if field is not None and not given.has(field):
            given.read(field, value)
            given.lost.add(field.key)

    def _has_one(self, given: Fields) -> bool:
        there = [key for key, _ in given.node.entries if key.text in self._one_of]
        if len(there) > 1:
            names = " or ".join(key.text for key in there)
            given.problem(there[1].position, f"{self._what} has one of {names}, not several")
            return self._at_most_one
        guessed = any(given.has(self._fields[key]) for key in self._one_of)
        if not there and not self._at_most_one and not guessed:
            given.problem(given.position, f"{self._what} needs one of {', '.join(self._one_of)}")
            return False
        return True

    def schema(self, definitions: Definitions) -> Schema:
        name = self._name.replace(" ", "-")
        if name not in definitions:
            definitions[name] = None
            definitions[name] = self._object(definitions)
        return {"$ref": f"#/$defs/{name}"}

    def _object(self, definitions: Definitions) -> Schema:
        properties: Schema = {}
        for key, field in self._fields.items():
            schema = field.shape.schema(definitions)
            if field.help:
                schema = {"description": field.help, **schema}
            properties[key] = schema
        body: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
        if self._help:
            body["description"] = self._help
        must: list[Json] = [key for key, field in self._fields.items() if field.must]
        if must:
            body["required"] = must
        if self._one_of:
            alternatives: list[Json] = [{"required": [key]} for key in self._one_of]
            if self._at_most_one:
                alternatives.append({"not": {"anyOf": list(alternatives)}})
            body["oneOf"] = alternatives
        return body


def record(
    name: str,
    fields: Sequence["Field[object]"],
    build: Callable[[Fields], T | Unreadable],
    *,
    one_of: Sequence["Field[object]"] = (),
    at_most_one_of: Sequence["Field[object]"] = (),
    what: str = "",
    help: str = "",
) -> Shape[T]:
    """A mapping with known keys. `name` is its name in the schema's definitions, and with an article in
    messages, unless `what` is given for those.

    `build` makes the value and may add problems of its own (`given.problem`). Of the fields in `one_of`
    exactly one must be there; of those in `at_most_one_of` one or none. Both are also among `fields`.
    """
    return _Record(name, fields, build, one_of or at_most_one_of, not one_of, what, help)
