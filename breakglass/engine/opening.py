"""Opening a session: runbook, site or simulated world, journal and engine, put together and taken apart
again."""

import asyncio
import getpass
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from breakglass import __version__
from breakglass.engine.adhoc import NAME as ADHOC
from breakglass.engine.clock import Clock
from breakglass.engine.drift import changed_since, current_baseline, keep
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.presence import FindOthers, Presence
from breakglass.engine.prompts import JournalWriter, typed_value
from breakglass.engine.walk import Engine, Pace
from breakglass.errors import CommandRefusedError, UserError
from breakglass.journal import events as e
from breakglass.journal.folders import (
    NowhereToWriteError,
    SessionFolder,
    find_session,
    name_session,
    new_session,
    prepare,
    state_folder,
)
from breakglass.journal.state import Recorded, State
from breakglass.journal.store import open_journal, unkept_journal
from breakglass.runbook.actions import ManualAction
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Input, Runbook
from breakglass.site.load import load_site
from breakglass.site.model import Site
from breakglass.threads import in_thread
from breakglass.values import Json

if TYPE_CHECKING:
    from breakglass.rehearsal.rehearsal import Rehearsal
    from breakglass.rehearsal.scenario import Scenario


class OpeningError(UserError):
    """The session cannot be opened; the message says what is missing and where to put it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to open. A rehearsal names a scenario, anything else a site; `resume` names a session instead."""

    mode: e.Mode = "rehearsal"
    runbook: Path | Runbook | None = None
    """A runbook's file, or the runbook itself where it is in no file."""
    site: Path | None = None
    scenario: Path | None = None
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    resume: str | None = None
    speed: float | None = None
    pace: Pace = "phase"
    incident_began: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """An open session. `rehearsal` is the simulated world, where there is one."""

    engine: Engine
    folder: SessionFolder
    rehearsal: "Rehearsal | None"


def operator_name() -> str:
    """Who is at the keyboard: `BREAKGLASS_OPERATOR`, or the login name."""
    return os.environ.get("BREAKGLASS_OPERATOR") or getpass.getuser()


@asynccontextmanager
async def open_session(request: Request, prompts: Prompts | None = None) -> AsyncGenerator[Session, None]:
    """Open a new session or resume one, and close all of it at the end.

    Raises OpeningError, InvalidFileError, StateFolderError, or a JournalError such as SessionHeldError.
    """
    async with AsyncExitStack() as stack:
        if request.resume is not None:
            folder = find_session(prepare(state_folder()), request.resume)
            session = await _resumed(request, folder, prompts, stack)
        else:
            session = await _begun(request, prompts, stack)
        stack.push_async_callback(session.engine.close)
        yield session


async def _begun(request: Request, prompts: Prompts | None, stack: AsyncExitStack) -> Session:
    if request.runbook is None:
        raise OpeningError("no runbook was named; `breakglass list` shows those that can be found")
    from_file = isinstance(request.runbook, Path)
    runbook = load_runbook(request.runbook) if isinstance(request.runbook, Path) else request.runbook
    scenario = _scenario(request)
    inputs = typed_inputs(runbook, {**_told(runbook, scenario), **request.inputs})
    site = _site(request, runbook)
    folder, nowhere = _new_folder(request, runbook.name)
    site, rehearsal, clock = await _world(request, site, scenario, folder, stack)
    check_uses(runbook, site)
    baseline = await in_thread(lambda: current_baseline(runbook, site)) if from_file else None
    if baseline is not None and rehearsal is None and not nowhere:
        await in_thread(lambda: keep(folder, baseline))
    writer = await in_thread(
        lambda: JournalWriter(
            unkept_journal(folder.path, nowhere) if nowhere else open_journal(folder.path, create=True)
        )
    )
    gateway = Gateway(site, folder.output, clock, prompts or Prompts())
    find_others = None if nowhere else _find_others(folder, runbook, site, request.mode, stack)
    engine = Engine(runbook, site, writer, gateway, clock, request.pace, find_others)
    if rehearsal is not None:
        join(engine, rehearsal)
    await engine.writer.record(
        e.SessionStarted(
            session=folder.name,
            runbook=runbook.name,
            title=runbook.title,
            severity=runbook.severity,
            runbook_path=str(runbook.path.resolve()) if from_file else "",
            runbook_digest=runbook.digest,
            site=site.name,
            site_path=str(site.path.resolve()) if site.path else "",
            production=site.production,
            mode=request.mode,
            operator=operator_name(),
            inputs=inputs,
            version=__version__,
            host=os.uname().nodename,
            pid=os.getpid(),
            scenario=scenario.name if scenario is not None else "",
            incident_began=request.incident_began,
            site_digest=baseline.site_digest if baseline is not None else "",
        )
    )
    return Session(engine, folder, rehearsal)


def _new_folder(request: Request, runbook: str) -> tuple[SessionFolder, str]:
    """A new session's folder. On a real site one may read even where nothing can be written: then the folder
    is not made, and the reason comes with it."""
    state = state_folder()
    try:
        return new_session(prepare(state), runbook), ""
    except NowhereToWriteError as error:
        if request.scenario is not None:
            raise
        return name_session(state, runbook), str(error)


async def _resumed(
    request: Request, folder: SessionFolder, prompts: Prompts | None, stack: AsyncExitStack
) -> Session:
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
    find_others = _find_others(folder, runbook, site, first.mode, stack)
    engine = Engine(runbook, site, writer, gateway, clock, request.pace, find_others, changed)
    await engine.writer.record(
        e.SessionResumed(operator_name(), os.uname().nodename, os.getpid(), journal.torn)
    )
    return Session(engine, folder, None)


def _as_it_is(first: e.SessionStarted, state: State, folder: SessionFolder) -> tuple[Runbook, Site]:
    """The runbook and the site of a session as they are now. Raises OpeningError where it cannot go on with
    them."""
    if first.mode == "rehearsal" and not first.site_path:
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


def _find_others(
    folder: SessionFolder, runbook: Runbook, site: Site, mode: e.Mode, stack: AsyncExitStack
) -> FindOthers | None:
    """How a session shows itself to others, and sees them. A rehearsal's world is its own."""
    if site.path is None or mode == "rehearsal" or runbook.name == ADHOC:
        return None
    state = folder.path.parent.parent
    presence = Presence(state, folder.name, runbook.name, site, mode, operator_name())
    stack.push_async_callback(presence.close)
    return presence.find_others


def _site(request: Request, runbook: Runbook) -> Site | None:
    if request.scenario is not None:
        return None
    if request.site is None:
        raise OpeningError(f"runbook {runbook.name} runs on a site: give one with --site FILE")
    return load_site(request.site)


def _scenario(request: Request) -> "Scenario | None":
    if request.scenario is None:
        return None
    from breakglass.rehearsal.load import load_scenario

    return load_scenario(request.scenario)


def _told(runbook: Runbook, scenario: "Scenario | None") -> dict[str, str]:
    """What the alert of a simulated incident would tell: the inputs that have no default, as they are
    typed."""
    if scenario is None:
        return {}
    asked = {each.name for each in runbook.inputs if not each.has_default}
    return {name: str(value) for name, value in scenario.walk.inputs.items() if name in asked}


async def _world(
    request: Request,
    site: Site | None,
    scenario: "Scenario | None",
    folder: SessionFolder,
    stack: AsyncExitStack,
) -> "tuple[Site, Rehearsal | None, Clock]":
    if site is not None:
        return site, None, Clock()
    from breakglass.rehearsal.rehearsal import start_rehearsal

    assert scenario is not None
    folder.world.mkdir(mode=0o700)
    rehearsal = await start_rehearsal(scenario, folder.world, speed=request.speed)
    stack.push_async_callback(rehearsal.close)
    return rehearsal.site, rehearsal, Clock(rehearsal.speed)


def join(engine: Engine, rehearsal: "Rehearsal") -> None:
    """Tell the session what happens in its simulated world, and the world what was done in it by hand."""

    def happened(kind: Literal["rule", "trap", "recovered", "change"], name: str, say: str) -> None:
        engine.writer.record_soon(e.Happened(kind, name, say))

    def told(recorded: Recorded, state: State) -> None:
        event = recorded.event
        if not isinstance(event, e.Answered) or state.mode != "rehearsal":
            return
        if isinstance(engine.runbook.step(event.step).action, ManualAction):
            asyncio.get_running_loop().call_soon(rehearsal.done_by_hand, event.step)

    rehearsal.subscribe(happened)
    engine.subscribe(told)


def typed_inputs(runbook: Runbook, given: Mapping[str, str]) -> dict[str, Json]:
    """The inputs in their types, defaults filled in. Raises OpeningError naming every one that is wrong."""
    known = {each.name: each for each in runbook.inputs}
    wrong = [f"{name}: the runbook has no such input" for name in given if name not in known]
    values: dict[str, Json] = {}
    for each in runbook.inputs:
        if each.name in given:
            try:
                values[each.name] = input_value(each, given[each.name])
            except CommandRefusedError as error:
                wrong.append(f"{each.name}: {error}")
        elif each.has_default:
            values[each.name] = each.default
        else:
            wrong.append(f"{each.name}: needs a value ({each.help or each.type}); give --input {each.name}=…")
    if wrong:
        raise OpeningError(f"inputs of {runbook.name}: " + "; ".join(wrong))
    return values


def input_value(definition: Input, text: str) -> Json:
    """One input's text as a value. Raises CommandRefusedError saying what was expected."""
    value = typed_value(text, definition.type, definition.pattern or "")
    if definition.choices and value not in definition.choices:
        raise CommandRefusedError(f"choose one of {', '.join(map(str, definition.choices))}")
    return value


def check_uses(runbook: Runbook, site: Site) -> None:
    """Raise OpeningError for every cluster, host, endpoint, secret and variable that the site does not
    have."""
    missing = missing_uses(runbook, site)
    if missing:
        where = site.path or f"site {site.name}"
        raise OpeningError(f"{where} lacks what runbook {runbook.name} uses: {'; '.join(missing)}")


def missing_uses(runbook: Runbook, site: Site) -> list[str]:
    """What the runbook uses and the site does not have, in words, kind by kind."""
    wanted = {
        "clusters": (runbook.uses.clusters, site.clusters),
        "hosts": (runbook.uses.hosts, site.hosts),
        "endpoints": (runbook.uses.endpoints, site.endpoints),
        "secrets": (runbook.uses.secrets, site.secrets),
        "variables": (runbook.uses.variables, site.variables),
    }
    return [
        f"{kind}: {', '.join(absent)}"
        for kind, (names, there) in wanted.items()
        if (absent := [name for name in names if name not in there])
    ]


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
