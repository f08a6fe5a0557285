"""From exec to the first painted frame of a resumed session with 100,000 events, and to its walk.

Beside it a new session of the same runbook on the same site, in the same terminal. Both come to the same
step, which waits for a person: the resumed one was cut short there. The first frame is there when anything
of the program's own was written, the walk when the step's own words were.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from bench.journals import STEPS, a_start, folder_in_memory, walked
from bench.measure import Line, Sample, by_turns, children_cpu
from bench.terminal import in_terminal
from breakglass.journal import events as e
from breakglass.journal.folders import new_session, prepare
from breakglass.journal.store import open_journal
from breakglass.runbook.load import load_runbook

EVENTS = 100_000
AT, WORDS = "here", "Look at the clock on the wall."
MARKS = {"the first frame": b"Opening ", "the walk": WORDS.encode()}
"""What is written when a session is being opened, and when its step can be read."""
RUNBOOK = f"""\
runbook: long-walk
title: A long walk
summary: Waits for a person.
severity: sev3
steps:
  - {{id: {AT}, title: Wait here, manual: {WORDS}}}
"""
SITE = "site: bench\nproduction: false\n"


def measure(work: Path) -> list[Line]:
    runbook, site = work / "runbook.yaml", work / "site.yaml"
    steps = "".join(
        f"  - {{id: step-{number:03}, title: Look at it, manual: Look.}}\n" for number in range(STEPS)
    )
    runbook.write_text(RUNBOOK + steps)
    site.write_text(SITE)
    breakglass = Path(sys.executable).parent / "breakglass"
    with folder_in_memory() as state:
        session = cut_short(state, runbook, site)
        argvs = {
            "resumed": [breakglass, "resume", session],
            "new": [breakglass, "run", runbook, "--site", site],
        }
        return [line for what, mark in MARKS.items() for line in _lines(what, mark, argvs, work, state)]


def _lines(
    what: str, mark: bytes, argvs: Mapping[str, Sequence[str | Path]], work: Path, state: Path
) -> list[Line]:
    sides: dict[str, Callable[[], Sample]] = {
        name: (lambda argv=argv: _painted(argv, mark, work, state)) for name, argv in argvs.items()
    }
    medians = by_turns(sides, 7)
    resumed, new = medians["resumed"], medians["new"]
    title = f"resume of {EVENTS:,} events, exec to {what}"
    return [
        Line(title, resumed.clock * 1000, "ms", "a new session", new.clock * 1000),
        Line(f"{title}, CPU", resumed.cpu * 1000, "ms", "a new session", new.cpu * 1000),
        Line(f"{title}: more than a new session", (resumed.clock - new.clock) * 1000, "ms", reach=1000.0),
    ]


def _painted(argv: Sequence[str | Path], mark: bytes, work: Path, state: Path) -> Sample:
    places = {"BREAKGLASS_STATE": str(state), "HOME": str(work)}
    before, started = children_cpu(), time.perf_counter()
    with in_terminal(argv, places, work) as (screen, _):
        screen.until(mark)
        seconds = time.perf_counter() - started
    return Sample(seconds, children_cpu() - before)


def cut_short(state: Path, runbook: Path, site: Path) -> str:
    """A session whose program was killed while it waited at a step. Returns its name."""
    folder = new_session(prepare(state), "long-walk")
    journal = open_journal(folder.path, create=True)
    for event in _events(folder.name, runbook, site):
        journal.append(event)
    journal.close()
    return folder.name


def _events(session: str, runbook: Path, site: Path) -> Iterator[e.Event]:
    digest = load_runbook(runbook).digest
    yield replace(a_start(session), runbook_path=str(runbook), runbook_digest=digest, site_path=str(site))
    yield from islice(walked(), EVENTS - 3)
    yield e.StepStarted(AT, 1)
    yield e.Asked(AT, 1, "acknowledge", text=WORDS)
