"""Tables and colours of commands that print lines: as wide as the terminal, and plain where there is none."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

Tone: TypeAlias = Literal["", "good", "bad", "ask", "quiet", "strong"]

_CODES: dict[Tone, str] = {"good": "34", "bad": "31", "ask": "33", "quiet": "2", "strong": "1"}
"""SGR of the terminal's own colours, so that a light background keeps its contrast. Good is blue as in the
cockpit, since red and green look alike to many."""

GAP = "  "
NARROWEST = 12
"""Cells below which a column is not made narrower."""


def coloured() -> bool:
    """Whether standard output takes colour: a terminal that is not dumb, and no NO_COLOR."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")


def toned(text: str, tone: Tone) -> str:
    """The text in a tone, where standard output takes colour."""
    return f"\x1b[{_CODES[tone]}m{text}\x1b[0m" if tone and text and coloured() else text


def width() -> int | None:
    """Cells of the terminal; None where there is none, and nothing is wrapped."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], tones: Sequence[Sequence[Tone]], room: int | None
) -> Iterator[str]:
    """The lines of a table in `room` cells: the widest columns are wrapped until it fits. `tones` has one for
    each cell of each row."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    while room is not None and sum(widths) + len(GAP) * (len(widths) - 1) > room and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    quiet: list[Tone] = ["quiet"] * len(head)
    for row, row_tones in ((head, quiet), *zip(rows, tones, strict=True)):
        cells = [textwrap.wrap(cell, widths[at]) or [""] for at, cell in enumerate(row)]
        for number in range(max(map(len, cells))):
            pieces = [cell[number] if number < len(cell) else "" for cell in cells]
            padded = [f"{piece:{widths[at]}}" for at, piece in enumerate(pieces)]
            padded[-1] = pieces[-1]
            line = [toned(piece, tone) for piece, tone in zip(padded, row_tones, strict=True)]
            yield GAP.join(line).rstrip()
