"""The palette: every action of the screen underneath, found by typing part of its name or key."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from breakglass.tui.dialogs.questions import Dialog
from breakglass.tui.keys import Action
from breakglass.tui.widgets.inputs import Choices, TextLine
from breakglass.tui.widgets.text import padded


def matching(actions: Sequence[Action], typed: str) -> list[Action]:
    """The actions whose name, label or sentence holds every word that was typed; labels first."""
    words = typed.casefold().split()
    found = [
        action
        for action in actions
        if all(word in f"{action.name} {action.label} {action.help}".casefold() for word in words)
    ]
    return sorted(found, key=lambda action: not action.label.casefold().startswith(typed.casefold().strip()))


class PaletteDialog(Dialog[str]):
    """Gives the name of the action that was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
    ]

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__("What do you want to do?")
        self._actions = [action for action in actions if action.name != "palette"]
        self._found: list[Action] = []

    def body(self) -> ComposeResult:
        yield TextLine(placeholder="type part of a name", select_on_focus=False)
        choices = Choices(markup=False)
        choices.can_focus = False
        yield choices

    def ways(self) -> str:
        return "Up Down  move   Enter  run   Esc  go back"

    def on_mount(self) -> None:
        self.query_one(TextLine).focus()
        self._show("")

    def on_input_changed(self, event: Input.Changed) -> None:
        self._show(event.value)

    def on_input_submitted(self) -> None:
        at = self.query_one(Choices).highlighted
        if at is not None and at < len(self._found):
            self.dismiss(self._found[at].name)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index].name)

    def action_move(self, by: int) -> None:
        choices = self.query_one(Choices)
        if self._found:
            choices.highlighted = ((choices.highlighted or 0) + by) % len(self._found)

    def _show(self, typed: str) -> None:
        self._found = matching(self._actions, typed)
        choices = self.query_one(Choices)
        choices.clear_options()
        choices.add_options(
            Option(Text.assemble((padded(action.all_keys, 12), "bold"), f"{action.label}: {action.help}"))
            for action in self._found
        )
        choices.highlighted = 0 if self._found else None
