"""The Vault runbook against its simulated incidents: the right walk, every trap on purpose, and dry runs."""

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

RUNBOOK = "vault-raft-recovery"
SCENARIOS = scenario_paths(RUNBOOK)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
async def test_the_right_walk_ends_as_the_scenario_says(path: Path, tmp_path: Path) -> None:
    check_right_walk(await walk_scenario(RUNBOOK, path.stem, tmp_path), load_scenario(path))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
async def test_a_dry_run_changes_nothing_in_the_world(path: Path, tmp_path: Path) -> None:
    check_dry_run(await walk_scenario(RUNBOOK, path.stem, tmp_path, mode="dry-run"))


@pytest.mark.parametrize(("scenario", "name"), list(traps_of(RUNBOOK)))
async def test_a_trap_taken_on_purpose_is_refused_or_reviewed(
    scenario: str, name: str, tmp_path: Path
) -> None:
    path = next(each for each in SCENARIOS if each.stem == scenario)
    trap = next(each for each in load_scenario(path).traps if each.rule.name == name)
    check_trap(await walk_scenario(RUNBOOK, scenario, tmp_path, trap=name), trap)
