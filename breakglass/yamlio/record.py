"""Records: frozen dataclasses whose fields say, once, how they are written in a file.

    @record("host", short="address")
    class Host:
        \"\"\"A machine reached by SSH.\"\"\"

        address: str = key("Name or IP address.")
        port: Port = key("Where its SSH server listens.", default=22)

    host = read_as(shape_of(Host), parse(text, path))     # raises InvalidFileError with every problem

From this come the model, the checks with their places, the JSON Schema and the reference. The shape of a key
is that of its type, unless one is given. A field that is no key keeps its default, or is `derived`. What a
record must check that lies between its keys, it does in a method `checked(self, given)`, which returns the
value to use.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from dataclasses import Field as DataclassField
from functools import cached_property
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    overload,
)

from breakglass.values import Json
from breakglass.yamlio.position import Position, Problem
from breakglass.yamlio.shape import choice, list_of, mapping_of
from breakglass.yamlio.shape_base import (
    TYPES,
    UNREADABLE,
    Definitions,
    Schema,
    Shape,
    T,
    Unreadable,
    expected,
    meant,
    nearest,
)
from breakglass.yamlio.source import MappingNode, Node, ScalarNode, SequenceNode

U = TypeVar("U")
_ROLE = "breakglass"


class Written:
    """Where the keys of a record stand in its file, and which could not be read."""

    __slots__ = ("lost", "nodes", "position")

    def __init__(self, position: Position, nodes: dict[str, Node], lost: set[str]) -> None:
        self.position = position
        self.nodes = nodes
        self.lost = lost
        """Keys that are there, but of which something could not be read."""

    def has(self, key: str) -> bool:
        """Whether the key is there, readable or not."""
        return key in self.nodes

    def at(self, *path: str) -> Position:
        """Where the value of a key stands, or what is inside it along a path of keys and items; as deep as
        that goes. The record's own place where the key is not there."""
        node = self.nodes.get(path[0])
        if node is None:
            return self.position
        for name in path[1:]:
            inner = node.get(name) if isinstance(node, MappingNode) else _item(node, name)
            if inner is None:
                break
            node = inner
        return node.position

    def name_at(self, key: str, name: str) -> Position:
        """Where a name stands in the mapping or the list that is the value of a key; the value's own place
        where the name is not in it."""
        node = self.nodes.get(key)
        entries = node.entries if isinstance(node, MappingNode) else ()
        found = next((each for each, _ in entries if each.text == name), None)
        return found.position if found is not None else self.at(key, name)


NOT_WRITTEN = Written(Position(Path(), 1, 1), {}, set())
"""For a record that was made elsewhere."""


class Given(Written):
    """What a record's node gave, for what is derived from it and for its checks."""

    __slots__ = ("name", "node", "problems", "values")

    def __init__(self, node: Node, problems: list[Problem], name: ScalarNode | None) -> None:
        super().__init__(node.position, {}, set())
        self.node = node
        self.problems = problems
        self.name = name
        """The record's name, where it is an entry of a mapping."""
        self.values: dict[str, object] = {}

    @property
    def written(self) -> Written:
        """What outlives the reading."""
        return Written(self.position, self.nodes, self.lost)

    @property
    def start(self) -> Position:
        """Where the record begins: at its name, if it has one."""
        return self.name.position if self.name is not None else self.node.position

    def names(self, key: str) -> list[str]:
        """The names in the mapping that is the value of a key, those of unreadable entries as well."""
        node = self.nodes.get(key)
        return [name.text for name, _ in node.entries] if isinstance(node, MappingNode) else []

    def chosen(self, *keys: str) -> str:
        """The first of these keys that is there; empty when none is."""
        return next((key for key in keys if key in self.nodes), "")

    def problem(self, position: Position, message: str, *, warning: bool = False) -> None:
        self.problems.append(Problem(position, message, warning))

    def read(self, part: "_Part", node: Node) -> None:
        before = len(self.problems)
        value = part.shape.read(node, self.problems)
        self.nodes[part.key] = node
        if not isinstance(value, Unreadable):
            self.values[part.key] = value
        if len(self.problems) > before:
            self.lost.add(part.key)


def _item(node: Node, text: str) -> Node | None:
    items = node.items if isinstance(node, SequenceNode) else ()
    return next((item for item in items if isinstance(item, ScalarNode) and item.text == text), None)


class _Key(NamedTuple):
    doc: str
    shape: Shape[object] | None
    named: str
    instead: object


class _OneOf(NamedTuple):
    ways: "Mapping[str, tuple[str, Shape[object]]]"


class _Derived(NamedTuple):
    make: Callable[[Given], object]
    keys: "Mapping[str, tuple[str, Shape[object]]]"


class _Inlined(NamedTuple):
    pass


class _Part(NamedTuple):
    """A key of a record, as it is written."""

    key: str
    shape: Shape[object]
    doc: str
    must: bool
    default: object


@overload
def key(doc: str, shape: Shape[T], *, default: U, named: str = ...) -> T | U: ...
@overload
def key(doc: str, shape: Shape[T], *, default_factory: Callable[[], U], named: str = ...) -> T | U: ...
@overload
def key(doc: str, shape: Shape[T], *, instead: T = ..., named: str = ...) -> T: ...
@overload
def key(doc: str, *, default: U, named: str = ...) -> U: ...
@overload
def key(doc: str, *, default_factory: Callable[[], U], named: str = ...) -> U: ...
@overload
def key(doc: str, *, instead: object = ..., named: str = ...) -> Any: ...
def key(
    doc: str,
    shape: Shape[Any] | None = None,
    *,
    default: Any = MISSING,
    default_factory: Any = MISSING,
    instead: Any = UNREADABLE,
    named: str = "",
) -> Any:
    """A field that is a key of the file, with its description. Without a default it must be there.

    Where a key that must be there is not, or cannot be read, the whole record cannot; given `instead`, that
    stands in for it, so that the rest is still checked. Either way there is a Problem. `named` is the key's
    name in the file, where that is not the field's.
    """
    return _field(_Key(doc, shape, named, instead), default, default_factory)


@overload
def one_of(ways: "Mapping[str, tuple[str, Shape[T]]]") -> T: ...
@overload
def one_of(ways: "Mapping[str, tuple[str, Shape[T]]]", *, default: U) -> T | U: ...
def one_of(ways: "Mapping[str, tuple[str, Shape[Any]]]", *, default: Any = MISSING) -> Any:
    """A field that is written as one of several keys, each with its description and its shape."""
    return _field(_OneOf(ways), default)


_Keys: TypeAlias = Mapping[str, tuple[str, Shape[object]]]


@overload
def derived(make: Callable[[Given], T], *, keys: _Keys = ..., compare: bool = ...) -> T: ...
@overload
def derived(make: Callable[[Given], T], *, default: U, keys: _Keys = ..., compare: bool = ...) -> T | U: ...
def derived(
    make: Callable[[Given], Any],
    *,
    default: Any = MISSING,
    keys: _Keys | None = None,
    compare: bool = True,
) -> Any:
    """A field that is no key: it follows from what was given. `keys` are read for it alone, each with its
    description and its shape. The default is for values made elsewhere."""
    return _field(_Derived(make, keys or {}), default, compare=compare)


def inlined(*, default: T) -> T:
    """A field that is a record itself, whose keys stand among those of this one."""
    return _field(_Inlined(), default)


def placed() -> Any:
    """A field that says where the record stands in its file."""
    return derived(lambda given: given.position)


def _field(role: object, default: Any, factory: Any = MISSING, compare: bool = True) -> Any:
    if factory is not MISSING:
        return field(default_factory=factory, metadata={_ROLE: role}, compare=compare, repr=compare)
    return field(default=default, metadata={_ROLE: role}, compare=compare, repr=compare)


@dataclass_transform(frozen_default=True, field_specifiers=(key, one_of, derived, inlined, placed, field))
def record(
    name: str,
    *,
    what: str = "",
    short: str = "",
    short_list: bool = False,
    exactly_one_of: Sequence[str] = (),
    at_most_one_of: Sequence[str] = (),
    refusal: str = "",
    kw_only: bool = False,
) -> Callable[[type[T]], type[T]]:
    """Make a class a frozen dataclass that can be read from a mapping, and described.

    `name` is its name in the schema's definitions and, with an article, in messages, unless `what` is given
    for those. `short` is the key whose value may stand for the whole mapping, also as a list where
    `short_list` says so. Of the keys in `exactly_one_of` there must be one, of those in `at_most_one_of`
    there may be. `refusal` is what to say of anything but a mapping. With `kw_only`, keys may stand in any
    order, whatever has a default.
    """

    def declare(cls: type[T]) -> type[T]:
        doc = cls.__doc__ or ""
        made = dataclass(frozen=True, slots=True, kw_only=kw_only)(cls)
        choices = [(list(exactly_one_of), True), (list(at_most_one_of), False)]
        TYPES[made] = _Record(
            made, name, what, doc, short, short_list, [each for each in choices if each[0]], refusal
        )
        return made

    return declare


def shape_of(kind: type[T]) -> Shape[T]:
    """The shape of a type: of a record, or of what a field may be annotated with."""
    return cast("Shape[T]", _shape_of(kind))


def _shape_of(hint: object) -> Shape[object]:
    known = TYPES.get(hint) if isinstance(hint, type | str) else None
    if known is not None:
        return known
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        shapes = [cast("Shape[object]", each) for each in arguments if isinstance(each, Shape)]
        return shapes[0] if shapes else _shape_of(arguments[0])
    if origin is Literal:
        return choice({word: word for word in arguments})
    if origin in (Union, UnionType):
        (inner,) = (each for each in arguments if each is not NoneType)
        return _shape_of(inner)
    if origin is tuple:
        return list_of(_shape_of(arguments[0]))
    if origin is Mapping:
        return mapping_of(_shape_of(arguments[1]), key=cast("Shape[str]", _shape_of(arguments[0])))
    raise TypeError(f"no shape is known for {hint}")


_VOWELS = ("a", "e", "i", "o", "http", "ssh")
"""Beginnings of names that are spoken with a vowel."""


class _Record(Shape[T], Generic[T]):
    def __init__(
        self,
        cls: type[T],
        name: str,
        what: str,
        doc: str,
        short: str,
        short_list: bool,
        choices: list[tuple[list[str], bool]],
        refusal: str,
    ) -> None:
        self._class = cls
        self._name = name
        self._label = what or f"{'an' if name.startswith(_VOWELS) else 'a'} {name}"
        self._doc = " ".join(doc.split("\n\n")[0].split())
        self._short = short
        self._short_list = short_list
        self._choices_of_keys = choices
        self._refusal = refusal
        self._check: Callable[[T, Given], T | Unreadable] | None = getattr(cls, "checked", None)

    @cached_property
    def _fields(self) -> "list[tuple[DataclassField[object], object]]":
        """The fields that a file has a say in, each with its role."""
        return [(each, each.metadata[_ROLE]) for each in fields(cast(Any, self._class)) if each.metadata]

    @cached_property
    def parts(self) -> dict[str, _Part]:
        """The keys, in the order of the fields."""
        return {part.key: part for each, role in self._fields for part in self._parts_of(each, role)}

    def _parts_of(self, each: "DataclassField[object]", role: object) -> Iterator[_Part]:
        must = each.default is MISSING and each.default_factory is MISSING
        match role:
            case _Key(doc, shape, named):
                yield _Part(named or each.name, shape or _shape_of(each.type), doc, must, each.default)
            case _OneOf(ways) | _Derived(_, ways):
                for name, (doc, shape) in ways.items():
                    yield _Part(name, shape, doc, must=False, default=None)
            case _Inlined():
                yield from self._inner(each).parts.values()
            case _:
                return

    def _inner(self, each: "DataclassField[object]") -> "_Record[object]":
        return cast("_Record[object]", _shape_of(each.type))

    @cached_property
    def _choices(self) -> list[tuple[list[str], bool]]:
        """Keys of which one must be there, or may."""
        found = list(self._choices_of_keys)
        for each, role in self._fields:
            if isinstance(role, _OneOf):
                found.append((list(role.ways), each.default is MISSING))
            elif isinstance(role, _Inlined):
                found += self._inner(each)._choices
        return found

    @property
    def what(self) -> str:
        if not self._short:
            return f"{self._label} (a mapping)"
        return f"{self.parts[self._short].shape.what}, or a mapping with `{self._short}`"

    def read(self, node: Node, problems: list[Problem], name: ScalarNode | None = None) -> T | Unreadable:
        given = Given(node, problems, name)
        if isinstance(node, MappingNode):
            self._read_keys(given, node)
            if not self._has_what_it_needs(given, node):
                return UNREADABLE
        elif self._short and self._stands_for_it(node):
            given.read(self.parts[self._short], node)
        elif self._refusal:
            problems.append(Problem(node.position, self._refusal))
            return UNREADABLE
        else:
            return expected(self.what, node, problems)
        return self.make(given)

    read_entry = read

    def _stands_for_it(self, node: Node) -> bool:
        """Whether a node is the value of the short key alone."""
        if isinstance(node, SequenceNode):
            return self._short_list
        return isinstance(node, ScalarNode) and node.value is not None

    def _read_keys(self, given: Given, node: MappingNode) -> None:
        strange: list[tuple[ScalarNode, Node]] = []
        for key, value in node.entries:
            part = self.parts.get(key.text)
            if part is None:
                strange.append((key, value))
            else:
                given.read(part, value)
        for key, value in strange:
            # Read as the key that was meant, to find what is wrong inside.
            message = f"unknown key {key.text[:80]!r} in {self._label}{meant(key.text, self.parts)}"
            given.problem(key.position, message)
            part = self.parts.get(nearest(key.text, self.parts) or "")
            if part is not None and not given.has(part.key):
                given.read(part, value)
                given.lost.add(part.key)

    def _has_what_it_needs(self, given: Given, node: MappingNode) -> bool:
        for part in self.parts.values():
            if part.must and not given.has(part.key):
                given.problem(given.position, f"{self._label} needs {part.key!r}")
        return all(self._has_one(given, node, keys, must) for keys, must in self._choices)

    def _has_one(self, given: Given, node: MappingNode, keys: list[str], must: bool) -> bool:
        there = [key for key, _ in node.entries if key.text in keys]
        if len(there) > 1:
            names = " or ".join(key.text for key in there)
            given.problem(there[1].position, f"{self._label} has one of {names}, not several")
            return not must
        if must and not given.chosen(*keys):
            given.problem(given.position, f"{self._label} needs one of {', '.join(keys)}")
        return not must or any(key in given.values for key in keys)

    def make(self, given: Given) -> T | Unreadable:
        """The value, from keys that were read."""
        arguments: dict[str, object] = {}
        for each, role in self._fields:
            value = self._value(given, each, role)
            if value is UNREADABLE and each.default is MISSING and each.default_factory is MISSING:
                return UNREADABLE
            if value is not UNREADABLE:
                arguments[each.name] = value
        made = self._class(**arguments)
        return made if self._check is None else self._check(made, given)

    def _value(self, given: Given, each: "DataclassField[object]", role: object) -> object:
        match role:
            case _Key(_, _, named, instead):
                return given.values.get(named or each.name, instead)
            case _OneOf(ways):
                return next((given.values[way] for way in ways if way in given.values), UNREADABLE)
            case _Derived(make, _):
                return make(given)
            case _:
                return self._inner(each).make(given)

    def schema(self, definitions: Definitions) -> Schema:
        name = self._name.replace(" ", "-")
        if name not in definitions:
            definitions[name] = None
            definitions[name] = self._object(definitions)
        reference: Schema = {"$ref": f"#/$defs/{name}"}
        if not self._short:
            return reference
        return {"anyOf": [self.parts[self._short].shape.schema(definitions), reference]}

    def _object(self, definitions: Definitions) -> Schema:
        properties: Schema = {}
        for part in self.parts.values():
            schema = {"description": part.doc, **part.shape.schema(definitions)}
            default = part.shape.written(part.default)
            if default is not None:
                schema["default"] = default
            properties[part.key] = schema
        body: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
        if self._doc:
            body["description"] = self._doc
        needed: list[Json] = [part.key for part in self.parts.values() if part.must]
        if needed:
            body["required"] = needed
        choices = [_one_of_schema(keys, must) for keys, must in self._choices]
        if choices:
            body |= choices[0] if len(choices) == 1 else {"allOf": cast("list[Json]", choices)}
        return body


def _one_of_schema(keys: list[str], must: bool) -> Schema:
    alternatives: list[Json] = [{"required": [key]} for key in keys]
    if not must:
        alternatives.append({"not": {"anyOf": list(alternatives)}})
    return {"oneOf": alternatives}
