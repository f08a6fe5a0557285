"""`--version`, `list` and `lint` beside a Python that starts and does nothing.

`list` reads the four runbooks that ship as well as the 50.
"""

import sys
from pathlib import Path

from bench.measure import Line, Sample, by_turns, compared, program
from bench.runbooks import make_runbooks

REACHES = {"--version": 2.0, "list": 6.0, "lint": 10.0}
BESIDE = "python -c pass"


def measure(work: Path) -> list[Line]:
    breakglass = Path(sys.executable).parent / "breakglass"
    environment = {"BREAKGLASS_RUNBOOKS": str(make_runbooks(work / "runbooks"))}

    def run(*words: str) -> Sample:
        return program([breakglass, *words], environment)

    names = sorted(str(path) for path in (work / "runbooks").glob("*/runbook.yaml"))
    sides = {
        BESIDE: lambda: program([sys.executable, "-c", "pass"]),
        "--version": lambda: run("--version"),
        "list": lambda: run("list"),
        "lint": lambda: run("lint", *names),
    }
    medians = by_turns(sides, 5)
    return [
        line
        for command, reach in REACHES.items()
        for line in compared(f"{command}, 50 runbooks", medians, command, {BESIDE: reach}, cpu=True)
    ]
