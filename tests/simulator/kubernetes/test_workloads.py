"""What the controllers make of Deployments, StatefulSets and DaemonSets."""

import pytest

from breakglass.kubernetes_objects import (
    Object,
    condition_of,
    labels_of,
    mapping,
    name_of,
    number,
    objects,
    text,
    uid_of,
)
from breakglass.simulator.kubernetes.hooks import PodBirth, PodEnding
from breakglass.simulator.kubernetes.objects import is_going
from tests.simulator.kubernetes.resting import Resting, rest
from tests.simulator.kubernetes.support import (
    TestHooks,
    deployment,
    node,
    pod,
    stateful_set,
    storage_class,
    template,
)

RESTART: Object = {"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}}


def uids(world: Resting) -> set[str]:
    return {uid_of(value) for value in world.store.of_kind("Pod", "web") if not is_going(value)}


def test_a_scenario_begins_with_everything_running() -> None:
    world = rest(deployment("front"), stateful_set("data"), storage_class("block"))
    assert len(world.ready()) == 5
    status = world.get("Deployment", "front")["status"]
    assert isinstance(status, dict) and status["availableReplicas"] == 2
    assert world.store.of_kind("Event") == []


def test_a_pod_of_a_scenario_keeps_its_name_in_its_deployment() -> None:
    world = rest(pod("front-abc", "front"), deployment("front", 1))
    assert world.names("Pod") == ["front-abc"]
    world.delete("Pod", "front-abc", grace=0)
    assert len(world.names("Pod")) == 1 and world.names("Pod") != ["front-abc"]


def test_a_deleted_pod_is_replaced_while_it_ends() -> None:
    world = rest(deployment("front", 1))
    (name,) = world.names("Pod")
    world.hooks.endings[name] = PodEnding(5)
    world.delete("Pod", name)
    assert len(world.names("Pod")) == 2
    world.pass_time(5)
    assert name not in world.names("Pod")
    assert len(world.ready()) == 1


def test_a_pod_never_takes_longer_to_end_than_its_grace() -> None:
    world = rest(deployment("front", 1))
    (name,) = world.names("Pod")
    world.hooks.endings[name] = PodEnding(600)
    world.delete("Pod", name, grace=3)
    world.pass_time(3)
    assert name not in world.names("Pod")


def test_a_pod_that_hangs_in_the_kernel_stays_terminating() -> None:
    world = rest(deployment("front", 1))
    (name,) = world.names("Pod")
    world.hooks.endings[name] = PodEnding(None)
    world.delete("Pod", name, grace=3)
    world.pass_time(120, step=10)
    assert is_going(world.get("Pod", name))
    world.delete("Pod", name, grace=0)
    assert name not in world.names("Pod")


def test_a_rollout_keeps_enough_pods_ready() -> None:
    world = rest(deployment("front", 4))
    before = uids(world)
    world.change("Deployment", "front", RESTART)
    while uids(world) & before:
        assert len(world.ready()) >= 3
        assert len(uids(world)) <= 5
        world.pass_time(0.5)
    world.pass_time(3)
    assert len(world.ready()) == 4
    found = world.get("Deployment", "front")
    assert number(found, "status", "updatedReplicas") == 4
    assert condition_of(found, "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_recreation_waits_until_the_old_pods_are_gone() -> None:
    value = deployment("front", 2)
    spec = value["spec"]
    assert isinstance(spec, dict)
    spec["strategy"] = {"type": "Recreate"}
    world = rest(value)
    before = uids(world)
    world.change("Deployment", "front", RESTART)
    while world.names("Pod") and uids(world) <= before:
        assert all(is_going(found) for found in world.store.of_kind("Pod", "web"))
        world.pass_time(0.25)
    world.pass_time(3)
    assert len(world.ready()) == 2 and uids(world).isdisjoint(before)


def test_a_rollout_that_does_not_get_on_says_so_in_the_end() -> None:
    world = rest(deployment("front", 1))
    change: Object = {"spec": {"progressDeadlineSeconds": 60, **mapping(RESTART, "spec")}}
    world.hooks.other_births = PodBirth(delay=None)
    world.change("Deployment", "front", change)
    assert condition_of(world.get("Deployment", "front"), "Progressing")["status"] == "True"
    world.pass_time(70, step=10)
    condition = condition_of(world.get("Deployment", "front"), "Progressing")
    assert (condition["status"], condition["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert len(world.ready()) == 1


def test_scaling_down_takes_the_pods_that_are_not_ready_first() -> None:
    world = rest(deployment("front", 3))
    sick = world.names("Pod")[1]
    change: Object = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    world.change("Pod", sick, change)
    world.change("Deployment", "front", {"spec": {"replicas": 2}})
    assert is_going(world.get("Pod", sick))
    assert len(world.ready()) == 2


def test_a_pod_whose_label_is_changed_is_let_go_and_replaced() -> None:
    world = rest(deployment("front", 1))
    (name,) = world.names("Pod")
    world.change("Pod", name, {"metadata": {"labels": {"app": "quarantine"}}})
    world.pass_time(2)
    assert len(world.names("Pod")) == 2
    assert objects(world.get("Pod", name), "metadata", "ownerReferences") == []


def test_the_pods_of_a_stateful_set_come_in_order() -> None:
    world = rest(storage_class("block"))
    world.add(stateful_set("data", 3))
    for count in (1, 2, 3):
        world.pass_time(10)
        assert len(world.names("Pod")) >= min(count, 3)
    assert world.ready() == ["data-0", "data-1", "data-2"]
    assert world.names("PersistentVolumeClaim") == ["data-data-0", "data-data-1", "data-data-2"]


def test_the_next_pod_waits_for_the_one_before() -> None:
    hooks = TestHooks(births={"data-1": PodBirth(delay=None)})
    world = rest(stateful_set("data", 3), storage_class("block"), hooks=hooks)
    assert world.names("Pod") == ["data-0", "data-1"]


def test_a_pod_of_a_stateful_set_comes_back_under_its_name_on_its_claim() -> None:
    world = rest(stateful_set("data"), storage_class("block"))
    before = world.get("Pod", "data-1")
    claim = uid_of(world.get("PersistentVolumeClaim", "data-data-1"))
    world.delete("Pod", "data-1", grace=0)
    world.pass_time(2)
    after = world.get("Pod", "data-1")
    assert uid_of(after) != uid_of(before)
    assert uid_of(world.get("PersistentVolumeClaim", "data-data-1")) == claim
    assert text(after, "spec", "volumes", 0, "persistentVolumeClaim", "claimName") == "data-data-1"


def test_a_rolling_update_of_a_stateful_set_goes_from_the_last_to_the_first() -> None:
    world = rest(stateful_set("data"), storage_class("block"))
    order: list[str] = []
    before = {uid_of(value): name_of(value) for value in world.store.of_kind("Pod", "web")}
    world.change("StatefulSet", "data", RESTART)
    for _ in range(60):
        world.pass_time(0.25)
        now = {uid_of(value) for value in world.store.of_kind("Pod", "web")}
        order += [name for uid, name in before.items() if uid not in now and name not in order]
        assert len(world.ready()) >= 2
    assert order == ["data-2", "data-1", "data-0"]
    status = world.get("StatefulSet", "data")
    assert text(status, "status", "currentRevision") == text(status, "status", "updateRevision")


def test_a_stateful_set_that_updates_on_deletion_leaves_its_pods_alone() -> None:
    world = rest(stateful_set("data", 3, "OnDelete"), storage_class("block"))
    before = uids(world)
    world.change("StatefulSet", "data", RESTART)
    world.pass_time(30)
    assert uids(world) == before
    world.delete("Pod", "data-1", grace=0)
    world.pass_time(3)
    revision = "controller-revision-hash"
    update = text(world.get("StatefulSet", "data"), "status", "updateRevision")
    updated = {name for name in world.names("Pod") if labels_of(world.get("Pod", name))[revision] == update}
    assert updated == {"data-1"}


def test_a_stateful_set_shrinks_from_the_end_and_keeps_its_claims() -> None:
    world = rest(stateful_set("data"), storage_class("block"))
    world.change("StatefulSet", "data", {"spec": {"replicas": 1}})
    world.pass_time(5)
    assert world.names("Pod") == ["data-0"]
    assert len(world.names("PersistentVolumeClaim")) == 3


def daemon_set(name: str) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template(name)},
    }


def test_a_daemon_set_has_a_pod_on_every_node_cordoned_or_not() -> None:
    world = rest(daemon_set("agent"))
    world.change("Node", "node1", {"spec": {"unschedulable": True}})
    world.add(node("node3"))
    world.pass_time(2)
    nodes = [text(value, "spec", "nodeName") for value in world.store.of_kind("Pod", "web")]
    assert sorted(nodes) == ["node1", "node2", "node3"]
    assert number(world.get("DaemonSet", "agent"), "status", "numberReady") == 3


def test_a_daemon_set_is_restarted_one_node_at_a_time() -> None:
    world = rest(daemon_set("agent"))
    before = uids(world)
    world.change("DaemonSet", "agent", RESTART)
    for _ in range(40):
        assert len(world.ready()) >= 1
        world.pass_time(0.25)
    assert uids(world).isdisjoint(before) and len(world.ready()) == 2


@pytest.mark.parametrize(
    ("birth", "status", "restarts"),
    [
        (PodBirth(waiting="CrashLoopBackOff", restarts=4, terminated="Error"), "CrashLoopBackOff", 4),
        (PodBirth(ready=False, restarts=1, terminated="OOMKilled"), "", 1),
    ],
)
def test_a_pod_can_be_born_sick(birth: PodBirth, status: str, restarts: int) -> None:
    world = rest()
    world.hooks.births["front"] = birth
    world.add(pod("front"))
    world.pass_time(2)
    found = world.get("Pod", "front")
    container = objects(found, "status", "containerStatuses")[0]
    assert text(container, "state", "waiting", "reason") == status
    assert number(container, "restartCount") == restarts
    assert text(container, "lastState", "terminated", "reason") == birth.terminated
    assert world.ready() == []
