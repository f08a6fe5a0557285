"""What stands in a journal's file stays readable: the names of events, the values of fields that an earlier
version did not write, and which events are on the disk before anybody is told."""

import os
from pathlib import Path
from typing import get_args

import pytest

from breakglass.journal import events as e
from breakglass.journal.store import open_journal
from breakglass.values import Json

STEP: dict[str, Json] = {"step": "purge", "attempt": 2}
SESSION: dict[str, Json] = {
    "session": "s",
    "runbook": "r",
    "title": "t",
    "severity": "sev1",
    "runbook_path": "/r",
    "runbook_digest": "d",
    "site": "lab",
    "site_path": "/s",
    "production": False,
    "mode": "live",
    "operator": "o",
    "inputs": {},
    "version": "1",
    "host": "h",
    "pid": 1,
}

LEAST: dict[str, dict[str, Json]] = {
    "session.started": SESSION,
    "session.resumed": {"operator": "o", "host": "h", "pid": 1, "torn": 0},
    "accepted": {
        "by": "o",
        "what": "w",
        "runbook_digest": "d",
        "site_digest": "e",
        "site": "lab",
        "production": True,
    },
    "session.ended": {"result": "recovered"},
    "step.started": STEP,
    "action.prepared": {**STEP, "kind": "ssh", "command": "c", "where": "w", "risk": "read", "timeout": 1.5},
    "need.read": {**STEP, "need": "shm", "that": "used > 1", "holds": True, "observed": {}},
    "asked": {**STEP, "question": "confirm"},
    "confirmed": {**STEP, "by": "o", "typed": "web-1"},
    "declined": {**STEP, "by": "o"},
    "action.intended": {**STEP, "command": "c", "where": "w", "risk": "change"},
    "action.finished": {**STEP, "outcome": "succeeded", "seconds": 1.5},
    "verify.polled": {**STEP, "command": "c", "holds": True, "elapsed": 1.0, "within": 2.0},
    "captured": {**STEP, "values": {"a": 1}},
    "judged": {**STEP, "that": "a == 1", "holds": True, "observed": {"a": 1}},
    "step.finished": {**STEP, "state": "ok"},
    "decided": {"step": "purge", "command": "skip", "by": "o"},
    "answered": {**STEP, "value": 3, "by": "o"},
    "note.added": {"step": "purge", "text": "t", "by": "o"},
    "handed-over": {"by": "o", "to": "p"},
    "hint.shown": {"step": "purge", "text": "t"},
    "world.happened": {"kind": "rule", "name": "n", "say": "s"},
}
"""Of each event its name and the fewest fields of which it was ever written."""

ABSENT: dict[str, dict[str, Json]] = {
    "session.started": {"scenario": "", "incident_began": "", "site_digest": "", "headless": False},
    "session.ended": {"reason": ""},
    "action.prepared": {"item": 0, "items": 1, "because": ""},
    "need.read": {"before": {}, "message": "", "because": "", "means": ""},
    "asked": {
        "text": "",
        "command": "",
        "where": "",
        "on": "",
        "each": [],
        "risk": "",
        "impact": "",
        "undo": "",
        "server_says": "",
        "then": "",
        "earlier": "",
        "typed": "",
        "approvals": 1,
        "sign": "",
        "options": {},
        "suggests": "",
        "value_type": "",
        "pattern": "",
        "secret": False,
    },
    "confirmed": {"proof": "", "fingerprint": "", "signature": ""},
    "action.intended": {"item": 0},
    "action.finished": {
        "item": 0,
        "exit": None,
        "status": None,
        "fault": "",
        "message": "",
        "output": "",
        "output_bytes": 0,
        "output_lines": 0,
        "head": "",
        "tail": "",
    },
    "verify.polled": {
        "observed": {},
        "message": "",
        "because": "",
        "means": "",
        "held": 0.0,
        "soak": 0.0,
    },
    "judged": {"message": "", "means": ""},
    "step.finished": {"say": "", "goto": ""},
    "decided": {"reason": "", "goto": ""},
    "answered": {"note": ""},
}
"""What a field counts as where an earlier version did not write it."""

DURABLE = {
    "session.started",
    "session.resumed",
    "accepted",
    "session.ended",
    "confirmed",
    "action.intended",
    "action.finished",
    "decided",
    "answered",
    "step.finished",
    "note.added",
    "handed-over",
}


def test_every_event_has_the_name_that_journals_have_for_it() -> None:
    assert [kind.type for kind in get_args(e.Event)] == list(LEAST)


@pytest.mark.parametrize("name", LEAST)
def test_an_event_of_an_earlier_version_is_read_with_what_it_did_not_have_yet(name: str) -> None:
    event = e.decode(name, LEAST[name])
    assert event.type == name
    assert e.encode(event) == LEAST[name] | ABSENT.get(name, {})
    assert e.decode(name, e.encode(event)) == event


def test_two_events_share_none_of_the_values_that_they_had_not() -> None:
    for name in LEAST:
        for field, value in e.encode(e.decode(name, LEAST[name])).items():
            if isinstance(value, dict | list) and field not in LEAST[name]:
                one, other = (getattr(e.decode(name, LEAST[name]), field) for _ in range(2))
                assert one is not other


@pytest.mark.parametrize("name", LEAST)
def test_decisions_intents_and_outcomes_are_put_on_the_disk_and_nothing_else_waits_for_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path, create=True)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    journal.append(e.decode(name, LEAST[name]))
    assert len(synced) == (name in DURABLE)
    journal.close()


def test_an_event_that_this_version_does_not_know_is_no_record() -> None:
    with pytest.raises(ValueError, match="unknown event type 'tested'"):
        e.decode("tested", {})
    with pytest.raises(ValueError, match=r"event declined: .*'why'"):
        e.decode("declined", {**STEP, "by": "o", "why": "?"})
    with pytest.raises(ValueError, match=r"event declined: .*'by'"):
        e.decode("declined", STEP)
