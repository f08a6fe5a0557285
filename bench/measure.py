"""Timing by turns, medians, and the table.

All sides of a comparison run by turns in the same run, so that what else the machine does falls on each of
them alike. A program's time is taken twice: by the clock, and as the processor time that it used, which a
busy machine stretches far less.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run took, in seconds. `cpu` is the user and system time of all its processes."""

    clock: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    reach: the largest ratio that is wanted; with `at_least`, the smallest; without a peer it is about `ours`
    itself. None: shown, and nothing is wanted.
    """

    what: str
    ours: float
    unit: str
    beside: str = ""
    theirs: float | None = None
    reach: float | None = None
    at_least: bool = False

    @property
    def compared(self) -> float:
        """The ratio, or the value itself where there is no peer."""
        return self.ours if self.theirs is None else self.ours / self.theirs

    @property
    def met(self) -> bool | None:
        if self.reach is None:
            return None
        return self.compared >= self.reach if self.at_least else self.compared <= self.reach


def by_turns(sides: Mapping[str, Callable[[], Sample]], rounds: int, *, unseen: int = 1) -> dict[str, Sample]:
    """The medians of each side, after `unseen` rounds that do not count."""
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for turn in range(rounds + unseen):
        for name, run in sides.items():
            sample = run()
            if turn >= unseen:
                samples[name].append(sample)
    return {name: median(each) for name, each in samples.items()}


def median(samples: Sequence[Sample]) -> Sample:
    return Sample(
        statistics.median(each.clock for each in samples), statistics.median(each.cpu for each in samples)
    )


def program(argv: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Sample:
    """Run a program to its end, its output thrown away. Raises RuntimeError when it fails."""
    before = children_cpu()
    started = time.perf_counter()
    done = subprocess.run(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
    return Sample(seconds, children_cpu() - before)


def timed(call: str, *paths: Path, before: str = "") -> Sample:
    """Time a call in a Python of its own, where nothing is cached or in memory yet, after what is to be done
    `before` it. `paths` is there for both, and `Path` and `json`."""
    argv = [sys.executable, "-c", TIMED.format(before=before, call=call), *map(str, paths)]
    clock, cpu = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    return Sample(clock, cpu)


TIMED = """
import json, sys, time
from pathlib import Path
paths = [Path(each) for each in sys.argv[1:]]
{before}
cpu, clock = time.process_time(), time.perf_counter()
kept = {call}
print(json.dumps([time.perf_counter() - clock, time.process_time() - cpu]))
"""


def called(function: Callable[[], object]) -> Sample:
    """Call a function in this process."""
    cpu, clock = time.process_time(), time.perf_counter()
    function()
    return Sample(time.perf_counter() - clock, time.process_time() - cpu)


def compared(
    what: str,
    medians: Mapping[str, Sample],
    ours: str,
    reaches: Mapping[str, float | None],
    *,
    cpu: bool = False,
) -> list[Line]:
    """A line for each peer, by the clock, and with `cpu` one more by processor time."""
    lines: list[Line] = []
    for beside, reach in reaches.items():
        mine, theirs = medians[ours], medians[beside]
        lines.append(Line(what, mine.clock * 1000, "ms", beside, theirs.clock * 1000, reach))
        if cpu:
            lines.append(Line(f"{what}, CPU", mine.cpu * 1000, "ms", beside, theirs.cpu * 1000, reach))
    return lines


def table(lines: Sequence[Line]) -> str:
    """The lines as a Markdown table."""
    rows = [("what", "breakglass", "beside", "it takes", "ratio", "reach", "met")]
    rows += [_row(line) for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, tuple("-" * width for width in widths))  # type: ignore[arg-type]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    )


def _row(line: Line) -> tuple[str, str, str, str, str, str, str]:
    reach = ""
    if line.reach is not None:
        bound = "≥" if line.at_least else "≤"
        reach = f"{bound} {line.reach:,.4g}" + (f" {line.unit}" if line.theirs is None else "")
    return (
        line.what,
        f"{_number(line.ours)} {line.unit}",
        line.beside,
        f"{_number(line.theirs)} {line.unit}" if line.theirs is not None else "",
        f"{line.compared:.2f}" if line.theirs is not None else "",
        reach,
        "" if line.met is None else "yes" if line.met else "no",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
