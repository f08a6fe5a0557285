"""Runbooks as text for tests: `§` marks the place of an expected problem, and is taken out before reading."""

from pathlib import Path
from textwrap import dedent, indent

from breakglass.runbook.load import read_runbook
from breakglass.runbook.model import Runbook
from breakglass.runbook.probes import KnownProbes
from breakglass.yamlio.position import Problem

MARK = "§"
PATH = Path("example/runbook.yaml")

HEAD = """\
runbook: example
title: An example
summary: Something is wrong.
severity: sev2
uses: {clusters: [main], hosts: [pve], endpoints: [app]}
inputs:
  namespace: {default: web}
steps:
  - id: pod
    title: Find the pod
    kubectl: get pods -n ${{ inputs.namespace }} -o json
    capture:
      pod: result.json.items[0].metadata.name
      uid: result.json.items[0].metadata.uid
    expect: [size(result.json.items) == 1]
  - id: host
    title: Ask the host
    ssh: {host: pve, run: [uptime]}
    expect: [result.exit == 0]
  - id: app
    title: Ask the app
    http: {get: app}
    capture: {status: result.status}
    expect: [status == 200]
"""
"""The beginning of a runbook with three reads: `pod`, `host` and `app`."""


def with_steps(steps: str) -> str:
    """A runbook that goes on with these steps after the three reads."""
    return HEAD + indent(dedent(steps), "  ")


def unmarked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and where they were: lines and columns from 1."""
    places: list[tuple[int, int]] = []
    lines: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        while MARK in line:
            places.append((number, line.index(MARK) + 1))
            line = line.replace(MARK, "", 1)
        lines.append(line)
    return "\n".join(lines), places


def place(problem: Problem) -> tuple[int, int]:
    return problem.position.line, problem.position.column


def read_but_for_meanings(
    text: str, path: Path = PATH, *, probes: KnownProbes | None = None
) -> tuple[Runbook | None, list[Problem]]:
    """A runbook and its problems, but for conditions that say nothing to people: nobody reads those here."""
    runbook, problems = read_runbook(text, path, probes=probes)
    return runbook, without_meanings(problems)


def without_meanings(problems: list[Problem]) -> list[Problem]:
    return [each for each in problems if "says nothing to people" not in each.message]


def read(text: str, path: Path = PATH) -> tuple[Runbook | None, list[Problem]]:
    return read_but_for_meanings(dedent(text), path)


def good(text: str, path: Path = PATH) -> Runbook:
    """The runbook in a text that has no problem, not even a warning."""
    runbook, problems = read(text, path)
    assert problems == []
    assert runbook is not None
    return runbook


def expect_at_marks(text: str, *messages: str) -> list[Problem]:
    """Read a marked text: problems stand exactly at the marks, and say these things in this order."""
    clean, places = unmarked(dedent(text))
    _, problems = read_but_for_meanings(clean, PATH)
    shown = "\n".join(str(problem) for problem in problems)
    assert [place(problem) for problem in problems] == places, shown
    for problem, message in zip(problems, messages, strict=True):
        assert message in problem.message, shown
    return problems
