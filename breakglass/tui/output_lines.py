"""Lines to look at: where they come from, and which of them are in view.

A source may have millions of lines; only those in view are ever asked for. Nothing here draws.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.cells import cell_len, chop_cells, set_cell_size

SEARCH_BLOCK = 2000
"""Lines that are searched between two chances for everything else to run."""

MOST_MATCHES = 10_000
"""Lines with a match that are remembered."""


class LineSource(Protocol):
    """Lines by number, from 0, safe to draw."""

    @property
    def line_count(self) -> int: ...
    def lines(self, start: int, stop: int) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class FixedLines:
    """Lines that are there already."""

    text: Sequence[str]

    @property
    def line_count(self) -> int:
        return len(self.text)

    def lines(self, start: int, stop: int) -> list[str]:
        return list(self.text[max(start, 0) : max(stop, 0)])


@dataclass(frozen=True, slots=True)
class Joined:
    """Several sources, one after the other."""

    parts: Sequence[LineSource]

    @property
    def line_count(self) -> int:
        return sum(part.line_count for part in self.parts)

    def lines(self, start: int, stop: int) -> list[str]:
        found: list[str] = []
        first = 0
        for part in self.parts:
            count = part.line_count
            if start < first + count and stop > first:
                found += part.lines(max(start - first, 0), min(stop - first, count))
            first += count
        return found


@dataclass(frozen=True, slots=True)
class ScreenRow:
    """One row on the screen: the line's number, where in the line it begins, and its text."""

    line: int
    start: int
    text: str


class Viewport:
    """A window onto lines: what is at its top, whether lines wrap, whether it stays at the end."""

    def __init__(self) -> None:
        self.source: LineSource = FixedLines(())
        self.width = 80
        self.height = 10
        self.wrap = False
        self.follow = True
        self.column = 0
        """Cells by which unwrapped lines are moved to the left."""
        self._line = 0
        self._row = 0
        """The top: a line, and a row within it where lines wrap."""

    def show(self, source: LineSource, *, follow: bool) -> None:
        """Look at other lines, from their end when they are followed, else from their beginning."""
        self.source, self.follow = source, follow
        self._line = self._row = self.column = 0

    @property
    def top(self) -> int:
        """The number of the line at the top."""
        return self._line

    def rows(self) -> list[ScreenRow]:
        """The rows in view."""
        if self.follow:
            self._line, self._row = self._end()
        rows: list[ScreenRow] = []
        for line, pieces in self._from(self._line):
            start = 0
            for at, piece in enumerate(pieces):
                if line > self._line or at >= self._row:
                    rows.append(ScreenRow(line, start, piece))
                start += len(piece)
            if len(rows) >= self.height:
                break
        return rows[: self.height]

    def move(self, rows: int) -> None:
        """Move by rows, down when positive. Moving up ends following; reaching the end does not start it."""
        if rows < 0:
            self.follow = False
        elif self.follow:
            return
        if not self.wrap:
            self._line = max(self._line + rows, 0)
        elif rows > 0:
            self._down(rows)
        else:
            self._up(-rows)
        self._line, self._row = min((self._line, self._row), self._end())

    def to_start(self) -> None:
        self.follow = False
        self._line = self._row = self.column = 0

    def to_end(self) -> None:
        """Go to the end and stay there."""
        self.follow = True

    def to_line(self, line: int) -> None:
        """Bring a line into view, a third from the top."""
        self.follow = False
        self._line, self._row = max(line - self.height // 3, 0), 0
        self._line, self._row = min((self._line, self._row), self._end())

    def to_part(self, line: int, part: str) -> None:
        """Bring a part of a line into view, where lines are not wrapped too."""
        self.to_line(line)
        text = "".join(self.source.lines(line, line + 1)).expandtabs(8)
        start = cell_len(text[: max(text.find(part), 0)])
        stop = start + cell_len(part)
        self.column = 0 if self.wrap or stop < self.width else max(min(start, stop - self.width // 2), 0)
        if self.wrap:
            self._down(start // max(self.width, 1))

    def sideways(self, cells: int) -> None:
        if not self.wrap:
            self.column = max(self.column + cells, 0)

    def set_wrap(self, wrap: bool) -> None:
        self.wrap, self.column, self._row = wrap, 0, 0

    def position(self) -> str:
        """Which lines are in view, in words."""
        count = self.source.line_count
        if not count:
            return "empty"
        rows = self.rows()
        return f"{rows[0].line + 1:,}-{rows[-1].line + 1:,} of {count:,}" if rows else f"{count:,} lines"

    def _pieces(self, line: str) -> list[str]:
        text = line.expandtabs(8)
        if self.wrap:
            return chop_cells(text, max(self.width, 1)) or [""]
        return [_cropped(text, self.column, self.width)]

    def _from(self, line: int) -> Iterator[tuple[int, list[str]]]:
        block = max(self.height, 1)
        while found := self.source.lines(line, line + block):
            for text in found:
                yield line, self._pieces(text)
                line += 1

    def _end(self) -> tuple[int, int]:
        """The top with which the last row is at the bottom."""
        line, room = self.source.line_count, self.height
        if not self.wrap:
            return max(line - room, 0), 0
        while line > 0 and room > 0:
            line -= 1
            found = self.source.lines(line, line + 1)
            rows = len(self._pieces(found[0])) if found else 1
            if rows > room:
                return line, rows - room
            room -= rows
        return line, 0

    def _down(self, rows: int) -> None:
        for line, pieces in self._from(self._line):
            here = self._row if line == self._line else 0
            if rows < len(pieces) - here:
                self._line, self._row = line, here + rows
                return
            rows -= len(pieces) - here
            self._line, self._row = line + 1, 0

    def _up(self, rows: int) -> None:
        while rows > self._row and self._line > 0:
            rows -= self._row + 1
            self._line -= 1
            found = self.source.lines(self._line, self._line + 1)
            self._row = len(self._pieces(found[0])) - 1 if found else 0
        self._row = max(self._row - rows, 0)


def _cropped(text: str, column: int, width: int) -> str:
    """The cells of a line from a column on. A mark at the right edge says that there is more."""
    if column:
        text = text[column:] if text.isascii() else "".join(chop_cells(text, column)[1:])
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)) + ">"


class Search:
    """Where a text is found in lines that may still grow. Upper and lower case are the same."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self.found: list[int] = []
        self.at = -1
        self._next = 0

    def scan(self, source: LineSource) -> bool:
        """Search one more block. Returns whether there may be more."""
        stop = self._next + SEARCH_BLOCK
        block = source.lines(self._next, stop)
        wanted = self.wanted.casefold()
        for number, line in enumerate(block, start=self._next):
            if wanted in line.expandtabs(8).casefold():
                self.found.append(number)
        self._next += len(block)
        return len(block) == SEARCH_BLOCK and len(self.found) < MOST_MATCHES

    def go(self, forward: bool) -> int | None:
        """The next match or the one before, around the ends. None where there is none."""
        if not self.found:
            return None
        self.at = (self.at + (1 if forward else -1)) % len(self.found) if self.at >= 0 else 0
        return self.found[self.at]

    def words(self) -> str:
        if not self.found:
            return f"/{self.wanted}: not found"
        more = "+" if len(self.found) >= MOST_MATCHES else ""
        return f"/{self.wanted}: {max(self.at, 0) + 1} of {len(self.found)}{more}"


def spans(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    """Where `wanted` stands in a row's text."""
    if not wanted:
        return
    folded, needle = text.casefold(), wanted.casefold()
    if len(folded) != len(text):
        folded = text
    at = folded.find(needle)
    while at >= 0:
        yield at, at + len(needle)
        at = folded.find(needle, at + len(needle))
