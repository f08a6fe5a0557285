"""Runbooks and past sessions on disk, as the screens around the walk find them: fixed names, fixed times."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.app import App
from textual.pilot import Pilot

from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder
from breakglass.journal.store import open_journal
from breakglass.runbook.library import Found
from breakglass.runbook.load import load_runbook
from tests.tui.support import words

ROOT = Path(__file__).parent.parent.parent
RUNBOOKS = Path("tests/tui/runbooks")
OUTPOST = Found("outpost-shm-purge", RUNBOOKS / "outpost-shm-purge" / "runbook.yaml")
REHEARSAL = "20260115T140049Z-outpost-shm-purge-1a2b"
STOPPED = "20260116T031100Z-outpost-shm-purge-3c4d"
SIZES = [(120, 40), (80, 24), (60, 20)]
LOOKS = 3000
"""How often a test looks at the screen before it gives up."""


class Standing(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime(2026, 1, 15, 14, 0, 49, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state folder, and nothing else that a screen could find but the runbooks of these tests."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path))
    monkeypatch.setenv("BREAKGLASS_OPERATOR", "oncall")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setattr("breakglass.runbook.library.folders", lambda: [RUNBOOKS])
    monkeypatch.setattr("breakglass.journal.store.datetime", Standing)
    monkeypatch.setattr("breakglass.journal.store.time", SimpleNamespace(monotonic=lambda: 1000.0))
    return tmp_path


def write(state: Path, name: str, *events: e.Event) -> SessionFolder:
    """A session's folder with a journal of these events."""
    folder = SessionFolder(state / "sessions" / name)
    folder.output.mkdir(parents=True)
    journal = open_journal(folder.path, create=True)
    for event in events:
        journal.append(event)
    journal.close()
    return folder


def started(name: str, mode: e.Mode, **fields: object) -> e.SessionStarted:
    path = ROOT / OUTPOST.path
    values: dict[str, object] = {
        "session": name,
        "runbook": "outpost-shm-purge",
        "title": "Purge a full /dev/shm in the SSO outpost",
        "severity": "sev2",
        "runbook_path": str(path),
        "runbook_digest": load_runbook(path).digest,
        "site": "rehearsal" if mode == "rehearsal" else "main",
        "site_path": "" if mode == "rehearsal" else "/sites/main.yaml",
        "production": True,
        "mode": mode,
        "operator": "oncall",
        "inputs": {},
        "version": "0.1.0",
        "host": "ops1",
        "pid": 1,
        "scenario": "recorded-incident" if mode == "rehearsal" else "",
    }
    return e.SessionStarted(**{**values, **fields})  # type: ignore[arg-type]


def rehearsed(state: Path, *more: e.Event) -> SessionFolder:
    """A rehearsal that recovered its incident; `more` comes before its end."""
    return write(
        state,
        REHEARSAL,
        started(REHEARSAL, "rehearsal"),
        e.StepStarted("pod", 1),
        e.Judged("pod", 1, "size(result.json.items) == 1", True, {"size": 1}),
        e.StepFinished("pod", 1, "ok", goto="over"),
        e.Happened("recovered", "recovered", "Protected sites answer again."),
        e.NoteAdded("pod", "see [the runbook](http://example.org/x) \x1b[31m", "oncall"),
        *more,
        e.StepFinished("over", 1, "ok"),
        e.SessionEnded("recovered", "The outage is over"),
    )


def stopped(state: Path) -> SessionFolder:
    """A live session that was stopped at a step whose change may have happened."""
    return write(
        state,
        STOPPED,
        started(STOPPED, "live"),
        e.StepStarted("pod", 1),
        e.ActionIntended("pod", 1, "kubectl delete pod x", "cluster main", "destructive"),
        e.StepFinished("pod", 1, "unknown", "the connection was lost"),
        e.SessionEnded("stopped", "called the second line"),
    )


async def until(pilot: Pilot[int], holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    for _ in range(LOOKS):
        await pilot.pause(0.01)
        if holds():
            return
    raise AssertionError("it did not come to hold")


async def seen(app: App[int], pilot: Pilot[int], wanted: str) -> None:
    """Wait until some text is on the screen."""
    for _ in range(LOOKS):
        await pilot.pause(0.01)
        if wanted in " ".join(words(app).split()):
            return
    raise AssertionError(f"{wanted!r} is not on the screen:\n{words(app)}")


def when_seen(wanted: str, *keys: str, then: str = "") -> Callable[[Pilot[int]], Awaitable[None]]:
    """For a snapshot: wait for a text, press keys, and wait for another."""

    async def run(pilot: Pilot[int]) -> None:
        await seen(pilot.app, pilot, wanted)
        await pilot.press(*keys)
        if then:
            await seen(pilot.app, pilot, then)
        await pilot.pause()

    return run
