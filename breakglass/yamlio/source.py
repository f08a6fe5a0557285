"""YAML read with positions and without surprises: text in, a typed tree out.

Runbooks, sites and scenarios all begin here. The scalars are those of the YAML 1.2 core schema, so that `on`,
`yes` and `no` stay words, `0o17` is octal, and neither dates nor sexagesimal numbers exist. What YAML offers
beyond plain data is refused with a Problem: tags, merge keys, keys that are not words, several documents in a
file, and aliases that would unfold into more than anyone wrote.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from breakglass.errors import BreakglassError
from breakglass.yamlio.position import InvalidFileError, Position, Problem
from breakglass.yamlio.text_file import LARGEST_FILE, position_of_byte

MOST_NODES = 50_000
"""Values in one file, counting each time an alias repeats them."""

DEEPEST = 60
"""Levels of mappings and lists inside each other."""

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """One value. `text` is what was written, without quotes; `text_position` is where that text begins,
    which for quoted and block text is not where the value begins."""

    value: bool | int | float | str | None
    text: str
    position: Position
    text_position: Position


@dataclass(frozen=True, slots=True)
class SequenceNode:
    items: "tuple[Node, ...]"
    position: Position


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Entries in the order of the file; no key occurs twice."""

    entries: "tuple[tuple[ScalarNode, Node], ...]"
    position: Position

    def get(self, key: str) -> "Node | None":
        """The value of a key, by the key's text."""
        for name, value in self.entries:
            if name.text == key:
                return value
        return None


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


def parse(text: str, path: Path) -> Node:
    """The tree of a YAML document. Raises InvalidFileError with every problem found.

    `path` only names the file in positions. An empty document is a scalar whose value is None.
    """
    problems: list[Problem] = []
    node = compose(text, path, problems)
    if problems or node is None:
        raise InvalidFileError(problems)
    return node


def compose(text: str, path: Path, problems: list[Problem]) -> Node | None:
    """As `parse`, but what is wrong is added to `problems`, and the rest of the tree is still given.

    None when the text is not YAML at all, which always adds a problem.
    """
    if len(text) > LARGEST_FILE:
        problems.append(Problem(Position(path, 1, 1), "larger than 1 MiB, which no file of this kind needs"))
        return None
    composer = _Composer(text, path, problems)
    try:
        return composer.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        why = ", ".join(part for part in (error.problem, error.context) if part)
        problems.append(Problem(Position(path, line, column), f"not YAML: {why}"))
    except yaml.reader.ReaderError as error:
        position = position_of_byte(path, text.encode("utf-8"), error.position)
        problems.append(Problem(position, f"not YAML: {error.reason}"))
    except UnicodeEncodeError as error:
        position = _position_of_character(path, text, error.start)
        problems.append(Problem(position, "a lone surrogate, which no UTF-8 file can hold"))
    except _RefusedError as refused:
        problems.append(refused.problem)
    return None


class _RefusedError(BreakglassError):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


class _Composer:
    """Turns the events of libyaml into nodes, counting what aliases unfold into."""

    def __init__(self, text: str, path: Path, problems: list[Problem]) -> None:
        self._text = text
        self._path = path
        self._problems = problems
        self._lines: list[str] | None = None
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._open_anchors: set[str] = set()
        self._count = 0
        self._depth = 0
        self._events: Iterator[Event] = iter(())

    def document(self) -> Node:
        self._events = yaml.parse(self._text, Loader=yaml.CBaseLoader)
        node: Node | None = None
        for event in self._events:
            if isinstance(event, StreamStartEvent | StreamEndEvent):
                continue
            if isinstance(event, DocumentStartEvent):
                if node is not None:
                    self._problem(event, "a second document; one file holds one document")
                    return node
                node = self._node(next(self._events))
        if node is None:
            start = Position(self._path, 1, 1)
            node = ScalarNode(None, "", start, start)
        return node

    def _node(self, event: Event) -> Node:
        if isinstance(event, AliasEvent):
            return self._aliased(event)
        self._count += 1
        if self._count > MOST_NODES:
            raise _RefusedError(self._too_many(event))
        assert isinstance(event, ScalarEvent | CollectionStartEvent)
        if event.tag is not None:
            self._problem(event, f"tags such as {_short_tag(event.tag)} are not used here; leave it out")
        anchor = event.anchor
        before = self._count
        if anchor is not None:
            self._open_anchors.add(anchor)
        if isinstance(event, ScalarEvent):
            node: Node = self._scalar(event)
        else:
            node = self._collection(event)
        if anchor is not None:
            self._open_anchors.discard(anchor)
            self._anchors[anchor] = (node, self._count - before + 1)
        return node

    def _aliased(self, event: AliasEvent) -> Node:
        name = event.anchor
        if name in self._open_anchors:
            raise _RefusedError(Problem(self._position(event), f"*{name} stands inside itself"))
        if name not in self._anchors:
            raise _RefusedError(Problem(self._position(event), f"*{name} has no anchor &{name} before it"))
        node, size = self._anchors[name]
        self._count += size
        if self._count > MOST_NODES:
            raise _RefusedError(self._too_many(event))
        return node

    def _too_many(self, event: Event) -> Problem:
        return Problem(self._position(event), f"unfolds into more than {MOST_NODES} values; refused")

    def _collection(self, event: CollectionStartEvent) -> Node:
        position = self._position(event)
        self._depth += 1
        if self._depth > DEEPEST:
            raise _RefusedError(Problem(position, f"more than {DEEPEST} levels deep"))
        node = self._mapping(position) if isinstance(event, MappingStartEvent) else self._sequence(position)
        self._depth -= 1
        return node

    def _sequence(self, position: Position) -> SequenceNode:
        items: list[Node] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event))
        return SequenceNode(tuple(items), position)

    def _mapping(self, position: Position) -> MappingNode:
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            at = self._position(event)
            key = self._node(event)
            value = self._node(next(self._events))
            if not isinstance(key, ScalarNode):
                self._problems.append(Problem(at, "a key must be a word, not a list or a mapping"))
            elif key.text == "<<" and isinstance(event, ScalarEvent) and event.implicit[0]:
                self._problems.append(Problem(at, "merge keys are not used here; write the entries out"))
            elif key.text in entries:
                first = entries[key.text][0].position
                self._problems.append(
                    Problem(at, f"{key.text!r} is here twice; the first is on line {first.line}")
                )
            else:
                entries[key.text] = (key, value)
        return MappingNode(tuple(entries.values()), position)

    def _scalar(self, event: ScalarEvent) -> ScalarNode:
        position = self._position(event)
        text = event.value
        if event.style in ("'", '"'):
            inner = Position(self._path, position.line, position.column + 1)
            return ScalarNode(text, text, position, inner)
        if event.style in ("|", ">"):
            return ScalarNode(text, text, position, self._block_start(position))
        return ScalarNode(self._resolved(text, position), text, position, position)

    def _resolved(self, text: str, position: Position) -> bool | int | float | str | None:
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in "+-.0123456789":
            return text
        if _INTEGER.fullmatch(text):
            prefix = text[:2]
            base = 8 if prefix == "0o" else 16 if prefix == "0x" else 10
            if len(text) > 64 or not -(2**63) <= (whole := int(text, base)) < 2**63:
                self._problems.append(
                    Problem(position, "a number beyond 64 bits; quote it to keep it as text")
                )
                return text
            return whole
        if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
            return number
        if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
            self._problems.append(Problem(position, f"{text} is not a finite number; quote it to keep it"))
        return text

    def _block_start(self, position: Position) -> Position:
        """Where the text of a block begins, which its event does not say: below, at its indentation."""
        if self._lines is None:
            self._lines = self._text.split("\n")
        for line in self._lines[position.line :]:
            if stripped := line.lstrip(" "):
                return Position(self._path, position.line + 1, len(line) - len(stripped) + 1)
        return position

    def _position(self, event: Event) -> Position:
        mark = event.start_mark
        assert mark is not None, "libyaml marks every event"
        return Position(self._path, mark.line + 1, mark.column + 1)

    def _problem(self, event: Event, message: str) -> None:
        self._problems.append(Problem(self._position(event), message))


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _position_of_character(path: Path, text: str, offset: int) -> Position:
    before = text[:offset]
    return Position(path, before.count("\n") + 1, offset - before.rfind("\n"))
