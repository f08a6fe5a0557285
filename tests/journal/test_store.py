"""The journal keeps every record, in order, and any damage to it is found."""

import gc
import hashlib
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.journal import events as e
from breakglass.journal import store as store_module
from breakglass.journal.state import Recorded
from breakglass.journal.store import (
    FILE_NAME,
    LARGE,
    Journal,
    JournalContents,
    JournalError,
    JournalUnwritableError,
    SessionHeldError,
    open_journal,
    read,
    read_on,
    unkept_journal,
)

NOTES = ("first", "second \u202e reversed", "third\nwith a line break")


def write_some(folder: Path) -> Path:
    journal = open_journal(folder, create=True)
    for text in NOTES:
        journal.append(e.NoteAdded("step", text, "operator"))
    journal.close()
    return folder / FILE_NAME


def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    path = write_some(tmp_path)
    assert [r.event for r in read(path).records] == [e.NoteAdded("step", t, "operator") for t in NOTES]


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = write_some(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_change_of_a_single_byte_is_found(tmp_path: Path) -> None:
    path = write_some(tmp_path)
    original = path.read_bytes()
    unnoticed: list[int] = []
    for index in range(len(original)):
        damaged = bytearray(original)
        damaged[index] ^= 0x01
        path.write_bytes(bytes(damaged))
        try:
            reading = read(path)
        except JournalError:
            continue
        if len(reading.records) == len(NOTES):
            unnoticed.append(index)
    assert unnoticed == []


def test_a_removed_record_is_found(tmp_path: Path) -> None:
    path = write_some(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    with pytest.raises(JournalError, match="record 2"):
        read(path)


def test_a_line_that_is_more_than_a_record_is_found(tmp_path: Path) -> None:
    path = write_some(tmp_path)
    whole = path.read_bytes().splitlines(keepends=True)[0]
    body = whole[:-1] + b"{}"
    path.write_bytes(body + b',"hash":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n')
    with pytest.raises(JournalError, match="record 1 cannot be understood"):
        read(path)


@pytest.mark.parametrize("damage", [b"", b"damaged\n"])
def test_a_large_journal_whole_or_damaged_leaves_the_garbage_collector_on(
    tmp_path: Path, damage: bytes
) -> None:
    journal = open_journal(tmp_path, create=True)
    for _ in range(10):
        journal.append(e.NoteAdded("step", "x" * (LARGE // 8), "operator"))
    journal.close()
    with journal.path.open("ab") as file:
        file.write(damage)
    garbage = _Circle()
    still_there = weakref.ref(garbage)
    del garbage
    with pytest.raises(JournalError, match="record 11") if damage else nullcontext():
        assert len(read(journal.path).records) == 10
    assert gc.isenabled()
    gc.collect()
    assert still_there() is None, "what was garbage before is kept for ever"


class _Circle:
    """Something that only the garbage collector takes away."""

    def __init__(self) -> None:
        self.itself = self


def test_exchanged_records_are_found(tmp_path: Path) -> None:
    path = write_some(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[1] + lines[0] + lines[2])
    with pytest.raises(JournalError, match="record 1"):
        read(path)


@settings(max_examples=60)
@given(cut=st.integers(min_value=1, max_value=2000))
def test_a_cut_at_the_end_leaves_a_shorter_whole_session(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = write_some(tmp_path_factory.mktemp("journal"))
    data = path.read_bytes()
    path.write_bytes(data[: max(len(data) - cut, 0)])
    reading = read(path)
    assert [r.event for r in reading.records] == [
        e.NoteAdded("step", t, "operator") for t in NOTES[: len(reading.records)]
    ]
    assert reading.good_bytes + reading.torn == max(len(data) - cut, 0)


def test_a_torn_last_record_is_dropped_and_the_chain_goes_on(tmp_path: Path) -> None:
    path = write_some(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-7])
    journal = open_journal(tmp_path)
    assert journal.torn > 0
    journal.append(e.NoteAdded("step", "after the crash", "operator"))
    journal.close()
    texts = [r.event.text for r in read(path).records if isinstance(r.event, e.NoteAdded)]
    assert texts == [*NOTES[:2], "after the crash"]


def test_a_second_process_is_told_who_holds_the_session(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, create=True)
    code = (
        "import sys; from pathlib import Path; from breakglass.journal.store import *\n"
        "try: open_journal(Path(sys.argv[1]))\n"
        "except SessionHeldError as error: print(error)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    journal.close()
    assert f"process {os.getpid()}" in told.stdout
    assert issubclass(SessionHeldError, JournalError)


def test_a_full_disk_keeps_records_in_memory_and_refuses_what_must_be_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path, create=True)
    journal.append(e.NoteAdded("step", "on disk", "operator"))
    real = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        real(descriptor, data[:5], offset)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    journal.append(e.NoteAdded("step", "waits", "operator"))
    with pytest.raises(JournalUnwritableError, match="No space left"):
        journal.require()
    assert [r.sequence for r in read(journal.path).records] == [1]
    monkeypatch.setattr(os, "pwrite", real)
    journal.require()
    journal.close()
    assert [r.sequence for r in read(journal.path).records] == [1, 2]


def test_a_record_of_another_journal_is_found_in_the_place_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path = write_some(tmp_path)
    other = open_journal(tmp_path / "other", create=True)
    for number in range(3):
        other.append(e.NoteAdded("step", f"note {number}", "somebody"))
    other.close()
    lines, others = (each.read_bytes().splitlines(keepends=True) for each in (path, other.path))
    for at in range(1, 3):
        path.write_bytes(b"".join((*lines[:at], others[at], *lines[at + 1 :])))
        with pytest.raises(JournalError, match=f"record {at + 1} does not follow the one before"):
            read(path)


def test_a_record_that_calls_itself_another_is_found(tmp_path: Path) -> None:
    path = write_some(tmp_path)
    whole = path.read_bytes().splitlines(keepends=True)[0]
    body = whole.rpartition(b',"hash"')[0].replace(b'"seq":1', b'"seq":7')
    path.write_bytes(body + b',"hash":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n')
    with pytest.raises(JournalError, match="record 1 calls itself 7"):
        read(path)


def test_what_follows_the_last_record_is_its_beginning_or_something_strange(tmp_path: Path) -> None:
    path = write_some(tmp_path)
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    before, last = data[: -len(lines[-1])], lines[-1]
    for end in range(len(last)):
        path.write_bytes(before + last[:end])
        reading = read(path)
        assert (reading.torn, reading.strange, len(reading.records)) == (end, False, 2), end
    for strange in (b"x", b'{"seq":4', b'{"seq":3,"time":1', last[:-1] + b"x", last[1:-1], b"\0" * 40):
        path.write_bytes(before + strange)
        reading = read(path)
        assert (reading.torn, reading.strange, len(reading.records)) == (len(strange), True, 2), strange


def test_who_holds_a_session_is_said_as_far_as_it_is_known(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, create=True)
    holder = tmp_path / "holder"
    assert holder.read_text() == f"process {os.getpid()} on {os.uname().nodename}\n"
    assert holder.stat().st_mode & 0o777 == 0o600
    for text, known in (("pid 7 on h\n", "pid 7 on h"), ("", "another process"), (None, "another process")):
        if text is None:
            holder.unlink()
        else:
            holder.write_text(text)
        with pytest.raises(SessionHeldError) as error:
            open_journal(tmp_path)
        assert str(error.value) == f"{tmp_path.name} is held by {known}; close it there first"
    journal.close()
    open_journal(tmp_path).close()


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be opened: No such file"):
        open_journal(tmp_path)
    with pytest.raises(JournalError, match="cannot be read: No such file"):
        read(tmp_path / FILE_NAME)
    open_journal(tmp_path, create=True).close()
    with pytest.raises(JournalError, match="cannot be opened: File exists"):
        open_journal(tmp_path, create=True)


def fixed(time: datetime) -> Callable[[object], datetime]:
    return lambda _: time


def test_the_time_of_a_session_goes_on_by_the_monotonic_clock_when_it_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(store_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    journal = open_journal(tmp_path, create=True)
    now[0] = 101.23456789
    assert journal.append(e.NoteAdded("step", "a", "operator")).elapsed == 1.234568
    journal.close()
    last = read(journal.path).records[-1]
    found = JournalContents((last,), "", 0, 0)
    for pause, elapsed in ((timedelta(seconds=60), 64.234568), (timedelta(hours=-1), 4.234568)):
        now[0] = 5.0  # the machine was started anew meanwhile
        wall = last.time + pause
        monkeypatch.setattr(store_module, "datetime", SimpleNamespace(now=fixed(wall)))
        again = Journal(tmp_path / "again", os.memfd_create("again"), found)
        now[0] = 8.0
        assert again.append(e.NoteAdded("step", "b", "operator")).elapsed == elapsed
        again.close()


@pytest.mark.parametrize("by", ["close", "require"])
def test_records_that_wait_are_said_and_are_put_on_the_disk_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    journal = open_journal(tmp_path, create=True)
    real = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    journal.append(e.NoteAdded("step", "waits", "operator"))
    assert journal.fault == "No space left on device"
    with pytest.raises(JournalUnwritableError) as error:
        journal.require()
    assert str(error.value) == (
        f"{journal.path}: cannot be written (No space left on device); nothing will be changed until it can: "
        "free space there, then try again"
    )

    def slowly(descriptor: int, data: bytes, offset: int) -> int:
        return real(descriptor, data[:7], offset)

    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    monkeypatch.setattr(os, "pwrite", slowly)
    if by == "close":
        journal.close()
    else:
        journal.require()
    assert len(synced) == 1, "what waited is on the disk itself"
    assert journal.fault == ""
    assert [each.event for each in read(journal.path).records] == [e.NoteAdded("step", "waits", "operator")]


def test_a_journal_in_memory_keeps_its_records_and_lets_nothing_be_changed(tmp_path: Path) -> None:
    journal = unkept_journal(tmp_path, "no room")
    journal.append(e.NoteAdded("step", "a", "operator"))
    assert (journal.fault, journal.nowhere, len(journal.records)) == ("no room", "no room", 1)
    with pytest.raises(JournalUnwritableError, match="no room; so nothing is changed in this session"):
        journal.require()
    assert not journal.path.exists()
    journal.close()


def test_only_what_is_new_is_read_again(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, create=True)
    journal.append(e.NoteAdded("step", "a", "operator"))
    journal.require()
    first = read(journal.path)
    journal.append(e.NoteAdded("step", "b", "operator"))
    second = read_on(journal.path, first)
    assert second == read(journal.path) and len(second.records) == 2
    assert second.last_hash == journal.last_hash != first.last_hash
    assert read_on(journal.path, second) == second
    journal.close()


@pytest.mark.parametrize("was_on", [True, False])
def test_of_what_is_large_the_garbage_collector_is_off_while_it_is_read_and_then_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was_on: bool
) -> None:
    steps: list[str] = []
    parse = store_module._parse  # pyright: ignore[reportPrivateUsage]

    def noted(path: Path, number: int, line: bytes, previous: str) -> tuple[Recorded, str]:
        steps.append("on" if gc.isenabled() else "off")
        return parse(path, number, line, previous)

    path = write_some(tmp_path)
    monkeypatch.setattr(store_module, "_parse", noted)
    monkeypatch.setattr(store_module, "LARGE", path.stat().st_size)
    monkeypatch.setattr(gc, "collect", lambda: steps.append("collected"))
    monkeypatch.setattr(gc, "freeze", lambda: steps.append("left out"))
    (gc.enable if was_on else gc.disable)()
    try:
        read(path)
        assert gc.isenabled() is was_on
        monkeypatch.setattr(store_module, "LARGE", path.stat().st_size + 1)
        read(path)
    finally:
        gc.enable()
    assert steps == ["collected", *["off"] * 3, "left out", *["on" if was_on else "off"] * 3]
