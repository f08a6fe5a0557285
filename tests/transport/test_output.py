"""Output from outside: nothing of it is obeyed, no secret is in it, and it is bounded."""

import base64
import hashlib
import os
import re
import threading
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.site.redaction import Redactor
from breakglass.transport import output
from breakglass.transport.base import OutputLimitError, Stream
from breakglass.transport.output import (
    LARGEST_TEXT,
    LATEST,
    LONGEST_LINE,
    RESERVE,
    OutputStoreError,
    Recorder,
    open_output,
)
from breakglass.transport.sanitize import visible, visible_line

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def redactor_with(*secrets: str) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.add(secret)
    return redactor


def recorder_in(folder: Path, *secrets: str) -> Recorder:
    redactor = Redactor()
    for secret in secrets:
        redactor.add(secret)
    return Recorder(folder, redactor)


@given(st.text(st.characters()))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert not OBEYED.search(visible(text))
    assert visible(visible(text)) == visible(text)


@given(st.text(st.characters(max_codepoint=0x7F), max_size=300))
def test_of_ascii_only_control_characters_are_written_out(text: str) -> None:
    plain = {"\n", "\t", *map(chr, range(0x20, 0x7F))}
    assert visible(text) == "".join(each if each in plain else f"\\x{ord(each):02x}" for each in text)


@given(st.text(st.characters()))
def test_a_visible_line_is_one_line(text: str) -> None:
    assert visible_line(text).isprintable() or not re.search("[\n\t\x1b]", visible_line(text))
    assert len(visible_line(text).splitlines()) <= 1


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]52;c;cHduZWQ=\x07", r"\x1b]52;c;cHduZWQ=\x07"),
        ("\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
        ("\x9b31m", r"\x9b31m"),
        ("safe\u202etxt.exe", r"safe\u202etxt.exe"),
        ("ze\u200bro", r"ze\u200bro"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("[red]bold[/red]", "[red]bold[/red]"),
        ("nul\x00", r"nul\x00"),
    ],
)
def test_what_is_hostile_is_written_out(hostile: str, shown: str) -> None:
    assert visible(hostile) == shown


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=60)), max_size=12))
def test_no_bytes_in_any_pieces_come_out_as_control(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[Stream, bytes]]
) -> None:
    recorder = recorder_in(tmp_path_factory.mktemp("output"))
    for stream, data in pieces:
        recorder(stream, data)
        assert not any(OBEYED.search(line) for line in recorder.lines(0, 100))
    finished = recorder.finish()
    assert not OBEYED.search(finished.head + finished.tail + recorder.text("stdout"))


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_how_the_bytes_are_cut_into_pieces_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("output")
    whole, cut = recorder_in(folder), recorder_in(folder)
    whole("stdout", data)
    places = sorted({0, len(data), *(place for place in cuts if place < len(data))})
    for start, stop in pairwise(places):
        cut("stdout", data[start:stop])
    assert whole.finish() == cut.finish()
    assert whole.text("stdout") == cut.text("stdout")


PLAIN_LINES = st.text(st.sampled_from("ab\r\n\x1bé«"), max_size=200).map(str.encode)


@given(st.lists(st.tuples(PLAIN_LINES, st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=8))
def test_any_lines_are_those_of_all_the_text_wherever_the_index_has_its_entries(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[bytes, int, int]]
) -> None:
    recorder = recorder_in(tmp_path_factory.mktemp("output"))
    whole = b""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "BLOCK", 7)
        for data, start, stop in pieces:
            recorder("stdout", data)
            whole += data
            lines = visible(whole.removesuffix(b"\r").decode().replace("\r\n", "\n")).split("\n")
            expected = lines if lines[-1] else lines[:-1]
            assert recorder.line_count == len(expected)
            assert recorder.lines(start, stop) == expected[start:stop]
        finished = recorder.finish()
        if finished.name:
            path = recorder._folder / finished.name  # pyright: ignore[reportPrivateUsage]
            stored = open_output(path)
            everything = path.read_bytes().decode().split("\n")[:-1]
            assert stored.line_count == finished.lines == len(everything)
            assert [stored.lines(at, at + 1) for at in range(len(everything))] == [[e] for e in everything]


def test_what_comes_after_the_end_is_dropped(tmp_path: Path) -> None:
    ended, given_up = recorder_in(tmp_path), recorder_in(tmp_path)
    ended("stdout", b"in time\n")
    finished = ended.finish()
    ended("stdout", b"late\n")
    given_up("stdout", b"in time\n")
    given_up.discard()
    given_up("stdout", b"late\n")
    assert ended.lines(0, 9) == ["in time"]
    assert [each.name for each in tmp_path.iterdir()] == [finished.name]
    assert (tmp_path / finished.name).read_text() == "in time\n"


def test_lines_are_drawn_while_the_disk_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    hangs, let_go = threading.Event(), threading.Event()

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        if offset:
            hangs.set()
            assert let_go.wait(20)
        return real(descriptor, data, offset)

    monkeypatch.setattr("breakglass.transport.output.os.pwrite", pwrite)
    recorder = recorder_in(tmp_path)
    recorder("stdout", b"first\nsec")
    feeding = threading.Thread(target=recorder, args=("stdout", b"ond\nthird"))
    feeding.start()
    assert hangs.wait(20)
    assert (recorder.line_count, recorder.lines(0, 9)) == (2, ["first", "sec"])
    let_go.set()
    feeding.join(20)
    assert (recorder.line_count, recorder.lines(0, 9)) == (3, ["first", "second", "third"])


def test_the_file_is_named_by_its_content_and_closed_to_others(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    recorder("stdout", b"one\ntwo\n")
    finished = recorder.finish()
    stored = tmp_path / finished.name
    assert stored.read_text() == "one\ntwo\n"
    assert stored.stem == hashlib.sha256(stored.read_bytes()).hexdigest()
    assert stored.stat().st_mode & 0o077 == 0
    assert [each.name for each in tmp_path.iterdir()] == [finished.name]


def test_nothing_at_all_needs_no_file(tmp_path: Path) -> None:
    finished = recorder_in(tmp_path).finish()
    assert (finished.name, finished.bytes, finished.lines, finished.head) == ("", 0, 0, "")
    assert not list(tmp_path.iterdir())


def test_a_given_up_request_leaves_no_file(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    recorder("stdout", b"x" * 100_000)
    recorder.discard()
    assert not list(tmp_path.iterdir())


def test_the_line_that_has_not_ended_yet_is_shown(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    recorder("stdout", b"first\nsecond, not yet")
    assert recorder.lines(0, 9) == ["first", "second, not yet"]
    assert recorder.line_count == 2


def test_both_streams_are_in_the_order_of_their_lines(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    recorder("stdout", b"out 1\nout")
    recorder("stderr", b"err 1\n")
    recorder("stdout", b" 2\n")
    recorder.finish()
    assert recorder.lines(0, 9) == ["out 1", "err 1", "out 2"]
    assert (recorder.text("stdout"), recorder.text("stderr")) == ("out 1\nout 2\n", "err 1\n")


def test_any_lines_of_many_are_found(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    for start in range(0, 100_000, 1000):
        recorder("stdout", b"".join(b"line %d\n" % number for number in range(start, start + 1000)))
    assert recorder.lines(77_777, 77_779) == ["line 77777", "line 77778"]
    finished = recorder.finish()
    stored = open_output(tmp_path / finished.name)
    assert stored.line_count == finished.lines == 100_000
    assert stored.lines(99_999, 100_050) == ["line 99999"]
    assert finished.head.splitlines()[0] == "line 0"
    assert finished.tail.splitlines()[-1] == "line 99999"


def test_a_line_of_ten_megabytes_is_cut_for_the_screen_and_whole_in_the_file(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    for _ in range(100):
        recorder("stdout", b"x" * 100_000)
    finished = recorder.finish()
    (line,) = recorder.lines(0, 5)
    assert len(line) < LONGEST_LINE + 40
    assert "10,000,000 bytes" in line
    assert (tmp_path / finished.name).stat().st_size == 10_000_001


def test_memory_stays_bounded_while_a_hundred_megabytes_come(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, Redactor(), limit=200_000_000)
    block = b"2026-04-22T09:04:11Z a line of the ordinary length of a log, more or less\n" * 900
    tracemalloc.start()
    try:
        for _ in range(100_000_000 // len(block)):
            recorder("stdout", block)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000
    assert recorder.truncated
    assert len(recorder.text("stdout")) == LARGEST_TEXT


def test_a_secret_is_not_in_the_file_even_when_it_comes_in_two_pieces(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, "hunter2hunter2")
    recorder("stdout", b"token=hunter2")
    assert "hunter2" not in "".join(recorder.lines(0, 9))
    recorder("stdout", b"hunter2\n" + base64.b64encode(b"user:hunter2hunter2") + b"\n")
    finished = recorder.finish()
    assert (tmp_path / finished.name).read_text().count("«redacted»") == 2
    assert recorder.text("stdout").startswith("token=hunter2hunter2\n"), "expressions see it as it came"


def test_a_folder_that_cannot_be_written_is_said_and_the_output_is_still_shown(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path / "gone")
    recorder("stdout", b"Sealed true\n")
    assert recorder.lines(0, 9) == ["Sealed true"]
    with pytest.raises(OutputStoreError, match="No such file"):
        recorder.finish()
    assert recorder.finished is not None
    assert (recorder.finished.name, recorder.finished.head) == ("", "Sealed true")


def test_a_disk_that_is_full_is_said_and_the_output_is_still_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    on_disk = set[int]()

    def mkstemp(**_: object) -> tuple[int, str]:
        descriptor = os.open(tmp_path / "coming", os.O_RDWR | os.O_CREAT, 0o600)
        on_disk.add(descriptor)
        return descriptor, str(tmp_path / "coming")

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        if descriptor in on_disk:
            raise OSError(28, "No space left on device")
        return real(descriptor, data, offset)

    monkeypatch.setattr("breakglass.transport.output.tempfile.mkstemp", mkstemp)
    monkeypatch.setattr("breakglass.transport.output.os.pwrite", pwrite)
    recorder = recorder_in(tmp_path)
    recorder("stdout", b"100%\n")
    assert recorder.lines(0, 9) == ["100%"]
    with pytest.raises(OutputStoreError, match="No space left"):
        recorder.finish()


def test_a_read_that_says_too_much_is_refused_the_rest_and_what_came_is_kept(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, Redactor(), limit=20)
    recorder("stdout", b"one\ntwo\n")
    with pytest.raises(OutputLimitError):
        recorder("stdout", b"three\nfour\nfive\nsix\n")
    with pytest.raises(OutputLimitError):
        recorder("stderr", b"x")
    finished = recorder.finish()
    assert (tmp_path / finished.name).read_text() == "one\ntwo\nthree\nfour\nf\n"
    assert (finished.bytes, recorder.dropped) == (29, 9)


def test_a_change_is_heard_to_its_end_and_the_end_is_kept(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, redactor_with("hunter2hunter2"), limit=4000, to_its_end=True)
    for number in range(10_000):
        recorder("stdout", b"line %d hunter2hunter2\n" % number)
    recorder("stderr", b"failed at the end\n")
    finished = recorder.finish()
    stored = (tmp_path / finished.name).read_text()
    assert stored.startswith("line 0 ") and "line 9999 " in stored and "hunter2" not in stored
    assert "those past 4,000 are not kept, but for the last lines" in stored
    assert len(stored) < 4000 + 3 * LATEST
    assert finished.tail.splitlines()[-1].startswith("line 9999")


@pytest.mark.parametrize("before", [b"", b"some lines\n" * 10])
def test_outputs_leave_the_journal_its_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    real = os.statvfs(tmp_path)
    free = [real.f_blocks // 2]

    class Disk:
        f_frsize, f_blocks = real.f_frsize, real.f_blocks

        @property
        def f_bavail(self) -> int:
            return free[0]

    def statvfs(_: Path) -> Disk:
        return Disk()

    monkeypatch.setattr("breakglass.transport.output.os.statvfs", statvfs)
    recorder = recorder_in(tmp_path)
    if before:
        recorder("stdout", before)
    free[0] = RESERVE // real.f_frsize
    for _ in range(40):
        recorder("stdout", b"x" * 1_000_000 + b"\n")
    largest = max((each.stat().st_size for each in tmp_path.iterdir()), default=0)
    assert largest <= LARGEST_TEXT, "it stopped storing"
    with pytest.raises(OutputStoreError, match="16 MiB are free there, and the journal needs them"):
        recorder.finish()
    assert not list(tmp_path.iterdir()), "what was stored gives its room back"
    assert recorder.finished is not None and recorder.finished.head
