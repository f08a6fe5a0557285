"""The outpost purge: its scenarios walked right, into every trap, and dry; its commands against bad input."""

from pathlib import Path

import pytest

from breakglass.rehearsal.scenario import load_scenario
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import reaches_outside
from tests.runbooks.faults import check_injection, record_walk
from tests.runbooks.support import (
    RUNBOOKS,
    check_dry_run,
    check_right_walk,
    check_trap,
    scenario_paths,
    traps_of,
    walk_scenario,
)

NAME = "outpost-shm-purge"
PATHS = {path.stem: path for path in scenario_paths(NAME)}
RUNBOOK = load_runbook(RUNBOOKS / NAME / "runbook.yaml")
REACHING = frozenset(step.id for step in RUNBOOK.steps if reaches_outside(step.action))
ELSEWHERE = frozenset(
    {
        *("outpost-state", "memory", "killed", "relieve", "template", "outpost", "resize", "tmpfs", "fixed"),
        "log-fixed",
    }
)
"""Steps that the recorded incident does not come to; the one after the larger size does."""
NOW_AND_THEN = frozenset({"again"})
"""Reached where the first client gets through."""
ONLY_BY_CHOICE = frozenset({"default-limit"})
"""The same question as `memory`, on the way from a purge to the lasting fix."""
BAD_INPUT = {
    "oom-follow-on-fix": ELSEWHERE,
    "recorded-incident": REACHING - ELSEWHERE - ONLY_BY_CHOICE - NOW_AND_THEN,
    "fails-now-and-then": NOW_AND_THEN,
}
COUNTING = frozenset({"fails-now-and-then"})
"""Its world counts the questions, so that each third one fails."""
STANDING_STILL = 0.01
"""Simulated seconds in a real one: the world does nothing by itself while a dry run is held against it."""


@pytest.mark.parametrize("scenario", PATHS)
async def test_the_right_walk_comes_to_what_the_scenario_expects(scenario: str, tmp_path: Path) -> None:
    check_right_walk(await walk_scenario(NAME, scenario, tmp_path), load_scenario(PATHS[scenario]))


@pytest.mark.parametrize(("scenario", "name"), [*traps_of(NAME)])
async def test_a_trap_taken_on_purpose_is_refused_or_is_in_the_review(
    scenario: str, name: str, tmp_path: Path
) -> None:
    trap = next(each for each in load_scenario(PATHS[scenario]).traps if each.rule.name == name)
    check_trap(await walk_scenario(NAME, scenario, tmp_path, trap=name), trap)


@pytest.mark.parametrize("scenario", sorted(PATHS.keys() - COUNTING))
async def test_a_dry_run_changes_nothing_at_all(scenario: str, tmp_path: Path) -> None:
    check_dry_run(await walk_scenario(NAME, scenario, tmp_path, mode="dry-run", speed=STANDING_STILL))


@pytest.mark.parametrize("scenario", BAD_INPUT)
async def test_bad_input_is_said_and_nothing_is_changed_on_a_guess(scenario: str, tmp_path: Path) -> None:
    recording = await record_walk(NAME, scenario, tmp_path / "recorded")
    injections = [*recording.injections(set(BAD_INPUT[scenario]))]
    assert {each.step for each in injections} == BAD_INPUT[scenario]
    for number, injection in enumerate(injections):
        await check_injection(recording, injection, tmp_path / str(number))


async def test_both_full_pods_are_purged_and_the_evicted_one_is_left_alone(tmp_path: Path) -> None:
    walked = await walk_scenario(NAME, "two-full-pods", tmp_path)
    deleted = {
        change.split("/")[-1] for change in walked.touched if change.startswith("kubernetes.delete pods")
    }
    assert {name.rpartition("-")[2] for name in deleted} == {"x7k2p", "h4w9d"}
