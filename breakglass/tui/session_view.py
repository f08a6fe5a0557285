"""What the walk's screen needs of a session: its state, its output, and one way to speak to it.

The engine is one. A follower that only reads a journal is another; it refuses every command.
"""

from asyncio import Future
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from breakglass.engine.commands import Command, Sign
from breakglass.journal.state import Observer, State
from breakglass.runbook.model import Runbook
from breakglass.site.model import Site
from breakglass.tui.output_lines import LineSource


class SessionView(Protocol):
    """A session as the screen sees it."""

    @property
    def runbook(self) -> Runbook: ...
    @property
    def site(self) -> Site: ...
    @property
    def state(self) -> State: ...
    @property
    def live(self) -> LineSource | None: ...
    @property
    def output_folder(self) -> Path: ...
    @property
    def journal_fault(self) -> str: ...
    def subscribe(self, observer: Observer) -> Callable[[], None]: ...
    def command(self, command: Command) -> Future[None]:
        """Returns what is done once the command's own record is there. Raises CommandRefusedError when it
        does not apply now."""
        ...

    async def sign(self, command: Sign) -> None:
        """Give a second person's signature. Raises CommandRefusedError when it does not hold."""
        ...
