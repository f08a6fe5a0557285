"""A page of Markdown as headings, prose and code, each with the lines of the file that it stands on.

Nothing is left out: a line that Markdown shows nowhere, such as what a link leads to, is prose as well.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from markdown_it import MarkdownIt
from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_QUOTED = re.compile(r"^[ \t]*(?:>[ \t]?)+")
_SETEXT = re.compile(r"^[ \t]*(?:=+|-+)[ \t]*$")
_FENCE = re.compile(r"^[ \t>]*(?:`{3,}|~{3,})")
_RULE = re.compile(r"^[ \t>]*(?:[-*_][ \t]*){3,}$")


@dataclass(frozen=True, slots=True)
class PageHeading:
    """A heading. `line` is where it begins, from 1."""

    level: int
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Prose:
    """Text for people, its lines as they are written."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Fenced or indented code. `language` is the first word after the fence, in lower case; `line` is that
    of its first line of code."""

    text: str
    language: str
    line: int


Part: TypeAlias = PageHeading | Prose | CodeBlock


@dataclass(frozen=True, slots=True)
class MarkdownPage:
    """The parts of a page in their order. front: the lines of its front matter."""

    parts: tuple[Part, ...]
    front: tuple[str, ...] = ()


def read_page(text: str) -> MarkdownPage:
    """The parts of a page."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    front: tuple[str, ...] = ()
    if found := _FRONT_MATTER.match(text):
        front = tuple(found[1].splitlines())
        text = "\n" * found[0].count("\n") + text[found.end() :]
    lines = text.split("\n")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    leaves = sorted(_leaves(tokens), key=lambda leaf: leaf[0])
    return MarkdownPage(tuple(_parts(leaves, lines)), front)


def _leaves(tokens: Sequence[Token]) -> Iterator[tuple[int, int, Token, str]]:
    """Where each block that holds text begins and ends, the block, and the text of a heading."""
    table = 0
    for index, token in enumerate(tokens):
        if token.type == "table_close":
            table -= 1
        if token.map is None or table:
            table += token.type == "table_open"
            continue
        table += token.type == "table_open"
        match token.type:
            case "heading_open":
                yield token.map[0], token.map[1], token, tokens[index + 1].content
            case "paragraph_open" | "fence" | "code_block" | "html_block" | "table_open" | "hr":
                yield token.map[0], token.map[1], token, ""
            case _:
                pass


def _parts(leaves: Sequence[tuple[int, int, Token, str]], lines: Sequence[str]) -> Iterator[Part]:
    at = 0
    for start, end, token, title in leaves:
        yield from _prose(lines, at, start)
        match token.type:
            case "heading_open":
                if title.strip():
                    yield PageHeading(int(token.tag[1:]), " ".join(title.split()), start + 1)
            case "fence":
                info = token.info.strip().split()
                yield CodeBlock(token.content, info[0].lower().strip("{}.") if info else "", start + 2)
            case "code_block":
                yield CodeBlock(token.content, "", start + 1)
            case "hr":
                pass
            case _:
                yield from _prose(lines, max(at, start), end)
        at = max(at, end)
    yield from _prose(lines, at, len(lines))


def _prose(lines: Sequence[str], start: int, end: int) -> Iterator[Part]:
    """The lines that hold words, as prose."""
    kept = [
        (number, _QUOTED.sub("", lines[number]).rstrip())
        for number in range(start, min(end, len(lines)))
        if lines[number].strip() and not _FENCE.match(lines[number]) and not _RULE.match(lines[number])
    ]
    kept = [(number, line) for number, line in kept if line.strip() and not _SETEXT.match(line)]
    if kept:
        yield Prose(textwrap.dedent("\n".join(line for _, line in kept)), kept[0][0] + 1)
