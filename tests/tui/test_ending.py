"""The end of a walk is a card: what came of it, what was changed, what is open, whom to tell."""

from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.journal import events as e
from breakglass.report.ending import ending_of, status_message
from tests.tui.support import (
    AS,
    DELETE,
    START,
    ToldSession,
    asked_to_purge,
    before_the_purge,
    drawn,
    staged,
)


def purged(folder: Path, outcome: e.Outcome = "succeeded", *, mode: e.Mode = "live") -> ToldSession:
    """After the change; verified where it succeeded."""
    session = asked_to_purge(folder, mode=mode)
    session.tell(
        e.Confirmed("purge", 1, "oncall", session.state.waiting.typed if session.state.waiting else ""),
        e.ActionIntended("purge", 1, DELETE, AS, "destructive"),
        e.ActionFinished("purge", 1, outcome, 2.0),
    )
    if outcome == "succeeded":
        session.tell(
            e.VerifyPolled("purge", 1, "kubectl get", True, 8.0, 60.0, means="A pod with another uid runs"),
            e.StepFinished("purge", 1, "ok", goto="which"),
        )
    else:
        session.tell(e.StepFinished("purge", 1, "unknown", "may have happened"))
    return session


def test_an_ending_says_what_was_changed_and_that_it_was_verified(tmp_path: Path) -> None:
    session = purged(tmp_path)
    session.tell(e.SessionEnded("recovered"))
    ending = ending_of(session.state, replace(session.runbook, owner="platform", affected=("SSO",)))
    assert (ending.complete, ending.outcome) == (True, "Recovered")
    assert ending.changed == (f"{DELETE} as {AS}: done and verified",)
    assert ending.still_open == ()
    assert ending.tell == ("platform", "SSO")


def test_what_nobody_settled_stays_open(tmp_path: Path) -> None:
    session = purged(tmp_path, "unknown")
    session.tell(
        e.Decided("login", "skip", "oncall", "no browser here"), e.SessionEnded("stopped", "called storage")
    )
    ending = ending_of(session.state, session.runbook)
    assert (ending.complete, ending.outcome) == (False, "Stopped: called storage")
    assert ending.changed == (f"{DELETE} as {AS}: MAY HAVE HAPPENED; step unknown",)
    assert ending.still_open == ("Delete the outpost pod: MAY HAVE HAPPENED",)


def test_a_status_message_has_the_findings_and_the_changes(tmp_path: Path) -> None:
    message = status_message(purged(tmp_path).state, purged(tmp_path).runbook, START)
    assert message.split("\n")[:2] == [
        "SEV1 main (prod): Purge a full /dev/shm in the SSO outpost",
        "Status 14:00Z: at 'Delete the outpost pod'",
    ]
    assert "- /dev/shm is full (100 %)\n- A pod with another uid runs" in message
    assert f"Changed: {DELETE} as {AS}: done and verified" in message
    assert "Still open" not in message


def test_a_status_message_of_a_rehearsal_says_so_first(tmp_path: Path) -> None:
    session = before_the_purge(tmp_path, mode="rehearsal")
    message = status_message(session.state, session.runbook, START)
    assert message.startswith("REHEARSAL, nothing real is touched. SEV1")
    assert "Changed: nothing so far" in message


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_the_end_is_a_card_over_the_last_step(tmp_path: Path, size: tuple[int, int]) -> None:
    session = purged(tmp_path)
    session.tell(e.SessionEnded("recovered"))
    app = staged(session)
    async with app.run_test(size=size) as pilot:
        text = await drawn(app, pilot)
        assert "OUTCOME Recovered" in text and "COMPLETE" in text
        assert "CHANGED kubectl delete pod" in text
        assert "TELL the runbook names nobody" in text
        await pilot.press("u")
        assert "copied a status message" in await drawn(app, pilot)
        assert app.clipboard.startswith("SEV1 main (prod)")


@pytest.mark.parametrize(("mode", "words"), [("live", "stopped, can be resumed"), ("rehearsal", "stopped")])
async def test_a_rehearsal_that_was_stopped_is_not_said_to_be_resumed(
    tmp_path: Path, mode: e.Mode, words: str
) -> None:
    session = before_the_purge(tmp_path, mode=mode)
    session.tell(e.SessionEnded("stopped", "tea"))
    app = staged(session)
    async with app.run_test(size=(120, 40)) as pilot:
        text = await drawn(app, pilot)
        assert words in text
        assert ("resumed" in text) == (mode == "live")
        assert "OUTCOME Stopped: tea" in text and "STOPPED" in text
