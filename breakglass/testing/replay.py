"""Every command of a walk against a far side that fails it.

A scenario's right walk is taken once, through the real transports and servers, and what came back is kept.
Then the same walk is resumed from what was kept, at each command and with each way to fail it: a host
that refuses, that hangs, whose key is unknown, a sudo that asks, a 403, a 500, an empty list, a pod that
vanished. Nothing listens then and no time passes, so that hundreds of walks take seconds.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from breakglass.engine.autopilot import Script, walk
from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.opening import join, typed_inputs
from breakglass.engine.prompts import JournalWriter
from breakglass.engine.session import Session
from breakglass.engine.walk import Engine
from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder
from breakglass.journal.state import State
from breakglass.journal.store import FILE_NAME, open_journal
from breakglass.rehearsal.load import load_scenario
from breakglass.rehearsal.rehearsal import start_rehearsal
from breakglass.rehearsal.scenario import Scenario
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.site.model import Site
from breakglass.testing.failures import FAILURES, Failure
from breakglass.testing.walks import FAST, OPERATOR, Walked, walked_to_its_end
from breakglass.transport.base import (
    Delivery,
    Fault,
    KubectlRequest,
    Request,
    Result,
    Sink,
    Stream,
    Transport,
)

AT_MOST = 20.0
"""Real seconds for a walk in which no time passes."""


@dataclass(frozen=True, slots=True)
class Injection:
    """What fails: every request of a step, or, `acting`, only the change itself, its needs having held."""

    step: str
    failure: Failure
    acting: bool = False

    def __str__(self) -> str:
        return f"{self.step}{' (the change itself)' if self.acting else ''}: {self.failure.name}"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a walk stands when it sends: step, attempt, and whether this is a change on its way."""

    step: str
    attempt: int
    acting: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """One request of the recorded walk, and what came back."""

    place: Standing
    kind: type[Request]
    key: str
    result: Result
    output: tuple[tuple[Stream, bytes], ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """A right walk, and everything that came back in it."""

    runbook: Runbook
    scenario: Scenario
    site: Site
    walked: Walked
    journal: bytes
    kept: list[Kept]

    def journal_before(self, step: str) -> bytes:
        """The journal as it was when the walk was about to begin a step for the first time."""
        lines = self.journal.splitlines(keepends=True)
        begins = e.StepStarted(step, 1)
        for number, each in enumerate(lines):
            record = json.loads(each)
            if record["type"] == begins.type and record["data"]["step"] == step:
                return b"".join(lines[:number])
        raise LookupError(f"the walk never came to {step}")

    @property
    def changes(self) -> list[str]:
        return [each.key for each in self.kept if each.place.acting]

    @property
    def steps(self) -> list[str]:
        """The steps that sent something, in order."""
        return list(dict.fromkeys(each.place.step for each in self.kept))

    def injections(
        self,
        steps: Collection[str],
        ways: Callable[[type[Request]], tuple[Failure, ...]] = FAILURES.__getitem__,
    ) -> Iterator[Injection]:
        """Each way to fail every command of these steps, as far as the walk came to them."""
        sent: dict[tuple[str, bool], type[Request]] = {}
        for each in self.kept:
            if each.place.step in steps and (each.place.acting or not sent.get((each.place.step, False))):
                sent[(each.place.step, each.place.acting)] = each.kind
        for (step, acting), kind in sent.items():
            for failure in ways(kind):
                yield Injection(step, failure, acting)


def key_of(request: Request) -> str:
    """A request without what differs between two equal walks: its times, which go with the walk's clock.
    What a command asks for stands in its words as well."""
    alike = replace(request, timeout=0.0)
    if isinstance(alike, KubectlRequest):
        alike = replace(alike, command=replace(alike.command, operation=None))
    return repr(alike)


class _Listener:
    """A transport that keeps what another gives."""

    def __init__(self, inner: Transport, kept: list[Kept], place: Callable[[], Standing]) -> None:
        self._inner = inner
        self._kept = kept
        self._place = place

    async def send(self, request: Request, sink: Sink) -> Result:
        output: list[tuple[Stream, bytes]] = []
        place = self._place()

        def both(stream: Stream, data: bytes) -> None:
            output.append((stream, data))
            sink(stream, data)

        result = await self._inner.send(request, both)
        self._kept.append(Kept(place, type(request), key_of(request), result, tuple(output)))
        return result

    async def close(self) -> None:
        await self._inner.close()


class _Replayer:
    """A transport that gives what was kept, but for what is to fail.

    A request that the recorded walk sent elsewhere is answered as it last was; one that it never sent finds
    nobody.
    """

    def __init__(self, recording: Recording, injection: Injection, place: Callable[[], Standing]) -> None:
        self.hits = 0
        self.changes: list[str] = []
        self.acted: set[str] = set()
        self._injection = injection
        self._place = place
        self._next: dict[tuple[str, int, str], deque[Kept]] = defaultdict(deque)
        self._last: dict[str, Kept] = {}
        for each in recording.kept:
            self._next[(each.place.step, each.place.attempt, each.key)].append(each)
            self._last.setdefault(each.key, each)

    async def send(self, request: Request, sink: Sink) -> Result:
        await asyncio.sleep(0)
        place, key = self._place(), key_of(request)
        if place.acting:
            self.changes.append(key)
            self.acted.add(place.step)
        if place.step == self._injection.step and (place.acting or not self._injection.acting):
            self.hits += 1
            if self._injection.failure.data is not None:
                sink("stdout", json.dumps(self._injection.failure.data).encode())
            return self._injection.failure.result()
        answers = self._next[(place.step, place.attempt, key)]
        kept = answers.popleft() if len(answers) > 1 else answers[0] if answers else self._last.get(key)
        if kept is None:
            return Result(Delivery.NOT_SENT, 0.0, fault=Fault("unreachable", "nobody is there"))
        self._last[key] = kept
        for stream, data in kept.output:
            sink(stream, data)
        return kept.result

    async def close(self) -> None:
        return None


class TimelessClock(Clock):
    """A clock whose waits cost nothing: sleeping moves it on."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0.0

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        self._passed += seconds
        await asyncio.sleep(0)


class _ListeningGateway(Gateway):
    """A gateway whose transports keep what comes back."""

    def __init__(
        self, site: Site, output: Path, clock: Clock, kept: list[Kept], place: Callable[[], Standing]
    ) -> None:
        super().__init__(site, output, clock, Prompts())
        self._kept = kept
        self._place = place

    def _made(self, kind: type[Request]) -> Transport:
        return _Listener(super()._made(kind), self._kept, self._place)


class _Held:
    """The engine of a walk, for transports that ask where it stands."""

    engine: Engine

    def place(self) -> Standing:
        state = self.engine.state
        view = state.steps.get(state.current)
        last = view.last if view is not None else None
        attempt = len(view.attempts) if view is not None else 0
        return Standing(state.current, attempt, last is not None and bool(last.open_intents))


def _begun(runbook: Runbook, scenario: Scenario, site: Site, folder: Path) -> JournalWriter:
    """The journal of a walk at its beginning."""
    inputs = {name: str(value) for name, value in scenario.walk.inputs.items()}
    folder.mkdir(mode=0o700, parents=True)
    begun = open_journal(folder, create=True)
    begun.append(
        e.SessionStarted(
            session=f"20260420T060000Z-{runbook.name}-0a1b",
            runbook=runbook.name,
            title=runbook.title,
            severity=runbook.severity,
            runbook_path=str(runbook.path),
            runbook_digest=runbook.digest,
            site=site.name,
            site_path="",
            production=site.production,
            mode="rehearsal",
            operator=OPERATOR,
            inputs=typed_inputs(runbook, inputs),
            version="test",
            host="localhost",
            pid=0,
            scenario=scenario.name,
            incident_began="",
        )
    )
    return JournalWriter(begun)


def _script(scenario: Scenario) -> Script:
    right = scenario.walk
    return Script(choose=right.choose, ask=right.ask, manual=right.manual, on_failure=right.on_failure)


async def record_walk(runbook: Path, scenario: Path, folder: Path, speed: float = FAST) -> Recording:
    """Take a scenario's right walk and keep what comes back."""
    loaded, checked = load_scenario(scenario), load_runbook(runbook)
    world = await start_rehearsal(loaded, folder / "world", speed=speed)
    try:
        before = world.snapshot()
        held, kept, clock = _Held(), list[Kept](), Clock(speed)
        place = folder / "recorded"
        writer = _begun(checked, loaded, world.site, place)
        gateway = _ListeningGateway(world.site, place / "output", clock, kept, held.place)
        held.engine = Engine(checked, world.site, writer, gateway, clock, "never")
        join(held.engine, world)
        await walk(held.engine, _script(loaded), OPERATOR)
        await held.engine.close()
        walked = walked_to_its_end(Session(held.engine, SessionFolder(place), world), world, before)
        journal = (place / FILE_NAME).read_bytes()
        return Recording(checked, loaded, world.site, walked, journal, kept)
    finally:
        await world.close()


@dataclass(frozen=True, slots=True)
class Tried:
    """A walk in which a command failed: whether it came there at all, and what was wrong then."""

    came: bool
    wrong: tuple[str, ...]


async def try_failure(recording: Recording, injection: Injection, folder: Path) -> Tried:
    """Take the walk up where one command fails. It is wrong where the walk does not end, where its record
    does not say what happened, and where something is changed on a guess. `folder` must not be there yet."""
    held = _Held()
    replayer = _Replayer(recording, injection, held.place)
    clock = TimelessClock()
    writer = _resumed(folder, recording.journal_before(injection.step))
    transports = dict.fromkeys(FAILURES, replayer)
    gateway = Gateway(recording.site, folder / "output", clock, Prompts(), transports=transports)
    held.engine = Engine(recording.runbook, recording.site, writer, gateway, clock, "never")
    try:
        await asyncio.wait_for(walk(held.engine, _script(recording.scenario), OPERATOR), AT_MOST)
    except TimeoutError:
        return Tried(bool(replayer.hits), (f"{injection}: the walk goes on without end",))
    finally:
        await held.engine.close()
    wrong = _wrong_with(held.engine.state, recording, injection, replayer)
    return Tried(bool(replayer.hits), tuple(f"{injection}: {each}" for each in wrong))


def _resumed(folder: Path, journal: bytes) -> JournalWriter:
    folder.mkdir(mode=0o700, parents=True)
    (folder / FILE_NAME).write_bytes(journal)
    return JournalWriter(open_journal(folder))


def _wrong_with(
    state: State, recording: Recording, injection: Injection, replayer: _Replayer
) -> Iterator[str]:
    if state.ended is None:
        yield "the walk did not end"
    if replayer.hits and not _is_said(state, injection):
        yield "nothing on record says what happened"
    if (
        recording.runbook.step(injection.step).needs
        and not injection.acting
        and injection.step in replayer.acted
    ):
        yield "it was sent with nothing known"
    if not _is_part(replayer.changes, recording.changes):
        yield f"something was changed that the right walk does not change: {replayer.changes[-1]}"


def _is_said(state: State, injection: Injection) -> bool:
    """Whether the step's record holds the fault's words; a strange answer without any must have been noticed
    where the step failed."""
    view = state.steps[injection.step]
    if not injection.failure.message:
        return all(attempt.state != "failed" or attempt.say for attempt in view.attempts)
    words = [
        text
        for attempt in view.attempts
        for text in (
            attempt.say,
            *(each.message for each in attempt.finished),
            *(each.message for _, each in attempt.needs),
            attempt.last_poll.message if attempt.last_poll is not None else "",
        )
    ]
    return any(injection.failure.message in text for text in words)


def _is_part(some: list[str], whole: list[str]) -> bool:
    """Whether these are some of the whole, in its order."""
    rest = iter(whole)
    return all(each in rest for each in some)
