"""The Vault runbook against its simulated incidents: the right walk, every trap on purpose, dry runs, and
every command against a far side that fails it."""

from collections.abc import Mapping
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

RUNBOOK = "vault-raft-recovery"
SCENARIOS = scenario_paths(RUNBOOK)
SPEED = 1500.0
"""Simulated seconds in a real one: a soak of 20 minutes takes 0.8 s."""

FAILING: Mapping[str, frozenset[str]] = {
    "recorded-incident": frozenset(
        (
            *(
                "cluster-port",
                "progress",
                "deleting",
                "d-state",
                "mounts",
                "unmount",
                "hung-again",
                "no-mounts",
            ),
            *(
                "no-holder",
                "no-hung-mounts",
                "force",
                "replacement",
                "events",
                "context",
                "owner-policy",
                "recreate",
            ),
        )
    ),
    "elected-not-active": frozenset(
        (
            *("health", "pods", "volumes", "statuses", "logs", "audited", "servers", "taking-over"),
            *("directions", "clocks", "elections", "target-pod", "standby-a", "standby-a-log", "standby-b"),
            *(
                "standby-b-log",
                "standby-c",
                "standby-c-log",
                "still-down",
                "outside-down",
                "kill",
                "gone",
                "elected",
            ),
            *("serving", "back", "soak", "peers", "ha", "autopilot", "growth", "sinks", "ready"),
            *("consumers", "restart-operator"),
        )
    ),
    "one-standby": frozenset(
        (
            "dead-pod",
            "dead-now",
            "dead-silent",
            "witness-log",
            "others-vote",
            "revive",
            "revived",
            "revived-log",
        )
    ),
    "sealed": frozenset(("sidecar", "key-there", "threshold", "unseal")),
    "no-quorum": frozenset(("not-voting",)),
    "empty-disks": frozenset(
        (
            "all-empty",
            "receiver",
            "receiver-same",
            "snapshots",
            "anchor-whole",
            "restored-id",
            "kv-there",
            "roles",
            "rotate",
        )
    ),
    "lost-security-context": frozenset(("crash-log", "owner-context")),
    "lock-held": frozenset(("lock-holder",)),
    "block-process-gone": frozenset(("process", "process-gone", "force-block")),
    "block-node-off": frozenset(("node-off", "force-off")),
    "audit-volume-hanging": frozenset(("audited-again", "audit", "audit-room", "audit-disk")),
}
"""The steps whose commands fail, each in a scenario whose right walk comes to it."""

NEVER_WALKED = frozenset(("election", "attached", "complaints", "outside"))
"""Reached only where a walk looks in the few seconds in which an election or an attachment is under way; and
what triage asks before any walk."""

ON_A_REAL_CLUSTER = frozenset(
    (
        *("audit-full", "audit-active", "audit-log", "audit-tail", "audit-truncate", "dead-way"),
        *("empty-voter", "stale-id", "still-empty", "remove-peer", "join"),
        *(
            "survivor-pod",
            "alone",
            "other-a",
            "other-b",
            "other-c",
            "other-d",
            "its-id",
            "peers-file",
            "peers-restart",
        ),
    )
)
"""Walked by `test_vault_real_cluster.py` and by no scenario."""

WITH_A_SECRET_ANSWER = frozenset(("receiver-token", "keep", "restore"))
"""Sent with the new cluster's token, which is in no record: a recorded walk cannot be taken up there."""


HANGS = "audit-volume-hanging"
"""Each walk of it waits for commands that hang: 35 s. All but the right walk is left to the long form."""


@pytest.mark.parametrize(
    "path",
    [path for path in SCENARIOS if path.stem not in FAILING or path.stem == HANGS],
    ids=lambda path: path.stem,
)
async def test_the_right_walk_ends_as_the_scenario_says(path: Path, tmp_path: Path) -> None:
    check_right_walk(await walk_scenario(RUNBOOK, path.stem, tmp_path, speed=SPEED))


@pytest.fixture(autouse=True)
def short_form(request: pytest.FixtureRequest, soak: bool) -> None:
    """Leave the walks that wait long to the long form."""
    given = getattr(getattr(request.node, "callspec", None), "params", {}).values()
    names = {each.stem if isinstance(each, Path) else each for each in given if isinstance(each, str | Path)}
    if not soak and HANGS in names and "right_walk" not in request.node.name:
        pytest.skip("waits for commands that hang: --soak")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
async def test_a_dry_run_changes_nothing_in_the_world(path: Path, tmp_path: Path) -> None:
    check_dry_run(await walk_scenario(RUNBOOK, path.stem, tmp_path, mode="dry-run"))


@pytest.mark.parametrize(("scenario", "name"), list(traps_of(RUNBOOK)))
async def test_a_trap_taken_on_purpose_is_refused_or_reviewed(
    scenario: str, name: str, tmp_path: Path
) -> None:
    path = next(each for each in SCENARIOS if each.stem == scenario)
    trap = next(each for each in load_scenario(path).traps if each.name == name)
    check_trap(await walk_scenario(RUNBOOK, scenario, tmp_path, trap=name), trap)


@pytest.mark.parametrize(
    ("scenario", "name", "path", "lasting"),
    [
        ("recorded-incident", "forced-while-mounted", ("nodes", "k8s-node3", "client"), "corrupt"),
        ("recorded-incident", "restarted-the-kubelet", ("nodes", "k8s-node3", "client"), "corrupt"),
        ("recorded-incident", "restarted-a-standby", ("quorum_lost",), True),
        ("one-standby", "killed-the-leader", ("quorum_lost",), True),
        ("unmount-not-enough", "forced-with-a-stuck-mount", ("nodes", "k8s-node3", "client"), "corrupt"),
        ("block-storage", "forced-on-block", ("two_writers",), True),
    ],
)
async def test_a_trap_does_to_the_world_what_it_did_in_life(
    scenario: str, name: str, path: tuple[str, ...], lasting: Json, tmp_path: Path
) -> None:
    walked = await walk_scenario(RUNBOOK, scenario, tmp_path, trap=name)
    assert isinstance(walked.after, dict)
    value: Json = walked.after["world"]
    for part in path:
        assert isinstance(value, dict)
        value = value[part]
    assert value == lasting
    assert not walked.recovered


@pytest.mark.parametrize("scenario", FAILING)
async def test_a_command_that_fails_is_told_and_nothing_is_changed_on_a_guess(
    scenario: str, tmp_path: Path
) -> None:
    recording = await record_walk(RUNBOOK, scenario, tmp_path / "right", speed=SPEED)
    came = {each.place.step for each in recording.kept}
    assert came >= FAILING[scenario]
    for number, injection in enumerate(recording.injections(set(FAILING[scenario]))):
        await check_injection(recording, injection, tmp_path / f"failing-{number}")


def test_every_command_of_the_runbook_fails_in_some_scenario() -> None:
    steps = load_runbook(RUNBOOKS / RUNBOOK / "runbook.yaml").steps
    commands = {step.id for step in steps if reaches_outside(step.action)}
    assert commands - NEVER_WALKED - ON_A_REAL_CLUSTER - WITH_A_SECRET_ANSWER == {
        step for some in FAILING.values() for step in some
    }
