"""The tests of a runbook: what they are, and how each is run.

    right      a scenario's walk, as the scenario says, comes to what it expects
    trap NAME  a trap that is taken on purpose is refused by its guard, or named by the review
    dry run    a dry run leaves the world exactly as it was
    failing    each command that the walk sent, against a far side that refuses, hangs and is empty

Each runs in a process of its own pool, in a folder that goes away with it. A command fails in the first
scenario that comes to it: the recorded incident, then the others by name.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from breakglass.errors import BreakglassError
from breakglass.rehearsal.load import load_scenario
from breakglass.rehearsal.names import name_problems
from breakglass.runbook.actions import reaches_outside
from breakglass.runbook.library import Found
from breakglass.runbook.load import load_runbook
from breakglass.testing import replay, walks
from breakglass.testing.failures import refuses_hangs_empty

RIGHT, DRY_RUN, TRAP, FAILING = "right", "dry run", "trap", "failing"
IN_MEMORY = Path("/dev/shm")
"""Where the records of tests go, if it is there: none of them is to outlive a crash."""


@dataclass(frozen=True, slots=True)
class TestCase:
    """One test: a walk of a scenario. `trap` is the one that is taken; `steps` are those that fail."""

    __test__ = False
    runbook: str
    path: Path
    scenario: Path
    kind: str
    trap: str = ""
    steps: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{TRAP} {self.trap}" if self.trap else self.kind


@dataclass(frozen=True, slots=True)
class TestResult:
    """What a test found wrong, in words, and the real seconds that it took. `reached`: the steps whose
    commands were sent. `untried`: failures that could not be tried, as the walk does not come there again."""

    __test__ = False
    case: TestCase
    wrong: tuple[str, ...]
    seconds: float
    reached: tuple[str, ...] = ()
    tried: int = 0
    untried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of a runbook's steps with a command: those that no scenario comes to."""

    runbook: str
    steps: int
    unreached: tuple[str, ...]


def cases_of(found: Found, only: Sequence[Path] = ()) -> list[TestCase]:
    """Every walk of a runbook's scenarios, or of these only. Raises InvalidFileError for a file that cannot
    be used."""
    load_runbook(found.path)
    cases: list[TestCase] = []
    for scenario in only or found.scenarios:
        loaded = load_scenario(scenario)

        def case(kind: str, trap: str = "", scenario: Path = scenario) -> TestCase:
            return TestCase(found.name, found.path, scenario, kind, trap)

        cases += [case(RIGHT), case(DRY_RUN), *(case(TRAP, trap.name) for trap in loaded.traps if trap.take)]
    return cases


def run_cases(
    cases: Sequence[TestCase], processes: int, done: Callable[[TestResult], None]
) -> tuple[list[TestResult], list[Coverage]]:
    """Run every case, then each command's failures; `done` is told of each result as it comes."""
    results: list[TestResult] = []

    def finished(waiting: Sequence["Future[TestResult]"]) -> None:
        for each in as_completed(waiting):
            results.append(each.result())
            done(results[-1])

    with ProcessPoolExecutor(processes, get_context("spawn"), walks.preload) as pool:
        finished([pool.submit(run_case, case) for case in cases])
        finished([pool.submit(run_case, case) for case in failing_cases(results)])
    order = {case: number for number, case in enumerate(cases)}
    results.sort(key=lambda each: order.get(each.case, len(order)))
    return results, [*coverage(results)]


def failing_cases(results: Sequence[TestResult]) -> Iterator[TestCase]:
    """For each right walk the steps whose commands fail there: those that no walk before it came to."""
    taken: set[tuple[str, str]] = set()
    rights = [each for each in results if each.case.kind == RIGHT and not each.wrong]
    rights.sort(key=lambda each: (each.case.runbook, not _is_recorded(each.case), each.case.scenario.name))
    for each in rights:
        case = each.case
        steps = tuple(step for step in each.reached if (case.runbook, step) not in taken)
        taken |= {(case.runbook, step) for step in steps}
        if steps:
            yield TestCase(case.runbook, case.path, case.scenario, FAILING, steps=steps)


def _is_recorded(case: TestCase) -> bool:
    return load_scenario(case.scenario).recorded


def coverage(results: Sequence[TestResult]) -> Iterator[Coverage]:
    """For each runbook, the steps with a command that no right walk came to."""
    for path in dict.fromkeys(each.case.path for each in results):
        mine = [each for each in results if each.case.path == path and each.case.kind == RIGHT]
        reached = {step for each in mine for step in each.reached}
        steps = [step.id for step in load_runbook(path).steps if reaches_outside(step.action)]
        unreached = tuple(step for step in steps if step not in reached)
        yield Coverage(mine[0].case.runbook, len(steps), unreached)


def run_case(case: TestCase) -> TestResult:
    """Run one case, in a process that does nothing else meanwhile."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(
        prefix="breakglass-test-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None
    ) as folder:
        try:
            result = asyncio.run(_run(case, Path(folder)))
        except BreakglassError as error:
            result = TestResult(case, (str(error),), 0.0)
    seconds = time.monotonic() - started
    return TestResult(case, result.wrong, seconds, result.reached, result.tried, result.untried)


async def _run(case: TestCase, folder: Path) -> TestResult:
    scenario = load_scenario(case.scenario)
    speed = scenario.walk.speed or walks.FAST
    if case.kind == DRY_RUN:
        slow = scenario.walk.dry_speed or walks.STANDING_STILL
        walked = await walks.walk_scenario(case.path, case.scenario, folder, mode="dry-run", speed=slow)
        return TestResult(case, tuple(walks.wrong_in_dry_run(walked)), 0.0)
    if case.kind == TRAP:
        trap = next(each for each in scenario.traps if each.name == case.trap)
        walked = await walks.walk_scenario(case.path, case.scenario, folder, trap=case.trap, speed=speed)
        return TestResult(case, tuple(walks.wrong_in_trap(walked, trap)), 0.0)
    recording = await replay.record_walk(case.path, case.scenario, folder / "right", speed)
    wrong = [*_wrong_names(case), *walks.wrong_in_right_walk(recording.walked)]
    if case.kind == RIGHT:
        return TestResult(case, tuple(wrong), 0.0, tuple(recording.steps))
    return await _fail_each(case, recording, folder)


def _wrong_names(case: TestCase) -> Iterator[str]:
    problems = name_problems(load_scenario(case.scenario), load_runbook(case.path))
    yield from (str(each) for each in problems if not each.warning)


async def _fail_each(case: TestCase, recording: replay.Recording, folder: Path) -> TestResult:
    """Let each command of a case's steps fail in each way that all must stand."""
    wrong: list[str] = []
    untried: list[str] = []
    injections = [*recording.injections(case.steps, refuses_hangs_empty)]
    for number, injection in enumerate(injections):
        tried = await replay.try_failure(recording, injection, folder / str(number))
        wrong += tried.wrong
        untried += [] if tried.came else [str(injection)]
    return TestResult(case, tuple(wrong), 0.0, tried=len(injections) - len(untried), untried=tuple(untried))
