"""The draft tells an incident in a dozen rows, and says what is known of it and what only a person knows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from breakglass.journal import events as e
from breakglass.journal.state import State, fold
from breakglass.report.incident import MOST_ROWS, causes, moments, rows
from breakglass.report.markdown import markdown
from breakglass.report.postmortem import post_mortem
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from tests.engine.support import write_runbook
from tests.report.support import recorded, started

STEPS = """\
  - id: seen
    title: Ask the site
    phase: Cause
    http: {get: app}
    next: [{goto: disk, say: It fails.}]
  - id: disk
    title: Look at the disk
    phase: Cause
    ssh: {host: pve, run: df}
    expect: [{that: result.exit == 0, else: No.}]
  - {id: log, title: Read the log, phase: Cause, ssh: {host: pve, run: cat log}}
  - id: purge
    title: Purge the disk
    phase: Purge
    ssh: {host: pve, run: rm -f /tmp/x}
    risk: destructive
    impact: Files are gone.
    needs: [disk]
    confirm: {type: "x@lab"}
    verify: {ssh: {host: pve, run: df}, until: result.exit == 0, means: The disk is free, within: 60s}
    followup: Give the disk a size that lasts.
  - {id: after, title: Ask the site again, phase: After, http: {get: app}}
  - {id: over, title: The site answers again, ends: recovered}
"""


@pytest.fixture
def runbook(tmp_path: Path) -> Runbook:
    return load_runbook(write_runbook(tmp_path, STEPS))


def read(step: str, found: str, attempt: int = 1) -> list[e.Event]:
    return [
        e.StepStarted(step, attempt),
        e.Judged(step, attempt, "x", holds=True, observed={"x": 1}, means=found),
        e.StepFinished(step, attempt, "ok"),
    ]


def changed(step: str = "purge", attempt: int = 1) -> list[e.Event]:
    return [
        e.StepStarted(step, attempt),
        e.Confirmed(step, attempt, "root", "x@lab"),
        e.ActionIntended(step, attempt, "rm -f /tmp/x", "pve", "destructive"),
        e.ActionFinished(step, attempt, "succeeded", 0.1),
        e.VerifyPolled(step, attempt, "df", True, 8.0, 60.0, means="The disk is free"),
        e.StepFinished(step, attempt, "ok", "sent and verified"),
    ]


def session(*events: Sequence[e.Event], began: str = "") -> State:
    return fold(recorded(started(incident_began=began), *(each for some in events for each in some)))


SHORT = (
    read("disk", "The disk is full (100 %)"),
    changed(),
    read("after", "The site answers 200"),
    [e.StepStarted("over", 1), e.StepFinished("over", 1, "ok"), e.SessionEnded("recovered")],
)


def test_a_short_walk_has_a_row_for_each_thing_that_happened(runbook: Runbook) -> None:
    assert [row.text for row in rows(session(*SHORT), runbook)] == [
        "root began the walk on lab",
        "The disk is full (100 %)",
        "root sent “Purge the disk”. Verified after 8 s: The disk is free",
        "The site answers 200",
        "Recovered: The site answers again",
    ]


def test_of_many_findings_those_that_decided_are_named_and_the_others_counted(runbook: Runbook) -> None:
    many = [read("log", f"Line {number} is well", number) for number in range(1, 40)]
    found = rows(session(read("disk", "The disk is full (100 %)"), *many, *SHORT), runbook)
    assert len(found) == MOST_ROWS
    assert any("The disk is full (100 %)" in row.text and "more checks)" in row.text for row in found)
    assert any("root sent “Purge the disk”" in row.text for row in found)


def test_nothing_that_was_sent_is_left_out_to_have_few_rows(runbook: Runbook) -> None:
    sent = [changed(attempt=number) for number in range(1, 20)]
    assert sum("root sent" in row.text for row in rows(session(*sent), runbook)) == 19


def test_failures_of_the_same_kind_are_one_row(runbook: Runbook) -> None:
    failed = [
        [e.StepStarted("log", number), e.StepFinished("log", number, "failed", "timed out")]
        for number in (1, 2, 3)
    ]
    (row,) = [each.text for each in rows(session(*failed), runbook) if "failed" in each.text]
    assert row == "Read the log: failed (3 times): timed out"


def test_a_change_without_an_outcome_may_have_happened(runbook: Runbook) -> None:
    text = rows(session(changed()[:3]), runbook)[-1].text
    assert "MAY HAVE HAPPENED" in text


def test_the_moments_come_from_the_record_and_from_the_alert(runbook: Runbook) -> None:
    when = moments(session(*SHORT, began="2026-04-18T02:58:00+00:00"), runbook)
    assert when is not None and when.alerted is not None
    assert when.alerted == datetime(2026, 4, 18, 2, 58, tzinfo=UTC)
    assert when.found is not None and when.mitigated is not None and when.verified is not None
    assert when.alerted < when.began < when.found < when.mitigated < when.verified
    assert (when.found_by, when.mitigated_by) == ("The disk is full (100 %)", "Purge the disk")


def test_what_the_walk_did_not_reach_is_said_and_asked_for(runbook: Runbook) -> None:
    draft = markdown(post_mortem(session(read("disk", "The disk is full (100 %)")), runbook, "0"))
    assert "| Mitigated | not in this walk |  | _to be written_ |" in draft


def test_the_draft_names_the_change_with_what_verified_it_and_the_follow_up(runbook: Runbook) -> None:
    draft = markdown(post_mortem(session(*SHORT), runbook, "0"))
    assert "- `rm -f /tmp/x` on pve: done and verified after 8 s: The disk is free" in draft
    assert (
        "| Prevent recurrence | Give the disk a size that lasts. | _to be written_ | _to be written_ |"
        in draft
    )


def test_the_cause_rests_on_what_was_found_before_the_first_change(runbook: Runbook) -> None:
    again = read("disk", "The disk is free (2 %)", 2)
    state = session(read("log", "The log is long"), *SHORT[:2], again)
    assert causes(state, runbook) == ["The disk is full (100 %)"]
