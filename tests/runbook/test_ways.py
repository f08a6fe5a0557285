"""The ways through a runbook: the path taken, what lies ahead, and how far it is to the end."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from breakglass.journal import events as e
from breakglass.journal.state import EMPTY, Recorded, State, apply
from breakglass.report.position import ahead_words, position_of
from breakglass.runbook.load import InvalidFileError, load_runbook
from breakglass.runbook.model import Runbook
from breakglass.runbook.ways import Ahead, Ways, answer_decides, ways_on

BRANCHES = """
runbook: branches
title: Branches
summary: Two ways to the end.
severity: sev3
steps:
- {id: look, title: Look, phase: Symptom, manual: Look.}
- id: which
  title: Which one is it?
  phase: Symptom
  next: [{when: inputs.size() > 9, goto: long}, short]
- {id: long, title: Go the long way, phase: Long, manual: Go.}
- id: longer
  title: Go on
  phase: Long
  manual: Go.
  next: [{when: session.mode == 'dry-run', goto: done}, end]
- {id: short, title: Go the short way, phase: Short, manual: Go.}
- {id: end, title: It is over, phase: Close, ends: recovered}
- {id: lost, title: Nobody knows, phase: Close, ends: escalate}
"""


@pytest.fixture(scope="module")
def branches(tmp_path_factory: pytest.TempPathFactory) -> Runbook:
    path = tmp_path_factory.mktemp("ways") / "runbook.yaml"
    text = BRANCHES.replace("inputs.size() > 9", "size(inputs) > 9")
    path.write_text(text.replace("goto: long}", "goto: long}, {when: size(inputs) > 8, goto: lost}"))
    return load_runbook(path)


def state_at(*events: e.Event) -> State:
    state = EMPTY
    for number, event in enumerate(events):
        state = apply(state, Recorded(number, datetime(2026, 1, 1, tzinfo=UTC), float(number), event))
    return state


def test_a_fork_ends_what_is_certain_and_its_ways_are_listed_apart(branches: Runbook) -> None:
    ways = Ways(branches.steps, "live")
    assert ways.ahead("look") == Ahead(("which",), ("long", "lost", "short"))
    assert ways.ahead("long") == Ahead(("longer", "end"), ())


def test_a_condition_on_the_mode_alone_is_no_fork(branches: Runbook) -> None:
    longer = branches.step("longer")
    assert ways_on(longer, "live") == ("end",)
    assert ways_on(longer, "dry-run") == ("done",)
    assert ways_on(longer) == ("done", "end")
    assert answer_decides(branches.step("which"), "live")
    assert not answer_decides(longer, "live")


def test_steps_on_ways_not_taken_are_not_counted(branches: Runbook) -> None:
    ways = Ways(branches.steps, "live")
    start = position_of(EMPTY, branches, ways)
    assert start.words == ["step 1 of about 4", "phase 1 of 3"]
    assert ahead_words(start, branches) == (
        "Which one is it?; then one of 3: Go the long way | Nobody knows | Go the short way"
    )
    walked = state_at(
        e.StepStarted("look", 1),
        e.StepFinished("look", 1, "ok", goto="which"),
        e.StepStarted("which", 1),
        e.StepFinished("which", 1, "ok", goto="long"),
    )
    there = position_of(walked, branches, ways)
    assert there.words == ["step 2 of 5", "phase 1 of 3"]
    assert there.listed == ("look", "which", "long", "longer", "end")


def test_a_step_that_did_not_apply_is_not_on_the_path(branches: Runbook) -> None:
    walked = state_at(
        e.StepStarted("look", 1),
        e.StepFinished("look", 1, "ok", goto="which"),
        e.StepFinished("which", 0, "skipped", "does not apply: x", goto="long"),
        e.StepStarted("long", 1),
    )
    assert position_of(walked, branches, Ways(branches.steps, "live")).taken == ("look", "long")


SHIPPED = sorted((Path(__file__).parents[2] / "runbooks").glob("*/runbook.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_every_step_of_a_shipped_runbook_has_a_way_to_an_end(path: Path) -> None:
    runbook = load_runbook(path)
    ways = Ways(runbook.steps, "live")
    lost = [step.id for step in runbook.steps if step.ends is None and not ways.shortest(step.id)]
    assert lost == []


@pytest.mark.parametrize(
    ("suggest", "said"),
    [("nowhere", "suggest: there is no step 'nowhere'"), ("look", "suggest: a step cannot suggest itself")],
)
def test_lint_refuses_a_suggestion_that_leads_nowhere(tmp_path: Path, suggest: str, said: str) -> None:
    path = tmp_path / "runbook.yaml"
    expect = f"expect: [{{that: result.note != '', else: Nothing seen., suggest: {suggest}}}]"
    path.write_text(BRANCHES.split("- id: which")[0].replace("manual: Look.}", f"manual: Look., {expect}}}"))
    with pytest.raises(InvalidFileError, match=re.escape(said)):
        load_runbook(path)
