"""The scenarios of `registry-image-rebuild`: each walked rightly, into every trap, and dry; then variants of
them, and every command against a far side that fails it."""

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pytest

from breakglass.journal import events as e
from breakglass.kubernetes_objects import mapping, objects
from breakglass.rehearsal.load import load_scenario
from breakglass.runbook.actions import reaches_outside
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.testing.replay import Injection
from breakglass.testing.walks import Walked
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

NAME = "registry-image-rebuild"
PATHS = scenario_paths(NAME)
SPEED = 200.0
"""As the headless walk of the scenarios: finished Jobs are gone after 10 simulated minutes, here 3 s."""
STANDING_STILL = 0.01
"""Simulated seconds in a real one: so few that no CronJob ticks while a dry run is held against its world."""


def calm(base: str, folder: Path) -> Path:
    """A shipped scenario with a Job every ten minutes. One every two minutes takes most of a walk's time."""
    scenarios = folder / "scenarios"
    shutil.copytree(RUNBOOKS / NAME / "scenarios", scenarios)
    path = scenarios / "calm.yaml"
    path.write_text(f'base: {base}.yaml\nscenario: calm\nworld: {{dispatch_every: "*/10 * * * *"}}\n')
    return path


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
async def test_the_right_walk_comes_to_what_the_scenario_expects(
    path: Path, tmp_path: Path, soak: bool
) -> None:
    if not soak and path.stem in SCENARIOS:
        pytest.skip("held to it where its commands fail; walked with the shipped pace in the long form")
    walked = await walk_scenario(NAME, path if soak else calm(path.stem, tmp_path), tmp_path, speed=SPEED)
    check_right_walk(walked)


@pytest.mark.parametrize(("scenario", "trap"), [*traps_of(NAME)])
async def test_a_trap_taken_on_purpose_is_refused_or_reviewed(
    scenario: str, trap: str, tmp_path: Path
) -> None:
    path = calm(scenario, tmp_path)
    taken = next(each for each in load_scenario(path).traps if each.name == trap)
    check_trap(await walk_scenario(NAME, path, tmp_path, trap=trap, speed=SPEED), taken)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
async def test_a_dry_run_leaves_the_world_as_it_was(path: Path, tmp_path: Path) -> None:
    walked = await walk_scenario(NAME, path.stem, tmp_path, mode="dry-run", speed=STANDING_STILL)
    check_dry_run(walked)
    assert walked.result in ("completed", "not-this-incident"), walked.said(walked.state.current)


async def walk_variant(folder: Path, base: str, differs: str) -> Walked:
    """The walk of a scenario that differs from a shipped one in what is given as YAML."""
    variant = calm(base, folder).with_name("variant.yaml")
    variant.write_text("base: calm.yaml\nscenario: variant\n" + textwrap.dedent(differs))
    walked = await walk_scenario(NAME, variant, folder, speed=SPEED)
    assert walked.faults == ()
    return walked


def changes_of(walked: Walked) -> list[str]:
    """What was sent to change something, in order."""
    return [each.event.command for each in walked.state.timeline if isinstance(each.event, e.ActionIntended)]


A_BUILD_BY_CI = """\
world:
  ci:
    can_pull: {can_pull}
    cut: {cut}
    pipelines:
      - number: 4810
        status: success
        event: push
        branch: master
        workflows:
          - name: build-ci-image
            state: success
            children: [{{name: verify-integrity, state: success, exit_code: 0}}]
walk: {{choose: {{way: ci}}, manual: {{side-effects: Compared.}}}}
"""


async def test_a_start_whose_answer_is_lost_is_looked_for_and_not_sent_again(tmp_path: Path) -> None:
    differs = A_BUILD_BY_CI.format(can_pull="true", cut="true")
    walked = await walk_variant(tmp_path, "ci-image-broken", differs)
    assert walked.result == "recovered"
    assert "the answer was lost, but verification shows that it was done" in walked.said("start")
    started = [
        each for each in objects(walked.after, "world", "ci", "pipelines") if each["event"] == "manual"
    ]
    assert [each["number"] for each in started] == [4811]


async def test_a_build_that_fails_is_named_with_its_steps_and_nothing_follows(tmp_path: Path) -> None:
    differs = A_BUILD_BY_CI.format(can_pull="false", cut="false")
    walked = await walk_variant(tmp_path, "ci-image-broken", differs)
    assert walked.result == "stopped"
    assert "build-and-push (failure, exit 126)" in walked.said("built")
    assert [each for each in changes_of(walked) if each.startswith("POST ")] == changes_of(walked)[-1:]


async def test_two_walks_of_the_registry_that_disagree_allow_nothing(tmp_path: Path) -> None:
    differs = """\
    world: {looks: 0}
    rules:
      - {name: looked, on: http GET registry /v2/_catalog, set: {looks: "${{ world.looks + 1 }}"}}
      - name: unlinked-meanwhile
        on: http GET registry /v2/_catalog
        when: world.looks == 3
        set: {registry.repositories.status-page.revisions: []}
    """
    walked = await walk_variant(tmp_path, "dangling-layers", differs)
    assert walked.result == "stopped"
    assert "Two walks disagree" in walked.said("again") + walked.said("integrity")
    assert walked.touched == ()


async def test_deletes_that_the_registry_does_not_allow_are_explained_before_one_is_sent(
    tmp_path: Path,
) -> None:
    walked = await walk_variant(tmp_path, "dangling-layers", "world: {registry: {deletes: false}}")
    assert walked.result == "stopped"
    assert "405" in walked.said("deletes-enabled")
    assert walked.touched == ()


async def test_a_digest_that_is_gone_already_counts_as_deleted(tmp_path: Path) -> None:
    differs = """\
    endpoints:
      registry:
        routes:
          - method: DELETE
            path: /v2/dns-sync/manifests/{digest}
            set: {registry.repositories.dns-sync.tags: {}, registry.repositories.dns-sync.revisions: []}
            reply: {status: 404, json: {errors: [{code: MANIFEST_UNKNOWN, message: manifest unknown}]}}
    """
    walked = await walk_variant(tmp_path, "dangling-layers", differs)
    assert walked.state.steps["delete"].status == "ok"
    deleted = [each for each in changes_of(walked) if each.startswith("DELETE ")]
    assert len(deleted) == 2
    assert all(each.startswith("DELETE ") and "/manifests/sha256:" in each for each in deleted)
    assert "latest" in mapping(walked.after, "world", "registry", "repositories", "infra-ci", "tags")


async def test_before_a_delete_all_is_read_twice_and_every_tag_is_named(tmp_path: Path) -> None:
    walked = await walk_variant(tmp_path, "recorded-incident", "world: {}")
    (asked,) = (
        each.event
        for each in walked.state.timeline
        if isinstance(each.event, e.Asked)
        and each.event.step == "delete"
        and each.event.question == "confirm"
    )
    assert asked.typed == "5 digests"
    assert "backup-tool:0.9+backup-tool:0.9.1" in asked.impact, "two tags on one digest go together"
    assert "infra-ci:e81b07c4" in asked.impact
    assert "latest" not in asked.impact
    read = [
        each.event.need
        for each in walked.state.timeline
        if isinstance(each.event, e.NeedRead) and each.event.step == "delete"
    ]
    needs = walked.runbook.step("delete").needs
    assert all(read.count(need) == 2 for need in needs), "before the question, and after the answer"


async def test_a_registry_that_answers_nothing_is_left_to_its_machine(tmp_path: Path) -> None:
    walked = await walk_variant(tmp_path, "healthy", "endpoints: {registry: {refuse: true}}")
    assert walked.result == "escalate"
    assert {"containers", "stack-down"} <= walked.reached
    assert "integrity" not in walked.reached


async def test_a_login_that_is_refused_ends_the_walk_with_that_word(tmp_path: Path) -> None:
    differs = "endpoints: {registry: {routes: [{path: /v2/_catalog, reply: 401}]}}"
    walked = await walk_variant(tmp_path, "healthy", differs)
    assert walked.result == "stopped"
    assert "refuses this login (401)" in walked.said("catalog")


async def test_an_empty_catalog_over_an_empty_disk_is_lost_data_and_not_the_proxy(tmp_path: Path) -> None:
    walked = await walk_variant(tmp_path, "nginx-trap", "endpoints: {registry: {registry: {images: []}}}")
    assert walked.result == "stopped"
    assert "and not the proxy" in walked.said("on-disk")
    assert walked.touched == ()


async def test_a_refusal_in_the_middle_of_a_list_says_how_many_went_before(tmp_path: Path) -> None:
    differs = """\
    endpoints:
      registry:
        routes: [{method: DELETE, path: "/v2/dns-sync/manifests/{digest}", reply: 401}]
    """
    walked = await walk_variant(tmp_path, "recorded-incident", differs)
    assert walked.result == "stopped"
    assert "refused by the far side; sent before it: " in walked.said("delete")
    tags = mapping(walked.after, "world", "registry", "repositories", "dns-sync", "tags")
    assert "1.4" in tags
    assert "collect" not in walked.reached


async def test_a_tag_that_leads_nowhere_is_deferred_where_it_has_no_source(tmp_path: Path) -> None:
    differs = """\
    world: {nowhere: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
    rules:
      - {name: lost, on: time, set: {registry.repositories.photo-frame.tags.latest: "${{ world.nowhere }}"}}
    walk: {choose: {way: defer}, manual: {ticket: "OPS-1"}}
    """
    walked = await walk_variant(tmp_path, "healthy", differs)
    assert walked.result == "escalate", walked.said(walked.state.current)
    assert "1 tags that lead nowhere" in walked.said("integrity")
    assert {"way", "ticket", "whole"} <= walked.reached
    assert {each.split()[0] for each in changes_of(walked)} == {"docker", "kubectl"}, "restarts and a Job"


async def test_blobs_that_have_just_come_in_are_collected_from_nobody(tmp_path: Path) -> None:
    differs = """\
    world:
      young: [blobs/sha256/07/075a21d8be54a68ea73e4ff1b7ab88567187111bc8796eca09c72ceda2596b06/data]
    """
    walked = await walk_variant(tmp_path, "dangling-layers", differs)
    assert walked.result == "stopped"
    assert "Somebody pushes" in walked.said("young")
    assert not any("garbage-collect /etc" in each for each in changes_of(walked))


async def test_a_build_that_fails_is_not_covered_by_an_older_image_of_that_name(tmp_path: Path) -> None:
    walked = await walk_variant(tmp_path, "ci-image-broken", "world: {vm: {fails: true}}")
    assert walked.result == "stopped"
    assert walked.state.steps["build"].status == "failed"
    assert "push" not in walked.reached


async def test_a_tag_that_somebody_mends_during_the_build_is_not_pushed_over(tmp_path: Path) -> None:
    differs = """\
    rules:
      - name: mended-by-a-colleague
        on: {regex: "ssh docker-registry docker build .*"}
        registry:
          - endpoint: registry
            push:
              {repository: infra-ci, tags: [latest], seed: theirs, single: true, format: docker,
              platforms: [{platform: linux/amd64, layers: [4096]}]}
    """
    walked = await walk_variant(tmp_path, "ci-image-broken", differs)
    assert walked.result == "stopped"
    assert "infra-ci:latest can be pulled now" in walked.said("tag-still-broken")
    assert "push" not in walked.reached


PHASES = {
    "recorded-incident": {
        *("Front door", "Integrity", "On the disk", "Mend", "Use", "Relief", "Stuck Jobs"),
        *("Rebuild", "Rebuild by CI", "Rebuilt", "Proof", "Consumers"),
    },
    "shared-digest": {
        *("Choose", "Unused", "Delete", "Restart", "What it takes", "Collect", "Rebuild on the VM", "Close"),
    },
    "nginx-trap": {"Proxy"},
    "url-misdiagnosis": {"Client"},
}
"""Phases by the scenario that walks through them."""
ALONE = {
    "recorded-incident": {"collect-half"},
    "unlinked-children": {"put-back"},
    "lost-links": {
        *("tag-links", "top-contents", "top-children", "layer-contents", "relink", "tags-still-lost"),
        *("put-tags-back", "tags-nowhere", "remove-tags"),
    },
}
"""Single steps to which the scenario of their phase does not come, by the one that does."""
SCENARIOS = [*PHASES, "unlinked-children", "lost-links"]
NEVER_COME_TO = {"containers"}
"""Where the walk goes only when the front door fails, which other tests make it do."""


def steps_of(runbook: Runbook, scenario: str) -> set[str]:
    """The steps that fail in a scenario's turn."""
    alone = {step for steps in ALONE.values() for step in steps}
    phases = PHASES.get(scenario, set[str]())
    whole = {step.id for step in runbook.steps if step.phase in phases and step.id not in alone}
    return whole | ALONE.get(scenario, set[str]())


def each_in_turn(injections: Sequence[Injection]) -> Iterator[Injection]:
    """One way to fail each command, another from one command to the next."""
    commands = groupby(injections, key=lambda each: (each.step, each.acting))
    for number, (_, ways) in enumerate(commands):
        failing = [*ways]
        yield failing[number % len(failing)]


def test_every_step_fails_in_some_scenario() -> None:
    runbook = load_runbook(RUNBOOKS / NAME / "runbook.yaml")
    failing = [step for scenario in SCENARIOS for step in steps_of(runbook, scenario)]
    assert sorted(failing) == sorted(step.id for step in runbook.steps)


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_no_command_is_answered_with_a_guess_when_it_fails(
    scenario: str, tmp_path: Path, soak: bool
) -> None:
    runbook = load_runbook(RUNBOOKS / NAME / "runbook.yaml")
    steps = steps_of(runbook, scenario)
    recording = await record_walk(NAME, calm(scenario, tmp_path), tmp_path / "right", SPEED)
    injections = [*recording.injections(steps)]
    sending = {step.id for step in runbook.steps if step.id in steps and reaches_outside(step.action)}
    assert {each.step for each in injections} == sending - NEVER_COME_TO
    for number, injection in enumerate(injections if soak else each_in_turn(injections)):
        await check_injection(recording, injection, tmp_path / str(number))
