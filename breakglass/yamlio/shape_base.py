"""What every shape is, and the words in which it says what is wrong."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from difflib import get_close_matches
from enum import Enum
from typing import Final, Generic, TypeAlias, TypeVar

from breakglass.values import Json
from breakglass.yamlio.position import InvalidFileError, Problem
from breakglass.yamlio.source import MappingNode, Node, ScalarNode, SequenceNode

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
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

    what = "something else"
    """What stands there, in the words of a message."""

    @abstractmethod
    def read(self, node: Node, problems: list[Problem]) -> T_co | Unreadable:
        """The value of a node, or UNREADABLE; every fault is added to `problems`."""

    def read_entry(self, node: Node, problems: list[Problem], name: ScalarNode) -> T_co | Unreadable:
        """As `read`, of the value that has this name in a mapping."""
        return self.read(node, problems)

    def written(self, value: object) -> Json:
        """A default as it would be written; None where there is nothing to write."""
        return value if isinstance(value, str | bool | int | float) and value != "" else None

    @abstractmethod
    def schema(self, definitions: Definitions) -> Schema:
        """The JSON Schema of this shape. Named shapes go into `definitions` and are referred to."""


TYPES: "dict[type | str, Shape[object]]" = {}
"""The shapes of types, for fields that are annotated with them. An alias that holds itself is a string."""


def read_as(shape: Shape[T], node: Node) -> T:
    """The value of a tree. Raises InvalidFileError with every problem."""
    problems: list[Problem] = []
    value = shape.read(node, problems)
    if isinstance(value, Unreadable) or any(not problem.warning for problem in problems):
        raise InvalidFileError(problems)
    return value


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


def expected(what: str, node: Node, problems: list[Problem], hint: str = "") -> Unreadable:
    """Add the Problem that something else stands here."""
    problems.append(Problem(node.position, f"expected {what}, not {described(node)}{hint}"))
    return UNREADABLE
