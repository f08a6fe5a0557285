"""The last line: what can be done now, most important first, and always how to see the rest."""

from collections.abc import Iterable

from rich.cells import cell_len
from rich.text import Text
from textual.widgets import Static

from breakglass.tui.keys import Action, by_rank
from breakglass.tui.theme import Appearance

ENDING = ((":", "all"), ("?", "help"))
GAP = "  "


def footer_line(actions: Iterable[Action], width: int, look: Appearance) -> Text:
    """As many actions as there is room for, and the ending, which is never left out."""
    pairs: list[tuple[str, str]] = []
    room = width - _cells(ENDING) - 1
    for action in by_rank(actions):
        pair = (action.key, action.label)
        if _cells([*pairs, pair]) + len(GAP) > room:
            continue
        pairs.append(pair)
    line = _text(pairs, look)
    ending = _text(ENDING, look)
    blank = max(width - line.cell_len - ending.cell_len - 2, 1)
    return Text.assemble(" ", line, " " * blank, ending, no_wrap=True)


def _cells(pairs: Iterable[tuple[str, str]]) -> int:
    each = [cell_len(f"{key} {label}") for key, label in pairs]
    return sum(each) + len(GAP) * max(len(each) - 1, 0)


def _text(pairs: Iterable[tuple[str, str]], look: Appearance) -> Text:
    return Text(GAP).join(
        Text.assemble((f"{key} ", f"bold {look.style('accent')}"), (label, look.style("muted")))
        for key, label in pairs
    )


class Footer(Static):
    """The footer of a screen. `show` says what can be done now."""

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._actions: tuple[Action, ...] = ()
        self._look = Appearance()

    def show(self, actions: Iterable[Action], look: Appearance) -> None:
        """Draw these actions, in this look."""
        self._actions = tuple(actions)
        self._look = look
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self.size.width:
            self.update(footer_line(self._actions, self.size.width, self._look))
