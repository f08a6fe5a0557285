"""Sessions for tests: a runbook as text, a far side that answers what the test says, a scripted operator."""

import asyncio
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent, indent

from breakglass.engine import commands as c
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.opening import typed_inputs
from breakglass.engine.prompts import JournalWriter
from breakglass.engine.walk import Engine, Pace
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State, fold
from breakglass.journal.store import FILE_NAME, open_journal, read
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.runbook.shell_text import with_values
from breakglass.site.model import Cluster, Endpoint, Host, Site
from breakglass.testing.replay import TimelessClock as FastClock
from breakglass.transport.base import (
    Delivery,
    Fault,
    HttpRequest,
    KubectlRequest,
    LocalRequest,
    ProbeRequest,
    Request,
    Result,
    Sink,
    SshRequest,
)
from breakglass.values import Json

HEAD = """\
runbook: example
title: An example
summary: Something is wrong.
severity: sev2
"""
INPUTS = """\
inputs:
  namespace: {default: web}
"""

SITE = Site(
    "test",
    production=False,
    clusters={"main": Cluster("main")},
    hosts={"pve": Host("pve", "127.0.0.1"), "node1": Host("node1", "127.0.0.1")},
    endpoints={"app": Endpoint("app", "http://127.0.0.1:1/")},
    variables={"nodes": ["node1", "node2", "node3"]},
)

Answer = Result | tuple[str, Result]


def ok(text: str = "", *, exit_status: int = 0, data: Json = None, status: int | None = None) -> Answer:
    """An answer with an output."""
    return text, Result(Delivery.ANSWERED, 0.1, exit=exit_status, status=status, data=data)


def fault(kind: str, message: str = "", delivery: Delivery = Delivery.ANSWERED) -> Answer:
    return Result(delivery, 0.1, fault=Fault(kind, message or kind))  # type: ignore[arg-type]


@dataclass
class FarSide:
    """A transport for every kind of request. `answers` maps the beginning of a command to what it gives: one
    answer, or several in turn, of which the last stays."""

    answers: Mapping[str, Answer | Sequence[Answer]]
    sent: list[Request] = field(default_factory=list[Request])
    hold: asyncio.Event | None = None
    """Where it is set, a request waits for it."""
    _turns: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def commands(self) -> list[str]:
        return [command_of(request) for request in self.sent]

    async def send(self, request: Request, sink: Sink) -> Result:
        self.sent.append(request)
        if self.hold is not None:
            await self.hold.wait()
        answer = self._answer(command_of(request))
        if isinstance(answer, Result):
            return answer
        text, result = answer
        sink("stdout", text.encode())
        return result

    def _answer(self, command: str) -> Answer:
        key = max((each for each in self.answers if command.startswith(each)), key=len, default=None)
        assert key is not None, f"the test has no answer for {command!r}"
        found = self.answers[key]
        if isinstance(found, Result | tuple):
            return found  # type: ignore[return-value]
        turn = self._turns.get(key, 0)
        self._turns[key] = turn + 1
        return found[min(turn, len(found) - 1)]

    async def close(self) -> None:
        return None


def command_of(request: Request) -> str:
    """A request as a line; a server-side dry run is marked."""
    match request:
        case KubectlRequest(command=command, dry_run=dry_run):
            return f"kubectl {' '.join(command.argv)}{' (dry run)' if dry_run else ''}"
        case SshRequest(host=host, argv=argv):
            return f"ssh {host} {shown_words(argv)}"
        case LocalRequest(argv=argv):
            return f"local {shown_words(argv)}"
        case HttpRequest(method=method, endpoint=endpoint, path=path):
            return f"{method} {endpoint}{path}"
        case ProbeRequest(name=name):
            return f"probe {name}"


def shown_words(argv: Sequence[str]) -> str:
    """A command as a line, shell text with its values in their places."""
    return with_values(argv[2], argv[4:]) if tuple(argv[:2]) == ("sh", "-c") else shlex.join(argv)


def write_runbook(folder: Path, steps: str, triage: str = "") -> Path:
    """A runbook of these steps that declares what they use."""
    clusters = ["main"] if "kubectl:" in steps else []
    hosts = [name for name in SITE.hosts if f"host: {name}" in steps]
    endpoints = [name for name in SITE.endpoints if re.search(rf"(get|post|delete): {name}\b", steps)]
    variables = ["nodes"] if "site.variables.nodes" in steps else []
    used = {"clusters": clusters, "hosts": hosts, "endpoints": endpoints, "variables": variables}
    uses = f"uses: {json.dumps(used)}\n"
    inputs = INPUTS if "inputs.namespace" in steps else ""
    path = folder / "runbook.yaml"
    path.write_text(HEAD + uses + inputs + dedent(triage) + "steps:\n" + indent(dedent(steps), "  "))
    return path


def session_of(
    folder: Path,
    steps: str | Runbook,
    answers: Mapping[str, Answer | Sequence[Answer]] | FarSide,
    *,
    mode: e.Mode = "live",
    inputs: Mapping[str, str] | None = None,
    triage: str = "",
    pace: Pace = "never",
    prompts: Prompts | None = None,
    site: Site = SITE,
) -> tuple[Engine, FarSide]:
    """A session that has begun, on a far side that answers as the test says. `steps` may be a whole runbook,
    which nobody has looked at."""
    runbook = load_runbook(write_runbook(folder, steps, triage)) if isinstance(steps, str) else steps
    far_side = answers if isinstance(answers, FarSide) else FarSide(answers)
    session = folder / "session"
    (session / "output").mkdir(parents=True)
    recorded_first(
        session,
        e.SessionStarted(
            session="session",
            runbook=runbook.name,
            title=runbook.title,
            severity=runbook.severity,
            runbook_path=str(runbook.path),
            runbook_digest=runbook.digest,
            site=site.name,
            site_path="",
            production=False,
            mode=mode,
            operator="operator",
            inputs=typed_inputs(runbook, inputs or {}),
            version="test",
            host="test",
            pid=1,
        ),
    )
    return engine_on(session, runbook, far_side, pace=pace, prompts=prompts, site=site), far_side


def recorded_first(session: Path, event: e.Event) -> None:
    """Put an event on record before there is an engine."""
    journal = open_journal(session, create=not (session / FILE_NAME).exists())
    journal.append(event)
    journal.close()


def engine_on(
    session: Path,
    runbook: Runbook,
    far_side: FarSide,
    *,
    pace: Pace = "never",
    prompts: Prompts | None = None,
    site: Site = SITE,
) -> Engine:
    """An engine on a session's folder."""
    clock = FastClock()
    kinds: tuple[type[Request], ...] = (KubectlRequest, SshRequest, HttpRequest, LocalRequest, ProbeRequest)
    transports = dict.fromkeys(kinds, far_side)
    gateway = Gateway(site, session / "output", clock, prompts or Prompts(), transports=transports)
    return Engine(runbook, site, JournalWriter(open_journal(session)), gateway, clock, pace)


def resumed(engine: Engine, far_side: FarSide, *, pace: Pace = "never") -> Engine:
    """The same session, opened by another process after this one is gone."""
    folder = engine.writer.journal.path.parent
    engine.writer.journal.close()
    torn = read(folder / FILE_NAME).torn
    recorded_first(folder, e.SessionResumed("operator", "test", 2, torn))
    return engine_on(folder, load_runbook(engine.runbook.path), far_side, site=engine.site, pace=pace)


Reply = c.Command | Callable[[e.Asked], c.Command]

YES = "yes"
"""Types what is asked for."""


def confirm(asked: e.Asked) -> c.Command:
    return c.Confirm(asked.typed or "Y", "operator")


STOP = c.Stop("as the test says", "operator")


async def walk(engine: Engine, *replies: Reply) -> State:
    """Walk to the end. Each question takes the next reply; after the last, the walk is stopped."""
    left = list(replies)
    wrong: list[Exception] = []
    loop = asyncio.get_running_loop()

    def told(recorded: Recorded, state: State) -> None:
        asked = recorded.event if isinstance(recorded.event, e.Asked) else None
        if isinstance(recorded.event, e.Confirmed) and state.waiting is not None:
            asked = state.waiting
        if asked is not None:
            loop.call_soon(answer, asked)

    def answer(asked: e.Asked) -> None:
        if engine.state.waiting is not asked:
            return
        reply = left.pop(0) if left else STOP
        try:
            engine.command(reply(asked) if callable(reply) else reply)
        except (CommandRefusedError, AssertionError) as error:
            wrong.append(error)
            engine.command(STOP)

    unsubscribe = engine.subscribe(told)
    try:
        await engine.run()
    finally:
        unsubscribe()
    if wrong:
        raise wrong[0]
    return engine.state


def events_of(state: State, kind: type[e.Event]) -> list[e.Event]:
    return [each.event for each in state.timeline if isinstance(each.event, kind)]


def refolded(engine: Engine) -> State:
    """The state that the journal on disk folds to."""
    return fold(read(engine.writer.journal.path.parent / FILE_NAME).records)
