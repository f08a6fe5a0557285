"""The Vault runbook on a real raft cluster, which does not know it: three OpenBao servers, harmed for real.

Each test says what the runbook may do to which pod, and what it may not. One cluster serves all; the last
test takes its data. The longer walks want `--soak`; what may be deleted, and what not, is in every run.
"""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook, Step
from tests.runbooks.support import RUNBOOKS
from tests.support.vault_cluster import AUDITED_STEP, VOTERS, VaultCluster, until, vault_cluster
from tests.support.vault_world import vault_world, walk

SHORT = 2.0
"""Real seconds for what would only wait here: taking over, an election, a soak, the sidecars."""
KV = "secret"


@pytest.fixture
def long(soak: bool) -> None:
    """For a test that takes more than some 15 s and that no pod's life hangs on."""
    if not soak:
        pytest.skip("a longer walk: --soak")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[VaultCluster]:
    with vault_cluster(tmp_path_factory.mktemp("vault") / "cluster") as cluster:
        cluster.ask(f"sys/mounts/{KV}", method="POST", body={"type": "kv", "options": {"version": "2"}})
        write(cluster, "known")
        yield cluster


@pytest.fixture
def cluster(shared: VaultCluster) -> Generator[VaultCluster]:
    """Three healthy voters, before and after."""
    yield shared
    shared.heal()


@pytest.fixture(scope="module")
def runbook() -> Runbook:
    """The shipped one, with the waits cut short that would only wait here."""
    shipped = load_runbook(RUNBOOKS / "vault-raft-recovery" / "runbook.yaml")
    short = {"audited-again", "taking-over", "soak", "election", "sidecar"}

    def shortened(step: Step) -> Step:
        if step.wait is None:
            return step
        within = SHORT if step.id in short else step.wait.within
        return replace(step, wait=replace(step.wait, within=within, every=0.3, soak=min(step.wait.soak, 0.1)))

    steps = [shortened(step) for step in shipped.steps]
    return replace(shipped, steps=tuple(steps))


def write(cluster: VaultCluster, name: str) -> None:
    """Put a secret in. A mount that is new takes a moment."""

    def written() -> bool:
        told = cluster.ask(f"{KV}/data/{name}", method="POST", body={"data": {"is": name}})
        return told.status_code == 200

    until(written, f"{KV}/{name} to be written")


def holds(cluster: VaultCluster, name: str) -> bool:
    return cluster.ask(f"{KV}/data/{name}").status_code == 200


def followers(cluster: VaultCluster) -> list[str]:
    active = cluster.active()
    return [name for name in VOTERS if name != active]


def not_heard(cluster: VaultCluster, name: str) -> None:
    """Wait until autopilot says that it does not hear a voter."""

    def unhealthy() -> bool:
        servers = cluster.autopilot()["servers"]
        assert isinstance(servers, dict)
        server = servers[name]
        return isinstance(server, dict) and server["healthy"] is False

    until(unhealthy, f"{name} not to be heard", every=AUDITED_STEP)


# ---------------------------------------------------------------- nothing is wrong
async def test_a_cluster_that_is_well_is_left_alone(
    cluster: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    async with vault_world(cluster, tmp_path) as world:
        walked = await walk(world, runbook)
        assert walked.result == "not-this-incident", (walked.reached, walked.refused)
        assert walked.reached[-1] == "well"
        assert world.deleted == []
        assert walked.value("quiet") == list(VOTERS), "voters that are well log nothing"


# ---------------------------------------------------------------- one voter
async def test_of_a_hung_and_a_healthy_voter_the_hung_one_is_chosen_and_only_while_a_quorum_is_left(
    cluster: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    async with vault_world(cluster, tmp_path) as world:
        healthy, hung = followers(cluster)
        cluster.hang(hung)
        not_heard(cluster, hung)

        def lose_the_healthy_one() -> None:
            cluster.network.cut(healthy)
            until(lambda: cluster.active() == "", "no quorum")

        walked = await walk(world, runbook, moves={"revive": lose_the_healthy_one})
        assert walked.value("silent") == [hung], "BusyBox's timeout ends with 143"
        assert walked.value("dead") == [hung]
        assert healthy in str(walked.value("quiet")), "it follows, and logs nothing"
        assert "revive" in walked.refused
        assert world.deleted == []


@pytest.mark.usefixtures("long")
async def test_a_leader_that_hung_and_was_succeeded_is_restarted_and_the_walk_recovers(
    cluster: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    async with vault_world(cluster, tmp_path) as world:
        old = cluster.active()
        cluster.hang(old)
        until(lambda: cluster.active() not in ("", old), "another leader")
        not_heard(cluster, old)
        walked = await walk(world, runbook, choose={"look-again": "again"}, says={"hung-job": "done"})
        assert world.deleted == [old]
        assert (walked.result, walked.refused) == ("recovered", {})
        assert "growth" in walked.reached, "nobody writes, and that is no fault"


async def test_a_voter_that_is_cut_off_and_keeps_pace_is_not_deleted(
    cluster: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    async with vault_world(cluster, tmp_path) as world:
        cut, other = followers(cluster)
        cluster.network.cut(cut)
        not_heard(cluster, cut)
        walked = await walk(world, runbook)
        assert world.deleted == []
        assert walked.value("finding") == "cut-off"
        assert walked.reached[-1] == "network"
        closed = walked.value("closed")
        assert isinstance(closed, list)
        assert sorted(map(str, closed)) == sorted(
            f"{one} → {two}"
            for one, two in ((cut, other), (other, cut), (cut, cluster.active()), (cluster.active(), cut))
        )


# ---------------------------------------------------------------- nobody leads
@pytest.mark.usefixtures("long")
async def test_what_cut_off_voters_believe_kills_nobody(
    cluster: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    async with vault_world(cluster, tmp_path) as world:
        cluster.lose_quorum()
        walked = await walk(world, runbook)
        assert world.deleted == []
        assert walked.reached[-1] == "network"
        assert not {"kill", "target-pod"} & set(walked.reached)


@pytest.mark.usefixtures("long")
async def test_sealed_voters_are_unsealed_and_none_is_restarted(
    cluster: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    for name in VOTERS:
        cluster.stop(name)
        cluster.start(name)
    until(lambda: all(cluster.voters[name].health() == 503 for name in VOTERS), "all to be sealed")
    async with vault_world(cluster, tmp_path, sidecars=False) as world:
        walked = await walk(world, runbook, choose={"look-again": "again"}, stop_at=["soak"])
        assert world.deleted == []
        assert walked.reached.count("unseal") == len(VOTERS), walked.refused
        assert walked.value("finding") == "well"


# ---------------------------------------------------------------- the audit log
@pytest.mark.usefixtures("long")
async def test_a_full_audit_disk_is_truncated_in_place_and_the_pod_stays(
    cluster: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    async with vault_world(cluster, tmp_path) as world:
        active = cluster.active()
        cluster.fill_audit(active)
        assert cluster.voters[active].health() == 200
        assert cluster.ask("auth/token/lookup-self").status_code == 500
        walked = await walk(world, runbook, choose={"look-again": "again"}, stop_at=["soak"])
        assert world.deleted == []
        assert cluster.active() == active
        assert cluster.ask("auth/token/lookup-self").status_code == 200
        assert walked.value("finding") == "well"
        assert "audit-tail" in walked.reached


# ---------------------------------------------------------------- data that is lost
@pytest.mark.usefixtures("long")
async def test_an_empty_voter_with_a_new_id_joins_once_the_stale_one_is_removed(
    cluster: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    lost = followers(cluster)[-1]
    voter = cluster.voters[lost]
    cluster.stop(lost)
    cluster.lose_disk(lost)
    voter.node_id, voter.joins = f"{lost}-new", False
    cluster.start(lost)
    until(lambda: voter.health() == 501, f"{lost} to be empty")
    not_heard(cluster, lost)
    async with vault_world(cluster, tmp_path) as world:
        walked = await walk(world, runbook, choose={"look-again": "again"}, stop_at=["soak", "initialise"])
        assert walked.value("finding") == "well", (walked.reached, walked.refused)
        assert {"remove-peer", "join"} <= set(walked.reached)
        assert not {"initialise", "unseal", "unseal-by-hand"} & set(walked.reached)
        assert world.deleted == []
        assert holds(cluster, "known")


@pytest.mark.usefixtures("long")
async def test_one_survivor_leads_alone_with_all_of_its_data(
    cluster: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    write(cluster, "late")
    active = cluster.active()
    lost = followers(cluster)
    for name in lost:
        cluster.stop(name)
        cluster.lose_disk(name)
        cluster.voters[name].joins = False
        cluster.start(name)
    until(lambda: all(cluster.voters[name].health() == 501 for name in lost), "two to be empty")
    until(lambda: cluster.active() == "", "the quorum to be lost")
    async with vault_world(cluster, tmp_path) as world:
        walked = await walk(
            world,
            runbook,
            choose={"no-leader": "survivor", "look-again": "again"},
            says={"survivor": active},
            stop_at=["join"],
        )
        assert world.deleted == [active], walked.refused
        assert cluster.active() == active
        assert holds(cluster, "late")
        assert walked.value("survivor_id") == cluster.voters[active].node_id
        assert walked.reached[-1] in ("empty-voter", "still-empty", "join"), "the others join it, one by one"


@pytest.mark.usefixtures("long")
async def test_no_survivor_is_made_while_another_voter_may_have_data(
    cluster: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    async with vault_world(cluster, tmp_path) as world:
        cluster.lose_quorum()
        straight = tuple(
            replace(step, next=(replace(step.next[-1], goto="survivor"),)) if step.id == "clocks" else step
            for step in runbook.steps
        )
        walked = await walk(world, replace(runbook, steps=straight), says={"survivor": VOTERS[0]})
        assert "other-a" in walked.refused
        assert world.deleted == []
        assert "peers-file" not in walked.reached


# ---------------------------------------------------------------- a restore
def lose_everything(cluster: VaultCluster) -> None:
    for name in VOTERS:
        cluster.stop(name)
        cluster.lose_disk(name)
        cluster.start(name)
    until(lambda: all(cluster.voters[name].health() == 501 for name in VOTERS), "all to be empty")


def snapshot(cluster: VaultCluster, folder: Path) -> Path:
    path = folder / "snapshots" / "vault-raft-20260419.db"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(cluster.ask("sys/storage/raft/snapshot").content)
    return path


async def test_a_restore_never_goes_over_a_vault_that_healed(
    cluster: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    file = snapshot(cluster, tmp_path)
    write(cluster, "younger")
    async with vault_world(cluster, tmp_path) as world:
        walked = await walk(
            world,
            runbook,
            jump=("pods", "new-token"),
            says={"new-token": "s.the-token-of-another-cluster", "anchor": str(file)},
        )
        assert "receiver-token" in walked.refused
        assert not [each for each in world.ran if "snapshot-force" in each]
        assert holds(cluster, "younger")


@pytest.mark.usefixtures("long")
async def test_a_snapshot_is_restored_into_a_fresh_cluster_and_known_by_its_id(
    shared: VaultCluster, runbook: Runbook, tmp_path: Path
) -> None:
    file = snapshot(shared, tmp_path)
    old_id = shared.voters[shared.active()].ask("sys/health").json()["cluster_id"]
    old = shared.root_token, shared.key
    lose_everything(shared)
    async with vault_world(shared, tmp_path) as world:
        world.sidecars = False

        def initialise() -> None:
            shared.initialise(VOTERS[0])

        def old_keys() -> None:
            shared.root_token, shared.key = old
            world.sidecars = True

        walked = await walk(
            world,
            runbook,
            choose={"empty": "gone"},
            says={
                "initialise": initialise,
                "new-token": lambda: shared.root_token,
                "anchor": str(file),
                "old-keys": old_keys,
            },
            stop_at=["roles"],
        )
        assert "kv-there" in walked.reached, walked.refused
        assert shared.voters[shared.active()].ask("sys/health").json()["cluster_id"] == old_id
        assert walked.value("receiver_id") != old_id
        assert holds(shared, "known")
        assert file.with_name(f"{file.name}.before-{walked.value('receiver_id')}").stat().st_size > 0
        assert world.deleted == []
