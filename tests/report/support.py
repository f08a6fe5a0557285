"""Sessions for reports, made of events alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from breakglass.journal import events as e
from breakglass.journal.state import Recorded

BEGAN = datetime(2026, 4, 18, 3, 11, tzinfo=UTC)


def started(**given: object) -> e.SessionStarted:
    """The beginning of a live walk on the site lab, or what is given instead."""
    usual: dict[str, object] = {
        "session": "20260418T031100Z-example-0000",
        "runbook": "example",
        "title": "An example",
        "severity": "sev2",
        "runbook_path": "runbook.yaml",
        "runbook_digest": "0",
        "site": "lab",
        "site_path": "",
        "production": False,
        "mode": "live",
        "operator": "root",
        "inputs": {},
        "version": "0",
        "host": "laptop",
        "pid": 1,
    }
    return e.SessionStarted(**{**usual, **given})  # type: ignore[arg-type]


def recorded(*events: e.Event) -> Iterator[Recorded]:
    """The events, a second apart."""
    for sequence, event in enumerate(events, start=1):
        yield Recorded(sequence, BEGAN + timedelta(seconds=sequence - 1), float(sequence - 1), event)
