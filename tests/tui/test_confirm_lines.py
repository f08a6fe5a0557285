"""What a confirmation says, line by line, with what stands out in it."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.text import Text

from breakglass.journal import events as e
from breakglass.tui.dialogs.confirm_lines import confirmation_lines
from breakglass.tui.theme import Appearance
from tests.tui.support import AS, DELETE, POD, ToldSession, asked_to_purge, confirmation

LOOK = Appearance()
LABEL = f"bold {LOOK.style('muted')}"
FAILED = f"bold {LOOK.style('failed')}"
UNKNOWN = f"bold {LOOK.style('unknown')}"
WIDE = 200
Row = tuple[str, str, str]


def lines_of(session: ToldSession, asked: e.Asked) -> list[Text]:
    return confirmation_lines(asked, session.state, WIDE, LOOK)


def rows(folder: Path, **asked: object) -> list[Row]:
    """Label, value and the value's style of each row, but for what was read again."""
    session = asked_to_purge(folder)
    lines = lines_of(session, replace(confirmation(), **asked))  # type: ignore[arg-type]
    return [row(line) for line in lines if line.plain[:2] != "  "]


def row(line: Text) -> Row:
    label, *rest = line.spans
    assert (label.start, label.end, str(label.style)) == (0, 10, LABEL)
    return line.plain[:10].strip(), line.plain[10:], " ".join(str(span.style) for span in rest)


def row_of(folder: Path, label: str, **asked: object) -> Row:
    (found,) = [each for each in rows(folder, **asked) if each[0] == label]
    return found


def test_each_thing_that_counts_is_said_once_and_the_command_stands_out(tmp_path: Path) -> None:
    found = rows(tmp_path, on=f"pod   {POD}", undo="apply it again")
    assert [each for each in found if each[0] != "NEEDS"] == [
        ("WILL RUN", DELETE, "bold"),
        ("ON", f"pod   {POD}", ""),
        ("AS", AS, ""),
        ("BREAKS", "Logins in flight are lost; sites answer 401 or 5xx for about 10 s.", ""),
        ("UNDO", "apply it again", ""),
        ("SERVER", "dry run accepted", ""),
        ("THEN", "verify: A pod with another uid is running, within 60 s. If not: stop and call", ""),
    ]


def test_what_is_to_be_accepted_says_what_that_means_and_asks_for_no_more(tmp_path: Path) -> None:
    said = {"command": "- a", "impact": "other steps", "then": "it goes on", "earlier": "x"}
    found = rows(tmp_path, question="accept", **said)
    assert found == [
        ("CHANGED", "- a", "bold"),
        ("EARLIER", "x", UNKNOWN),
        ("MEANS", "other steps", ""),
        ("THEN", "it goes on", ""),
    ]


def test_what_is_not_known_is_said_and_not_left_out(tmp_path: Path) -> None:
    assert row_of(tmp_path, "BREAKS", impact="")[1] == "the runbook does not say"
    assert row_of(tmp_path, "UNDO", undo="") == ("UNDO", "NONE", FAILED)
    assert row_of(tmp_path, "UNDO", undo="NONE") == ("UNDO", "NONE", FAILED)
    assert row_of(tmp_path, "SERVER", server_says="") == ("SERVER", "dry run not supported", "")
    assert row_of(tmp_path, "THEN", then="")[1] == "No automatic check. Verify by hand"


def test_a_refusal_and_an_earlier_attempt_stand_out(tmp_path: Path) -> None:
    said = "dry run refused: forbidden"
    assert row_of(tmp_path, "SERVER", server_says=said) == ("SERVER", said, FAILED)
    assert row_of(tmp_path, "EARLIER", earlier="sent at 14:00") == ("EARLIER", "sent at 14:00", UNKNOWN)
    assert not any(label == "EARLIER" for label, _, _ in rows(tmp_path))


def test_who_has_agreed_is_said_where_several_must(tmp_path: Path) -> None:
    assert not any(label == "AGREED" for label, _, _ in rows(tmp_path, approvals=1))
    assert row_of(tmp_path, "AGREED", approvals=2)[1] == (
        "nobody yet; 2 people must. The second name is not proven"
    )
    assert row_of(tmp_path, "AGREED", approvals=2, sign="text")[1] == (
        "nobody yet; 2 people must, the second by an SSH signature"
    )
    session = asked_to_purge(tmp_path, approvals=2)
    session.tell(e.Confirmed("purge", 1, "oncall", POD))
    assert session.state.waiting is not None
    agreed = [
        row(line) for line in lines_of(session, session.state.waiting) if line.plain.startswith("AGREED")
    ]
    assert agreed == [("AGREED", "oncall; 2 people must. The second name is not proven", "")]


# -------------------------------------------------------------------- what was read again
def needs(folder: Path, *read: e.NeedRead) -> list[Text]:
    """The lines from NEEDS to SERVER, with these needs after those of the session."""
    session = asked_to_purge(folder)
    session.tell(*read)
    lines = lines_of(session, confirmation())
    labels = [line.plain[:10].strip() for line in lines]
    return lines[labels.index("NEEDS") : labels.index("SERVER")]


@pytest.mark.parametrize("name", ["guard", "uid"])
def test_a_guard_and_the_uid_need_no_name(tmp_path: Path, name: str) -> None:
    line = needs(tmp_path, e.NeedRead("purge", 1, name, "x > 1", True, {"x": 2}))[-1]
    assert line.plain == f"  {LOOK.mark('ok')} x > 1   x = 2"
    assert {str(span.style) for span in line.spans} == {LOOK.mark_style("ok")}


def test_a_need_is_named_after_its_step(tmp_path: Path) -> None:
    line = needs(tmp_path, e.NeedRead("purge", 1, "disk", "x > 1", True, {"x": 2}))[-1]
    assert line.plain == f"  {LOOK.mark('ok')} disk: x > 1   x = 2"


def test_a_need_that_does_not_hold_says_why_and_stands_out(tmp_path: Path) -> None:
    read = e.NeedRead("purge", 1, "disk", "x > 1", False, {"x": 0}, message="it is empty")
    line = needs(tmp_path, read)[-1]
    assert line.plain == f"  {LOOK.mark('failed')} disk: x > 1   x = 0  DOES NOT HOLD: it is empty"
    assert {str(span.style) for span in line.spans} == {FAILED}


def test_a_need_that_was_vouched_for_says_by_whom(tmp_path: Path) -> None:
    read = e.NeedRead("purge", 1, "disk", "x > 1", True, {"x": 2}, because="the site: smartctl *")
    assert needs(tmp_path, read)[-1].plain.endswith("x = 2   READ (the site: smartctl *)")
    assert "READ (" not in "".join(line.plain for line in needs(tmp_path / "none"))


def test_when_the_needs_were_read_is_when_the_last_was(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path)
    session.tell(e.NeedRead("purge", 1, "disk", "x > 1", True, {"x": 2}), after=75)
    later = session.now
    said = [row(line) for line in lines_of(session, confirmation()) if line.plain.startswith("NEEDS")]
    assert said == [("NEEDS", f"re-read {later:%H:%M:%S}Z", "")]


def test_a_step_without_needs_says_so(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path)
    for step in ("shm", "nothing-like-it"):
        asked = replace(confirmation(), step=step)
        said = [row(line) for line in lines_of(session, asked) if line.plain.startswith("NEEDS")]
        assert said == [("NEEDS", "the runbook names none", "")]
