"""Test runbooks: every scenario walked headless, rightly, into each of its traps and as a dry run, and each
command of it against a far side that refuses, hangs and is empty. Nothing leaves this machine.

examples:
  breakglass test                              every runbook that can be found, as `breakglass list` does
  breakglass test runbooks/                    every runbook of a folder
  breakglass test outpost-shm-purge -j 4       one runbook, in four processes
  breakglass test my/scenarios/two.yaml        one scenario
  breakglass test --junit report.xml           for a CI system
"""

import json
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from breakglass.exit_codes import ExitCode
from breakglass.runbook.library import Found, all_runbooks, find_runbook, runbook_beside, runbooks_in

if TYPE_CHECKING:
    from breakglass.testing.suite import Coverage, TestCase, TestResult


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="*", metavar="PATH", help="runbooks by name or file, folders, scenarios"
    )
    parser.add_argument(
        "-j", "--jobs", type=_count, default=os.cpu_count() or 1, metavar="N", help="how many walks at a time"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit XML")
    parser.add_argument("--json", action="store_true", help="one JSON object a test, then one a runbook")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text}: expected a number from 1")
    return int(text)


def run(arguments: Namespace) -> int:
    from breakglass.testing.suite import run_cases

    cases = [case for name in arguments.what or [""] for case in _cases(name)]
    if not cases:
        print(
            "no scenario was found, so nothing is tested; `breakglass new NAME` writes a first one",
            file=sys.stderr,
        )
        return ExitCode.USAGE
    shown = _Tally(len(cases), as_json=arguments.json)
    results, covered = run_cases(cases, arguments.jobs, shown.done)
    shown.close()
    if arguments.junit is not None:
        from breakglass.testing.junit import junit

        arguments.junit.write_text(junit(results), encoding="utf-8")
    if arguments.json:
        for row in [*map(_row, results), *map(_coverage_row, covered)]:
            print(json.dumps(row))
    else:
        _print_table(results, covered)
    return ExitCode.NOT_RECOVERED if any(each.wrong for each in results) else ExitCode.DONE


def _cases(name: str) -> "list[TestCase]":
    """The tests of what is named: all that can be found, a folder's runbooks, a runbook, or a scenario."""
    from breakglass.testing.suite import cases_of

    path = Path(name)
    if not name:
        return [case for found in all_runbooks() for case in cases_of(found)]
    if path.is_file() and path.name != "runbook.yaml" and (beside := runbook_beside(path)) is not None:
        return cases_of(Found(beside.parent.name, beside), [path])
    if path.is_dir() and not (path / "runbook.yaml").is_file():
        return [case for found in runbooks_in(path) for case in cases_of(found)]
    return cases_of(find_runbook(name))


class _Tally:
    """Which walks are done, as they end: one line that is written over on a terminal, else a line each."""

    def __init__(self, walks: int, *, as_json: bool) -> None:
        self._walks = walks
        self._done = 0
        self._over = sys.stderr.isatty() and not as_json

    def done(self, result: "TestResult") -> None:
        self._done += 1
        case = result.case
        words = f"{case.runbook} {case.scenario.stem}: {case.name}"
        if self._over:
            count = f"{self._done}/{max(self._walks, self._done)}"
            print(f"\r\x1b[K{count} {words[:100]}", end="", file=sys.stderr, flush=True)
        elif result.wrong:
            print(f"failed: {words}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._over:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print_table(results: "Sequence[TestResult]", covered: "Sequence[Coverage]") -> None:
    """A row a scenario, what failed below it, and what no scenario comes to."""
    from breakglass.testing.suite import DRY_RUN, FAILING, RIGHT, TRAP
    from breakglass.transport.sanitize import visible

    width = max(len(each.case.scenario.stem) for each in results)
    for runbook in dict.fromkeys(each.case.runbook for each in results):
        mine = [each for each in results if each.case.runbook == runbook]
        print(f"{runbook}\n  {'scenario':{width}}  right  dry run  traps    failing  seconds")
        for scenario in dict.fromkeys(each.case.scenario for each in mine):
            row = [each for each in mine if each.case.scenario == scenario]
            right, dry, traps, failing = (
                [each for each in row if each.case.kind == kind] for kind in (RIGHT, DRY_RUN, TRAP, FAILING)
            )
            caught = f"{sum(not each.wrong for each in traps)}/{len(traps)}" if traps else "-"
            stood = sum(each.tried - len(each.wrong) for each in failing)
            fails = f"{stood}/{sum(each.tried for each in failing)}" if failing else "-"
            seconds = sum(each.seconds for each in row)
            print(
                f"  {scenario.stem:{width}}  {_word(right):5}  {_word(dry):7}  {caught:7}  {fails:7}"
                f"  {seconds:7.1f}"
            )
            for each in row:
                for wrong in each.wrong:
                    print(visible(f"    {each.case.name}: {wrong}"))
    for each in covered:
        if each.unreached:
            names = ", ".join(each.unreached)
            print(
                f"{each.runbook}: no scenario comes to {len(each.unreached)} of {each.steps} commands: "
                f"{names}"
            )
    failed = sum(bool(each.wrong) for each in results)
    untried = sum(len(each.untried) for each in results)
    more = (
        f", {untried} failures of commands could not be tried (they follow a secret answer)"
        if untried
        else ""
    )
    print(f"{len(results)} tests: {len(results) - failed} passed, {failed} failed{more}")


def _word(results: "Sequence[TestResult]") -> str:
    return "-" if not results else "FAILED" if results[0].wrong else "ok"


def _row(result: "TestResult") -> dict[str, object]:
    case = result.case
    return {
        "runbook": case.runbook,
        "scenario": case.scenario.stem,
        "test": case.name,
        "passed": not result.wrong,
        "wrong": list(result.wrong),
        "untried": list(result.untried),
        "seconds": round(result.seconds, 3),
    }


def _coverage_row(covered: "Coverage") -> dict[str, object]:
    return {"runbook": covered.runbook, "commands": covered.steps, "unreached": list(covered.unreached)}
