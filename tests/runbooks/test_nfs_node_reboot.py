"""The NFS node reboot: its scenarios walked right, into every trap, and dry; bad input; what it holds to."""

from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.rehearsal.scenario import load_scenario
from breakglass.runbook.expression import evaluate, holds
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Risk
from breakglass.runbook.risk import effective_risk
from breakglass.session import events as e
from breakglass.values import Json
from tests.runbooks.support import (
    RUNBOOKS,
    Walked,
    check_dry_run,
    check_right_walk,
    check_trap,
    scenario_paths,
    traps_of,
    walk_scenario,
)

NAME = "nfs-node-reboot"
PATHS = {path.stem: path for path in scenario_paths(NAME)}
RUNBOOK = load_runbook(RUNBOOKS / NAME / "runbook.yaml")
STANDING_STILL = 0.01
"""Simulated seconds in a real one: the world does nothing by itself while a dry run is held against it."""
DRY_SPEED = {"stalled-machine": 10.0}
"""A machine that hangs is waited for; so slow that nothing is evicted meanwhile."""


@pytest.mark.parametrize("scenario", PATHS)
async def test_the_right_walk_comes_to_what_the_scenario_expects(scenario: str, tmp_path: Path) -> None:
    check_right_walk(await walk_scenario(NAME, scenario, tmp_path), load_scenario(PATHS[scenario]))


@pytest.mark.parametrize(("scenario", "name"), [*traps_of(NAME)])
async def test_a_trap_taken_on_purpose_is_refused_or_is_in_the_review(
    scenario: str, name: str, tmp_path: Path
) -> None:
    trap = next(each for each in load_scenario(PATHS[scenario]).traps if each.rule.name == name)
    check_trap(await walk_scenario(NAME, scenario, tmp_path, trap=name), trap)


@pytest.mark.parametrize("scenario", PATHS)
async def test_a_dry_run_changes_nothing_at_all(scenario: str, tmp_path: Path) -> None:
    speed = DRY_SPEED.get(scenario, STANDING_STILL)
    check_dry_run(await walk_scenario(NAME, scenario, tmp_path, mode="dry-run", speed=speed))
