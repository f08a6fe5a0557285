"""Show one runbook as it would be walked: every step with its command, risk and what is expected.

examples:
  breakglass show outpost-shm-purge
  breakglass show outpost-shm-purge --json
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from breakglass.runbook.assessed import vouched_words
from breakglass.runbook.command_text import command_of
from breakglass.runbook.expression import Scope
from breakglass.runbook.library import find_runbook
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Expectation, Guard, Step
from breakglass.runbook.template import meant, render_known
from breakglass.values import Json


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("runbook", help="a runbook's name or file")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: Namespace) -> int:
    found = find_runbook(arguments.runbook)
    runbook = load_runbook(found.path)
    if arguments.json:
        print(json.dumps(row_of(runbook), indent=2))
        return 0
    print("\n".join(lines_of(runbook)))
    return 0


def lines_of(runbook: Runbook) -> Iterator[str]:
    """The runbook as text."""
    yield f"{runbook.name}  {runbook.severity.upper()}  {runbook.title}"
    yield f"  {runbook.summary}"
    for symptom in runbook.symptoms:
        yield f"  symptom: {symptom}"
    for question in runbook.preflight:
        yield f"  before:  {question}"
    phase, scope = None, defaults_of(runbook)
    for number, step in enumerate(runbook.steps, start=1):
        if step.phase != phase:
            phase = step.phase
            yield f"\n{phase}" if phase else ""
        yield from _step(number, step, scope)


def defaults_of(runbook: Runbook) -> dict[str, Json]:
    """What is known of the values before a walk: the defaults of the inputs."""
    return {"inputs": {each.name: each.default for each in runbook.inputs if each.has_default}}


def _step(number: int, step: Step, scope: Scope) -> Iterator[str]:
    yield f"{number:3}  {step.title}  [{step.id}, {step.risk.word}]"
    if step.why:
        yield f"       why     {step.why}"
    if step.when:
        yield f"       when    {step.when.source}"
    command = command_of(step, scope, quoted=True)
    if command:
        yield f"       run     {command}"
    for words in vouched_words(step):
        yield f"       risk    {words}"
    for expectation in step.expect:
        yield f"       expect  {meant(expectation.means, expectation.that, scope)}"
    if step.wait:
        words = meant(step.wait.means, step.wait.until, scope)
        yield f"       wait    {words} within {step.wait.within:.0f} s"
    for need in step.needs:
        yield f"       needs   {need}, read again"
    for guard in step.guards:
        yield f"       guard   {meant(guard.means, guard.that, scope)}"
    if step.impact:
        yield f"       breaks  {render_known(step.impact, scope)}"
    if step.undo:
        yield f"       undo    {render_known(step.undo.say, scope)}"
    if step.verify:
        verify = step.verify
        yield f"       verify  {meant(verify.means, verify.until, scope)} within {verify.within:.0f} s"
    for way in step.next:
        condition = f"when {way.when.source}: " if way.when else ""
        yield f"       next    {condition}{way.goto}"


def _condition(condition: Expectation | Guard) -> dict[str, str]:
    return {"means": meant(condition.means, condition.that), "that": condition.that.source}


def row_of(runbook: Runbook) -> dict[str, object]:
    """The runbook as JSON."""
    return {
        "name": runbook.name,
        "title": runbook.title,
        "summary": runbook.summary,
        "severity": runbook.severity,
        "digest": runbook.digest,
        "inputs": {each.name: {"type": each.type, "default": each.default} for each in runbook.inputs},
        "steps": [
            {
                "id": step.id,
                "title": step.title,
                "phase": step.phase,
                "risk": step.risk.word,
                "vouched": vouched_words(step),
                "command": command_of(step),
                "needs": list(step.needs),
                "expect": [_condition(each) for each in step.expect],
                "guards": [_condition(each) for each in step.guards],
            }
            for step in runbook.steps
        ],
    }
