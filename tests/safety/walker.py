"""Walkers: programs that walk a live session with a scripted operator, and are killed where they are told.

Run as a program, this waits for walks on its standard input, one JSON object a line, and forks a process for
each, so that a walk begins without loading everything again. Each event that a walk's observers are told is
sent to a socket at once: what was sent there was acknowledged.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Literal, TypeAlias, cast

from breakglass.engine import commands as c
from breakglass.engine import opening, resume
from breakglass.engine.autopilot import Script, answer_for
from breakglass.engine.clock import Clock
from breakglass.engine.opening import open_session
from breakglass.engine.session import Request, Session
from breakglass.journal import events as e
from breakglass.journal import store as journal
from breakglass.journal.events import encode
from breakglass.journal.state import Recorded, State
from breakglass.values import Json

Point: TypeAlias = Literal["before", "half", "written", "synced"]
POINTS: tuple[Point, ...] = ("before", "half", "written", "synced")
OPERATOR = "operator"
TRIES = 3
"""How often a step that failed is tried again before it is left out."""
MOST_ANSWERS = 400
"""Answers after which a walk goes in circles and is stopped."""


@dataclass(frozen=True, slots=True)
class Death:
    """When a walker is killed, if ever: at a write of its journal, or after a number of seconds.

    record: the how manieth of its records; kind: the first record of a type. point: before the write,
    half-way through it, after it, or after it is on the disk.
    """

    record: int = 0
    kind: str = ""
    point: Point = "before"
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Walk:
    """What to walk. `resume` is a session's name, or empty for a new one."""

    state: str
    runbook: str
    site: str
    socket: str
    inputs: Mapping[str, str]
    choose: Mapping[str, str]
    ask: Mapping[str, Json]
    manual: Mapping[str, str]
    on_failure: Mapping[str, str]
    speed: float
    death: Death
    resume: str = ""

    def line(self) -> str:
        return json.dumps(asdict(self))


def walk_of(line: str) -> Walk:
    fields = cast(dict[str, object], json.loads(line))
    return Walk(**{**fields, "death": Death(**cast(dict[str, str], fields["death"]))})  # type: ignore[arg-type]


def digest(event: e.Event) -> str:
    """An event as its journal and its observers must agree on it."""
    return sha256(json.dumps([event.type, encode(event)], sort_keys=True).encode()).hexdigest()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Mortal:
    """The module `os` as the journal sees it, in a process that dies at one of the journal's writes."""

    def __init__(self, death: Death) -> None:
        self._death = death
        self._records = 0
        self._chosen = False

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        self._records += 1
        mark = f'"type":"{self._death.kind}"'.encode()
        by_kind = bool(self._death.kind) and mark in bytes(data)
        self._chosen = by_kind or self._records == self._death.record
        if self._chosen and self._death.point == "before":
            die()
        if self._chosen and self._death.point == "half":
            os.pwrite(descriptor, data[: len(data) // 2], offset)
            die()
        written = os.pwrite(descriptor, data, offset)
        if self._chosen and self._death.point == "written":
            die()
        return written

    def fsync(self, descriptor: int) -> None:
        os.fsync(descriptor)
        if self._chosen:
            die()


class _Operator:
    """Answers as the scenario's script does, confirms every change, and tries again what failed."""

    def __init__(self, session: Session, walk: Walk) -> None:
        self._engine = session.engine
        self._script = Script(walk.choose, walk.ask, walk.manual, walk.on_failure)
        self._tried: dict[str, int] = {}
        self._again: dict[str, int] = {}
        self._answers = 0
        self._loop = asyncio.get_running_loop()

    def told(self, recorded: Recorded, state: State) -> None:
        if isinstance(recorded.event, e.Asked):
            self._loop.call_soon(self._reply, recorded.event)
        elif isinstance(recorded.event, e.Confirmed) and state.waiting is not None:
            self._loop.call_soon(self._reply, state.waiting)

    def _reply(self, asked: e.Asked) -> None:
        if self._engine.state.waiting is asked:
            self._answers += 1
            over = self._answers > MOST_ANSWERS
            self._engine.command(c.Stop("in circles", OPERATOR) if over else self._answer(asked))

    def _answer(self, asked: e.Asked) -> c.Command:
        state = self._engine.state
        if asked.question == "confirm":
            second = "second operator" if OPERATOR in state.approvals else OPERATOR
            return c.Confirm(asked.typed or "Y", second)
        if asked.question == "decide":
            return self._decision(asked, state)
        return answer_for(asked, state, self._script, OPERATOR, self._tried)

    def _decision(self, asked: e.Asked, state: State) -> c.Command:
        scripted = answer_for(asked, state, self._script, OPERATOR, self._tried)
        if not isinstance(scripted, c.Stop):
            return scripted
        self._again[asked.step] = self._again.get(asked.step, 0) + 1
        if self._again[asked.step] <= TRIES:
            return c.Retry(OPERATOR)
        return c.Skip("it does not come right", OPERATOR)


async def _walked(walk: Walk, acknowledge: socket.socket) -> None:
    def told(recorded: Recorded, _: State) -> None:
        step = getattr(recorded.event, "step", "")
        row = [recorded.sequence, digest(recorded.event), recorded.event.type, step]
        acknowledge.send(json.dumps(row).encode())

    request = Request(
        mode="live",
        runbook=None if walk.resume else Path(walk.runbook),
        site=None if walk.resume else Path(walk.site),
        inputs=walk.inputs,
        resume=walk.resume or None,
        pace="never",
    )
    async with open_session(request) as session:
        operator = _Operator(session, walk)
        session.engine.subscribe(told)
        session.engine.subscribe(operator.told)
        await session.engine.run()


def _live(walk: Walk) -> None:
    """One walk's process, to its end or its death."""
    os.environ["BREAKGLASS_STATE"] = walk.state
    os.environ["BREAKGLASS_OPERATOR"] = OPERATOR
    journal.os = _Mortal(walk.death)  # type: ignore[assignment]
    opening.Clock = resume.Clock = lambda: Clock(walk.speed)  # type: ignore[assignment]
    if walk.death.after:
        timer = threading.Timer(walk.death.after, die)
        timer.daemon = True
        timer.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as acknowledge:
        acknowledge.connect(walk.socket)
        asyncio.run(_walked(walk, acknowledge))


def _load() -> None:
    for name in (
        *(
            "kubernetes.aio.client",
            "paramiko",
            "breakglass.probe.registry_walk",
            "breakglass.transport.http.transport",
        ),
        *("breakglass.transport.kubectl", "breakglass.transport.ssh"),
    ):
        import_module(name)


def main() -> None:
    """Fork a process for each line, and say how it ended: 0, an exit status, or a signal below zero."""
    _load()
    for line in sys.stdin:
        walk = walk_of(line)
        process = os.fork()
        if process == 0:
            status = 1
            try:
                _live(walk)
                status = 0
            except BaseException:  # noqa: BLE001  (the parent's loop must not go on in the child)
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        _, ended = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(ended)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
