"""Any damage to a journal is found, but for a cut at its end, which is a shorter session."""

from argparse import Namespace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.cli.verify import run
from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal.state import fold
from breakglass.journal.store import FILE_NAME, open_journal, read
from breakglass.report.past import report_of

RUNBOOK = Path(__file__).parents[2] / "runbooks" / "outpost-shm-purge" / "runbook.yaml"
SESSION = "20260420T060000Z-example-0a1b"
STARTED = e.SessionStarted(
    session=SESSION,
    runbook="example",
    title="An example",
    severity="sev2",
    runbook_path=str(RUNBOOK),
    runbook_digest="",
    site="test",
    site_path="",
    production=False,
    mode="live",
    operator="operator",
    inputs={},
    version="test",
    host="localhost",
    pid=1,
)
EVENTS: tuple[e.Event, ...] = (
    STARTED,
    e.StepStarted("purge", 1),
    e.Confirmed("purge", 1, "operator", "web-1"),
    e.ActionIntended("purge", 1, "kubectl delete pod web-1", "cluster main", "destructive"),
    e.ActionFinished("purge", 1, "succeeded", 0.1, head='{"kind":"Pod"}'),
    e.Captured("purge", 1, {"digest": 'a,"hash":"b', "text": "one\ntwo"}),
    e.SessionEnded("completed"),
)


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole journal in a state folder of its own."""
    return write(tmp_path, monkeypatch)


def write(state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    state.chmod(0o700)
    monkeypatch.setenv("BREAKGLASS_STATE", str(state))
    folder = state / "sessions" / SESSION
    (folder / "output").mkdir(parents=True)
    journal = open_journal(folder, create=True)
    for event in EVENTS:
        journal.append(event)
    journal.close()
    return folder / FILE_NAME


def put(journal: Path, data: bytes) -> None:
    """A file in the journal's place. A new one: some file systems wait for the disk when an old
    one is cut."""
    journal.unlink()
    journal.write_bytes(data)


def verified(pinned: str | None = None) -> int:
    return run(Namespace(session=SESSION, hash=pinned))


def test_a_whole_journal_is_found_whole(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verified() == ExitCode.DONE
    assert f"{len(EVENTS)} records, complete" in capsys.readouterr().out


def test_every_change_of_any_single_byte_is_found(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = journal.read_bytes()
    unnoticed: list[tuple[int, int]] = []
    for index in range(len(original)):
        for other in (original[index] ^ 0x01, original[index] ^ 0x20, ord("\n")):
            if other == original[index]:
                continue
            put(journal, original[:index] + bytes([other]) + original[index + 1 :])
            if verified() == ExitCode.DONE:
                unnoticed.append((index, other))
    assert unnoticed == []


def test_every_removed_byte_but_the_last_is_found(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = journal.read_bytes()
    for index in range(len(original) - 1):
        put(journal, original[:index] + original[index + 1 :])
        assert verified() != ExitCode.DONE, index


def test_every_removed_doubled_or_moved_record_is_found(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    count = len(lines)
    damaged = [lines[:at] + lines[at + 1 :] for at in range(count - 1)]
    damaged += [[*lines[:at], lines[which], *lines[at:]] for at in range(count + 1) for which in range(count)]
    for first in range(count):
        for second in range(first + 1, count):
            swapped = list(lines)
            swapped[first], swapped[second] = lines[second], lines[first]
            damaged.append(swapped)
    for each in damaged:
        put(journal, b"".join(each))
        assert verified() != ExitCode.DONE, each


def test_a_cut_at_any_byte_is_a_shorter_session_and_said(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = journal.read_bytes()
    for length in range(len(original)):
        put(journal, original[:length])
        assert verified() == ExitCode.DONE, length
        said = capsys.readouterr()
        kept = original[:length].count(b"\n")
        assert f"{kept} records" in said.out
        assert "its end was cut off" in said.err
        assert ("torn last record" in said.err) == (not original[:length].endswith(b"\n") and length > 0)


def test_a_cut_is_found_where_the_last_hash_is_known(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = read(journal).last_hash
    assert verified(pinned) == ExitCode.DONE
    lines = journal.read_bytes().splitlines(keepends=True)
    put(journal, b"".join(lines[:-1]))
    assert verified(pinned) == ExitCode.NOT_RECOVERED


def test_the_report_prints_the_last_hash(journal: Path) -> None:
    reading = read(journal)
    assert reading.last_hash in report_of(fold(reading.records), reading.last_hash)


def test_whatever_is_done_to_its_bytes_the_records_are_the_first_ones_or_the_damage_is_found(
    journal: Path,
) -> None:
    original = journal.read_bytes()

    @settings(max_examples=400, database=None)
    @given(data=st.data())
    def damage(data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(original)))
        stop = data.draw(st.integers(start, min(len(original), start + 300)))
        inserted = data.draw(st.binary(max_size=40) | st.just(original[start:stop] * 2))
        damaged = original[:start] + inserted + original[stop:]
        put(journal, damaged)
        if verified() == ExitCode.DONE:
            assert original.startswith(damaged[: damaged.rfind(b"\n") + 1])
            assert [each.event for each in read(journal).records] == list(EVENTS[: damaged.count(b"\n")])

    damage()
