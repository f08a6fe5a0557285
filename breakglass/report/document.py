"""What a report is made of, before it is Markdown or HTML: headings, paragraphs, lists, tables and folds.

A line is made of spans. Only a span says what is code and what a person still has to write, so that text from
outside cannot become markup in either form.
"""

from dataclasses import dataclass
from typing import TypeAlias

TO_FILL = "to be written"
"""How each prompt for a person begins."""


@dataclass(frozen=True, slots=True)
class Code:
    """A command, a condition or a name, to be shown letter by letter."""

    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What only a person knows. `question` says what to write; empty where the place says it."""

    question: str = ""

    @property
    def words(self) -> str:
        return f"{TO_FILL}: {self.question}" if self.question else TO_FILL


Span: TypeAlias = str | Code | Prompt
Line: TypeAlias = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    line: Line


@dataclass(frozen=True, slots=True)
class Points:
    """A list, numbered or not."""

    lines: tuple[Line, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    head: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """What is there for who looks for it, and out of the way of everybody else."""

    title: str
    blocks: "tuple[Block, ...]"


Block: TypeAlias = Heading | Paragraph | Points | Table | Fold


def points(*texts: Span | Line, numbered: bool = False) -> Points:
    """A list whose lines are one span each, or several."""
    return Points(tuple(each if isinstance(each, tuple) else (each,) for each in texts), numbered)


def table(head: tuple[str, ...], *rows: tuple[Span | Line, ...]) -> Table:
    """A table whose cells are one span each, or several."""
    return Table(
        head, tuple(tuple(cell if isinstance(cell, tuple) else (cell,) for cell in row) for row in rows)
    )
