"""The journal keeps every record, in order, and any damage to it is found."""

import gc
import hashlib
import os
import subprocess
import sys
import weakref
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.journal import events as e
from breakglass.journal.store import (
    FILE_NAME,
    LARGE,
    JournalError,
    JournalUnwritableError,
    SessionHeldError,
    open_journal,
    read,
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
