"""Small dialogs: one line of text, one choice of several, a message. Esc goes back and sends nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from breakglass.transport.sanitize import visible
from breakglass.tui.base import cockpit
from breakglass.tui.widgets.inputs import Choices, TextLine
from breakglass.tui.widgets.text import plain

if TYPE_CHECKING:
    from breakglass.transport.ssh import HostKeyQuestion

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer | None], inherit_bindings=False):
    """A dialog with a title, words, and something to answer with."""

    ALLOW_SELECT = False
    CSS_PATH = Path(__file__).with_name("questions.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "go_back", show=False)]

    def __init__(self, title: str, words: str = "") -> None:
        super().__init__()
        self._heading = plain(title)
        self._words = visible(words)

    def compose(self) -> ComposeResult:
        look = cockpit(self).look
        with Vertical(id="dialog"):
            yield Static(Text(self._heading, "bold"), classes="heading", markup=False)
            if self._words:
                yield Static(Text(self._words), classes="words", markup=False)
            yield from self.body()
            yield Static(Text(self.ways(), look.style("muted")), id="ways", markup=False)

    def body(self) -> ComposeResult:
        """What the dialog is answered with."""
        yield from ()

    def ways(self) -> str:
        """The last line: which keys do what."""
        return "Esc  go back, nothing sent"

    def action_go_back(self) -> None:
        self.dismiss(None)


class AskLine(Dialog[str]):
    """One line of text. An empty one is refused unless `empty` says otherwise."""

    def __init__(self, title: str, words: str = "", *, secret: bool = False, text: str = "") -> None:
        super().__init__(title, words)
        self._secret = secret
        self._text = text

    def body(self) -> ComposeResult:
        yield TextLine(self._text, password=self._secret, select_on_focus=False)

    def ways(self) -> str:
        return "Enter  save   Esc  go back, nothing sent"

    def on_mount(self) -> None:
        self.query_one(TextLine).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.dismiss(event.value if self._secret else event.value.strip())
        else:
            self.query_one("#ways", Static).update(Text("Type an answer, or Esc  go back, nothing sent"))


class Choose(Dialog[str]):
    """One of several ways, each explained. Digits move to a way; Enter takes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "go_back", show=False)]

    def __init__(self, title: str, words: str, ways: Mapping[str, str], *, at: str = "") -> None:
        super().__init__(title, words)
        self._options = dict(ways)
        self._at = at

    def body(self) -> ComposeResult:
        options = [
            Option(Text.assemble((f"{number}  {plain(name)}", "bold"), f"  {plain(words)}" if words else ""))
            for number, (name, words) in enumerate(self._options.items(), start=1)
        ]
        choices = Choices(*options, markup=False)
        names = list(self._options)
        choices.highlighted = names.index(self._at) if self._at in names else 0
        yield choices

    def ways(self) -> str:
        return "j k 1-9  move   Enter  select   Esc  go back, nothing sent"

    def on_mount(self) -> None:
        self.query_one(Choices).focus()

    def key_digit(self, digit: int) -> None:
        """Move to a way by its number."""
        if 1 <= digit <= len(self._options):
            self.query_one(Choices).highlighted = digit - 1

    def on_key(self, event: Key) -> None:
        if event.character is not None and event.character.isdigit():
            event.stop()
            self.key_digit(int(event.character))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(list(self._options)[event.option_index])


class Message(Dialog[bool]):
    """Words that are read and left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q", "go_back", show=False)]

    def ways(self) -> str:
        return "Enter  go back"


class HostKey(Dialog[bool]):
    """An SSH host key that is not known. It is accepted by typing the host's name, never by one key."""

    def __init__(self, question: "HostKeyQuestion") -> None:
        host = plain(question.host)
        via = f" via {question.via}" if question.via else ""
        super().__init__(
            f"The host key of {host} is not known",
            f"{question.address}{via}\n{question.key_type}   {question.fingerprint}\n"
            f"{plain(question.doubt)}\n\n"
            "Compare the fingerprint with what the host's own console says. Where they differ, somebody may "
            f"stand in between. Accepted, the key is added to {question.known_hosts}.\n\n"
            f"To accept it, type {host}",
        )
        self._host = question.host

    def body(self) -> ComposeResult:
        yield TextLine(select_on_focus=False)

    def on_mount(self) -> None:
        self.query_one(TextLine).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value == self._host:
            self.dismiss(True)
        else:
            self.query_one("#ways", Static).update(
                Text("No match. Esc  go back; the key is not accepted, nothing sent")
            )
