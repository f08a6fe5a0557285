"""Journals as a long walk leaves them, written by the program's own journal.

They are made on a file system in memory, where waiting for the disk costs nothing.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from breakglass.journal import events as e
from breakglass.journal.store import open_journal

STEPS = 200
IN_MEMORY = "/dev/shm"


@contextmanager
def folder_in_memory() -> Generator[Path]:
    where = IN_MEMORY if Path(IN_MEMORY).is_dir() else None
    with TemporaryDirectory(prefix="bench-", dir=where) as folder:
        yield Path(folder)


def extend(folder: Path, count: int, *, create: bool = False) -> None:
    """Add events to the journal in a session's folder."""
    journal = open_journal(folder, create=create)
    first = [a_start(folder.name)] if create else []
    for event in [*first, *islice(walked(), count - len(first))]:
        journal.append(event)
    journal.close()


def a_start(session: str) -> e.SessionStarted:
    return e.SessionStarted(
        session=session,
        runbook="long-walk",
        title="A long walk",
        severity="sev2",
        runbook_path="runbook.yaml",
        runbook_digest="0" * 64,
        site="bench",
        site_path="site.yaml",
        production=False,
        mode="live",
        operator="operator",
        inputs={"namespace": "web"},
        version="0",
        host="bench",
        pid=1,
    )


def walked() -> Iterator[e.Event]:
    """Reads that poll and are judged, on one step after the other, again and again. Never ends."""
    attempt = 0
    while True:
        attempt += 1
        for number in range(STEPS):
            yield from _attempt(f"step-{number:03}", attempt)


def _attempt(step: str, attempt: int) -> Iterator[e.Event]:
    command = "kubectl get pods --namespace web --selector app=web --output json"
    that = "result.json.items.all(p, p.status.phase == 'Running')"
    yield e.StepStarted(step, attempt)
    yield e.ActionPrepared(step, attempt, "kubectl", command, "cluster main (127.0.0.1:6443)", "read", 30.0)
    yield e.ActionFinished(
        step,
        attempt,
        "succeeded",
        0.125,
        exit=0,
        output="0" * 64 + ".txt",
        output_bytes=4096,
        output_lines=128,
        head="{\n" + '  "apiVersion": "v1",\n' * 4,
        tail="  ]\n}",
    )
    for poll in range(4):
        yield e.VerifyPolled(
            step, attempt, command, poll == 3, poll * 2.0, 60.0, {"ready": poll, "wanted": 3}
        )
    yield e.Captured(step, attempt, {"pod": f"web-{attempt}", "uid": "3f0c9a52-8f4e-4c36-9d0e-2f6b2b0b1a55"})
    yield e.Judged(step, attempt, that, True, {"result.json.items": ["web-1", "web-2", "web-3"]})
    yield e.StepFinished(step, attempt, "ok", "All pods run.")
