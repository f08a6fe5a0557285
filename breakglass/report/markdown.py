"""A report as Markdown that GitHub, GitLab and Confluence draw alike.

That is CommonMark with tables, `<details>` for folds, no nested list, and no HTML besides. Every character of
a text from outside is shown as it is.
"""

import re
from collections.abc import Iterable, Iterator

from breakglass.report.document import (
    Block,
    Code,
    Fold,
    Heading,
    Line,
    Paragraph,
    Points,
    Prompt,
    Span,
    Table,
)

_MARKUP = re.compile(
    r"[`*\[\]<&~]|\\(?=[!-/:-@\[-`{-~])|(?<!\w)_|_(?!\w)"  # emphasis, code, links, HTML, escapes
    r"|(?<=:)//|(?<=www)\."  # what becomes a link by itself
)
"""What would be more than a character in Markdown."""

_BEGINS_A_BLOCK = re.compile(r"\A(\d*)(?=[#>+=.)-])")
"""What would make a line a heading, a quotation, a list or a rule."""

_ESCAPED = re.compile(
    r"(?P<code>(?<!`)(?P<fence>`+)(?!`).+?(?<!`)(?P=fence)(?!`))"  # in which a backslash is one
    r"|\\(?P<mark>[!-/:-@\[-`{-~])"
)


def markdown(blocks: Iterable[Block]) -> str:
    """The blocks as Markdown, an empty line between two."""
    return "\n".join(line for block in blocks for line in (*_lines(block), ""))


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"{'#' * block.level} {inline(block.text)}"
        case Paragraph():
            yield _begun(block.line)
        case Points():
            for number, line in enumerate(block.lines, start=1):
                yield f"{f'{number}.' if block.numbered else '-'} {_begun(line)}"
        case Table():
            yield f"| {' | '.join(block.head)} |"
            yield f"|{'---|' * len(block.head)}"
            for row in block.rows:
                yield f"| {' | '.join(map(_cell, row))} |"
        case Fold():
            yield "<details>"
            yield f"<summary>{inline(block.title)}</summary>"
            yield ""
            for inner in block.blocks:
                yield from _lines(inner)
                yield ""
            yield "</details>"


def _span(span: Span) -> str:
    match span:
        case Code():
            return code(span.text)
        case Prompt():
            return f"_{inline(span.words)}_"
        case str():
            return inline(span)


def _begun(line: Line) -> str:
    return _BEGINS_A_BLOCK.sub(r"\1\\", "".join(map(_span, line)).lstrip())


def _cell(line: Line) -> str:
    """A bar ends a cell even in code."""
    return "".join(map(_span, line)).replace("|", "\\|")


def inline(text: str) -> str:
    """Text from outside in a line of Markdown: it stays on that line, and every character of it is shown."""
    return _MARKUP.sub(r"\\\g<0>", text).replace("\n", " ⏎ ")


def cell(text: str) -> str:
    """The same inside a table, with no cell border of its own."""
    return inline(text).replace("|", "\\|")


def unescaped(line: str) -> str:
    """A line as it reads where Markdown is drawn: without the escapes of `inline` and `cell`."""
    return _ESCAPED.sub(lambda found: found["code"] or found["mark"], line)


def code(text: str) -> str:
    """Text as code, in more backticks than follow each other in it."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    blank = " " if "`" in text else ""
    return f"{fence}{blank}{text}{blank}{fence}".replace("\n", " ⏎ ")
