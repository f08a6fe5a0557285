"""Going on with a session that was stopped or cut short, with its runbook and site as they are now."""

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from breakglass.engine.adhoc import NAME as ADHOC
from breakglass.engine.clock import Clock
from breakglass.engine.drift import changed_since, keep
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.prompts import JournalWriter
from breakglass.engine.session import (
    OpeningError,
    Request,
    Session,
    check_uses,
    find_others_of,
    operator_name,
)
from breakglass.engine.walk import Engine
from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder
from breakglass.journal.state import State
from breakglass.journal.store import open_journal
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.site.load import load_site
from breakglass.site.model import Site
from breakglass.threads import in_thread


async def resume_session(
    request: Request, folder: SessionFolder, prompts: Prompts | None, stack: AsyncExitStack
) -> Session:
    """Open a session's folder again: its journal, held from now on, and its runbook and site as they are now.

    Raises OpeningError where it cannot go on, InvalidFileError, or a JournalError such as SessionHeldError.
    """
    # A cancelled opening leaves the journal open and held; whoever cancels it, ends the program.
    writer = await in_thread(lambda: JournalWriter(open_journal(folder.path)))
    journal = writer.journal
    first = journal.records[0].event if journal.records else None
    if not isinstance(first, e.SessionStarted):
        journal.close()
        raise OpeningError(
            f"{journal.path}: nothing was recorded, so there is nothing to resume; begin a new session"
        )
    try:
        runbook, site = _as_it_is(first, writer.state, folder)
        changed = await in_thread(lambda: changed_since(writer.state, folder, runbook, site))
        if changed is not None:
            await in_thread(lambda: keep(folder, changed.now))
    except BaseException:
        journal.close()
        raise
    clock = Clock()
    gateway = Gateway(site, folder.output, clock, prompts or Prompts())
    find_others = find_others_of(folder, runbook, site, first.mode, stack)
    engine = Engine(runbook, site, writer, gateway, clock, request.pace, find_others, changed)
    await engine.writer.record(
        e.SessionResumed(operator_name(), os.uname().nodename, os.getpid(), journal.torn)
    )
    return Session(engine, folder, None)


def _as_it_is(first: e.SessionStarted, state: State, folder: SessionFolder) -> tuple[Runbook, Site]:
    """The runbook and the site of a session as they are now. Raises OpeningError where it cannot go on with
    them."""
    if first.scenario or (first.mode == "rehearsal" and not first.site_path):
        raise OpeningError(
            f"{first.session} was a rehearsal, and its simulated world ended with the program; rehearse again"
        )
    if not first.runbook_path:
        raise OpeningError(f"{first.session} was one action typed by hand: {first.title}; type it again")
    runbook = load_runbook(Path(first.runbook_path))
    steps = {step.id for step in runbook.steps}
    gone = {state.current, state.following} - steps - {"", "done"}
    if gone:
        kept = folder.baseline / state.runbook_digest
        raise OpeningError(
            f"{first.runbook_path} is not what {first.session} walked, and has no step "
            f"{' or '.join(sorted(gone))} any more; put the old text back ({kept}), or begin anew"
        )
    site = load_site(Path(first.site_path))
    check_uses(runbook, site)
    return runbook, site


def unfinished(states: Mapping[str, State]) -> list[State]:
    """Sessions that stopped or were cut short and can be resumed, newest first."""
    open_ones = [
        state
        for state in states.values()
        if state.started is not None
        and not state.scenario
        and state.runbook != ADHOC
        and (state.ended is None or state.ended.result == "stopped")
    ]
    return sorted(open_ones, key=lambda state: state.session, reverse=True)
