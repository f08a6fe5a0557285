"""Following a session from outside: its state as its journal tells it, and nothing that could change it.

The same fold as everywhere makes the state. The journal is read in a thread, only what is new of it, and a
record counts when it fits the chain.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder
from breakglass.journal.state import Observer, State, apply, fold
from breakglass.journal.store import (
    FILE_NAME,
    JournalContents,
    JournalError,
    holder,
    is_held,
    read,
    read_on,
)
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.site.load import load_site
from breakglass.site.model import Site
from breakglass.threads import in_thread
from breakglass.yamlio.position import InvalidFileError

EVERY = 0.3
"""Seconds between two looks at the journal."""


class Follower:
    """A session as an observer sees it. It has what a screen needs of an engine, and refuses all commands."""

    live = None
    """What runs now is in the other program; an observer sees output when it is complete."""

    def __init__(
        self, folder: SessionFolder, reading: JournalContents, runbook: Runbook, site: Site, fault: str
    ) -> None:
        self.runbook = runbook
        self.site = site
        self.state: State = fold(reading.records)
        self.journal_fault = fault
        """Why the view may not be what happens; empty when it is."""
        self.walker_gone = ""
        """Who walked the session, where that program is gone and the session has not ended."""
        self._folder = folder
        self._reading = reading
        self._observers: list[Observer] = []

    @property
    def output_folder(self) -> Path:
        return self._folder.output

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Be told of every event that is read. Returns how to stop being told."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def command(self, command: object) -> NoReturn:
        """Raises CommandRefusedError, always."""
        raise CommandRefusedError("this is a read-only view; nothing can be decided here")

    async def sign(self, command: object) -> NoReturn:
        """Raises CommandRefusedError, always."""
        self.command(command)

    async def follow(self) -> None:
        """Read what comes, until cancelled. That the journal cannot be read is said, and tried again."""
        while True:
            try:
                await self.look()
            except JournalError as error:
                self.journal_fault = str(error)
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Read what is new, once. Raises JournalError."""
        path, before = self._folder.path / FILE_NAME, self._reading
        self._reading = await in_thread(lambda: read_on(path, before))
        for recorded in self._reading.records[len(before.records) :]:
            self.state = apply(self.state, recorded)
            for observer in tuple(self._observers):
                observer(recorded, self.state)
        self.walker_gone = "" if self.state.ended is not None else await in_thread(self._gone)

    def _gone(self) -> str:
        """Who is gone. What was put on record at the very end is read at the next look."""
        return "" if is_held(self._folder.path) else holder(self._folder.path)

    @property
    def goes_on(self) -> str:
        """How somebody can go on where the walker is gone."""
        if self.state.scenario:
            return "Its simulated world is gone too; rehearse again."
        return f"breakglass resume {self.state.session}"


def follower(folder: SessionFolder) -> Follower:
    """Begin to follow a session. Blocks while it reads.

    Raises JournalError when the journal cannot be read, or InvalidFileError when its runbook cannot.
    """
    path = folder.path / FILE_NAME
    reading = read(path)
    first = reading.records[0].event if reading.records else None
    if not isinstance(first, e.SessionStarted):
        raise JournalError(f"{path}: nothing was recorded, so there is nothing to follow")
    runbook = load_runbook(Path(first.runbook_path))
    held = [r.event for r in reading.records if isinstance(r.event, e.SessionStarted | e.Accepted)]
    fault = (
        "" if runbook.digest == held[-1].runbook_digest else "the runbook's file is not what is being walked"
    )
    return Follower(folder, reading, runbook, _site(first), fault)


def _site(first: e.SessionStarted) -> Site:
    """The session's site; of one without a readable file, what the journal says of it."""
    if first.site_path:
        try:
            return load_site(Path(first.site_path))
        except InvalidFileError:
            pass
    return Site(name=first.site, production=first.production)
