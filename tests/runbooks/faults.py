"""Every command of a walk against a far side that fails it.

A scenario's right walk is taken once, through the real transports and servers, and what came back is kept.
Then the same walk is resumed from what was kept, at each command and with each way to fail it: a host
that refuses, that hangs, whose key is unknown, a sudo that asks, a 403, a 500, an empty list, a pod that
vanished. Nothing listens then and no time passes, so that hundreds of walks take seconds.
"""

import asyncio
import json
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from breakglass.engine.autopilot import Script, walk
from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Probes, Prompts
from breakglass.engine.opening import join, typed_inputs
from breakglass.engine.prompts import JournalWriter
from breakglass.engine.walk import Engine
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.journal.store import FILE_NAME, open_journal
from breakglass.rehearsal.load import load_scenario
from breakglass.rehearsal.rehearsal import start_rehearsal
from breakglass.rehearsal.scenario import Scenario
from breakglass.runbook.faults import FaultKind
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.site.model import PortForward, Site
from breakglass.site.secrets import SecretStore
from breakglass.transport.base import (
    Delivery,
    Fault,
    HttpRequest,
    KubectlRequest,
    ProbeRequest,
    Request,
    Result,
    Sink,
    SshRequest,
    Stream,
    Transport,
)
from breakglass.transport.http.transport import Http
from breakglass.transport.kubectl import Kubectl
from breakglass.transport.ssh import Ssh
from breakglass.values import Json
from tests.engine.support import FastClock
from tests.runbooks.support import FAST, OPERATOR, RUNBOOKS

Kinds = Mapping[type[Request], Transport]


@dataclass(frozen=True, slots=True)
class Failure:
    """One way in which a far side fails a request."""

    name: str
    delivery: Delivery
    kind: FaultKind | None = None
    exit: int | None = None
    status: int | None = None
    data: Json = None

    @property
    def message(self) -> str:
        return f"simulated: {self.name}" if self.kind is not None else ""

    def result(self) -> Result:
        fault = Fault(self.kind, self.message) if self.kind is not None else None
        return Result(self.delivery, 0.0, self.exit, self.status, data=self.data, fault=fault)


_NOT_SENT, _ANSWERED, _UNKNOWN = Delivery.NOT_SENT, Delivery.ANSWERED, Delivery.UNKNOWN
FAILURES: Mapping[type[Request], tuple[Failure, ...]] = {
    KubectlRequest: (
        Failure("the API server refuses the connection", _NOT_SENT, "refused", exit=1),
        Failure("the API server does not answer", _UNKNOWN, "timeout", exit=1),
        Failure("401 Unauthorized", _ANSWERED, "authentication", exit=1, status=401),
        Failure("403 Forbidden", _ANSWERED, "forbidden", exit=1, status=403),
        Failure("500 Internal Server Error", _ANSWERED, "server-error", exit=1, status=500),
        Failure("404 not found, the pod has vanished", _ANSWERED, "not-found", exit=1, status=404),
        Failure("an empty list", _ANSWERED, exit=0, data={"kind": "List", "items": []}),
    ),
    SshRequest: (
        Failure("the host refuses the connection", _NOT_SENT, "refused"),
        Failure("the host does not answer", _UNKNOWN, "timeout"),
        Failure("the host key is unknown", _NOT_SENT, "host-key"),
        Failure("sudo asks for a password", _ANSWERED, "forbidden", exit=1),
        Failure("no output at all", _ANSWERED, exit=0),
    ),
    HttpRequest: (
        Failure("the endpoint refuses the connection", _NOT_SENT, "refused"),
        Failure("the endpoint does not answer", _UNKNOWN, "timeout"),
        Failure("403 Forbidden", _ANSWERED, "forbidden", status=403, data={"errors": ["permission denied"]}),
        Failure("500 Internal Server Error", _ANSWERED, "server-error", status=500),
        Failure("an empty answer", _ANSWERED, status=200, data={}),
    ),
    ProbeRequest: (
        Failure("the endpoint refuses the connection", _NOT_SENT, "refused"),
        Failure("the probe does not end", _UNKNOWN, "timeout"),
        Failure("401 Unauthorized", _ANSWERED, "authentication"),
        Failure("500 Internal Server Error", _ANSWERED, "server-error"),
        Failure("no findings at all", _ANSWERED, data={}),
    ),
}


@dataclass(frozen=True, slots=True)
class Injection:
    """What fails: every request of a step, or, `acting`, only the change itself, its needs having held."""

    step: str
    failure: Failure
    acting: bool = False

    def __str__(self) -> str:
        return f"{self.step}{' (the change itself)' if self.acting else ''}: {self.failure.name}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk stands when it sends: step, attempt, and whether this is a change on its way."""

    step: str
    attempt: int
    acting: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """One request of the recorded walk, and what came back."""

    place: Place
    kind: type[Request]
    key: str
    result: Result
    output: tuple[tuple[Stream, bytes], ...]


@dataclass
class Recording:
    """A right walk, and everything that came back in it."""

    runbook: Runbook
    scenario: Scenario
    site: Site
    kept: list[Kept] = field(default_factory=list[Kept])
    state: State = field(default_factory=State)
    journal: bytes = b""

    def journal_before(self, step: str) -> bytes:
        """The journal as it was when the walk was about to begin a step for the first time."""
        lines = self.journal.splitlines(keepends=True)
        begins = e.StepStarted(step, 1)
        for number, each in enumerate(lines):
            record = json.loads(each)
            if record["type"] == begins.type and record["data"]["step"] == step:
                return b"".join(lines[:number])
        raise AssertionError(f"the walk never came to {step}")

    @property
    def changes(self) -> list[str]:
        return [each.key for each in self.kept if each.place.acting]

    def injections(self, steps: set[str]) -> Iterator[Injection]:
        """Every way to fail every command of these steps, as far as the walk came to them."""
        sent: dict[tuple[str, bool], type[Request]] = {}
        for each in self.kept:
            if each.place.step in steps and (each.place.acting or not sent.get((each.place.step, False))):
                sent[(each.place.step, each.place.acting)] = each.kind
        for (step, acting), kind in sent.items():
            for failure in FAILURES.get(kind, ()):
                yield Injection(step, failure, acting)


def key_of(request: Request) -> str:
    """A request without what differs between two equal walks."""
    return repr(replace(request, timeout=0.0))


class _Listener:
    """A transport that keeps what another gives."""

    def __init__(self, inner: Transport, kept: list[Kept], place: Callable[[], Place]) -> None:
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

    def __init__(self, recording: Recording, injection: Injection, place: Callable[[], Place]) -> None:
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


class _Held:
    """The engine of a walk, for transports that ask where it stands."""

    engine: Engine

    def place(self) -> Place:
        state = self.engine.state
        view = state.steps.get(state.current)
        last = view.last if view is not None else None
        attempt = len(view.attempts) if view is not None else 0
        return Place(state.current, attempt, last is not None and bool(last.open_intents))


def _engine(
    recording: Recording, folder: Path, transports: Kinds, clock: Clock, *, journal: bytes = b""
) -> Engine:
    """An engine in a folder of its own, at its beginning or where a journal leaves off."""
    runbook, scenario, site = recording.runbook, recording.scenario, recording.site
    folder.mkdir(mode=0o700, parents=True)
    gateway = Gateway(site, folder / "output", clock, Prompts(), transports=transports)
    if journal:
        (folder / FILE_NAME).write_bytes(journal)
        return Engine(runbook, site, JournalWriter(open_journal(folder)), gateway, clock, "never")
    inputs = {name: str(value) for name, value in scenario.walk.inputs.items()}
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
    return Engine(runbook, site, JournalWriter(begun), gateway, clock, "never")


def _forget(descriptor: int) -> None:
    """What is on the disk is another test's matter."""


async def _no_forward(forward: PortForward) -> tuple[str, int]:
    raise AssertionError(f"a rehearsal forwards no port, and {forward} was asked for")


def _script(scenario: Scenario) -> Script:
    right = scenario.walk
    return Script(choose=right.choose, ask=right.ask, manual=right.manual, on_failure=right.on_failure)


async def record_walk(runbook: str, scenario: str | Path, folder: Path, speed: float = FAST) -> Recording:
    """Take a scenario's right walk and keep what comes back.

    scenario: one that ships with the runbook, by its name, or any, by its file.
    """
    shipped = RUNBOOKS / runbook / "scenarios"
    loaded = load_scenario(scenario if isinstance(scenario, Path) else shipped / f"{scenario}.yaml")
    world = await start_rehearsal(loaded, folder / "world", speed=speed)
    try:
        recording = Recording(load_runbook(RUNBOOKS / runbook / "runbook.yaml"), loaded, world.site)
        held = _Held()
        secrets = SecretStore(world.site)
        real: dict[type[Request], Transport] = {
            KubectlRequest: Kubectl(world.site),
            SshRequest: Ssh(world.site, secrets, None),
            HttpRequest: Http(world.site, secrets),
            ProbeRequest: Probes(world.site, secrets, _no_forward),
        }
        transports = {kind: _Listener(each, recording.kept, held.place) for kind, each in real.items()}
        held.engine = _engine(recording, folder / "recorded", transports, Clock(speed))
        join(held.engine, world)
        await walk(held.engine, _script(loaded), OPERATOR)
        await held.engine.close()
        recording.state = held.engine.state
        recording.journal = (folder / "recorded" / FILE_NAME).read_bytes()
        return recording
    finally:
        await world.close()


async def check_injection(recording: Recording, injection: Injection, folder: Path) -> None:
    """Take the walk up where one command fails: the step says so, and nothing is changed on a guess."""
    held = _Held()
    replayer = _Replayer(recording, injection, held.place)
    transports: Kinds = dict.fromkeys(FAILURES, replayer)
    begun = recording.journal_before(injection.step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", _forget)
        held.engine = _engine(recording, folder, transports, FastClock(), journal=begun)
        try:
            await asyncio.wait_for(walk(held.engine, _script(recording.scenario), OPERATOR), 20)
        finally:
            await held.engine.close()
    state = held.engine.state
    assert state.ended is not None, injection
    assert replayer.hits, f"{injection}: the walk never came there"
    assert _is_said(state, injection), f"{injection}: nothing on record says what happened"
    blind = recording.runbook.step(injection.step).needs and not injection.acting
    assert not (blind and injection.step in replayer.acted), f"{injection}: it was sent with nothing known"
    assert _is_part(replayer.changes, recording.changes), (
        f"{injection}: something was changed that the right walk would not have changed: {replayer.changes}"
    )


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
