"""Watching: a second terminal follows a session from its journal, and can change nothing."""

import json
import os
from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.engine.commands import Pause
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder
from breakglass.journal.follow import follower
from breakglass.journal.state import fold
from breakglass.journal.store import FILE_NAME, Journal, JournalError, open_journal, read
from breakglass.tui.watch import WatchCockpit
from tests.tui.past_support import REHEARSAL, rehearsed, seen, started, state
from tests.tui.support import flat

__all__ = ["state"]


@pytest.fixture
def running(state: Path) -> "tuple[SessionFolder, Journal]":
    """A session that somebody else walks: its journal is open and locked."""
    folder = SessionFolder(state / "sessions" / REHEARSAL)
    folder.output.mkdir(parents=True)
    journal = open_journal(folder.path, create=True)
    journal.append(started(REHEARSAL, "live"))
    journal.append(e.StepStarted("pod", 1))
    return folder, journal


async def test_what_is_put_on_record_appears(running: tuple[SessionFolder, Journal]) -> None:
    folder, journal = running
    app = WatchCockpit(follower(folder))
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "READ-ONLY VIEW")
        journal.append(
            e.ActionPrepared("pod", 1, "kubectl", "kubectl get pods [/x]", "cluster main", "read", 9.0)
        )
        await seen(app, pilot, "kubectl get pods [/x]")
        journal.append(e.StepFinished("pod", 1, "failed", "it was not so"))
        await seen(app, pilot, "it was not so")
        journal.append(e.SessionEnded("stopped", "enough"))
        await seen(app, pilot, "The walk has ended")
    journal.close()


async def test_no_key_of_a_watcher_writes_anything(running: tuple[SessionFolder, Journal]) -> None:
    folder, journal = running
    journal.append(e.Asked("pod", 1, "decide", text="which way", options={"retry": "", "skip": ""}))
    before = (folder.path / FILE_NAME).read_bytes()
    app = WatchCockpit(follower(folder))
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "READ-ONLY VIEW")
        assert "Waiting for oncall: which way" in flat(app)
        for key in ("enter", "r", "s", "S", "J", "p", "n", "x", "H", "O", "Y"):
            await pilot.press(key)
        assert "READ-ONLY VIEW" in flat(app)
    assert (folder.path / FILE_NAME).read_bytes() == before
    journal.close()


async def test_leaving_takes_one_key(running: tuple[SessionFolder, Journal]) -> None:
    folder, journal = running
    app = WatchCockpit(follower(folder))
    async with app.run_test(size=(60, 20)) as pilot:
        await seen(app, pilot, "READ-ONLY VIEW")
        await pilot.press("q")
        await pilot.pause()
    assert app.return_value == 0
    journal.close()


async def test_the_follower_folds_to_the_state_of_the_session(running: tuple[SessionFolder, Journal]) -> None:
    folder, journal = running
    following = follower(folder)
    told: list[int] = []
    following.subscribe(lambda recorded, _: told.append(recorded.sequence))
    journal.append(e.NoteAdded("pod", "one", "oncall"))
    journal.append(e.NoteAdded("pod", "two", "oncall"))
    await following.look()
    await following.look()
    assert told == [3, 4]
    assert following.state == fold(read(folder.path / FILE_NAME).records)
    journal.close()


async def test_half_a_record_waits_for_its_end(running: tuple[SessionFolder, Journal]) -> None:
    folder, journal = running
    following = follower(folder)
    journal.append(e.NoteAdded("pod", "one", "oncall"))
    path = folder.path / FILE_NAME
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    await following.look()
    assert len(following.state.timeline) == 2
    path.write_bytes(whole)
    await following.look()
    assert len(following.state.timeline) == 3
    journal.close()


@pytest.mark.damages_a_journal
async def test_a_changed_record_is_not_shown(running: tuple[SessionFolder, Journal]) -> None:
    folder, journal = running
    following = follower(folder)
    journal.append(e.NoteAdded("pod", "kept", "oncall"))
    path = folder.path / FILE_NAME
    path.write_bytes(path.read_bytes().replace(b"kept", b"lost"))
    with pytest.raises(JournalError, match="was changed or cut"):
        await following.look()
    assert len(following.state.timeline) == 2
    journal.close()


def test_a_follower_refuses_every_command(running: tuple[SessionFolder, Journal]) -> None:
    folder, journal = running
    with pytest.raises(CommandRefusedError, match="read-only"):
        follower(folder).command(Pause("somebody"))
    journal.close()


def test_a_runbook_that_was_edited_meanwhile_is_said(state: Path) -> None:
    folder = SessionFolder(state / "sessions" / REHEARSAL)
    folder.output.mkdir(parents=True)
    journal = open_journal(folder.path, create=True)
    journal.append(started(REHEARSAL, "live", runbook_digest="0" * 64))
    journal.close()
    assert follower(folder).journal_fault == "the runbook's file is not what is being walked"


def test_an_empty_journal_cannot_be_followed(state: Path) -> None:
    folder = SessionFolder(state / "sessions" / REHEARSAL)
    folder.output.mkdir(parents=True)
    open_journal(folder.path, create=True).close()
    with pytest.raises(JournalError, match="nothing was recorded"):
        follower(folder)


def test_without_a_terminal_it_prints_lines_until_the_end(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearsed(state)
    assert main(["watch", "last", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines][:2] == ["session.started", "step.started"]
    assert lines[-1]["type"] == "session.ended"
    assert main(["watch", "last"]) == 0
    out = capsys.readouterr()
    assert "\x1b" not in out.out + out.err
    assert "oncall began outpost-shm-purge" in out.out


async def test_a_watcher_sees_that_the_walker_is_gone_and_how_to_go_on(
    running: tuple[SessionFolder, Journal],
) -> None:
    folder, journal = running
    journal.append(e.Asked("pod", 1, "decide", text="which way", options={"retry": ""}))
    app = WatchCockpit(follower(folder))
    async with app.run_test(size=(120, 30)) as pilot:
        await seen(app, pilot, "waiting for oncall")
        journal.close()
        await seen(app, pilot, "The walker is gone: process")
        await seen(app, pilot, "WALKER GONE")
        assert f"breakglass resume {REHEARSAL}" in flat(app)


async def test_the_walker_of_a_rehearsal_that_is_gone_takes_its_world_along(
    running: tuple[SessionFolder, Journal],
) -> None:
    folder, journal = running
    journal.append(started(REHEARSAL, "rehearsal"))
    journal.close()
    following = follower(folder)
    await following.look()
    assert following.walker_gone.startswith("process")
    assert "rehearse again" in following.goes_on and "resume" not in following.goes_on


def test_plain_lines_say_whom_the_walk_waits_for_and_end_when_the_walker_is_gone(
    running: tuple[SessionFolder, Journal], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, journal = running
    journal.append(e.Asked("pod", 1, "decide", text="which way", options={"retry": ""}))
    journal.close()
    assert main(["watch", folder.name, "--plain"]) == 5
    said = capsys.readouterr()
    assert "waiting for oncall: which way" in said.out
    assert f"its walker is gone: process {os.getpid()}" in said.err
