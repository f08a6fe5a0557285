"""Replay of a journal of 100,000 events, beside reading the file with `json.loads`.

Each side is a function in a process of its own, which times itself; only the reading is measured.
"""

import json
import sys
from pathlib import Path
from subprocess import run

from bench.journals import extend, folder_in_memory
from bench.measure import Line, Sample, by_turns, compared
from breakglass.session.journal import FILE_NAME

EVENTS = 100_000
LOADS = "[json.loads(line) for line in open(path, 'rb')]"
REPLAY = "fold(read(Path(path)).records)"
PROGRAM = """
import json, sys, time
from pathlib import Path
from breakglass.session.journal import read
from breakglass.session.state import fold
path = sys.argv[1]
cpu, clock = time.process_time(), time.perf_counter()
kept = {call}
print(json.dumps([time.perf_counter() - clock, time.process_time() - cpu]))
"""


def measure(work: Path) -> list[Line]:
    with folder_in_memory() as folder:
        extend(folder, EVENTS, create=True)
        return replays(folder / FILE_NAME)


def replays(journal: Path) -> list[Line]:
    sides = {"replay": lambda: timed(REPLAY, journal), "json.loads": lambda: timed(LOADS, journal)}
    medians = by_turns(sides, 5)
    what = f"replay of {EVENTS:,} events"
    return compared(what, medians, "replay", {"json.loads": 3.0}, cpu=True)


def timed(call: str, path: Path) -> Sample:
    argv = [sys.executable, "-c", PROGRAM.replace("{call}", call), str(path)]
    clock, cpu = json.loads(run(argv, check=True, capture_output=True, text=True).stdout)
    return Sample(clock, cpu)
