"""Sessions are told from both ends of their journals, and found by what one would type."""

from pathlib import Path

import pytest

from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder, StateFolderError
from breakglass.journal.sessions import How, find_session, shortest, summary_of
from breakglass.journal.store import FILE_NAME, SessionHeldError, is_held, open_journal
from tests.report.support import started


def kept(root: Path, name: str, *events: e.Event, **given: object) -> SessionFolder:
    folder = SessionFolder(root / "sessions" / name)
    folder.output.mkdir(parents=True)
    journal = open_journal(folder.path, create=True)
    for event in (started(session=name, **given), *events):
        journal.append(event)
    journal.close()
    return folder


@pytest.mark.parametrize(
    ("given", "events", "how"),
    [
        ({}, [e.SessionEnded("recovered")], "recovered"),
        ({}, [e.SessionEnded("escalate"), e.NoteAdded("", "called", "root")], "escalate"),
        ({}, [e.SessionEnded("stopped"), e.SessionResumed("root", "laptop", 1, 0)], "interrupted"),
        ({}, [], "interrupted"),
        ({"mode": "rehearsal", "scenario": "x"}, [e.SessionEnded("recovered")], "not recovered"),
        (
            {"mode": "rehearsal", "scenario": "x"},
            [e.Happened("recovered", "recovered", ""), e.SessionEnded("recovered")],
            "recovered",
        ),
    ],
)
def test_how_a_session_ended(
    tmp_path: Path, given: dict[str, object], events: list[e.Event], how: How
) -> None:
    assert summary_of(kept(tmp_path, "one", *events, **given)).how == how


def test_the_end_is_found_after_more_than_is_read_from_the_end(tmp_path: Path) -> None:
    long = [e.NoteAdded("", "x" * 40_000, "root") for _ in range(3)]
    found = summary_of(kept(tmp_path, "one", *long, e.SessionEnded("recovered")))
    assert (found.how, found.runbook, found.site) == ("recovered", "example", "lab")


def test_a_session_that_somebody_walks_is_running_until_the_program_is_gone(tmp_path: Path) -> None:
    folder = kept(tmp_path, "one")
    journal = open_journal(folder.path)
    assert summary_of(folder).how == "running" and is_held(folder.path)
    with pytest.raises(SessionHeldError):
        open_journal(folder.path)
    journal.close()
    assert summary_of(folder).how == "interrupted" and not is_held(folder.path)


@pytest.mark.damages_a_journal
@pytest.mark.parametrize("content", [b"", b"nonsense\n", b"[1]\n", b'{"type": "note.added", "data": {}}\n'])
def test_what_cannot_be_read_is_said_and_ends_no_list(tmp_path: Path, content: bytes) -> None:
    folder = kept(tmp_path, "one")
    (folder.path / FILE_NAME).write_bytes(content)
    assert summary_of(folder).how == "damaged"


def test_only_a_walk_on_a_real_site_can_be_resumed(tmp_path: Path) -> None:
    live = kept(tmp_path, "live", e.SessionEnded("stopped"))
    rehearsed = kept(tmp_path, "rehearsed", e.SessionEnded("stopped"), mode="rehearsal", scenario="x")
    dry = kept(tmp_path, "dry", e.SessionEnded("stopped"), mode="dry-run", scenario="x")
    typed = kept(tmp_path, "typed", e.SessionEnded("stopped"), runbook_path="")
    resumable = [summary_of(each).can_be_resumed for each in (live, rehearsed, dry, typed)]
    assert resumable == [True, False, False, False]


def test_the_last_one_is_the_last_walk(tmp_path: Path) -> None:
    walk = kept(tmp_path, "20260418T031100Z-vault")
    typed = kept(tmp_path, "20260419T031100Z-exec", runbook="exec", runbook_path="")
    assert find_session(tmp_path, "last") == walk
    assert find_session(tmp_path, "20260419") == typed


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lst", "did you mean last?"),
        ("vault", "did you mean 20260418T031100Z-vault?"),
        ("20260418T031101Z-vault", "did you mean 20260418T031100Z-vault?"),
        ("zzz", "`breakglass sessions` lists them"),
        ("2026", "2 sessions begin with '2026'"),
    ],
)
def test_a_name_that_is_nearly_right_gets_an_offer(tmp_path: Path, name: str, said: str) -> None:
    kept(tmp_path, "20260418T031100Z-vault")
    kept(tmp_path, "20260601T000000Z-outpost")
    with pytest.raises(StateFolderError) as refused:
        find_session(tmp_path, name)
    assert said in str(refused.value)


def test_what_one_types_for_a_session_is_as_long_as_it_must_be() -> None:
    assert shortest(["abc", "abd", "b"], least=1) == {"abc": "abc", "abd": "abd", "b": "b"}
    assert shortest(["20260418T031100Z-a-1", "20260418T031100Z-b-2"]) == {
        "20260418T031100Z-a-1": "20260418T031100Z-a",
        "20260418T031100Z-b-2": "20260418T031100Z-b",
    }
