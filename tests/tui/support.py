"""A session for screens, told event by event: fixed times, no engine, nothing outside."""

from asyncio import Future
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from breakglass.engine import commands as c
from breakglass.engine.prompts import nothing_to_record
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import EMPTY, Observer, Recorded, State, apply
from breakglass.runbook.load import load_runbook
from breakglass.site.model import Site
from breakglass.tui.app import Cockpit
from breakglass.tui.output_lines import LineSource
from breakglass.tui.screens.walk.screen import WalkScreen
from breakglass.tui.screens.walk.view import WalkView

START = datetime(2026, 1, 15, 14, 0, 49, tzinfo=UTC)
POD = "ak-outpost-7c9d8bf64-x2x4q"
UID = "5f1c0b8e-7c1d-4a53-9d0e-2b6a6a1f03e2"
FULL = "/dev/shm is full (100 %)"
RUNBOOK = Path(__file__).parent / "outpost.yaml"
DELETE = f"kubectl delete pod {POD} -n authentik --grace-period=30"
DF = """Filesystem     1K-blocks  Used Available Use% Mounted on
shm                65536 65536         0 100% /dev/shm"""


class ToldSession:
    """A session as the screen sees it, made of the events that a test tells. Commands are kept, and answered
    by `answers` where a test gives it."""

    def __init__(self, folder: Path, *, mode: e.Mode = "live", runbook: Path = RUNBOOK) -> None:
        self.runbook = load_runbook(runbook)
        self.site = Site("main", production=True)
        self.state: State = EMPTY
        self.live: LineSource | None = None
        self.output_folder = folder
        self.journal_fault = ""
        self.commands: list[c.Command] = []
        self.signatures: list[str] = []
        self.refuse = ""
        self.answers: Callable[[c.Command], None] | None = None
        self.mode: e.Mode = mode
        self._observers: list[Observer] = []
        self._elapsed = 0.0

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self._elapsed)

    def tell(self, *events: e.Event, after: float = 1.0) -> None:
        """Put events on record, each so many seconds after the one before."""
        for event in events:
            self._elapsed += after
            recorded = Recorded(len(self.state.timeline), self.now, self._elapsed, event)
            self.state = apply(self.state, recorded)
            for observer in tuple(self._observers):
                observer(recorded, self.state)

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def command(self, command: c.Command) -> Future[None]:
        if self.refuse:
            raise CommandRefusedError(self.refuse)
        self.commands.append(command)
        if self.answers is not None:
            self.answers(command)
        return nothing_to_record()

    async def sign(self, command: c.Sign) -> None:
        self.signatures.append(command.signature)
        if self.refuse:
            raise CommandRefusedError(self.refuse)
        if self.answers is not None:
            self.answers(c.Confirm("", "deputy@example.com"))

    def sent(self, kind: type[c.Command]) -> Sequence[c.Command]:
        return [each for each in self.commands if isinstance(each, cast(type, kind))]


def begun(
    folder: Path, *, mode: e.Mode = "live", runbook_path: str = "/runbooks/outpost.yaml"
) -> ToldSession:
    """A session that has just begun."""
    session = ToldSession(folder, mode=mode)
    session.tell(
        e.SessionStarted(
            session="20260115T140049Z-outpost-1a2b",
            runbook="outpost-shm-purge",
            title="Purge a full /dev/shm in the SSO outpost",
            severity="sev1",
            runbook_path=runbook_path,
            runbook_digest="0" * 64,
            site="main",
            site_path="/sites/main.yaml",
            production=True,
            mode=mode,
            operator="oncall",
            inputs={"namespace": "authentik"},
            version="0.1.0",
            host="ops1",
            pid=4711,
            scenario="recorded-incident" if mode == "rehearsal" else "",
        ),
        after=0.0,
    )
    return session


def read(session: ToldSession, step: str, command: str, where: str, **finish: object) -> None:
    """A read up to its answer."""
    session.tell(
        e.StepStarted(step, 1),
        e.ActionPrepared(step, 1, "kubectl", command, where, "read", 10.0),
        e.ActionFinished(step, 1, "succeeded", 0.4, **finish),  # type: ignore[arg-type]
    )


AS = "oncall on cluster main (10.0.20.100)"


def diagnosed(session: ToldSession) -> None:
    """Up to the finding: /dev/shm is full."""
    read(session, "pod", "kubectl get pods -n authentik -o json", AS, exit=0, output_bytes=5120)
    session.tell(
        e.Captured("pod", 1, {"pod": POD, "uid": UID}),
        e.Judged(
            "pod",
            1,
            "size(result.json.items) == 1",
            True,
            {"size": 1},
            means=f"One outpost pod is running ({POD})",
        ),
        e.StepFinished("pod", 1, "ok", goto="shm"),
    )
    read(
        session,
        "shm",
        f"kubectl exec -n authentik {POD} -- df -k /dev/shm",
        AS,
        exit=0,
        output_bytes=len(DF),
        head=DF,
    )
    session.tell(
        e.Captured("shm", 1, {"used": 100}),
        e.Judged("shm", 1, "used >= 95", True, {"used": 100}, means=FULL),
    )


def before_the_purge(folder: Path, *, mode: e.Mode = "live") -> ToldSession:
    """At the end of the diagnosis, where the walk waits for the word to go on."""
    session = begun(folder, mode=mode)
    diagnosed(session)
    session.tell(
        e.StepFinished("shm", 1, "ok", goto="purge"),
        e.Asked(
            "shm",
            0,
            "continue",
            text="end of Cause",
            options={"continue": "next phase, Purge: Delete the outpost pod", "stop": "stop and call"},
        ),
    )
    return session


def asked_to_purge(folder: Path, *, mode: e.Mode = "live", typed: str = POD, **asked: object) -> ToldSession:
    """At the open confirmation."""
    session = before_the_purge(folder, mode=mode)
    session.tell(
        e.Decided("shm", "continue", "oncall", goto="purge"),
        e.StepStarted("purge", 1),
        e.ActionPrepared("purge", 1, "kubectl", DELETE, AS, "destructive" if typed else "change", 45.0),
        e.NeedRead("purge", 1, "shm", "used >= 95", True, {"used": 100}, {"used": 100}, means=FULL),
        e.NeedRead("purge", 1, "uid", "uid is the one diagnosed", True, {"uid": UID}, {"uid": UID}),
        confirmation(typed=typed, **asked),
    )
    return session


def confirmation(*, typed: str = POD, **fields: object) -> e.Asked:
    values: dict[str, object] = {
        "text": "Delete the outpost pod",
        "command": DELETE,
        "where": AS,
        "on": f"pod   {POD}   uid {UID}   namespace authentik   node k8s-node2   since 2025-12-05T09:12:44Z",
        "risk": "destructive" if typed else "change",
        "impact": "Logins in flight are lost; sites answer 401 or 5xx for about 10 s.",
        "undo": "NONE",
        "server_says": "dry run accepted",
        "then": "verify: A pod with another uid is running, within 60 s. If not: stop and call",
        "typed": typed,
    }
    return e.Asked("purge", 1, "confirm", **{**values, **fields})  # type: ignore[arg-type]


class Stage(Cockpit):
    """The application with one screen on it, in place of what it would open first."""

    def __init__(
        self, made: Callable[[], Screen[None]], theme: str = "dark", *, unicode: bool = True
    ) -> None:
        super().__init__(lambda session: 0)
        self.unicode = unicode
        self.theme = theme
        self._made = made
        self.attention: list[str] = []

    def first_screen(self) -> Screen[None]:
        return self._made()

    def draw_attention(self, words: str) -> None:
        self.attention.append(words)


def walking(session: ToldSession) -> WalkScreen:
    """The screen of a session, at the time of the session's last event."""
    return WalkScreen(session, now=lambda: session.now)


def staged(session: ToldSession, theme: str = "dark") -> Stage:
    """The application with the walk of a session on it."""
    return Stage(lambda: walking(session), theme)


def words(app: App[int]) -> str:
    """What is on the screen, as lines of text."""
    rows = app.screen._compositor.render_strips()  # pyright: ignore[reportPrivateUsage]
    return "\n".join(strip.text.rstrip() for strip in rows)


def flat(app: App[int]) -> str:
    """The same with every run of blanks as one space, so that wrapping does not matter."""
    return " ".join(words(app).split())


async def drawn(app: Stage, pilot: Pilot[int]) -> str:
    """Draw now what the last events changed, and give what is on the screen, wrapping undone."""
    await pilot.pause()
    screen = app.screen
    if isinstance(screen, WalkView):
        screen.draw()
    await pilot.pause()
    return flat(app)
