"""A walk that ends well, or elsewhere, says what it has not proven."""

import pytest

from breakglass.runbook.load import load_runbook
from breakglass.runbook.steps import Step
from tests.runbooks.support import RUNBOOKS

WELL = ("recovered", "not-this-incident")
ENDS = [
    (path.parent.name, step.id)
    for path in sorted(RUNBOOKS.glob("*/runbook.yaml"))
    for step in load_runbook(path).steps
    if step.ends in WELL
]


def says_it_is_not_proven(step: Step) -> bool:
    said = step.title + " " + (step.followup.source if step.followup else "")
    return "not prove" in said.lower()


@pytest.mark.parametrize(("name", "end"), ENDS)
def test_whoever_is_told_that_it_is_well_is_told_what_was_not_proven(name: str, end: str) -> None:
    """By the end itself, or by every step that leads there."""
    runbook = load_runbook(RUNBOOKS / name / "runbook.yaml")
    steps = runbook.steps
    at = [step.id for step in steps].index(end)
    before = [step for step in steps if any(way.goto == end for way in step.next)]
    above = steps[at - 1]
    if above.ends is None and all(way.when is not None for way in above.next):
        before.append(above)
    assert before, "no way leads there"
    assert says_it_is_not_proven(steps[at]) or all(says_it_is_not_proven(each) for each in before)


def test_the_four_runbooks_have_such_an_end() -> None:
    assert {name for name, _ in ENDS} == {path.parent.name for path in RUNBOOKS.glob("*/runbook.yaml")}
