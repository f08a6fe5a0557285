"""`--version`, `list` and `lint` beside a Python that starts and does nothing.

`list` reads the four runbooks that ship as well as the 50. Unchanged: what an earlier `list` and `lint` found
is kept, and only the texts are read and compared. The first time: nothing is kept yet, and each is checked
whole. The 50 have their expressions in common, which are compiled once; 50 unlike ones would take longer.
"""

import shutil
import sys
from pathlib import Path

from bench.measure import Line, Sample, by_turns, compared, program
from bench.runbooks import make_runbooks

UNCHANGED, FIRST = "unchanged", "the first time"
REACHES = {
    "--version": 2.0,
    f"list, {UNCHANGED}": 6.0,
    f"lint, {UNCHANGED}": 10.0,
    f"list, {FIRST}": None,
    f"lint, {FIRST}": None,
}
BESIDE = "python -c pass"


def measure(work: Path) -> list[Line]:
    breakglass = Path(sys.executable).parent / "breakglass"
    runbooks = make_runbooks(work / "runbooks")
    names = sorted(str(path) for path in runbooks.glob("*/runbook.yaml"))

    def run(*words: str, cache: str = "cache") -> Sample:
        environment = {"BREAKGLASS_RUNBOOKS": str(runbooks), "XDG_CACHE_HOME": str(work / cache)}
        return program([breakglass, *words], environment)

    def first(*words: str) -> Sample:
        shutil.rmtree(work / "empty", ignore_errors=True)
        return run(*words, cache="empty")

    sides = {
        BESIDE: lambda: program([sys.executable, "-c", "pass"]),
        "--version": lambda: run("--version"),
        f"list, {UNCHANGED}": lambda: run("list"),
        f"lint, {UNCHANGED}": lambda: run("lint", *names),
        f"list, {FIRST}": lambda: first("list"),
        f"lint, {FIRST}": lambda: first("lint", *names),
    }
    medians = by_turns(sides, 5)
    return [
        line
        for command, reach in REACHES.items()
        for line in compared(f"{command}, 50 runbooks", medians, command, {BESIDE: reach}, cpu=True)
    ]
