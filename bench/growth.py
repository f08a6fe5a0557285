"""How the program grows: with steps, events, hosts and output, beside itself at a smaller size.

A ratio of 1 is linear: the time for each step, event, host or megabyte, beside that of the size before.
Runbooks are checked and hosts read in a Python of its own each time: one remembers the expressions that it
has compiled, and closes connections for a while after it has read.
"""

import gc
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from bench.journals import STEPS, a_start, folder_in_memory, walked
from bench.many_hosts import many_sshds
from bench.measure import Line, Sample, called, median, timed
from breakglass.cli.main import COLLECT_AFTER
from breakglass.journal.state import Recorded, fold
from breakglass.site.redaction import Redactor
from breakglass.transport.output import Recorder

READ_STEPS = (10, 100, 1_000)
"""Steps of a runbook; it holds 1,000 at most."""
EVENTS = (1_000, 10_000, 100_000)
HOSTS = (10, 50, 200)
OUTPUT = (1, 10, 100)
"""Megabytes."""
ROUNDS = 5
WALK = """
import asyncio, os
from breakglass.engine.autopilot import Script, walk
from breakglass.engine.session import Request
from breakglass.engine.opening import open_session
os.environ["BREAKGLASS_STATE"] = str(paths[2])
loop = asyncio.Runner()

sessions = [open_session(Request("live", paths[0], paths[1], pace="never")) for _ in range(2)]
engines = [loop.run(each.__aenter__()).engine for each in sessions]

def walked(engine):
    return loop.run(walk(engine, Script(confirms=False), "operator"))

walked(engines[0])
"""
"""Walks once before, so that nothing is imported or compiled when it counts."""
LOAD = "from breakglass.runbook.load import load_runbook; load_runbook(paths[0])"
LINEAR = 1.25
"""What the time for one may grow by from one size to the next; a busy machine wavers by about that."""


def measure(work: Path) -> list[Line]:
    with many_sshds(work, max(HOSTS)) as places:
        described = work / "places.json"
        places.write(described)
        hosts = _grown("hosts read", HOSTS, lambda count: _hosts(described, count))
    return [
        *_grown("steps checked", READ_STEPS, lambda count: _steps(work, count)),
        *_grown("steps walked", READ_STEPS, lambda count: _walk(work, count)),
        *_grown(f"events folded, {STEPS} steps", EVENTS, _events),
        *hosts,
        *_grown("MB recorded", OUTPUT, _output),
    ]


def _grown(what: str, sizes: tuple[int, ...], measured: Callable[[int], Sample]) -> list[Line]:
    lines: list[Line] = []
    before: float | None = None
    for size in sizes:
        each = median([measured(size) for _ in range(ROUNDS)]).cpu * 1e6 / size
        beside = "" if before is None else "the size before"
        lines.append(
            Line(f"{size:,} {what}, CPU for one", each, "µs", beside, before, LINEAR if before else None)
        )
        before = each
    return lines


def _steps(work: Path, count: int) -> Sample:
    before = f"import gc; gc.set_threshold(*{COLLECT_AFTER})\n{LOAD}"
    return timed("load_runbook(paths[1])", _runbook(work, 1), _runbook(work, count), before=before)


def _walk(work: Path, count: int) -> Sample:
    """A walk with nobody at the keyboard, of steps that capture a value and judge it and send nothing."""
    path, site = work / f"walk-{count}.yaml", work / "site.yaml"
    head = "runbook: long\ntitle: Long\nsummary: Many steps.\nseverity: sev3\nsteps:\n"
    path.write_text(
        head
        + "".join(
            f"  - {{id: step-{number}, title: Count, capture: {{count_{number}: {number} + 1}}, "
            f"expect: [{{that: count_{number} > {number}, else: Too few.}}]}}\n"
            for number in range(count)
        )
    )
    site.write_text("site: bench\nproduction: false\n")
    with folder_in_memory() as state:
        return timed("walked(engines[1])", path, site, state, before=WALK)


def _runbook(work: Path, count: int) -> Path:
    path = work / f"steps-{count}.yaml"
    head = (
        "runbook: long\ntitle: Long\nsummary: Many steps.\nseverity: sev3\nuses: {clusters: [main]}\nsteps:\n"
    )
    path.write_text(head + "".join(_step(number) for number in range(count)))
    return path


def _step(number: int) -> str:
    return (
        f"  - id: step-{number}\n    title: Look at it\n    kubectl: get pods -n web -o json\n"
        f"    capture: {{pods_{number}: size(result.json.items)}}\n"
        f"    expect:\n      - {{that: pods_{number} > {number}, else: Too few.}}\n"
    )


def _hosts(places: Path, count: int) -> Sample:
    ready = "import asyncio; from bench.read_hosts import places_in, read_all"
    ready += "; places = places_in(paths[0]); asyncio.run(read_all(places, 1))"
    return timed(f"asyncio.run(read_all(places, {count}))", places, before=ready)


def _events(count: int) -> Sample:
    now = datetime.now(UTC)
    events = [a_start("bench"), *islice(walked(), count - 1)]
    records = [Recorded(number, now, 0.0, event) for number, event in enumerate(events, start=1)]
    gc.collect()
    gc.freeze()  # as reading a journal leaves its records
    return called(lambda: fold(records))


def _output(megabytes: int) -> Sample:
    piece = (f"{'x' * 99}\n" * 1000).encode()
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder), Redactor())

        def record() -> None:
            for _ in range(megabytes * 10):
                recorder("stdout", piece)
            recorder.finish()

        return called(record)
