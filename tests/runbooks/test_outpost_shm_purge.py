"""The outpost purge: its scenarios walked right, into every trap, and dry; its commands against bad input."""

import shutil
from pathlib import Path

import pytest

from breakglass.rehearsal.load import load_scenario
from breakglass.runbook.actions import reaches_outside
from breakglass.runbook.load import load_runbook
from breakglass.values import Json
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
}
STANDING_STILL = 0.01
"""Simulated seconds in a real one: the world does nothing by itself while a dry run is held against it."""


FAILS_NOW_AND_THEN = """
base: recorded-incident.yaml
scenario: fails-now-and-then
title: It works again, it does not, it works
summary: >-
  Some people cannot log in, and then they can. Whoever looks gets through at the first try. Sessions that
  expire free a few pages of /dev/shm, and the next clients take them.
recorded: false

world:
  asked: 0

endpoints:
  protected-app: &app
    routes:
      - path: "*"
        when: "world.shm.used >= world.shm.blocks && world.asked % 2 == 1"
        set: {asked: "${{ world.asked + 1 }}"}
        reply: {status: 400, headers: {Content-Type: text/html}, body: "<h1>400 Bad Request</h1>"}
      - path: "*"
        set: {asked: "${{ world.asked + 1 }}"}
        reply:
          status: 302
          headers:
            Location: https://authentik.lab.example/application/o/authorize/?client_id=k7Vw2&response_type=code
  protected-app-direct: *app

traps: []
expect:
  result: recovered
  reaches: [cookieless, again, other-sites, log, pod, each-shm, shm, owner, purge, cookieless-after, relieved]
  never: [healthy, cdn, resize]
"""
"""Sessions that expire free a few pages, so that each second client fails: at least four of nine, and no site
is asked more than three times. Its world counts the questions."""


@pytest.mark.parametrize("scenario", sorted(PATHS.keys() - BAD_INPUT.keys()))
async def test_the_right_walk_comes_to_what_the_scenario_expects(scenario: str, tmp_path: Path) -> None:
    check_right_walk(await walk_scenario(NAME, scenario, tmp_path))


@pytest.mark.parametrize(("scenario", "name"), [*traps_of(NAME)])
async def test_a_trap_taken_on_purpose_is_refused_or_is_in_the_review(
    scenario: str, name: str, tmp_path: Path
) -> None:
    trap = next(each for each in load_scenario(PATHS[scenario]).traps if each.name == name)
    check_trap(await walk_scenario(NAME, scenario, tmp_path, trap=name), trap)


@pytest.mark.parametrize("scenario", PATHS)
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


async def test_one_client_that_gets_through_does_not_end_the_walk_as_healthy(tmp_path: Path) -> None:
    shutil.copy(PATHS["recorded-incident"], tmp_path)
    scenario = tmp_path / "fails-now-and-then.yaml"
    scenario.write_text(FAILS_NOW_AND_THEN)
    folder = tmp_path / "walk"
    folder.mkdir()
    check_right_walk(await walk_scenario(NAME, scenario, folder))


async def test_the_larger_size_changes_nothing_else_of_the_configuration(tmp_path: Path) -> None:
    walked = await walk_scenario(NAME, "oom-follow-on-fix", tmp_path)
    before, after = (config_of(each) for each in (walked.before, walked.after))
    assert {key for key in before | after if before.get(key) != after.get(key)} == {"kubernetes_json_patches"}


def config_of(snapshot: Json) -> dict[str, Json]:
    """The outpost's configuration as the simulated SSO has it."""
    return object_at(object_at(object_at(snapshot, "world"), "outpost"), "config")


def object_at(value: Json, key: str) -> dict[str, Json]:
    assert isinstance(value, dict)
    found = value[key]
    assert isinstance(found, dict)
    return found
