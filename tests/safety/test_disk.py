"""Full and failing disks, clocks that jump, and files that others could read."""

import asyncio
import contextlib
import errno
import os
import stat
import subprocess
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from breakglass.cli.walk_output import telling_of_the_disk
from breakglass.engine import commands as c
from breakglass.engine import prompts as prompts_module
from breakglass.engine.prompts import JournalWriter
from breakglass.engine.walk import Engine
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal import store as journal_module
from breakglass.journal.folders import StateFolderError, new_session, prepare
from breakglass.journal.state import Recorded, State, fold
from breakglass.journal.store import FILE_NAME, JournalError, JournalUnwritableError, open_journal, read
from breakglass.report.timeline import timeline
from breakglass.threads import in_thread
from breakglass.transport.base import Request, Result, Sink
from tests.engine.support import FarSide, command_of, confirm, events_of, refolded, resumed, session_of, walk
from tests.engine.test_changes import ANSWERS, DELETE, PURGE


# ---------------------------------------------------------------- a disk that is full
@contextlib.contextmanager
def small_disk(folder: Path) -> Generator[Path]:
    """A file system of 256 KiB."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that there is."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    return filler


async def test_on_a_full_disk_reading_goes_on_and_nothing_is_changed_until_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        engine, far = session_of(disk, PURGE, ANSWERS)
        engine.subscribe(telling_of_the_disk(engine))
        filler = fill(disk)

        def try_and_find_it_full(asked: e.Asked) -> c.Command:
            assert "purge" in engine.state.steps, "the reads before it went on"
            assert engine.journal_fault == "No space left on device"
            where = f"{engine.writer.journal.path}: cannot be written (No space left on device)"
            assert where in capsys.readouterr().err
            return confirm(asked)

        def make_room(asked: e.Asked) -> c.Command:
            assert DELETE not in far.commands
            assert f"not sent: {engine.writer.journal.path}: cannot be written (No space left" in asked.text
            filler.unlink()
            return c.Retry("operator")

        state = await walk(engine, try_and_find_it_full, make_room, confirm)
        assert far.commands.count(DELETE) == 1
        assert engine.journal_fault == ""
        assert f"{engine.writer.journal.path}: is being written again" in capsys.readouterr().err
        assert state.ended == e.SessionEnded("completed")
        engine.writer.journal.close()
        kept = read(engine.writer.journal.path)
        assert [each.event for each in kept.records] == [each.event for each in state.timeline]


def test_a_session_that_finds_no_room_for_its_folder_says_where_there_may_be_some(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        state = prepare(disk / "state")
        fill(disk)
        folder = new_session(state, "example")
        with contextlib.suppress(JournalError):
            journal = open_journal(folder.path, create=True)
            journal.append(e.NoteAdded("step", "x" * 4096, "operator"))
            with pytest.raises(JournalUnwritableError, match="No space left on device"):
                journal.require()
            journal.close()


# ---------------------------------------------------------------- a disk that fails
class Failing:
    """The module `os` as the journal sees it, on a disk that fails at one of its calls, and from then on for
    a while."""

    def __init__(self, call: str, at: int, times: int) -> None:
        self._call = call
        self._left = at
        self._times = times
        self.failed = False

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        if self._fails("pwrite"):
            os.pwrite(descriptor, data[: len(data) // 3], offset)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.pwrite(descriptor, data, offset)

    def fsync(self, descriptor: int) -> None:
        if self._fails("fsync"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _fails(self, call: str) -> bool:
        if call != self._call or not self._times:
            return False
        self._left -= 1
        if self._left >= 0:
            return False
        self._times -= 1
        self.failed = True
        return True


@dataclass
class Watched(FarSide):
    """A far side that looks into the journal when the change arrives."""

    journal: Path = Path()
    on_disk: list[bool] = field(default_factory=list[bool])

    async def send(self, request: Request, sink: Sink) -> Result:
        if command_of(request) == DELETE:
            records = read(self.journal).records
            self.on_disk.append(any(isinstance(each.event, e.ActionIntended) for each in records))
        return await FarSide.send(self, request, sink)


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
@pytest.mark.parametrize("times", [1, 1000], ids=["once", "for good"])
async def test_an_error_at_any_write_sends_no_change_without_its_intent_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, times: int
) -> None:
    at = 0
    while True:
        folder = tmp_path / str(at)
        folder.mkdir()
        failing = Failing(call, at, times)
        far = Watched(ANSWERS, journal=folder / "session" / FILE_NAME)
        engine, _ = session_of(folder, PURGE, far)
        path = engine.writer.journal.path
        monkeypatch.setattr(journal_module, "os", failing)
        state = await walk(engine, confirm)
        monkeypatch.setattr(journal_module, "os", os)
        assert all(far.on_disk), f"{call} {at}: sent without its intent on disk"
        engine.writer.journal.close()
        whole = read(path)
        assert [each.event for each in whole.records] == [each.event for each in state.timeline]
        assert not whole.torn
        if not failing.failed:
            assert far.on_disk == [True]
            break
        at += 1
    assert at > (15 if call == "pwrite" else 5)


def test_what_a_failed_sync_may_have_lost_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path, create=True)
    journal.append(e.NoteAdded("step", "synced", "operator"))
    monkeypatch.setattr(journal_module, "os", Failing("fsync", 0, 1))
    journal.append(e.Captured("step", 1, {"only": "with the kernel"}))
    journal.append(e.NoteAdded("step", "fails to be synced", "operator"))
    assert journal.fault == "Input/output error"
    assert len(read(journal.path).records) == 1
    journal.append(e.NoteAdded("step", "synced again", "operator"))
    assert journal.fault == ""
    journal.close()
    assert [each.sequence for each in read(journal.path).records] == [1, 2, 3, 4]


async def test_decisions_intents_and_outcomes_are_on_the_disk_before_anybody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(open_journal(tmp_path, create=True))
    calls: list[str] = []
    monkeypatch.setattr(journal_module, "os", Noting(calls))
    writer.subscribe(lambda recorded, state: calls.append("told"))
    await writer.record(
        e.ActionIntended("purge", 1, "kubectl delete pod web-1", "cluster main", "destructive")
    )
    assert calls == ["pwrite", "fsync", "told"]
    calls.clear()
    await writer.record(e.Captured("purge", 1, {}))
    assert calls == ["pwrite", "told"]


class Noting:
    """The module `os` as the journal sees it, with what is called noted."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> object:
        if name in ("pwrite", "fsync"):
            self._calls.append(name)
        return getattr(os, name)


# ---------------------------------------------------------------- an observer that is gone
AFTER = """
- id: after
  title: Look
  manual: Look at it.
"""


@pytest.mark.parametrize(
    ("kind", "outcomes"),
    [(e.Confirmed, []), (e.ActionIntended, ["succeeded"]), (e.ActionFinished, ["succeeded"])],
)
async def test_an_observer_whose_terminal_is_gone_breaks_no_change_off_and_begins_none(
    tmp_path: Path, kind: type[e.Event], outcomes: list[str]
) -> None:
    engine, far = session_of(tmp_path, PURGE + AFTER, ANSWERS)
    told: list[e.Event] = []

    def gone(recorded: Recorded, _: State) -> None:
        told.append(recorded.event)
        if isinstance(recorded.event, kind) and getattr(recorded.event, "step", "") == "purge":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    engine.subscribe(gone)
    state = await walk(engine, confirm)
    assert isinstance(told[-1], kind)
    (attempt,) = state.steps["purge"].attempts
    assert not attempt.open_intents
    assert [each.outcome for each in attempt.finished] == outcomes
    assert far.commands.count(DELETE) == len(outcomes)
    assert state.ended is not None
    assert state.ended.reason == "what happens cannot be shown any more: Input/output error"


# ---------------------------------------------------------------- clocks
class Jumping(datetime):
    """A clock of the day that goes back an hour each time that it is read."""

    hours = 0

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        cls.hours += 1
        return datetime(2026, 4, 20, 12, tzinfo=UTC) - timedelta(hours=cls.hours)


async def test_a_clock_that_jumps_back_neither_reorders_nor_loses_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "datetime", Jumping)
    engine, far = session_of(tmp_path, PURGE, ANSWERS)
    await walk(engine, c.Stop("somebody calls", "operator"))
    again = resumed(engine, far)
    state = await walk(again, c.Retry("operator"), confirm)
    monkeypatch.undo()
    records = read(tmp_path / "session" / FILE_NAME).records
    assert [each.event for each in records] == [each.event for each in state.timeline]
    assert [each.sequence for each in records] == list(range(1, len(records) + 1))
    times = [each.time for each in records]
    assert times == sorted(times, reverse=True), "the clock did jump"
    elapsed = [each.elapsed for each in records]
    assert elapsed == sorted(elapsed)
    assert all(each.seconds >= 0 for view in fold(records).steps.values() for each in view.attempts)
    told = [each.elapsed for each in timeline(state)]
    assert told == sorted(told)
    assert len(events_of(state, e.SessionResumed)) == 1


# ---------------------------------------------------------------- files
def test_every_file_is_its_owners_and_every_folder_too_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        state = prepare(tmp_path / "state")
        folder = new_session(state, "example")
        journal = open_journal(folder.path, create=True)
        journal.append(e.NoteAdded("step", "text", "operator"))
        journal.close()
    finally:
        os.umask(before)
    for path in [state, *state.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def owned_by_another(folder: Path) -> None:
    os.chown(folder, 12345, -1)


def open_to_the_group(folder: Path) -> None:
    folder.chmod(0o750)


def open_to_all(folder: Path) -> None:
    folder.chmod(0o701)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (owned_by_another, "belongs to user id 12345, not to you"),
        (open_to_the_group, r"is open to others \(mode 0750\); chmod 700 it"),
        (open_to_all, r"is open to others \(mode 0701\); chmod 700 it"),
    ],
)
@pytest.mark.parametrize("which", ["", "sessions"])
def test_a_state_folder_that_is_anothers_or_open_to_others_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], why: str, which: str
) -> None:
    state = prepare(tmp_path / "state")
    spoil(state / which)
    with pytest.raises(StateFolderError, match=why):
        prepare(state)


class StuckDisk:
    """A disk that takes the journal only when it is let go, once it is told to be stuck."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stuck, self.reached, self.go = False, threading.Event(), threading.Event()
        real = os.fsync

        def fsync(descriptor: int) -> None:
            if self.stuck and Path(f"/proc/self/fd/{descriptor}").readlink().name == FILE_NAME:
                self.reached.set()
                assert self.go.wait(60), "nobody let the disk go"
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    async def asked(self) -> None:
        assert await in_thread(lambda: self.reached.wait(60))


def stuck_when(engine: Engine, disk: StuckDisk, kind: type[e.Event]) -> None:
    """Let the disk be stuck from the first record after one of this kind."""

    def told(recorded: Recorded, _: State) -> None:
        disk.stuck = disk.stuck or isinstance(recorded.event, kind)

    engine.subscribe(told)


async def test_a_disk_that_does_not_answer_stops_no_screen_and_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)
    disk = StuckDisk(monkeypatch)
    monkeypatch.setattr(prompts_module, "SLOW_DISK", 1e-9)
    stuck_when(engine, disk, e.Confirmed)
    walking = asyncio.ensure_future(walk(engine, confirm))
    await disk.asked()
    assert "has not answered" in engine.journal_fault
    assert DELETE not in far.commands
    disk.go.set()
    await walking
    assert engine.journal_fault == ""
    assert far.commands.count(DELETE) == 1


async def test_a_walk_that_is_ended_while_the_intent_is_written_has_sent_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)
    disk = StuckDisk(monkeypatch)
    stuck_when(engine, disk, e.Confirmed)
    walking = asyncio.ensure_future(walk(engine, confirm))
    await disk.asked()
    walking.cancel()
    await asyncio.wait([walking])
    disk.go.set()
    await engine.close()
    assert DELETE not in far.commands
    (attempt,) = refolded(engine).steps["purge"].attempts
    assert [each.outcome for each in attempt.finished] == ["not-sent"]
    assert not attempt.open_intents


async def test_while_a_word_is_being_written_no_other_answer_is_taken_and_a_stop_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)
    disk = StuckDisk(monkeypatch)
    asked: asyncio.Future[e.Asked] = asyncio.get_running_loop().create_future()
    engine.subscribe(
        lambda recorded, _: (
            asked.set_result(recorded.event)
            if isinstance(recorded.event, e.Asked) and recorded.event.question == "confirm"
            else None
        )
    )
    walking = asyncio.ensure_future(engine.run())
    question = await asked
    disk.stuck = True
    word = engine.command(c.Confirm(question.typed, "operator"))
    await disk.asked()
    for other in (c.Confirm(question.typed, "another"), c.Decline("operator"), c.Skip("why", "operator")):
        with pytest.raises(CommandRefusedError, match="being put on record"):
            engine.command(other)
    engine.command(c.Stop("the terminal is gone", "operator"))
    disk.go.set()
    await word
    assert await walking == "stopped"
    assert DELETE not in far.commands
    assert engine.state.steps["purge"].status == "cancelled"


async def test_what_comes_while_the_journal_is_being_closed_is_not_written_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = session_of(tmp_path, PURGE, ANSWERS)
    await walk(engine, confirm)
    recorded = len(engine.writer.journal.records)
    closing, go, close = threading.Event(), threading.Event(), journal_module.Journal.close

    def slowly(journal: journal_module.Journal) -> None:
        closing.set()
        assert go.wait(60), "nobody let it close"
        close(journal)

    monkeypatch.setattr(journal_module.Journal, "close", slowly)
    ending = asyncio.ensure_future(engine.close())
    assert await in_thread(lambda: closing.wait(60))
    await engine.writer.record_soon(e.Happened("rule", "late", "the world goes on"))
    with pytest.raises(CommandRefusedError, match="closed"):
        engine.command(c.Note("too late", "operator"))
    with pytest.raises(JournalError, match="closed"):
        await engine.writer.record(e.NoteAdded("purge", "too late", "operator"))
    go.set()
    await ending
    assert len(read(engine.writer.journal.path).records) == len(engine.writer.journal.records) == recorded
