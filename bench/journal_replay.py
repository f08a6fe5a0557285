"""Replay of a journal of 100,000 events, beside reading the file with `json.loads`.

Each side is a function in a process of its own, which times itself; only the reading is measured.
"""

from pathlib import Path

from bench.journals import extend, folder_in_memory
from bench.measure import Line, by_turns, compared, timed
from breakglass.journal.store import FILE_NAME

EVENTS = 100_000
LOADS = "[json.loads(line) for line in paths[0].open('rb')]"
REPLAY = "fold(read(paths[0]).records)"
IMPORTS = "from breakglass.journal.store import read; from breakglass.journal.state import fold"


def measure(work: Path) -> list[Line]:
    with folder_in_memory() as folder:
        extend(folder, EVENTS, create=True)
        return replays(folder / FILE_NAME)


def replays(journal: Path) -> list[Line]:
    sides = {
        "replay": lambda: timed(REPLAY, journal, before=IMPORTS),
        "json.loads": lambda: timed(LOADS, journal),
    }
    medians = by_turns(sides, 5)
    what = f"replay of {EVENTS:,} events"
    return compared(what, medians, "replay", {"json.loads": 3.0}, cpu=True)
