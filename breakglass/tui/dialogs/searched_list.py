"""Lists that are searched by typing: the palette, with every action of a screen, and the steps to jump to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from breakglass.tui.dialogs.questions import Dialog
from breakglass.tui.keys import Action
from breakglass.tui.widgets.inputs import Choices, TextLine
from breakglass.tui.widgets.text import padded, plain


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list: what choosing it gives, its number or keys, its words, and what else finds it."""

    value: str
    head: str
    words: str
    found_by: str = ""


def matching(entries: Sequence[Entry], typed: str) -> list[Entry]:
    """The entries that hold every word that was typed: first those whose head is just that, then those that
    begin with it."""
    text = typed.casefold().strip()
    found = [
        entry
        for entry in entries
        if all(word in f"{entry.head} {entry.words} {entry.found_by}".casefold() for word in text.split())
    ]
    return sorted(
        found, key=lambda entry: (entry.head.casefold() != text, not entry.words.casefold().startswith(text))
    )


class SearchedList(Dialog[str]):
    """Gives the value of the entry that was chosen. `at` is the one that is marked at first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
    ]

    def __init__(self, title: str, entries: Sequence[Entry], *, at: str = "", does: str = "select") -> None:
        super().__init__(title)
        self._entries = entries
        self._found: list[Entry] = []
        self._at = at
        self._does = does

    def body(self) -> ComposeResult:
        yield TextLine(placeholder="type part of a name", select_on_focus=False)
        choices = Choices(markup=False)
        choices.can_focus = False
        yield choices

    def ways(self) -> str:
        return f"Up Down  move   Enter  {self._does}   Esc  go back"

    def on_mount(self) -> None:
        self.query_one(TextLine).focus()
        self._show("")

    def on_input_changed(self, event: Input.Changed) -> None:
        self._show(event.value)

    def on_input_submitted(self) -> None:
        at = self.query_one(Choices).highlighted
        if at is not None and at < len(self._found):
            self.dismiss(self._found[at].value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index].value)

    def action_move(self, by: int) -> None:
        choices = self.query_one(Choices)
        if self._found:
            choices.highlighted = ((choices.highlighted or 0) + by) % len(self._found)

    def _show(self, typed: str) -> None:
        self._found = matching(self._entries, typed)
        choices = self.query_one(Choices)
        choices.clear_options()
        width = max((len(entry.head) for entry in self._entries), default=0) + 2
        choices.add_options(
            Option(Text.assemble((padded(entry.head, width), "bold"), plain(entry.words)))
            for entry in self._found
        )
        values = [entry.value for entry in self._found]
        marked = values.index(self._at) if not typed and self._at in values else 0
        choices.highlighted = marked if self._found else None


def palette(actions: Sequence[Action]) -> SearchedList:
    """Every action but the palette's own; gives an action's name."""
    entries = [
        Entry(action.name, action.all_keys, f"{action.label}: {action.help}", action.name)
        for action in actions
        if action.name != "palette"
    ]
    return SearchedList("What do you want to do?", entries, does="run")
