"""The preflight's fields: a way to choose, a line to type, and the row that begins."""

from collections.abc import Callable

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Paste
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from breakglass.tui.base import cockpit
from breakglass.tui.widgets.inputs import TextLine
from breakglass.tui.widgets.text import plain


class Pressed(Message):
    """A row was taken with Enter or with the mouse."""

    def __init__(self, row: "PressRow") -> None:
        super().__init__()
        self.row = row


class PressRow(Static, can_focus=True):
    """A row that can be taken. What it says is asked for whenever it is drawn."""

    DEFAULT_CSS = """
    PressRow { height: auto; padding: 0 1; }
    PressRow:focus { background: $surface; }
    """

    def __init__(self, words: "Callable[[PressRow], Text]", *, id: str) -> None:
        super().__init__(id=id, markup=False)
        self._words = words

    def draw(self) -> None:
        """Show what it says now, marked when it has the focus."""
        look = cockpit(self).look
        pointer = ("▌" if look.unicode else ">") if self.has_focus else " "
        self.update(Text.assemble(pointer, " ", self._words(self)))

    def on_mount(self) -> None:
        self.draw()

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self.draw()

    def on_click(self) -> None:
        self.post_message(Pressed(self))


class Unpasted(TextLine):
    """A line that takes typing and refuses pasting: what stands there was typed by a person."""

    def _on_paste(self, event: Paste) -> None:
        event.stop()
        event.prevent_default()


class LineField(Vertical):
    """A label, a line to type in, and below it what the field is for or what is wrong."""

    DEFAULT_CSS = """
    LineField { height: auto; }
    LineField Horizontal { height: auto; }
    LineField .label { width: 20; height: auto; padding: 0 1 0 3; }
    LineField TextLine, LineField TextLine:focus {
        width: 1fr; height: 1; border: none; padding: 0 1; background: $surface; color: $ink;
    }
    LineField .words { height: auto; padding: 0 1 0 20; }
    """

    def __init__(self, label: str, text: str, line: Widget) -> None:
        super().__init__(id=f"field-{line.id}")
        self._label = label
        self._text = text
        self._line = line

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(plain(self._label), classes="label", markup=False)
            yield self._line
        yield Static(classes="words", markup=False)

    def say(self, problem: str) -> None:
        """Show what is wrong with a word and a glyph, or else what the field is for."""
        look = cockpit(self).look
        words = Text(plain(self._text), look.style("muted"))
        if problem:
            words = Text(f"{look.mark('failed')} {plain(problem)}", look.mark_style("failed"))
        line = self.query_one(".words", Static)
        line.update(words)
        line.display = bool(words.plain)
