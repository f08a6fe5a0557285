"""A small vocabulary of shapes. One declaration reads YAML into a value, and yields the JSON Schema for it.

    ADDRESS = required("address", TEXT, help="Name or IP address.")
    PORT = optional("port", integer(1, 65535), default=22)
    HOST = record("host", (ADDRESS, PORT), lambda given: Host(given[ADDRESS], given[PORT]))

    SITE = record("site", (required("hosts", mapping_of(HOST)),), ...)
    site = read_as(SITE, parse(text, path))          # raises InvalidFileError with every problem

A shape never raises for what a file holds: it adds a Problem for each fault and reads on, so that one run
shows them all. What cannot be read at all is `UNREADABLE`; lists and mappings leave such entries out, and a
record puts the field's default in their place and remembers the key in `Fields.lost`.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar, cast, overload

from breakglass.runbook.position import InvalidFileError, Position, Problem
from breakglass.runbook.yaml_source import MappingNode, Node, ScalarNode, SequenceNode
from breakglass.values import Json

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")
Schema: TypeAlias = dict[str, Json]
Definitions: TypeAlias = dict[str, Json]
"""The named shapes met so far, by name: the `$defs` of a schema."""


LONGEST_TEXT = 32_768
"""Characters of one text; a longer one is data, and belongs into a file of its own."""


class Unreadable(Enum):
    TOKEN = "unreadable"


UNREADABLE: Final = Unreadable.TOKEN
"""Stands for a value that could not be read; a Problem says why."""


class Shape(ABC, Generic[T_co]):
    """What a part of a file must look like, and what it becomes."""

    @abstractmethod
    def read(self, node: Node, problems: list[Problem]) -> T_co | Unreadable:
        """The value of a node, or UNREADABLE; every fault is added to `problems`."""

    @abstractmethod
    def schema(self, definitions: Definitions) -> Schema:
        """The JSON Schema of this shape. Named shapes go into `definitions` and are referred to."""


def read_as(shape: Shape[T], node: Node) -> T:
    """The value of a tree. Raises InvalidFileError with every problem."""
    problems: list[Problem] = []
    value = shape.read(node, problems)
    if isinstance(value, Unreadable) or any(not problem.warning for problem in problems):
        raise InvalidFileError(problems)
    return value


def schema_of(shape: Shape[T], title: str) -> Schema:
    """A whole JSON Schema (draft 2020-12) for files of this shape."""
    definitions: Definitions = {}
    body = shape.schema(definitions)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    named: Json = {name: definitions[name] for name in sorted(definitions)}
    return {"$schema": dialect, "title": title, **body, "$defs": named}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    folded = {each.lower().replace("_", "-"): each for each in known}
    found = get_close_matches(name.lower().replace("_", "-"), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, else all of them."""
    names = sorted(known)
    near = nearest(name, names)
    if near is not None:
        return f"; did you mean {near!r}?"
    return f"; known: {', '.join(names)}" if names else "; there are none"


def described(node: Node) -> str:
    """What a node is, in the words of a message."""
    match node:
        case MappingNode():
            return "a mapping"
        case SequenceNode():
            return "a list"
        case ScalarNode(value=None):
            return "nothing"
        case ScalarNode(value=bool()):
            return f"{node.text} (true or false)"
        case ScalarNode(value=int() | float()):
            return f"the number {node.text}"
        case ScalarNode():
            return f"the text {node.text[:40]!r}"


def _expected(what: str, node: Node, problems: list[Problem], hint: str = "") -> Unreadable:
    problems.append(Problem(node.position, f"expected {what}, not {described(node)}{hint}"))
    return UNREADABLE


class _Text(Shape[str]):
    def __init__(self, what: str, pattern: str | None, may_be_empty: bool, as_written: bool) -> None:
        self._what = what
        self._pattern = re.compile(pattern) if pattern is not None else None
        self._may_be_empty = may_be_empty
        self._as_written = as_written

    def read(self, node: Node, problems: list[Problem]) -> str | Unreadable:
        if not isinstance(node, ScalarNode) or node.value is None:
            return _expected(self._what, node, problems)
        if not isinstance(node.value, str) and not self._as_written:
            return _expected(self._what, node, problems, "; quote it")
        if not node.text.strip() and not self._may_be_empty:
            return _expected(self._what, node, problems)
        if len(node.text) > LONGEST_TEXT:
            message = f"{len(node.text)} characters, and {LONGEST_TEXT} are the most in one text"
            problems.append(Problem(node.position, message))
            return UNREADABLE
        if self._pattern is not None and self._pattern.fullmatch(node.text) is None:
            message = f"{node.text[:80]!r} is not {self._what}; it must match {self._pattern.pattern}"
            problems.append(Problem(node.position, message))
            return UNREADABLE
        return node.text

    def schema(self, definitions: Definitions) -> Schema:
        schema: Schema = {"type": ["string", "number", "boolean"] if self._as_written else "string"}
        if self._pattern is not None:
            schema["pattern"] = f"^(?:{self._pattern.pattern})$"
        elif not self._may_be_empty:
            schema["minLength"] = 1
        return schema


def text(
    what: str = "text", *, pattern: str | None = None, may_be_empty: bool = False, as_written: bool = False
) -> Shape[str]:
    """Text. `what` names it in messages; `pattern` must match the whole of it.

    With `as_written`, numbers and truth values are taken as they were written; otherwise they must be quoted.
    """
    return _Text(what, pattern, may_be_empty, as_written)


TEXT = text()


class _Number(Shape[float]):
    def __init__(self, minimum: float | None, maximum: float | None, whole: bool) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self._whole = whole

    def read(self, node: Node, problems: list[Problem]) -> float | Unreadable:
        kinds = int if self._whole else (int, float)
        what = "a whole number" if self._whole else "a number"
        if not isinstance(node, ScalarNode) or isinstance(node.value, bool):
            return _expected(what, node, problems)
        if not isinstance(node.value, kinds):
            return _expected(what, node, problems)
        if (self._minimum is not None and node.value < self._minimum) or (
            self._maximum is not None and node.value > self._maximum
        ):
            return _expected(f"{what} {_range(self._minimum, self._maximum)}", node, problems)
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
    def read(self, node: Node, problems: list[Problem]) -> bool | Unreadable:
        if not isinstance(node, ScalarNode) or not isinstance(node.value, bool):
            return _expected("true or false", node, problems)
        return node.value

    def schema(self, definitions: Definitions) -> Schema:
        return {"type": "boolean"}


BOOLEAN: Shape[bool] = _Boolean()


class _Choice(Shape[T_co]):
    def __init__(self, values: Mapping[str, T_co]) -> None:
        self._values = values

    def read(self, node: Node, problems: list[Problem]) -> T_co | Unreadable:
        if isinstance(node, ScalarNode) and node.text in self._values:
            return self._values[node.text]
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            hint = meant(node.text, self._values)
            problems.append(Problem(node.position, f"{node.text[:80]!r} is not known here{hint}"))
            return UNREADABLE
        return _expected(f"one of {', '.join(self._values)}", node, problems)

    def schema(self, definitions: Definitions) -> Schema:
        return {"enum": list(self._values)}


def choice(values: Mapping[str, T]) -> Shape[T]:
    """One of several words, each with what it becomes."""
    return _Choice(values)


_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class _Duration(Shape[float]):
    def read(self, node: Node, problems: list[Problem]) -> float | Unreadable:
        if isinstance(node, ScalarNode) and not isinstance(node.value, bool):
            if isinstance(node.value, int | float) and math.isfinite(node.value) and node.value >= 0:
                return float(node.value)
            if isinstance(node.value, str) and (match := _DURATION.fullmatch(node.text.strip())):
                return float(match[1]) * _SECONDS[match[2]]
        return _expected("a duration such as 500ms, 10s, 2m or a number of seconds", node, problems)

    def schema(self, definitions: Definitions) -> Schema:
        written: Json = {"type": "string", "pattern": f"^{_DURATION.pattern}$"}
        return {"anyOf": [{"type": "number", "minimum": 0}, written]}


DURATION: Shape[float] = _Duration()
"""Seconds, written `500ms`, `10s`, `2m`, `1h` or as a number of seconds."""


class _PathShape(Shape[Path]):
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
        return {"type": "string", "minLength": 1}


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
    def read(self, node: Node, problems: list[Problem]) -> "Json | Unreadable":
        return plain(node)

    def schema(self, definitions: Definitions) -> Schema:
        return {}


JSON: Shape[Json] = _Anything()
"""Any data at all."""


class _ListOf(Shape[tuple[T_co, ...]]):
    def __init__(self, item: Shape[T_co], what: str, minimum: int, maximum: int | None) -> None:
        self._item = item
        self._what = what
        self._minimum = minimum
        self._maximum = maximum

    def read(self, node: Node, problems: list[Problem]) -> tuple[T_co, ...] | Unreadable:
        if not isinstance(node, SequenceNode):
            return _expected(self._what, node, problems)
        if len(node.items) < self._minimum:
            problems.append(Problem(node.position, f"expected {self._what}, and this one is empty"))
            return UNREADABLE
        if self._maximum is not None and len(node.items) > self._maximum:
            message = f"expected {self._what} of at most {self._maximum} items, not {len(node.items)}"
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


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One entry of a mapping whose keys are names of the file's choosing."""

    name: str
    position: Position
    """Where the name stands."""
    value: T


class _EntriesOf(Shape[tuple[Entry[T], ...]]):
    def __init__(self, value: Shape[T], key: Shape[str], what: str) -> None:
        self._value = value
        self._key = key
        self._what = what

    def read(self, node: Node, problems: list[Problem]) -> tuple[Entry[T], ...] | Unreadable:
        if not isinstance(node, MappingNode):
            return _expected(self._what, node, problems)
        entries: list[Entry[T]] = []
        for name, inner in node.entries:
            key = self._key.read(name, problems)
            value = self._value.read(inner, problems)
            if not isinstance(key, Unreadable) and not isinstance(value, Unreadable):
                entries.append(Entry(key, name.position, value))
        return tuple(entries)

    def schema(self, definitions: Definitions) -> Schema:
        return {
            "type": "object",
            "propertyNames": self._key.schema(definitions) | {"type": "string"},
            "additionalProperties": self._value.schema(definitions),
        }


def entries_of(
    value: Shape[T], *, key: Shape[str] = TEXT, what: str = "a mapping"
) -> Shape[tuple[Entry[T], ...]]:
    """A mapping from names of the file's choosing to values of one shape, each with its name and place."""
    return _EntriesOf(value, key, what)


def mapping_of(value: Shape[T], *, key: Shape[str] = TEXT, what: str = "a mapping") -> Shape[dict[str, T]]:
    """A mapping from names of the file's choosing to values of one shape, in the file's order."""
    return converted(
        entries_of(value, key=key, what=what),
        lambda entries, node, problems: {entry.name: entry.value for entry in entries},
    )


class _Converted(Shape[U], Generic[T, U]):
    def __init__(self, inner: Shape[T], convert: Callable[[T, Node, list[Problem]], U | Unreadable]) -> None:
        self._inner = inner
        self._convert = convert

    def read(self, node: Node, problems: list[Problem]) -> U | Unreadable:
        value = self._inner.read(node, problems)
        return UNREADABLE if isinstance(value, Unreadable) else self._convert(value, node, problems)

    def schema(self, definitions: Definitions) -> Schema:
        return self._inner.schema(definitions)


def converted(inner: Shape[T], convert: Callable[[T, Node, list[Problem]], U | Unreadable]) -> Shape[U]:
    """Another shape's value, made into something else.

    `convert` takes the value, its node, and the problems to add to; it returns UNREADABLE when it added one.
    """
    return _Converted(inner, convert)


class _ByKind(Shape[T_co]):
    def __init__(
        self,
        what: str,
        scalar: Shape[T_co] | None,
        sequence: Shape[T_co] | None,
        mapping: Shape[T_co] | None,
    ) -> None:
        self._what = what
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
            return _expected(self._what, node, problems)
        return shape.read(node, problems)

    def schema(self, definitions: Definitions) -> Schema:
        shapes = (self._scalar, self._sequence, self._mapping)
        return {"anyOf": [shape.schema(definitions) for shape in shapes if shape is not None]}


def by_kind(
    what: str,
    *,
    scalar: Shape[T] | None = None,
    sequence: Shape[T] | None = None,
    mapping: Shape[T] | None = None,
) -> Shape[T]:
    """One thing that may be written in several ways: as a value, as a list, or as a mapping."""
    return _ByKind(what, scalar, sequence, mapping)


class _Later(Shape[T_co]):
    def __init__(self, shape: Callable[[], Shape[T_co]]) -> None:
        self._shape = shape

    def read(self, node: Node, problems: list[Problem]) -> T_co | Unreadable:
        return self._shape().read(node, problems)

    def schema(self, definitions: Definitions) -> Schema:
        return self._shape().schema(definitions)


def later(shape: Callable[[], Shape[T]]) -> Shape[T]:
    """A shape that is declared further down, or that holds itself; only records may hold themselves."""
    return _Later(shape)


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
            return _expected(f"{self._what} (a mapping)", node, problems)
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
