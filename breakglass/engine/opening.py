"""Opening a session: runbook, site or simulated world, journal and engine, put together and taken apart
again. How one goes on that was stopped stands in `breakglass.engine.resume`."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from breakglass import __version__
from breakglass.engine.clock import Clock
from breakglass.engine.drift import current_baseline, keep
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.prompts import JournalWriter, typed_value
from breakglass.engine.resume import resume_session
from breakglass.engine.session import (
    OpeningError,
    Request,
    Session,
    check_uses,
    find_others_of,
    operator_name,
)
from breakglass.engine.walk import Engine
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.folders import (
    NowhereToWriteError,
    SessionFolder,
    name_session,
    new_session,
    prepare,
    state_folder,
)
from breakglass.journal.sessions import find_session
from breakglass.journal.state import Recorded, State
from breakglass.journal.store import open_journal, unkept_journal
from breakglass.runbook.actions import ManualAction
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Input, Runbook
from breakglass.site.load import load_site
from breakglass.site.model import Site
from breakglass.threads import in_thread
from breakglass.values import Json
from breakglass.yamlio.shape_base import meant

if TYPE_CHECKING:
    from breakglass.rehearsal.rehearsal import Rehearsal
    from breakglass.rehearsal.scenario import Scenario


@asynccontextmanager
async def open_session(request: Request, prompts: Prompts | None = None) -> AsyncGenerator[Session, None]:
    """Open a new session or resume one, and close all of it at the end.

    Raises OpeningError, InvalidFileError, StateFolderError, or a JournalError such as SessionHeldError.
    """
    async with AsyncExitStack() as stack:
        if request.resume is not None:
            folder = find_session(prepare(state_folder()), request.resume)
            session = await resume_session(request, folder, prompts, stack)
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
    find_others = None if nowhere else find_others_of(folder, runbook, site, request.mode, stack)
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
            headless=request.pace == "never",
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
    wrong = [
        f"{name}: the runbook has no such input{meant(name, known)}" for name in given if name not in known
    ]
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
