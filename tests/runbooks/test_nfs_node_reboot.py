"""The NFS node reboot: its scenarios walked right, into every trap, and dry; its commands against bad input;
and its guards against what they must tell apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.policy.risk import Risk
from breakglass.rehearsal.load import load_scenario
from breakglass.rehearsal.rehearsal import start_rehearsal
from breakglass.runbook.actions import KubectlAction, SshAction, reaches_outside
from breakglass.runbook.expression import EvaluationError, Expression, evaluate, holds
from breakglass.runbook.load import load_runbook
from breakglass.runbook.steps import Step
from breakglass.values import Json
from breakglass.yamlio.position import Position
from tests.runbooks.faults import check_injection, record_walk
from tests.runbooks.support import (
    FAST,
    RUNBOOKS,
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
SPEED = {"recorded-incident": 150.0, "two-sick-nodes": 150.0}
"""The others run as fast as they go. These boot inside a verification, and a look at them takes real time."""
DRY_SPEED = {"stalled-machine": 10.0}
"""A machine that hangs is waited for; slowly enough that nothing is evicted from it meanwhile."""

SOMEWHERE_ELSE: Mapping[str, frozenset[str]] = {
    "reset-does-nothing": frozenset(
        (
            *(
                "boot-look",
                "autopsy",
                "pending",
                "same-boot",
                "stop",
                "stopped",
                "holder",
                "holder-is",
                "kill",
            ),
            *("lock-left", "unlock", "off", "start", "cold-booted"),
        )
    ),
    "wrong-boot-order": frozenset({"fix-boot"}),
    "stalled-machine": frozenset({"counters", "autopsy-monitor", "autopsy-stacks"}),
    "driver-not-registered": frozenset({"driver-look", "plugin", "plugin-log", "replug"}),
    "server-is-the-fault": frozenset({"server-service", "exports", "exports-file", "threads", "journal"}),
}
"""Steps that the recorded incident does not come to, by the scenario that does."""
ALL = frozenset(step.id for step in RUNBOOK.steps if reaches_outside(step.action))
BAD_INPUT = {**SOMEWHERE_ELSE, "recorded-incident": ALL - frozenset().union(*SOMEWHERE_ELSE.values())}


@pytest.mark.parametrize("scenario", PATHS)
async def test_the_right_walk_comes_to_what_the_scenario_expects(scenario: str, tmp_path: Path) -> None:
    walked = await walk_scenario(NAME, scenario, tmp_path, speed=SPEED.get(scenario, FAST))
    check_right_walk(walked, load_scenario(PATHS[scenario]))


@pytest.mark.parametrize(("scenario", "name"), [*traps_of(NAME)])
async def test_a_trap_taken_on_purpose_is_refused_or_is_in_the_review(
    scenario: str, name: str, tmp_path: Path
) -> None:
    trap = next(each for each in load_scenario(PATHS[scenario]).traps if each.name == name)
    check_trap(await walk_scenario(NAME, scenario, tmp_path, trap=name), trap)


@pytest.mark.parametrize("scenario", PATHS)
async def test_a_dry_run_changes_nothing_at_all(scenario: str, tmp_path: Path) -> None:
    speed = DRY_SPEED.get(scenario, STANDING_STILL)
    check_dry_run(await walk_scenario(NAME, scenario, tmp_path, mode="dry-run", speed=speed))


@pytest.mark.parametrize("scenario", BAD_INPUT)
async def test_bad_input_is_said_and_nothing_is_changed_on_a_guess(scenario: str, tmp_path: Path) -> None:
    recording = await record_walk(NAME, scenario, tmp_path / "recorded", speed=SPEED.get(scenario, FAST))
    injections = [*recording.injections(set(BAD_INPUT[scenario]))]
    assert {each.step for each in injections} == BAD_INPUT[scenario]
    for number, injection in enumerate(injections):
        await check_injection(recording, injection, tmp_path / str(number))


def test_the_command_walks_a_scenario_headless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path))
    assert main(["rehearse", NAME, "healthy-node", "--auto", "--speed", "400"]) == 0


MOUNT = "sudo timeout 30 mount -t nfs -o nfsvers={},soft 192.168.1.127:/srv/nfs /mnt"
LIFE = [
    (
        "recorded-incident",
        (("k8s-node3", "sudo systemctl restart kubelet"),),
        "world.kubelet['k8s-node3'] == 'zombie' && !ready",
    ),
    ("recorded-incident", (("pve", "qm reset 204"),), "world.quorum_lost"),
    (
        "recorded-incident",
        (("pve", "qm reset 203"),),
        "rebooted && ready && world.vms['203'].pid == 2115772 && !world.quorum_lost",
    ),
    ("reset-does-nothing", (("pve", "qm reset 203"),), "!rebooted && ready"),
    (
        "half-open",
        (("k8s-node3", MOUNT.format("4")), ("k8s-node3", MOUNT.format("4.1"))),
        "size(world.hung['k8s-node3']) == 4",
    ),
    (
        "wrong-boot-order",
        (("pve", "qm stop 201"), ("pve", "qm start 201")),
        "!ready && !world.up['k8s-node1']",
    ),
    (
        "wrong-boot-order",
        (("pve", "qm set 201 --boot order=scsi1"), ("pve", "qm stop 201"), ("pve", "qm start 201")),
        "ready && rebooted && world.vms['201'].pid != 2114001",
    ),
    (
        "server-is-the-fault",
        (("pve", "systemctl restart nfs-server"),),
        "world.nfs['k8s-node1'] == 'dead' && world.nfs['k8s-node3'] == 'dead'",
    ),
]


@pytest.mark.parametrize(("scenario", "commands", "holds_then"), LIFE)
async def test_a_move_does_to_the_world_what_it_did_in_life(
    scenario: str, commands: Sequence[tuple[str, str]], holds_then: str, tmp_path: Path
) -> None:
    world = await start_rehearsal(load_scenario(PATHS[scenario]), tmp_path, speed=2000)
    try:
        sick = str(world.variables["sick"])
        before = boot_of(world.snapshot(), sick)
        for host, command in commands:
            await world.host(host).run(command, no_input)
        await world.clock.sleep(200)
        condition = Expression(holds_then, Position(Path(__file__), 1, 1))
        snapshot = world.snapshot()
        scope: dict[str, Json] = {
            "world": dict(world.variables),
            "rebooted": boot_of(snapshot, sick) != before,
            "ready": evaluate(READY, {"snapshot": snapshot, "node": sick}),
        }
        assert holds(condition, scope), scope
        assert world.faults == []
    finally:
        await world.close()


NODE = "snapshot.clusters.main.filter(o, o.kind == 'Node' && o.metadata.name == node)[0].status"
READY = Expression(
    f"{NODE}.conditions.exists(c, c.type == 'Ready' && c.status == 'True')", RUNBOOK.steps[0].position
)


async def no_input() -> str:
    return ""


def boot_of(snapshot: Json, node: str) -> Json:
    return evaluate(
        Expression(f"{NODE}.nodeInfo.bootID", READY.position), {"snapshot": snapshot, "node": node}
    )


# ------------------------------------------------------------------ the guards, by themselves


def seen(name: str, result: Json, **scope: Json) -> dict[str, Json]:
    """What a step's captures make of a result."""
    known: dict[str, Json] = {"inputs": INPUTS, **scope, "result": result}
    for capture, expression in RUNBOOK.step(name).capture.items():
        known[capture] = evaluate(expression, known)
    return known


def allowed(name: str, result: Json, **scope: Json) -> bool:
    """Whether every expectation of a step holds for a result."""
    try:
        known = seen(name, result, **scope)
        return all(holds(each.that, known) for each in RUNBOOK.step(name).expect)
    except EvaluationError:
        return False


INPUTS: Json = {
    **{each.name: each.default for each in RUNBOOK.inputs},
    "node": "n3",
}
DISK = "scsi0: local-lvm:vm-203-disk-0,size=256G"
VOLUME = "scsi5: local-lvm:vm-9999-pvc-1c0e,backup=0,size=256G"
CLOUD_INIT = "ide2: local-lvm:vm-203-cloudinit,media=cdrom"


def config(*lines: str) -> Json:
    return {"text": "\n".join(["agent: 1", *lines, "scsihw: virtio-scsi-pci"])}


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        (("boot: order=scsi0", DISK, VOLUME), True),
        (("boot: order=scsi0;net0", DISK), True),
        (("boot: c", "bootdisk: scsi0", DISK), True),
        (("boot: order=net0;scsi0", DISK), False),
        (("boot: order=scsi5", DISK, VOLUME), False),
        (("boot: order=ide2", DISK, CLOUD_INIT), False),
        (("boot: c", "bootdisk: scsi0", DISK.replace("scsi0", "scsi1")), False),
        (("boot: c", DISK), False),
        (("boot: order=scsi9", DISK), False),
        (("boot: order=scsi0", DISK, "lock: backup"), False),
    ],
)
def test_only_a_machine_that_boots_from_its_own_unlocked_system_disk_may_go_down(
    lines: tuple[str, ...], right: bool
) -> None:
    found = seen("config", config(*lines), vmid=203, machine={"role": "worker"})
    scope = {"vmid": 203, "system_disk": found["system_disk"]}
    assert allowed("boot-order", config(*lines), **scope) == right


@pytest.mark.parametrize(
    "lines",
    [
        ("boot: order=scsi0", VOLUME),
        ("boot: order=scsi0", DISK, DISK.replace("scsi0", "scsi1").replace("disk-0", "disk-1")),
        ("boot: order=scsi0", DISK.replace("203", "204")),
        ("boot: order=scsi0", DISK.replace("256G", "32G")),
    ],
)
def test_a_machine_without_exactly_one_system_disk_is_not_guessed_at(lines: tuple[str, ...]) -> None:
    assert not allowed("config", config(*lines), vmid=203, machine={"role": "worker"})


def test_where_the_site_and_the_machine_disagree_on_the_system_disk_a_person_must_look() -> None:
    assert not allowed("config", config("boot: order=scsi0", DISK), vmid=203, machine={"os_disk": "scsi1"})


def pod(name: str, node: str, *, ready: bool) -> Json:
    condition: Json = {"type": "Ready", "status": "True" if ready else "False"}
    return {"metadata": {"name": name}, "spec": {"nodeName": node}, "status": {"conditions": [condition]}}


def test_no_voter_at_all_is_a_wrong_selector_and_no_permission() -> None:
    assert not allowed("voters", {"json": {"items": []}})


@pytest.mark.parametrize(
    "name", ["unprobed", "unprobed-41", "unprobed-good", "unprobed-after", "stuck-still"]
)
def test_a_node_that_says_nothing_is_not_free_of_hung_mounts(name: str) -> None:
    assert not allowed(name, {"text": ""}, good_node="n1")


@pytest.mark.parametrize(
    ("here", "elsewhere", "may"),
    [
        ([True], [True, True], True),
        ([True], [True, False], False),
        ([True], [False, False], False),
        ([False], [True, False], True),
        ([], [True, True, True], True),
        ([], [False, False, True], True),
    ],
)
def test_a_live_voter_goes_only_where_a_quorum_is_left_and_a_dead_one_always(
    here: list[bool], elsewhere: list[bool], may: bool
) -> None:
    pods = [pod(f"vault-{n}", "n3", ready=ready) for n, ready in enumerate(here)]
    pods += [pod(f"vault-{n + 5}", f"m{n}", ready=ready) for n, ready in enumerate(elsewhere)]
    assert allowed("voters", {"json": {"items": pods}}) == may


TASKS: list[tuple[list[Json], bool]] = [
    ([], True),
    ([{"type": "vzdump", "id": "204"}], True),
    ([{"type": "vzdump", "id": "203"}], False),
    ([{"type": "vzdump", "id": ""}], False),
    ([{"type": "vzdump"}], False),
    ([{"type": "qmsnapshot", "id": "203"}], False),
    ([{"type": "vzdump", "id": "203", "endtime": 1776826800, "status": "OK"}], True),
    ([{"type": "aptupdate", "id": ""}], True),
]


@pytest.mark.parametrize(("tasks", "may"), TASKS)
def test_a_task_on_the_machine_and_a_backup_of_all_machines_both_refuse(tasks: list[Json], may: bool) -> None:
    assert allowed("tasks", {"json": tasks}, vmid=203) == may


def outcome(exit: int | None, fault: str = "") -> Json:
    return seen("probe-41", {"exit": exit, "fault": fault, "stderr": ""})["probe_41"]


def test_silence_a_timeout_and_a_kill_are_one_finding_and_a_refusal_is_another() -> None:
    assert [outcome(124), outcome(137), outcome(None, "timeout")] == ["timeout"] * 3
    assert [outcome(0), outcome(32), outcome(1)] == ["ok", "refused", "failed"]


@pytest.mark.parametrize(
    ("default", "other", "good", "half_open", "goes"),
    [
        ("timeout", "ok", "ok", False, "voters"),
        ("timeout", "timeout", "ok", False, "voters"),
        ("timeout", "timeout", "ok", True, "gateway"),
        ("timeout", "ok", "timeout", False, "server-service"),
        ("refused", "ok", "refused", False, "server-service"),
        ("refused", "ok", "ok", False, "unclear"),
        ("timeout", "failed", "ok", False, "unclear"),
    ],
)
def test_the_decision_matrix(default: str, other: str, good: str, half_open: bool, goes: str) -> None:
    probes: dict[str, Json] = {"probe_default": default, "probe_41": other, "probe_good": good}
    known = seen("verdict", None, **probes, half_open=["0 1 n3 server:2049"] if half_open else [])
    assert way_on("verdict", known) == goes


def way_on(name: str, known: dict[str, Json]) -> str:
    """Where a step leads for what it has seen; empty for the next in the list."""
    ways = RUNBOOK.step(name).next
    return next((way.goto for way in ways if way.when is None or holds(way.when, known)), "")


def counters(first: int, second: int, status: str = "running") -> Json:
    return {"text": "".join(f"status: {status}\ndiskwrite: {each}\n" for each in (first, second))}


@pytest.mark.parametrize(
    ("machine", "neighbour", "goes"),
    [
        (counters(771, 771), counters(10, 20), "voters"),
        (counters(771, 772), counters(10, 20), "crawling"),
        (counters(771, 771), counters(10, 10), "host-storage"),
        (counters(771, 771, "stopped"), counters(10, 20), "machine-off"),
        ({"text": "status: running\n"}, counters(10, 20), "unclear"),
    ],
)
def test_a_stall_is_told_from_a_crawl_and_from_the_hosts_storage(
    machine: Json, neighbour: Json, goes: str
) -> None:
    scope: dict[str, Json] = {"results": [machine, neighbour], "vmid": 203, "good_vmid": 201}
    assert way_on("counters", seen("counters", None, **scope)) == goes


BOTH = "/srv/nfs \t<world>(async,sec=sys,rw)\n/srv/nfs-ssd \t<world>(sync,{}sec=sys,rw)\n"


@pytest.mark.parametrize(
    ("exported", "goes"),
    [
        (BOTH.format("fsid=1,"), "server-unclear"),
        (BOTH.format("fsid=0,"), "server-exports"),
        ("/srv/nfs-ssd \t<world>(sync,fsid=1,sec=sys,rw)\n", "server-exports"),
        ("", "server-exports"),
        ("/srv/nfs\n\t\t<world>(rw)\n/srv/nfs-ssd\n\t\t<world>(rw)\n", "server-unclear"),
    ],
)
def test_an_export_with_fsid_0_or_none_at_all_is_the_servers_fault_and_fsid_1_is_not(
    exported: str, goes: str
) -> None:
    site: Json = {"variables": {"nfs": {"server": "server", "exports": ["/srv/nfs", "/srv/nfs-ssd"]}}}
    known = seen("exports", {"text": exported}, site=site, server_state="active")
    known |= {"nfsd_threads": ["S 1 [nfsd]"], "nfsd_hung": [], "cannot_read": False}
    assert way_on("journal", known) == goes


def test_threads_that_nearly_all_hang_are_a_storm_on_the_disk() -> None:
    lines = [*(["D 1 2 svc [nfsd]"] * 62), *(["S 1 2 svc [nfsd]"] * 2)]
    known = seen("threads", {"text": "\n".join(lines)}, server_state="active", missing_exports=[])
    known |= {"fsid_zero": False, "cannot_read": False}
    assert way_on("journal", known) == "server-storm"


def test_a_reset_is_proven_by_the_boot_id_alone() -> None:
    verify = RUNBOOK.step("reset").verify
    assert verify is not None
    for boot_id, proven in (("old", False), ("new", True)):
        result: Json = {"exit": 0, "json": {"status": {"nodeInfo": {"bootID": boot_id}}}}
        assert holds(verify.until, {"result": result, "boot_id": "old"}) == proven
    assert {each for each in ("exit", "pid", "uptime") if each in verify.until.source} == set()


@pytest.mark.parametrize(("before", "here"), [(True, False), (True, True), (False, False)])
def test_only_what_this_session_cordoned_is_uncordoned(before: bool, here: bool) -> None:
    scope: dict[str, Json] = {"was_cordoned": before, "cordoned_here": here}
    (guard,) = RUNBOOK.step("uncordon").guards
    assert not holds(guard.that, scope)
    assert holds(guard.that, {"was_cordoned": False, "cordoned_here": True})


TAKES_THE_NODE_DOWN = ("drain", "reset", "stop", "kill")


@pytest.mark.parametrize("name", TAKES_THE_NODE_DOWN)
def test_whatever_takes_the_node_down_reads_quorum_and_neighbours_again(name: str) -> None:
    step = RUNBOOK.step(name)
    assert step.risk is Risk.DESTRUCTIVE
    assert {"voters", "neighbours", "neighbour-drivers"} <= set(step.needs)
    assert {"stuck-still", "same-boot", "alone"} & set(step.needs), "and that it is still wanted"
    scope: dict[str, Json] = {"machine": {"role": "control-plane"}, "vmid": 200, "node_ready": True}
    assert not all(holds(guard.that, scope) for guard in step.guards)


def test_the_first_command_that_ends_the_process_comes_after_its_evidence_is_saved() -> None:
    order = [step.id for step in RUNBOOK.steps]
    assert order.index("autopsy") < order.index("stop") < order.index("kill")


def words_of(step: Step) -> str:
    actions = (step.action, step.verify.action if step.verify else None)
    return " ".join(
        word.source
        for action in actions
        if isinstance(action, SshAction | KubectlAction)
        for word in action.words
    )


def test_nothing_in_it_restarts_the_server_or_a_kubelet() -> None:
    for step in RUNBOOK.steps:
        assert "restart" not in words_of(step), step.id
