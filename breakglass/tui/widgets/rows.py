"""A list to choose from, its rows laid out by hand for the width that there is.

The chosen row has a mark of its own, so that it is seen without colour. Rows are drawn again when the width
or the look changes; which row is chosen stays, by its name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rich.text import Text
from textual.widgets import OptionList
from textual.widgets.option_list import Option

Draw: TypeAlias = Callable[[int], Sequence[Text]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name, and its lines for a width in cells. A heading cannot be chosen."""

    name: str
    draw: Draw
    heading: bool = False


class RowList(OptionList):
    """Rows to choose from. Posts OptionHighlighted and OptionSelected with the row's name as option_id."""

    DEFAULT_CSS = """
    RowList, RowList:focus {
        height: 1fr;
        border: none;
        padding: 0;
        background: $background;
        background-tint: transparent;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        & > .option-list--option { padding: 0; color: $ink; }
        & > .option-list--option-highlighted { background: $surface; color: $ink; text-style: none; }
        & > .option-list--option-hover { background: $surface; color: $ink; }
        & > .option-list--option-disabled { color: $ink; }
    }
    """

    def __init__(self, *, id: str | None = None, pointer: str = "▌") -> None:
        super().__init__(id=id, markup=False)
        self._pointer = pointer
        self._rows: tuple[Row, ...] = ()
        self._drawn_for = 0

    @property
    def chosen(self) -> str:
        """The name of the row that the mark is at; empty when there is none."""
        at = self.highlighted
        return self._rows[at].name if at is not None and at < len(self._rows) else ""

    @property
    def names(self) -> list[str]:
        """The names of the rows that can be chosen, from the top."""
        return [row.name for row in self._rows if not row.heading]

    def show(self, rows: Sequence[Row]) -> None:
        """Put these rows in place of those there were. The chosen one stays chosen when it is among them."""
        before = self.chosen
        self._rows = tuple(rows)
        names = self.names
        self._drawn_for = self.scrollable_content_region.width
        at = names[0] if names and before not in names else before
        self.set_options(
            Option(self._prompt(row, chosen=row.name == at), id=row.name, disabled=row.heading)
            for row in rows
        )
        if names:
            self.highlighted = self.get_option_index(at)

    def choose(self, name: str) -> None:
        """Move the mark to a row."""
        self.highlighted = self.get_option_index(name)

    def on_resize(self) -> None:
        if self.scrollable_content_region.width != self._drawn_for:
            self.show(self._rows)

    def watch_highlighted(self, highlighted: int | None) -> None:
        for at, row in enumerate(self._rows[: self.option_count]):
            self.replace_option_prompt_at_index(at, self._prompt(row, chosen=at == highlighted))
        super().watch_highlighted(highlighted)

    def _prompt(self, row: Row, *, chosen: bool) -> Text:
        mark = Text(f"{self._pointer} " if chosen else "  ")
        lines = row.draw(max(self.scrollable_content_region.width - 2, 1))
        return Text("\n").join(Text.assemble(Text("") if row.heading else mark, line) for line in lines)
