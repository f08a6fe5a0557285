"""The scenarios of `registry-image-rebuild`, each walked rightly, into every trap, and as a dry run."""

from pathlib import Path

import pytest

from breakglass.rehearsal.scenario import load_scenario
from tests.runbooks.support import (
    check_dry_run,
    check_right_walk,
    check_trap,
    scenario_paths,
    traps_of,
    walk_scenario,
)

NAME = "registry-image-rebuild"
SCENARIOS = [path.stem for path in scenario_paths(NAME)]
STANDING_STILL = 0.01
"""Simulated seconds in a real one: so few that no CronJob ticks while a dry run is held against its world."""


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_right_walk_comes_to_what_the_scenario_expects(tmp_path: Path, scenario: str) -> None:
    walked = await walk_scenario(NAME, scenario, tmp_path)
    check_right_walk(walked, load_scenario(_path(scenario)))


@pytest.mark.parametrize(("scenario", "trap"), [*traps_of(NAME)])
async def test_a_trap_taken_on_purpose_is_refused_or_reviewed(
    tmp_path: Path, scenario: str, trap: str
) -> None:
    taken = next(each for each in load_scenario(_path(scenario)).traps if each.rule.name == trap)
    check_trap(await walk_scenario(NAME, scenario, tmp_path, trap=trap), taken)


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_dry_run_leaves_the_world_as_it_was(tmp_path: Path, scenario: str) -> None:
    walked = await walk_scenario(NAME, scenario, tmp_path, mode="dry-run", speed=STANDING_STILL)
    check_dry_run(walked)
    assert walked.result in ("completed", "not-this-incident"), walked.said(walked.state.current)


def _path(scenario: str) -> Path:
    return next(path for path in scenario_paths(NAME) if path.stem == scenario)
