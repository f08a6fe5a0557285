"""What the controllers make of jobs, nodes, claims, owners, endpoints and budgets."""

import pytest

from breakglass.kubernetes_objects import Object, condition_of, name_of, number, objects, text, texts, uid_of
from breakglass.simulator.kubernetes.hooks import JobRun, PodBirth, PodEnding
from breakglass.simulator.kubernetes.kinds import custom_kind
from breakglass.simulator.kubernetes.objects import is_going, put
from tests.simulator.kubernetes.resting import Resting, rest
from tests.simulator.kubernetes.support import (
    TestHooks,
    budget,
    cron_job,
    deployment,
    pod,
    stateful_set,
    storage_class,
)


def job(name: str, backoff: int = 1, **spec: int | bool) -> Object:
    template: Object = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "a:1"}]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {"backoffLimit": backoff, "template": template, **spec},
    }


def outcome(world: Resting, name: str) -> str:
    value = world.get("Job", name)
    ends = [kind for kind in ("Complete", "Failed") if condition_of(value, kind).get("status") == "True"]
    return "".join(ends)


def test_a_job_completes_when_its_pod_succeeds() -> None:
    world = rest(hooks=TestHooks(runs={"probe": JobRun(30)}))
    world.add(job("probe"))
    world.pass_time(20, step=1)
    assert outcome(world, "probe") == "" and number(world.get("Job", "probe"), "status", "active") == 1
    world.pass_time(20, step=1)
    assert outcome(world, "probe") == "Complete"
    (name,) = world.names("Pod")
    assert text(world.get("Pod", name), "status", "phase") == "Succeeded"


def test_a_job_that_fails_again_and_again_gives_up() -> None:
    world = rest(hooks=TestHooks(runs={"probe": JobRun(1, exit=2)}))
    world.add(job("probe", backoff=2))
    world.pass_time(5, step=1)
    assert len(world.names("Pod")) == 1
    world.pass_time(60, step=1)
    assert outcome(world, "probe") == "Failed"
    assert condition_of(world.get("Job", "probe"), "Failed")["reason"] == "BackoffLimitExceeded"
    assert number(world.get("Job", "probe"), "status", "failed") == 3


def test_a_job_that_takes_too_long_is_ended() -> None:
    world = rest(hooks=TestHooks(runs={"probe": JobRun(None)}))
    world.add(job("probe", activeDeadlineSeconds=20))
    world.pass_time(40, step=1)
    assert condition_of(world.get("Job", "probe"), "Failed")["reason"] == "DeadlineExceeded"
    assert world.names("Pod") == []


def test_a_suspended_job_runs_nothing_until_it_is_resumed() -> None:
    world = rest()
    world.add(job("probe", suspend=True))
    world.pass_time(10, step=1)
    assert world.names("Pod") == []
    world.change("Job", "probe", {"spec": {"suspend": False}})
    world.pass_time(10, step=1)
    assert outcome(world, "probe") == "Complete"


def test_a_finished_job_is_forgotten_after_its_time() -> None:
    world = rest()
    world.add(job("probe", ttlSecondsAfterFinished=60))
    world.pass_time(10, step=1)
    assert outcome(world, "probe") == "Complete"
    world.pass_time(70, step=10)
    assert world.names("Job") == [] and world.names("Pod") == []


def test_a_cron_job_makes_a_job_at_its_time() -> None:
    world = rest(cron_job("sync", "*/15 * * * *"))
    world.pass_time(14 * 60, step=60)
    assert world.names("Job") == []
    world.pass_time(120, step=1)
    assert len(world.names("Job")) == 1 and outcome(world, world.names("Job")[0]) == "Complete"
    assert text(world.get("CronJob", "sync"), "status", "lastScheduleTime") == "2026-05-10T12:15:00Z"


@pytest.mark.parametrize(("policy", "jobs"), [("Forbid", 1), ("Allow", 3), ("Replace", 1)])
def test_a_job_that_still_runs_meets_the_next_tick(policy: str, jobs: int) -> None:
    world = rest(cron_job("sync", "*/2 * * * *", policy), hooks=TestHooks(runs={"sync": JobRun(None)}))
    world.pass_time(6 * 60 + 30, step=10)
    assert len(world.names("Job")) == jobs
    assert len(objects(world.get("CronJob", "sync"), "status", "active")) == jobs


def test_a_suspended_cron_job_makes_nothing() -> None:
    world = rest(cron_job("sync", "* * * * *"))
    world.change("CronJob", "sync", {"spec": {"suspend": True}})
    world.pass_time(300, step=10)
    assert world.names("Job") == []


def test_the_pods_of_a_node_that_is_down_are_not_ready_and_then_stay_terminating() -> None:
    world = rest(deployment("front", 2))
    lost = next(name for name in world.names("Pod") if node_of(world, name) == "node1")
    world.set_node("node1", up=False)
    assert lost not in world.ready()
    world.pass_time(310, step=10)
    assert is_going(world.get("Pod", lost))
    assert len(world.ready()) == 2
    assert {node_of(world, name) for name in world.ready()} == {"node2"}
    world.set_node("node1", up=True)
    world.pass_time(5)
    assert lost not in world.names("Pod")


def node_of(world: Resting, name: str) -> str:
    return text(world.get("Pod", name), "spec", "nodeName")


def test_a_node_that_comes_back_soon_keeps_its_pods() -> None:
    world = rest(deployment("front", 2))
    before = {uid_of(value) for value in world.store.of_kind("Pod", "web")}
    world.set_node("node1", up=False)
    world.pass_time(100, step=10)
    world.set_node("node1", up=True)
    world.pass_time(300, step=10)
    assert {uid_of(value) for value in world.store.of_kind("Pod", "web")} == before
    assert len(world.ready()) == 2


def test_a_pod_that_hung_in_creation_is_tried_again_when_its_node_comes_back() -> None:
    world = rest(hooks=TestHooks(births={"front": PodBirth(None)}))
    world.change("Node", "node2", {"spec": {"unschedulable": True}})
    world.add(pod("front"))
    world.pass_time(60, step=5)
    assert world.ready() == []
    world.set_node("node1", up=False)
    world.hooks.births["front"] = PodBirth(1)
    world.set_node("node1", up=True)
    world.pass_time(5)
    assert world.ready() == ["front"]


def test_a_pod_that_fits_nowhere_waits_and_says_why() -> None:
    world = rest()
    for name in ("node1", "node2"):
        world.change("Node", name, {"spec": {"unschedulable": True}})
    world.add(pod("front"))
    message = text(condition_of(world.get("Pod", "front"), "PodScheduled"), "message")
    assert message == "0/2 nodes are available: 2 node(s) were unschedulable."
    world.change("Node", "node2", {"spec": {"unschedulable": False}})
    assert node_of(world, "front") == "node2"


def test_pods_that_avoid_each_other_get_a_node_each() -> None:
    value = deployment("front", 3)
    term: Object = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"app": "front"}},
    }
    rule: Object = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    put(value, {"podAntiAffinity": rule}, "spec", "template", "spec", "affinity")
    world = rest(value)
    assert sorted(node_of(world, name) for name in world.names("Pod")) == ["", "node1", "node2"]


def claims_world() -> Resting:
    return rest(stateful_set("data", 2, "OnDelete"), storage_class("block"))


def test_a_claim_in_use_stays_until_its_pod_is_gone() -> None:
    world = rest(claim("files"), storage_class("block"), claiming_pod("front", "files"))
    world.delete("PersistentVolumeClaim", "files")
    world.pass_time(30)
    assert is_going(world.get("PersistentVolumeClaim", "files"))
    world.delete("Pod", "front", grace=0)
    world.pass_time(2)
    assert world.names("PersistentVolumeClaim") == []


def claim(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "block",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def claiming_pod(name: str, claim_name: str) -> Object:
    value = pod(name)
    volume: Object = {"name": "files", "persistentVolumeClaim": {"claimName": claim_name}}
    put(value, [volume], "spec", "volumes")
    return value


def test_a_pod_recreated_before_the_finalizer_is_cleared_holds_the_old_claim() -> None:
    world = claims_world()
    old = uid_of(world.get("PersistentVolumeClaim", "data-data-1"))
    world.delete("PersistentVolumeClaim", "data-data-1")
    world.delete("Pod", "data-1", grace=0)
    world.pass_time(30)
    found = world.get("PersistentVolumeClaim", "data-data-1")
    assert uid_of(found) == old and is_going(found)


def test_a_claim_whose_finalizer_is_cleared_after_its_deletion_makes_way_for_a_new_one() -> None:
    world = claims_world()
    old = uid_of(world.get("PersistentVolumeClaim", "data-data-1"))
    world.delete("PersistentVolumeClaim", "data-data-1")
    kind = world.store.kinds.named("PersistentVolumeClaim")
    world.store.remove(kind, "web", "data-data-1")
    world.delete("Pod", "data-1", grace=0)
    world.pass_time(5)
    found = world.get("PersistentVolumeClaim", "data-data-1")
    assert uid_of(found) != old and text(found, "status", "phase") == "Bound"
    assert "data-1" in world.ready()


def test_a_finalizer_that_is_cleared_before_the_deletion_comes_back() -> None:
    world = claims_world()
    world.change("PersistentVolumeClaim", "data-data-1", {"metadata": {"finalizers": None}})
    world.pass_time(1)
    found = world.get("PersistentVolumeClaim", "data-data-1")
    assert texts(found, "metadata", "finalizers") == ["kubernetes.io/pvc-protection"]


@pytest.mark.parametrize(("reclaim", "phases"), [("Retain", ["Released"]), ("Delete", [])])
def test_what_becomes_of_a_volume_whose_claim_is_gone(reclaim: str, phases: list[str]) -> None:
    world = rest(claim("files"), storage_class("block", reclaim))
    assert [text(value, "status", "phase") for value in world.store.of_kind("PersistentVolume")] == ["Bound"]
    world.delete("PersistentVolumeClaim", "files")
    world.pass_time(3)
    assert [text(value, "status", "phase") for value in world.store.of_kind("PersistentVolume")] == phases


def test_a_claim_without_its_storage_class_waits() -> None:
    world = rest(claim("files"), claiming_pod("front", "files"))
    assert text(world.get("PersistentVolumeClaim", "files"), "status", "phase") == "Pending"
    assert node_of(world, "front") == ""


def test_what_an_owner_owned_goes_after_it() -> None:
    world = rest(deployment("front"))
    world.delete("Deployment", "front")
    world.pass_time(3)
    assert world.names("ReplicaSet") == [] and world.names("Pod") == []


def test_an_owner_deleted_in_the_foreground_waits_for_what_it_owns() -> None:
    world = rest(deployment("front", 1), hooks=TestHooks())
    (name,) = world.names("Pod")
    world.hooks.endings[name] = PodEnding(10)
    world.delete("Deployment", "front", propagation="Foreground")
    assert is_going(world.get("Deployment", "front"))
    world.pass_time(15, step=1)
    assert world.names("Deployment") == [] and world.names("Pod") == []


def test_an_owner_may_leave_what_it_owns_behind() -> None:
    world = rest(deployment("front"))
    world.delete("Deployment", "front", propagation="Orphan")
    assert world.names("Deployment") == [] and len(world.names("ReplicaSet")) == 1
    (replica_set,) = world.store.of_kind("ReplicaSet")
    assert objects(replica_set, "metadata", "ownerReferences") == []


def test_an_object_with_a_finalizer_stays_until_it_is_taken_away() -> None:
    kind = custom_kind("lab.example", "v1", "widgets", "Widget")
    world = rest()
    world.store.kinds.add(kind)
    world.add(
        {
            "apiVersion": "lab.example/v1",
            "kind": "Widget",
            "metadata": {"name": "w", "namespace": "web", "finalizers": ["lab.example/hold"]},
        }
    )
    world.delete("Widget", "w")
    assert is_going(world.get("Widget", "w"))


def test_a_closing_namespace_empties() -> None:
    world = rest(deployment("front"))
    kind = world.store.kinds.named("Namespace")
    world.store.patch(kind, "", "web", {"status": {"phase": "Terminating"}})
    world.controllers.settle()
    world.pass_time(5)
    assert world.store.find(kind, "", "web") is None
    assert world.names("Pod") == []


def service(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 9000}]},
    }


def test_endpoints_follow_the_ready_pods() -> None:
    world = rest(deployment("front"), service("front"))
    addresses = [text(world.get("Pod", name), "status", "podIP") for name in world.names("Pod")]
    subset = objects(world.get("Endpoints", "front"), "subsets")[0]
    assert [text(entry, "ip") for entry in objects(subset, "addresses")] == addresses
    assert objects(subset, "ports")[0]["port"] == 9000
    sick: Object = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    world.change("Pod", world.names("Pod")[0], sick)
    subset = objects(world.get("Endpoints", "front"), "subsets")[0]
    assert [text(entry, "ip") for entry in objects(subset, "addresses")] == addresses[1:]
    assert [text(entry, "ip") for entry in objects(subset, "notReadyAddresses")] == addresses[:1]
    world.store.remove(world.store.kinds.named("Service"), "web", "front")
    world.controllers.settle()
    assert world.names("Endpoints") == []


def test_a_budget_counts_what_may_go() -> None:
    world = rest(deployment("front", 3), budget("front", 2))
    assert number(world.get("PodDisruptionBudget", "front"), "status", "disruptionsAllowed") == 1
    world.delete("Pod", world.names("Pod")[0], grace=0)
    assert number(world.get("PodDisruptionBudget", "front"), "status", "disruptionsAllowed") == 0
    world.pass_time(3)
    assert number(world.get("PodDisruptionBudget", "front"), "status", "disruptionsAllowed") == 1


def test_a_scenario_names_owners_without_their_uid() -> None:
    owned = pod("front-1", "front")
    put(owned, [{"kind": "StatefulSet", "name": "data"}], "metadata", "ownerReferences")
    world = rest(owned, stateful_set("data", 0), storage_class("block"))
    assert name_of(world.get("StatefulSet", "data")) == "data"
    reference = objects(world.get("Pod", "front-1"), "metadata", "ownerReferences")
    assert all(entry["uid"] for entry in reference)


def test_the_same_seed_gives_the_same_world() -> None:
    values = [deployment("front"), stateful_set("data"), storage_class("block")]
    assert rest(*values).store.snapshot() == rest(*values).store.snapshot()
