"""A rehearsal is held against the best one that a person walked to its end."""

from pathlib import Path

import pytest

from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder
from breakglass.journal.state import fold
from breakglass.journal.store import open_journal
from breakglass.report.past import best_run
from breakglass.runbook.load import load_runbook
from tests.engine.support import write_runbook
from tests.report.support import recorded, started

REHEARSED: dict[str, object] = {"mode": "rehearsal", "scenario": "recorded-incident"}
OVER = e.Happened("recovered", "recovered", "It is over.")


@pytest.mark.parametrize(
    ("given", "events", "counts"),
    [
        ({}, [OVER, e.SessionEnded("recovered")], True),
        ({}, [e.SessionEnded("escalate")], True),
        ({"headless": True}, [OVER, e.SessionEnded("recovered")], False),
        ({}, [OVER, e.SessionEnded("stopped", "gave up")], False),
        ({}, [e.SessionEnded("recovered")], False),
        ({}, [OVER], False),
        ({"scenario": "another"}, [OVER, e.SessionEnded("recovered")], False),
    ],
)
def test_only_what_a_person_walked_to_its_end_is_ever_best(
    tmp_path: Path, given: dict[str, object], events: list[e.Event], counts: bool
) -> None:
    name = "20260418T031100Z-example-0001"
    folder = SessionFolder(tmp_path / "sessions" / name)
    folder.path.mkdir(parents=True)
    journal = open_journal(folder.path, create=True)
    for event in (started(session=name, **{**REHEARSED, **given}), *events):
        journal.append(event)
    journal.close()
    this = fold(recorded(started(session="20260419T031100Z-example-0002", **REHEARSED)))
    runbook = load_runbook(write_runbook(tmp_path, "- {id: over, title: It is over, ends: recovered}\n"))
    assert (best_run(tmp_path, this, runbook) is not None) is counts
