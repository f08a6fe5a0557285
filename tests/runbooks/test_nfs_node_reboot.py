"""The NFS node reboot: its scenarios walked right, into every trap, and dry; its commands against bad input;
and its guards against what they must tell apart."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
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
BOOT = (
    "recorded-incident",
    "two-sick-nodes",
    "stalled-machine",
    "wrong-boot-order",
    "reset-does-nothing",
    "soft-and-late",
    "never-boots",
)
SPEED: Mapping[str, float] = dict.fromkeys(BOOT, 150.0)
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
                "stalled-still",
                "stop",
                "stopped",
                "holder",
                "holder-is",
                "unlocked-still",
                "kill",
            ),
            *("lock-left", "unlock", "off", "start", "cold-booted"),
        )
    ),
    "wrong-boot-order": frozenset({"fix-boot"}),
    "soft-and-late": frozenset({"bare-still", "bare", "bare-left", "unprobed-again", "probe-again", "sysrq"}),
    "came-free": frozenset({"healed", "well-again"}),
    "never-boots": frozenset(
        {"booting", "boot-silent", "not-ready", "switch-off", "surely-off", "taints", "taint"}
    ),
    "stalled-machine": frozenset({"counters", "autopsy-monitor", "autopsy-stacks", "same-boot"}),
    "driver-not-registered": frozenset(
        {"driver-look", "plugin", "plugin-log", "plugin-hung", "replug", "started"}
    ),
    "server-is-the-fault": frozenset({"server-service", "exports", "exports-file", "threads", "journal"}),
}
"""Steps that the recorded incident does not come to, by the scenario that does."""
ALL = frozenset(step.id for step in RUNBOOK.steps if reaches_outside(step.action))
LONG_BAD_INPUT = frozenset({"soft-and-late", "reset-does-nothing"})
ALIKE = frozenset({"unprobed-41", "unprobed-good", "probe-41", "probe-good"})
"""The looks and mounts of `unprobed` and `probe-default` once more: failed in the long form only."""
BAD_INPUT = {**SOMEWHERE_ELSE, "recorded-incident": ALL - frozenset().union(*SOMEWHERE_ELSE.values())}


WAITS = frozenset({"never-boots"})
"""Each look at a host that does not answer takes real seconds; these look for minutes."""


@pytest.fixture(autouse=True)
def short_form(request: pytest.FixtureRequest, soak: bool) -> None:
    """Leave the walks that wait in real time to the long form."""
    given = getattr(getattr(request.node, "callspec", None), "params", {}).values()
    if not soak and any(isinstance(each, str) and each in WAITS for each in given):
        pytest.skip("waits in real time: --soak")


@pytest.mark.parametrize("scenario", PATHS)
async def test_the_right_walk_comes_to_what_the_scenario_expects(
    scenario: str, tmp_path: Path, soak: bool
) -> None:
    if scenario in BAD_INPUT and (soak or scenario not in LONG_BAD_INPUT):
        pytest.skip("held to it where its commands fail")
    walked = await walk_scenario(NAME, scenario, tmp_path, speed=SPEED.get(scenario, FAST))
    check_right_walk(walked)


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
async def test_bad_input_is_said_and_nothing_is_changed_on_a_guess(
    scenario: str, tmp_path: Path, soak: bool
) -> None:
    if scenario in LONG_BAD_INPUT and not soak:
        pytest.skip("many injections that wait: --soak")
    recording = await record_walk(NAME, scenario, tmp_path / "recorded", speed=SPEED.get(scenario, FAST))
    steps = BAD_INPUT[scenario] if soak else BAD_INPUT[scenario] - ALIKE
    injections = [*recording.injections(set(steps))]
    assert {each.step for each in injections} == steps
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


SOURCE = "10.0.2.2:/export"
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
        (
            ("boot: order=scsi0", DISK.replace("local-lvm:vm-203-disk-0", "local:203/vm-203-disk-0.qcow2")),
            True,
        ),
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
        ("boot: order=scsi0", DISK.replace("vm-203-disk-0", "vm-203-disk-0.iso")),
    ],
)
def test_a_machine_without_exactly_one_system_disk_is_not_guessed_at(lines: tuple[str, ...]) -> None:
    assert not allowed("config", config(*lines), vmid=203, machine={"role": "worker"})


def test_where_the_site_and_the_machine_disagree_on_the_system_disk_a_person_must_look() -> None:
    assert not allowed("config", config("boot: order=scsi0", DISK), vmid=203, machine={"os_disk": "scsi1"})


UUID = "6e1c8a40-52f3-4d0b-9b7e-0000000002F3"


@pytest.mark.parametrize(
    ("lines", "system_uuid", "right"),
    [
        (("name: n3", f"smbios1: uuid={UUID}"), UUID.lower(), True),
        (("name: worker-c", f"smbios1: uuid={UUID},manufacturer=x"), UUID.lower(), True),
        (("name: n3", f"smbios1: uuid={UUID}"), UUID.lower().replace("6e1c", "77aa"), False),
        (("name: n3",), UUID.lower(), True),
        (("name: n3", f"smbios1: uuid={UUID}"), "", True),
        (("name: n4",), UUID.lower(), False),
        ((), "", False),
    ],
)
def test_a_machine_that_is_not_shown_to_be_the_node_is_left_alone(
    lines: tuple[str, ...], system_uuid: str, right: bool
) -> None:
    assert allowed("machine-is", config(*lines), vmid=203, system_uuid=system_uuid) == right


@pytest.mark.parametrize(
    "name", ["fix-boot", "cordon", "reset", "sysrq", "stop", "kill", "switch-off", "taint"]
)
def test_whatever_touches_the_machine_asks_first_whether_it_is_the_node(name: str) -> None:
    assert "machine-is" in RUNBOOK.step(name).needs


@pytest.mark.parametrize("skew", [-3600, 0, 3600])
@pytest.mark.parametrize(("minutes", "counts"), [(1, True), (14, True), (16, False), (50, False)])
def test_how_old_a_failed_mount_is_says_the_clock_of_its_node(skew: int, minutes: int, counts: bool) -> None:
    """The operator's clock, or another node's, may be off by any amount."""
    now = datetime.now(UTC) + timedelta(seconds=skew)
    event: Json = {
        "source": {"host": "n3"},
        "involvedObject": {"name": "web-0"},
        "message": "mount.nfs: Connection timed out",
        "lastTimestamp": (now - timedelta(minutes=minutes)).isoformat(),
    }
    ready: Json = {"type": "Ready", "status": "True", "lastHeartbeatTime": now.isoformat()}
    node: Json = {"metadata": {"name": "n3"}, "status": {"conditions": [ready]}}
    events: Json = {"json": {"items": [event]}}
    nodes: Json = {"json": {"items": [node]}}
    scope: dict[str, Json] = {"site": {"variables": {"nodes": [{"name": "n3"}]}}, "other_volumes": []}
    reported = seen("events", events, **scope)["reported"]
    known = seen("clocks", nodes, **scope, reported=reported)
    assert known["failing_nodes"] == (["n3"] if counts else [])
    scope |= {"results": [nodes, events], "known_sick": [], "inputs": {"node": "n1"}}
    assert allowed("alone", None, **scope) == (not counts)


def test_where_a_node_has_no_clock_all_of_its_failed_mounts_count() -> None:
    reported: Json = [{"node": "n3", "message": "mount.nfs: timed out", "at": "2026-11-28T03:00:00Z"}]
    node: Json = {"metadata": {"name": "n3"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    site: Json = {"variables": {"nodes": [{"name": "n3"}]}}
    known = seen("clocks", {"json": {"items": [node]}}, site=site, reported=reported)
    assert known["failing_nodes"] == ["n3"]


def pod(name: str, node: str, *, ready: bool, container: bool = False) -> Json:
    condition: Json = {"type": "Ready", "status": "True" if ready else "False"}
    containers: Json = [{"name": "vault", "ready": ready or container}]
    status: Json = {"conditions": [condition], "containerStatuses": containers}
    return {"metadata": {"name": name}, "spec": {"nodeName": node}, "status": status}


def test_no_voter_at_all_is_a_wrong_selector_and_no_permission() -> None:
    assert not allowed("voters", {"json": {"items": []}}, stalled=False)


@pytest.mark.parametrize(
    ("elsewhere", "stalled", "may"),
    [([True, True], False, True), ([True, False], False, False), ([True, False], True, True)],
)
def test_a_voter_on_a_node_that_is_not_ready_still_votes_unless_its_machine_is_stalled(
    elsewhere: list[bool], stalled: bool, may: bool
) -> None:
    """The API says of every pod of such a node that it is not ready; its containers stay as last reported."""
    pods = [pod("vault-0", "n3", ready=False, container=True)]
    pods += [pod(f"vault-{n + 5}", f"m{n}", ready=ready) for n, ready in enumerate(elsewhere)]
    assert allowed("voters", {"json": {"items": pods}}, stalled=stalled) == may


@pytest.mark.parametrize(
    "name",
    [
        *("unprobed", "unprobed-41", "unprobed-good", "unprobed-after", "unprobed-again", "stuck-now"),
        "plugin-hung",
    ],
)
def test_a_node_that_says_nothing_is_not_free_of_hung_mounts(name: str) -> None:
    assert not allowed(name, {"text": ""}, good_node="n1", hung=[], hung_nfs=[])


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
    assert allowed("voters", {"json": {"items": pods}}, stalled=False) == may


@pytest.mark.parametrize(("answers", "may"), [((0, 0, 0), True), ((0, 0, 124), False), ((0, 143, 0), False)])
def test_a_voter_that_counts_as_ready_and_does_not_answer_is_no_voter(
    answers: tuple[int, ...], may: bool
) -> None:
    results: Json = [{"item": f"vault-{n}", "exit": each} for n, each in enumerate(answers)]
    assert allowed("answers", None, results=results, voters_here=["vault-0"]) == may


@pytest.mark.parametrize(
    ("text", "may"),
    [("memory: 512\nname: n3", True), ("lock: backup\nmemory: 512", False), ("", False)],
)
def test_a_machine_whose_stop_a_lock_refused_is_not_killed(text: str, may: bool) -> None:
    """`qm stop` of a locked VM ends with 255 and does nothing, as one that hangs does."""
    assert allowed("unlocked-still", {"text": text}, vmid=203) == may
    assert "unlocked-still" in RUNBOOK.step("kill").needs


TASKS: list[tuple[list[Json], bool]] = [
    ([], True),
    ([{"type": "vzdump", "id": "204"}], True),
    ([{"type": "vzdump", "id": "203"}], False),
    ([{"type": "vzdump", "id": ""}], False),
    ([{"type": "vzdump"}], False),
    ([{"type": "qmsnapshot", "id": "203"}], False),
    ([{"type": "vzdump", "id": "203", "endtime": 1776826800, "status": "OK"}], True),
    ([{"type": "aptupdate", "id": ""}], True),
    ([{"type": "vncproxy", "id": "203"}], True),
    ([{"type": "qmigrate", "id": "203"}], False),
]


@pytest.mark.parametrize(("tasks", "may"), TASKS)
def test_a_task_on_the_machine_and_a_backup_of_all_machines_both_refuse(tasks: list[Json], may: bool) -> None:
    assert allowed("tasks", {"json": tasks}, vmid=203) == may


def outcome(exit: int | None, fault: str = "", stderr: str = "") -> Json:
    return seen("probe-41", {"exit": exit, "fault": fault, "stderr": stderr})["probe_41"]


def test_silence_a_timeout_and_a_kill_are_one_finding_by_whatever_program_ends_it() -> None:
    assert [outcome(each) for each in (124, 137, 143)] == ["timeout"] * 3
    assert outcome(None, "timeout") == "timeout"
    assert [outcome(0), outcome(127), outcome(1)] == ["ok", "failed", "failed"]


TABLE = json.loads((Path(__file__).parent / "nfs_mounts.json").read_text())
"""What a real client answered to the probe: `python -m tools.nfs_mounts`."""
MEANS = {
    "healthy": "ok",
    "no-such-path": "refused",
    "port-closed": "timeout",
    "half-open": "timeout",
    "no-helper": "failed",
    "without-statd": "failed",
    "stop": "timeout",
    "stop-killed": "timeout",
    "moved": "ok",
    "moved-old-address": "timeout",
    "stale": "ok",
}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['form']}-{row['options']}")
def test_what_a_real_client_answers_to_the_probe_is_read_as_what_it_is(row: Mapping[str, Json]) -> None:
    result: dict[str, Json] = {
        "exit": row["exit"],
        "fault": "timeout" if row["exit"] is None else "exit" if row["exit"] else "",
        "stderr": row["stderr"],
        "text": row["stdout"],
    }
    known = seen("probe-default", result, source=SOURCE, hung_nfs=[])
    assert known["probe_default"] == MEANS[str(row["form"])]
    assert known["looked"] is True
    assert bool(known["half_open"]) == (row["form"] == "half-open")


def test_every_form_of_harm_was_asked_of_a_real_client() -> None:
    assert {row["form"] for row in TABLE} == set(MEANS)


@pytest.mark.parametrize(
    ("default", "other", "good", "half_open", "goes"),
    [
        ("timeout", "ok", "ok", False, "voters"),
        ("timeout", "timeout", "ok", False, "voters"),
        ("timeout", "timeout", "ok", True, "gateway"),
        ("timeout", "ok", "ok", True, "gateway"),
        ("timeout", "ok", "timeout", False, "server-service"),
        ("refused", "none", "refused", False, "server-service"),
        ("refused", "none", "ok", False, "refused-here"),
        ("timeout", "failed", "ok", False, "unclear"),
        ("timeout", "timeout", "failed", False, "unclear"),
        ("ok", "none", "ok", False, "old-mounts"),
        ("ok", "none", "timeout", False, "server-service"),
    ],
)
def test_the_decision_matrix(default: str, other: str, good: str, half_open: bool, goes: str) -> None:
    probes: dict[str, Json] = {"probe_default": default, "probe_41": other, "probe_good": good}
    connections: Json = ["0 1 n3 server:2049"] if half_open else []
    known = seen("verdict", None, **probes, half_open=connections, looked=True)
    assert way_on("verdict", known) == goes


def test_without_a_look_at_the_connections_no_client_is_called_dead() -> None:
    probes: dict[str, Json] = {"probe_default": "timeout", "probe_41": "timeout", "probe_good": "ok"}
    assert way_on("verdict", seen("verdict", None, **probes, half_open=[], looked=False)) == "unclear"


def way_on(name: str, known: dict[str, Json]) -> str:
    """Where a step leads for what it has seen; empty for the next in the list."""
    ways = RUNBOOK.step(name).next
    return next((way.goto for way in ways if way.when is None or holds(way.when, known)), "")


def counters(first: int, second: int, status: str = "running", monitor: str = "running") -> Json:
    text = f"qmpstatus: {monitor}\nstatus: {status}\ndiskwrite: "
    return {"text": "".join(f"{text}{each}\n" for each in (first, second))}


@pytest.mark.parametrize(
    ("machine", "neighbour", "goes"),
    [
        (counters(771, 771), counters(10, 20), "voters"),
        (counters(771, 772), counters(10, 20), "crawling"),
        (counters(771, 771), counters(10, 10), "host-storage"),
        (counters(771, 771, "stopped"), counters(10, 20), "machine-off"),
        ({"text": "status: running\n"}, counters(10, 20), "unclear"),
        (counters(0, 0), counters(10, 20), "unclear"),
        (counters(771, 771, monitor="io-error"), counters(10, 20), "host-storage"),
        (counters(771, 771, monitor="paused"), counters(10, 20), "machine-off"),
    ],
)
def test_a_stall_is_told_from_a_crawl_and_from_the_hosts_storage(
    machine: Json, neighbour: Json, goes: str
) -> None:
    scope: dict[str, Json] = {"results": [machine, neighbour], "vmid": 203, "good_vmid": 201}
    scope["known_sick"] = []
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
    known = seen("exports", {"text": exported, "exit": 0}, site=site, server_state="active")
    known |= {"nfsd_threads": ["S 1 [nfsd]"], "nfsd_hung": [], "cannot_read": False}
    assert way_on("journal", known) == goes


@pytest.mark.parametrize(
    ("result", "state"),
    [
        ({"fault": "", "text": "active\n"}, "active"),
        ({"fault": "exit", "text": "inactive\n"}, "inactive"),
        ({"fault": "exit", "text": "", "exit": 127}, "not known"),
        ({"fault": "", "text": ""}, "not known"),
        ({"fault": "unreachable", "text": ""}, "out of reach"),
    ],
)
def test_only_a_word_of_systemctls_own_says_how_the_server_is(result: Json, state: str) -> None:
    assert seen("server-service", result)["server_state"] == state


@pytest.mark.parametrize("exit", [127, 1])
def test_a_program_that_is_missing_says_nothing_of_the_exports(exit: int) -> None:
    site: Json = {"variables": {"nfs": {"server": "server", "exports": ["/srv/nfs"]}}}
    known = seen("exports", {"text": "", "exit": exit}, site=site, server_state="active")
    known |= {"nfsd_threads": [], "nfsd_hung": [], "cannot_read": False}
    assert way_on("journal", known) == "server-unknown"


@pytest.mark.parametrize(
    ("exit", "fault", "port"), [(0, "", "open"), (1, "exit", "closed"), (127, "exit", "not known")]
)
def test_only_a_connection_that_was_tried_says_that_a_port_is_closed(
    exit: int, fault: str, port: str
) -> None:
    assert seen("socket", {"exit": exit, "fault": fault, "stderr": ""})["port"] == port


def test_threads_that_nearly_all_hang_are_a_storm_on_the_disk() -> None:
    lines = [*(["D 1 2 svc [nfsd]"] * 62), *(["S 1 2 svc [nfsd]"] * 2)]
    known = seen("threads", {"text": "\n".join(lines)}, server_state="active", missing_exports=[])
    known |= {"fsid_zero": False, "cannot_read": False, "exports_known": True}
    assert way_on("journal", known) == "server-storm"


def test_a_reset_is_proven_by_the_boot_id_alone() -> None:
    verify = RUNBOOK.step("reset").verify
    assert verify is not None
    for boot_id, proven in (("old", False), ("new", True), ("", False)):
        result: Json = {"exit": 0, "text": f"{boot_id}\n"}
        assert holds(verify.until, {"result": result, "boot_id": "old"}) == proven
    assert {each for each in ("exit", "pid", "uptime") if each in verify.until.source} == set()
    assert isinstance(verify.action, SshAction), "the API's copy waits for the kubelet"


@pytest.mark.parametrize(
    ("says", "known", "may"),
    [
        ("old", "", True),
        ("new", "", False),
        ("new", "stalled", False),
        ("new", "stop_tried", False),
        ("", "", False),
        ("", "stalled", True),
        ("", "gave_up", True),
        ("", "stop_tried", True),
    ],
)
def test_a_guest_that_is_silent_may_be_booting_and_one_that_has_booted_is_not_stopped(
    says: str, known: str, may: bool
) -> None:
    result: Json = {"fault": "" if says else "unreachable", "text": f"{says}\n"}
    scope: dict[str, Json] = {"boot_id": "old", "stalled": False, "gave_up": False, "stop_tried": False}
    assert allowed("same-boot", result, **{**scope, known: True}) == may


@pytest.mark.parametrize(("says", "goes"), [("old", "not-reset"), ("new", "ready"), ("", "booting")])
def test_after_a_reset_silence_is_waited_for_and_a_late_kubelet_is_no_failed_reset(
    says: str, goes: str
) -> None:
    result: Json = {"fault": "" if says else "timeout", "text": says}
    assert way_on("boot-look", seen("boot-look", result, boot_id="old")) == goes


@pytest.mark.parametrize(("before", "here"), [(True, False), (True, True), (False, False)])
def test_only_what_this_session_cordoned_is_uncordoned(before: bool, here: bool) -> None:
    assert not uncordons(was_cordoned=before, cordoned_here=here, probe_after="ok")
    assert uncordons(was_cordoned=False, cordoned_here=True, probe_after="ok")


@pytest.mark.parametrize("mounted", ["none", "timeout", "refused", "failed"])
def test_a_node_on_which_no_mount_has_succeeded_stays_cordoned(mounted: str) -> None:
    assert not uncordons(was_cordoned=False, cordoned_here=True, probe_after=mounted)


def uncordons(**scope: Json) -> bool:
    return all(holds(guard.that, scope) for guard in RUNBOOK.step("uncordon").guards)


@pytest.mark.parametrize(("spec", "may"), [({}, True), ({"unschedulable": True}, False)])
def test_what_somebody_else_has_cordoned_meanwhile_is_not_taken_for_its_own(spec: Json, may: bool) -> None:
    assert allowed("still-open", {"json": {"metadata": {"name": "n3"}, "spec": spec}}) == may
    assert "still-open" in RUNBOOK.step("cordon").needs


@pytest.mark.parametrize(("accepted", "may"), [(["database primary pg-1"], True), ([], False)])
def test_a_database_primary_that_nobody_has_accepted_is_not_taken_down(accepted: Json, may: bool) -> None:
    primary: Json = {
        "metadata": {"name": "pg-1", "labels": {"cnpg.io/instanceRole": "primary"}},
        "spec": {"containers": []},
    }
    assert allowed("singles-still", {"json": {"items": [primary]}}, singles=accepted) == may
    for name in ("drain", "reset", "sysrq", "stop"):
        assert "singles-still" in RUNBOOK.step(name).needs


HANGS = "D 417 1 {} rpc_wait_bit_killable /sbin/mount.nfs server:/x /y"
KUBELET = "Zl 803 1 604788 - [kubelet] <defunct>"


@pytest.mark.parametrize(
    ("before", "now", "goes"),
    [
        (HANGS.format(900), HANGS.format(1800), "reset"),
        (HANGS.format(900), HANGS.replace("417", "999").format(1), "unprobed-again"),
        ("", HANGS.format(40), "reset"),
    ],
)
def test_a_mount_that_only_just_began_does_not_hang(before: str, now: str, goes: str) -> None:
    scope: dict[str, Json] = {"hung": [before], "hung_nfs": [before]}
    assert way_on("stuck-now", seen("stuck-now", {"text": f"PID\n{now}"}, **scope)) == goes


@pytest.mark.parametrize(
    ("mounted", "still", "goes", "may"),
    [
        ("ok", [], "well-again", False),
        ("ok", [KUBELET], "reset", True),
        ("timeout", [], "reset", True),
        ("refused", [], "unclear", False),
        ("refused", [KUBELET], "unclear", True),
        ("failed", [], "unclear", False),
    ],
)
def test_only_a_mount_that_hangs_or_what_hangs_still_leads_to_the_reset(
    mounted: str, still: Json, goes: str, may: bool
) -> None:
    scope: dict[str, Json] = {"probe_again": mounted, "hung_still": still, "vmid": 203}
    scope["machine"] = {"role": "worker"}
    assert way_on("probe-again", scope) == goes
    assert all(holds(guard.that, scope) for guard in RUNBOOK.step("reset").guards) == may


def test_a_kubelet_that_is_a_zombie_hangs_still_though_every_mount_came_free() -> None:
    scope: dict[str, Json] = {"hung": [KUBELET, "Zl 3312 1 9904 - [vault] <defunct>"], "hung_nfs": []}
    known = seen("stuck-now", {"text": f"PID\n{KUBELET}"}, **scope)
    assert known["hung_still"] == [KUBELET]


def ready(status: str) -> Json:
    return {"json": {"status": {"conditions": [{"type": "Ready", "status": status}]}}}


@pytest.mark.parametrize(
    ("fault", "status", "may"),
    [
        ("timeout", "Unknown", True),
        ("unreachable", "False", True),
        ("refused", "Unknown", False),
        ("disconnected", "Unknown", False),
        ("", "Unknown", False),
        ("timeout", "True", False),
    ],
)
def test_a_node_is_given_up_only_where_neither_its_guest_nor_the_api_says_that_it_is_up(
    fault: str, status: str, may: bool
) -> None:
    silent, away = allowed("boot-silent", {"fault": fault, "text": ""}), allowed("not-ready", ready(status))
    assert (silent and away) == may
    for name in ("switch-off", "taint"):
        assert {"boot-silent", "not-ready"} <= set(RUNBOOK.step(name).needs)


def test_what_is_not_drained_is_not_called_gone() -> None:
    left = evaluate(RUNBOOK.step("symptom").capture["left_over"], {})
    assert left, "an empty list says that the drain left nothing"


@pytest.mark.parametrize(
    ("text", "done"), [("memory: 1\nlock: backup", False), ("memory: 1", True), ("", False)]
)
def test_a_machine_is_unlocked_only_where_its_settings_were_read(text: str, done: bool) -> None:
    verify = RUNBOOK.step("unlock").verify
    assert verify is not None
    assert holds(verify.until, {"result": {"text": text}}) == done


@pytest.mark.parametrize(
    ("started", "old"), [("2026-11-28T02:00:00Z", True), ("2026-11-28T03:05:00Z", False)]
)
def test_a_pod_that_runs_since_this_boot_is_not_forced_out(started: str, old: bool) -> None:
    running: Json = {"state": {"running": {"startedAt": started}}}
    metadata: Json = {
        "name": "files-0",
        "namespace": "files",
        "uid": "1",
        "deletionTimestamp": "2026-11-28T02:30:30Z",
        "deletionGracePeriodSeconds": 30,
    }
    items: Json = [{"metadata": metadata, "status": {"containerStatuses": [running]}}]
    scope: dict[str, Json] = {"up_since": "2026-11-28T03:00:00Z", "pods_before": [{"uid": "1"}]}
    assert bool(seen("old-pods", {"json": {"items": items}}, **scope)["leftovers"]) == old


TAKES_THE_NODE_DOWN = ("bare", "drain", "reset", "sysrq", "stop", "kill")


@pytest.mark.parametrize("name", TAKES_THE_NODE_DOWN)
def test_whatever_takes_the_node_down_reads_quorum_and_neighbours_again(name: str) -> None:
    step = RUNBOOK.step(name)
    assert step.risk is Risk.DESTRUCTIVE
    assert {"voters", "answers", "dns", "neighbours", "neighbour-drivers"} <= set(step.needs)
    assert {"same-boot", "alone"} & set(step.needs), "and that it is still wanted"
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
