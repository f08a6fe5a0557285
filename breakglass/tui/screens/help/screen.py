"""The help screen: scroll, read, go back."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from breakglass.tui.base import cockpit
from breakglass.tui.keys import Place, bindings
from breakglass.tui.screens.help.lines import help_lines
from breakglass.tui.widgets.footer import Footer
from breakglass.tui.widgets.page import Page, PageScreen


class HelpScreen(PageScreen):
    """Every key of the screen below, and what the marks mean."""

    place = "help"
    DEFAULT_CSS = """
    HelpScreen {
        #heading { height: 1; background: $surface; }
        #lines { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("help")]

    def __init__(self, of: Place) -> None:
        super().__init__()
        self._of: Place = of

    def compose(self) -> ComposeResult:
        yield Static(id="heading", markup=False)
        with Page():
            yield Static(id="lines", markup=False)
        yield Footer()

    def recolour(self) -> None:
        self._show()

    def on_resize(self) -> None:
        self._show()

    def _show(self) -> None:
        look = cockpit(self).look
        width = self.page_width
        heading = Text.assemble(
            (" breakglass ", f"bold {look.style('accent')}"), (" help", look.style("muted"))
        )
        self.query_one("#heading", Static).update(heading)
        self.query_one("#lines", Static).update(Text("\n").join(help_lines(self._of, width, look)))
        self.query_one(Footer).show(self.available(), look)

    def action_help(self) -> None:
        self.action_back()
