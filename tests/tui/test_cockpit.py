"""The whole cockpit against real simulated incidents on loopback: opening, walking by keyboard, ending."""

import os
import signal
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from breakglass.cli.cockpit import prepare_environment
from breakglass.cli.session_exit_code import code_of
from breakglass.engine.session import OpeningError, Request
from breakglass.journal.store import FILE_NAME, Journal, JournalError
from breakglass.transport.ssh import HostKeyQuestion
from breakglass.tui.app import Cockpit
from breakglass.tui.dialogs.confirm import ConfirmDialog
from breakglass.tui.dialogs.questions import AskLine, Choose, HostKey, Message
from breakglass.tui.screens.opening import OpeningScreen
from breakglass.tui.screens.report.screen import ReportScreen
from breakglass.tui.screens.walk.screen import WalkScreen
from breakglass.tui.screens.walk.view import WalkView
from breakglass.tui.walk_text import doing
from tests.tui.support import Stage, before_the_purge, flat, words

OUTPOST = Path(__file__).parents[2] / "runbooks" / "outpost-shm-purge"
PATIENCE = 600
"""Looks at the screen before a test gives up; each lets everything else run."""


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("BREAKGLASS_OPERATOR", "oncall")


def rehearsal(scenario: str = "recorded-incident", speed: float = 20.0) -> Request:
    return Request(
        mode="rehearsal",
        runbook=OUTPOST / "runbook.yaml",
        scenario=OUTPOST / "scenarios" / f"{scenario}.yaml",
        speed=speed,
    )


@asynccontextmanager
async def opened(request: Request) -> AsyncGenerator[tuple[Cockpit, Pilot[int]]]:
    app = Cockpit(code_of, request)
    async with app.run_test(size=(100, 30)) as pilot:
        yield app, pilot


async def until(app: Cockpit, pilot: Pilot[int], holds: Callable[[Cockpit], bool]) -> None:
    """Wait for what the screen shows to come about."""
    for _ in range(PATIENCE):
        if holds(app):
            return
        await pilot.pause(0.02)
    raise AssertionError(words(app))


def needs(question: str, step: str = "") -> Callable[[Cockpit], bool]:
    def holds(app: Cockpit) -> bool:
        screen = app.screen
        waiting = screen.walk.state.waiting if isinstance(screen, WalkScreen) else None
        return waiting is not None and waiting.question == question and step in ("", waiting.step)

    return holds


def on(kind: type[object]) -> Callable[[Cockpit], bool]:
    return lambda app: isinstance(app.screen, kind)


async def confirm(app: Cockpit, pilot: Pilot[int]) -> None:
    """Open the confirmation that is asked for, wait until keys count, and type what it wants."""
    await pilot.press("enter")
    await until(app, pilot, on(ConfirmDialog))
    await until(app, pilot, lambda app: "To run it" in flat(app))
    assert isinstance(app.screen, ConfirmDialog)
    await pilot.press(*app.screen.asked.typed)
    await until(app, pilot, lambda app: "Enter sends it" in flat(app))
    await pilot.press("enter")


async def past(app: Cockpit, pilot: Pilot[int], *steps: str) -> None:
    """Go on from each of these steps, where the walk stops for somebody to look."""
    for step in steps:
        await until(app, pilot, needs("continue", step))
        await pilot.press("enter")


async def to_the_confirmation(app: Cockpit, pilot: Pilot[int]) -> WalkScreen:
    await past(app, pilot, "cookieless", "direct", "other-sites", "owner")
    await until(app, pilot, needs("confirm"))
    assert isinstance(app.screen, WalkScreen)
    return app.screen


async def test_an_incident_is_recovered_by_keyboard_alone() -> None:
    async with opened(rehearsal(speed=300.0)) as (app, pilot):
        await to_the_confirmation(app, pilot)
        await confirm(app, pilot)
        await until(app, pilot, needs("continue"))
        await pilot.press("enter")
        await until(app, pilot, needs("acknowledge"))
        await pilot.press("enter")
        await until(app, pilot, on(AskLine))
        await pilot.press(*"photos opened", "enter")
        await until(app, pilot, needs("continue"))
        await pilot.press("enter")
        await until(app, pilot, needs("choose"))
        await pilot.press("enter")
        await until(app, pilot, on(Choose))
        await pilot.press("enter")
        await past(app, pilot, "fix", "log-after")
        await until(app, pilot, on(ReportScreen))
        assert "recovered" in flat(app)
        await pilot.press("q")
        await until(app, pilot, lambda app: not app.is_running)
    assert app.return_value == 0


async def test_what_is_not_this_incident_ends_with_its_report_and_zero() -> None:
    async with opened(rehearsal("healthy-outpost")) as (app, pilot):
        await past(app, pilot, "cookieless", "again")
        await until(app, pilot, on(ReportScreen))
        await pilot.press("q")
        await until(app, pilot, lambda app: not app.is_running)
    assert app.return_value == 0


async def test_stopping_at_the_confirmation_changes_nothing_and_gives_code_five() -> None:
    async with opened(rehearsal()) as (app, pilot):
        walk = await to_the_confirmation(app, pilot)
        await pilot.press("S", *"call", "enter")
        await until(app, pilot, on(ReportScreen))
        state = walk.walk.state
        assert not [each for each in state.happened if each.event.type == "change"]
        assert all(not attempt.intended for view in state.steps.values() for attempt in view.attempts)
        await pilot.press("q")
        await until(app, pilot, lambda app: not app.is_running)
    assert app.return_value == 5


async def test_going_back_from_the_confirmation_asks_how_to_go_on() -> None:
    async with opened(rehearsal()) as (app, pilot):
        walk = await to_the_confirmation(app, pilot)
        await pilot.press("enter")
        await until(app, pilot, on(ConfirmDialog))
        await until(app, pilot, lambda app: "To run it" in flat(app))
        await pilot.press("escape")
        await until(app, pilot, needs("decide"))
        assert walk.walk.state.steps["purge"].attempts[-1].say == "Cancelled. Nothing sent."
        await pilot.press("r")
        await until(app, pilot, needs("confirm"))


async def test_a_signal_in_the_middle_of_a_change_waits_for_its_outcome() -> None:
    async with opened(rehearsal()) as (app, pilot):
        walk = await to_the_confirmation(app, pilot)
        await confirm(app, pilot)
        await until(app, pilot, lambda app: doing(walk.walk.state) in ("changing", "verifying"))
        os.kill(os.getpid(), signal.SIGTERM)
        await until(app, pilot, lambda app: not app.is_running)
        attempt = walk.walk.state.steps["purge"].attempts[-1]
        assert not attempt.open_intents
        assert walk.walk.state.ended is not None
        assert walk.walk.state.ended.result == "stopped"


async def test_a_signal_while_somebody_is_asked_stops_the_session() -> None:
    async with opened(rehearsal()) as (app, pilot):
        walk = await to_the_confirmation(app, pilot)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(app, pilot, lambda app: not app.is_running)
        assert walk.walk.state.ended is not None
        assert "SIGHUP" in walk.walk.state.ended.reason
    assert app.return_value == 5


async def test_a_session_that_cannot_be_opened_ends_with_its_reason(tmp_path: Path) -> None:
    request = Request(mode="live", runbook=OUTPOST / "runbook.yaml")
    async with opened(request) as (app, pilot):
        await until(app, pilot, lambda app: not app.is_running)
    assert isinstance(app.failure, OpeningError)
    assert "--site" in str(app.failure)
    assert app.return_value == 2


async def test_a_secret_is_asked_for_and_not_shown() -> None:
    async with opened(rehearsal("healthy-outpost")) as (app, pilot):
        await until(app, pilot, needs("continue"))
        got: list[str] = []

        async def ask() -> None:
            got.append(await app._ask_secret("Unseal key"))  # pyright: ignore[reportPrivateUsage]

        app.run_worker(ask())
        await until(app, pilot, on(AskLine))
        await pilot.press(*"hunter2")
        assert "hunter2" not in words(app)
        await pilot.press("enter")
        await until(app, pilot, lambda app: bool(got))
        assert got == ["hunter2"]


async def test_opening_says_what_is_waited_for_and_for_how_long() -> None:
    time = [0.0]
    app = Stage(lambda: OpeningScreen(rehearsal(), clock=lambda: time[0]))
    async with app.run_test(size=(100, 30)) as pilot:
        assert "starting the simulated world recorded-incident" in flat(app)
        time[0] = 4.0
        assert isinstance(app.screen, OpeningScreen)
        app.screen.draw()
        await pilot.pause()
        assert "4.0 s" in flat(app)


async def test_a_journal_that_takes_long_to_read_can_be_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = tmp_path / "state" / "sessions" / "long-walk"
    session.mkdir(parents=True, mode=0o700)
    (session / FILE_NAME).touch()
    for folder in (session.parent, session.parent.parent):
        folder.chmod(0o700)
    asked, read_on = threading.Event(), threading.Event()

    def slowly(folder: Path) -> Journal:
        asked.set()
        read_on.wait(20)
        raise JournalError("given up long ago")

    monkeypatch.setattr("breakglass.engine.resume.open_journal", slowly)
    try:
        async with opened(Request(resume="long-walk")) as (app, pilot):
            await until(app, pilot, lambda app: asked.is_set() and isinstance(app.screen, OpeningScreen))
            assert "Resuming session long-walk" in flat(app)
            await pilot.press("ctrl+c")
            await until(app, pilot, lambda app: not app.is_running)
    finally:
        read_on.set()
    assert app.return_value == 130


async def test_what_cannot_be_opened_leads_back_with_the_reason() -> None:
    app = Stage(lambda: WalkView(before_the_purge(Path())))
    async with app.run_test(size=(100, 30)) as pilot:
        app.begin(Request(mode="live", runbook=OUTPOST / "runbook.yaml"))
        await until(app, pilot, on(Message))
        await until(app, pilot, lambda app: "give one with --site" in flat(app))
        await pilot.press("enter")
        await until(app, pilot, on(WalkView))


def test_few_frames_over_ssh_no_movement_anywhere_and_an_empty_no_color_does_not_count() -> None:
    environment = {"SSH_CONNECTION": "192.0.2.1 5 192.0.2.2 22", "NO_COLOR": ""}
    prepare_environment(environment)
    assert environment["TEXTUAL_FPS"] == "10"
    assert environment["TEXTUAL_ANIMATIONS"] == "none"
    assert "NO_COLOR" not in environment
    there = {"NO_COLOR": "1"}
    prepare_environment(there)
    assert there["NO_COLOR"] == "1"
    assert "TEXTUAL_FPS" not in there


async def test_an_unexpected_error_shows_where_it_was_and_no_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken(Cockpit):
        def on_mount(self) -> None:
            password = "hunter2"
            raise RuntimeError(f"with {password}")

    app = Broken(code_of)
    with pytest.raises(RuntimeError):
        async with app.run_test():
            pass
    said = capsys.readouterr().err
    assert "RuntimeError" in said
    assert "on_mount" in said
    assert "hunter2" not in said


async def test_a_bell_always_and_a_notification_only_when_the_terminal_is_not_in_focus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened(rehearsal("healthy-outpost")) as (app, pilot):
        await until(app, pilot, needs("continue"))
        written: list[str] = []
        assert app._driver is not None  # pyright: ignore[reportPrivateUsage]
        monkeypatch.setattr(app._driver, "write", written.append)  # pyright: ignore[reportPrivateUsage]
        app.draw_attention("needs you: a\x1b]52;c;eA==\x07")
        app.app_focus = False
        app.draw_attention("needs you: a\x1b]52;c;eA==\x07")
        notified = [each for each in written if each.startswith("\x1b]9;")]
        assert notified == ["\x1b]9;breakglass: needs you: a\\x1b]52;c;eA==\\x07\x07"]


async def test_what_somebody_must_do_elsewhere_is_said_at_once_as_text() -> None:
    async with opened(rehearsal("healthy-outpost")) as (app, pilot):
        await until(app, pilot, needs("continue"))
        app._tell("touch the [b]key[/b]\x1b[2J")  # pyright: ignore[reportPrivateUsage]
        await until(app, pilot, lambda app: len(app._notifications) > 0)  # pyright: ignore
        said = list(app._notifications)  # pyright: ignore[reportPrivateUsage]
        assert [(each.message, each.markup) for each in said] == [("touch the [b]key[/b]\\x1b[2J", False)]


async def test_an_unknown_host_key_is_accepted_only_by_typing_the_name_of_the_host() -> None:
    question = HostKeyQuestion(
        *("pve", "192.0.2.7:22", "ssh-ed25519", "SHA256:abc", Path("/known_hosts")),
        doubt="its certificate does not count",
    )
    async with opened(rehearsal("healthy-outpost")) as (app, pilot):
        await until(app, pilot, needs("continue"))
        answers: list[bool] = []

        async def ask() -> None:
            answers.append(await app._ask_host_key(question))  # pyright: ignore[reportPrivateUsage]

        for keys, answer in ((["y", "enter", "escape"], False), ([*"pve", "enter"], True)):
            app.run_worker(ask())
            await until(app, pilot, lambda app: isinstance(app.screen, HostKey) and "SHA256:abc" in flat(app))
            assert "its certificate does not count" in flat(app)
            await pilot.press(*keys)
            await until(app, pilot, on(WalkScreen))
            assert answers.pop() is answer
