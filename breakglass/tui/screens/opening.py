"""What is on the screen while a session is opened: which one, and for how long already."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from breakglass.tui.base import cockpit
from breakglass.tui.widgets.text import folded, plain, seconds

if TYPE_CHECKING:
    from breakglass.engine.session import Request


def opening_words(request: "Request") -> str:
    """What is being opened, in one line."""
    if request.resume is not None:
        return f"Resuming session {request.resume}"
    runbook = request.runbook
    name = runbook.parent.name if isinstance(runbook, Path) else runbook.name if runbook else "a runbook"
    if request.scenario is not None:
        return f"Opening {name}: starting the simulated world {request.scenario.stem} on this machine"
    return f"Opening {name} on the site {request.site or 'that was not named'}"


class OpeningScreen(Screen[None], inherit_bindings=False):
    """Says what is waited for. ^C ends the program."""

    def __init__(self, request: "Request", *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._words = plain(opening_words(request))
        self._clock = clock
        self._began = clock()

    def compose(self) -> ComposeResult:
        yield Static(id="opening", markup=False)

    def on_mount(self) -> None:
        self.draw()
        self.set_interval(1.0, self.draw)

    def draw(self) -> None:
        """Say it, with the time that has passed."""
        spent = self._clock() - self._began
        words = f"{self._words}   {seconds(spent) if spent >= 1.0 else ''}".rstrip()
        style = f"bold {cockpit(self).look.style('accent')}"
        lines = [*folded(words, cockpit(self).size.width - 2), "", "^C  give up"]
        self.query_one("#opening", Static).update(Text("\n".join(lines), style))
