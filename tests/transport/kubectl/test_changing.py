"""Verbs that change something, the objects they are held to, and dry runs."""

import json

import pytest

from breakglass.kubernetes_objects import Object, at, number, text, uid_of
from breakglass.policy.kubectl import changes, operations
from breakglass.policy.kubectl.operations import Operation
from breakglass.simulator.kubernetes.access import READ_ONLY, RbacRule, User
from breakglass.simulator.kubernetes.hooks import Denial, PodEnding
from breakglass.transport.base import Delivery
from breakglass.transport.kubectl import VERBS
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import (
    Cluster,
    TestHooks,
    budget,
    cron_job,
    deployment,
    pod,
    stateful_set,
    storage_class,
)
from tests.transport.kubectl.support import client

OTHER = "00000000-0000-4000-8000-000000000000"


def the_deployment(cluster: Cluster) -> Object:
    return cluster.store.of_kind("Deployment", "web")[0]


async def test_a_deletion_waits_until_the_pod_is_gone(start: Start) -> None:
    hooks = TestHooks(endings={"front": PodEnding(10)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("delete pod front -n web --grace-period=30")
    assert came.out == 'pod "front" deleted\n'
    assert (came.delivery, came.result.exit, came.fault) == (Delivery.ANSWERED, 0, "")
    assert cluster.store.of_kind("Pod", "web") == []
    assert [(change.verb, change.grace) for change in hooks.changes] == [("delete", 30)]


async def test_a_deletion_that_hangs_is_done_and_late(start: Start) -> None:
    hooks = TestHooks(endings={"front": PodEnding(None)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        own = await run("delete pod front -n web --timeout=300ms")
        late = await run("delete pod front -n web", timeout=1.0)
        forced = await run("delete pod front -n web --grace-period=0 --force")
    for came in (own, late):
        assert (came.delivery, came.fault, came.result.exit) == (Delivery.ANSWERED, "timeout", 1)
        assert came.message.startswith("accepted: delete pods front; then: ")
    assert forced.out == 'pod "front" force deleted\n'
    assert "may continue to run on the cluster" in forced.err
    assert cluster.store.of_kind("Pod", "web") == []


async def test_a_pinned_deletion_takes_only_the_pod_that_was_diagnosed(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"))
    uid = uid_of(cluster.store.of_kind("Pod", "web")[0])
    async with client(cluster.server.kubeconfig) as run:
        wrong = await run("delete pod front -n web", uid=OTHER)
        old = await run("delete pod front -n web", uid=uid, version="1")
        assert cluster.hooks.changes == []
        right = await run("delete pod front -n web --grace-period=1", uid=uid)
        vanished = await run("delete pod front -n web", uid=uid)
    for came in (wrong, old):
        assert (came.delivery, came.fault) == (Delivery.ANSWERED, "conflict")
    assert OTHER in wrong.message
    assert (right.fault, vanished.fault) == ("", "not-found")


async def test_all_that_a_selector_takes_is_deleted(start: Start) -> None:
    cluster = await start(pod("front", "a"), pod("back", "b"), pod("side", "a"))
    async with client(cluster.server.kubeconfig) as run:
        came = await run("delete pods -l app=a -n web --force")
        missing = await run("delete pod front -n web --ignore-not-found")
        none = await run("delete pods -l app=c -n web")
    assert came.out == 'pod "front" force deleted\npod "side" force deleted\n'
    assert [text(value, "metadata", "name") for value in cluster.store.of_kind("Pod", "web")] == ["back"]
    assert (missing.fault, missing.out) == ("", "")
    assert none.err == "No resources found\n"


async def test_a_refusal_after_something_was_done_is_no_refusal(start: Start) -> None:
    hooks = TestHooks(denials={"side": Denial("the freeze is on", 403)})
    cluster = await start(pod("front"), pod("side"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("delete pod front side -n web --wait=false")
    assert came.delivery is Delivery.UNKNOWN
    assert came.message.startswith("done: delete pods front; then: ")
    assert "the freeze is on" in came.message


async def test_whoever_may_delete_and_not_look_has_deleted(start: Start) -> None:
    rules = (RbacRule(("delete",), ("pods",), namespaces=("web",)),)
    cluster = await start(pod("front", node_name="node1"), users=(User("oncall", rules),))
    async with client(cluster.server.kubeconfig) as run:
        came = await run("delete pod front -n web")
    assert (came.fault, came.out) == ("", 'pod "front" deleted\n')


async def test_a_dry_run_on_the_server_changes_nothing(start: Start) -> None:
    cluster = await start(
        deployment("front"),
        pod("lone", node_name="node1"),
        cron_job("probe", "0 0 1 1 *"),
        budget("front", 1),
    )
    before = cluster.store.snapshot()
    change = json.dumps({"spec": {"replicas": 5}})
    async with client(cluster.server.kubeconfig) as run:
        for argv in (
            ("delete", "pod", "lone", "-n", "web"),
            ("patch", "deployment", "front", "-n", "web", "-p", change),
            ("scale", "deployment/front", "-n", "web", "--replicas=1"),
            ("rollout", "restart", "deployment/front", "-n", "web"),
            ("cordon", "node1"),
            ("drain", "node2", "--force"),
            ("create", "job", "by-hand", "--from=cronjob/probe", "-n", "web"),
        ):
            came = await run(argv, dry_run=True)
            assert (came.fault, came.delivery) == ("", Delivery.ANSWERED), came.message
            assert argv[0] == "patch" or "(server dry run)" in came.out
        written = await run("delete pod lone -n web --dry-run=server")
        assert written.out == 'pod "lone" deleted (server dry run)\n', written.message
        shell = await run("exec lone -n web -- reboot", dry_run=True)
    assert (shell.delivery, shell.fault) == (Delivery.NOT_SENT, "configuration")
    assert cluster.store.snapshot() == before
    assert cluster.hooks.calls == []


async def test_a_dry_run_hears_what_would_be_refused(start: Start) -> None:
    hooks = TestHooks(denials={"front": Denial("the freeze is on", 403)})
    cluster = await start(deployment("front"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("delete deployment front -n web", dry_run=True)
    assert came.fault == "forbidden"
    assert "the freeze is on" in came.message


async def test_the_three_patches_change_an_object(start: Start) -> None:
    cluster = await start(deployment("front"))
    target = ("patch", "deployment", "front", "-n", "web")
    container = {"name": "main", "env": [{"name": "MODE", "value": "safe"}]}
    change = json.dumps({"spec": {"template": {"spec": {"containers": [container]}}}})
    add = '[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]'
    async with client(cluster.server.kubeconfig) as run:
        merged = await run((*target, "--type=merge", "-p", '{"spec":{"replicas":3}}'))
        same = await run((*target, "--type=merge", "-p", '{"metadata":{"name":"front"}}'))
        await run((*target, "--type=json", "-p", add))
        shown = await run((*target, "-p", change, "-o", "json"))
    assert merged.out == "deployment.apps/front patched\n"
    assert same.out == "deployment.apps/front patched (no change)\n"
    found = the_deployment(cluster)
    assert number(found, "spec", "replicas") == 3
    assert text(found, "metadata", "labels", "a") == "b"
    first = ("spec", "template", "spec", "containers", 0)
    assert text(found, *first, "image") == "registry.lab.example/app:1"
    assert text(shown.result.data, *first, "env", 0, "value") == "safe"


@pytest.mark.parametrize("form", ["merge", "json", "strategic"])
async def test_a_pinned_patch_holds_to_the_object(start: Start, form: str) -> None:
    cluster = await start(deployment("front"))
    value = the_deployment(cluster)
    change = (
        '[{"op":"replace","path":"/spec/replicas","value":5}]'
        if form == "json"
        else '{"spec":{"replicas":5}}'
    )
    argv = ("patch", "deployment", "front", "-n", "web", f"--type={form}", "-p", change)
    async with client(cluster.server.kubeconfig) as run:
        wrong = await run(argv, uid=OTHER)
        old = await run(argv, version="1")
        assert number(the_deployment(cluster), "spec", "replicas") == 2
        right = await run(argv, uid=uid_of(value), version=text(value, "metadata", "resourceVersion"))
    assert [(came.delivery, came.fault) for came in (wrong, old)] == [(Delivery.ANSWERED, "conflict")] * 2
    assert right.fault == ""
    assert number(the_deployment(cluster), "spec", "replicas") == 5


@pytest.mark.parametrize(
    "line",
    [
        "scale deployment/front -n web --replicas=1",
        "rollout restart deployment/front -n web",
        "delete deployment front -n web",
    ],
)
async def test_other_changes_hold_to_the_object_too(start: Start, line: str) -> None:
    cluster = await start(deployment("front"))
    before = cluster.store.snapshot()
    async with client(cluster.server.kubeconfig) as run:
        wrong = await run(line, uid=OTHER)
        assert (wrong.delivery, wrong.fault) == (Delivery.ANSWERED, "conflict")
        assert cluster.store.snapshot() == before
        assert (await run(line, uid=uid_of(the_deployment(cluster)))).fault == ""


async def test_a_node_is_held_to_its_uid(start: Start) -> None:
    cluster = await start()
    async with client(cluster.server.kubeconfig) as run:
        for line in ("cordon node1", "drain node1"):
            assert (await run(line, uid=OTHER)).fault == "conflict"
        uid = uid_of(cluster.store.of_kind("Node")[0])
        assert (await run("cordon node1", uid=uid)).out == "node/node1 cordoned\n"


@pytest.mark.parametrize(
    "line", ["exec front -n web -- df", "delete pods -l app=a -n web", "get pods -n web"]
)
async def test_a_pin_that_cannot_hold_is_refused(start: Start, line: str) -> None:
    cluster = await start(pod("front", "a"))
    async with client(cluster.server.kubeconfig) as run:
        came = await run(line, uid=OTHER)
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "configuration")
    assert cluster.hooks.changes == []


async def test_scaling_looks_at_the_present_number_where_asked(start: Start) -> None:
    cluster = await start(deployment("front"))
    async with client(cluster.server.kubeconfig) as run:
        wrong = await run("scale deployment/front -n web --replicas=3 --current-replicas=5")
        right = await run("scale deployment/front -n web --replicas=3 --current-replicas=2")
    assert (wrong.fault, wrong.err) == ("conflict", "error: Expected replicas to be 5, was 2\n")
    assert right.out == "deployment.apps/front scaled\n"
    assert number(the_deployment(cluster), "spec", "replicas") == 3


async def test_what_cannot_be_restarted_is_refused(start: Start) -> None:
    cluster = await start(deployment("front"), pod("lone"))
    kind = cluster.store.kinds.named("Deployment")
    cluster.store.patch(kind, "web", "front", {"spec": {"paused": True}})
    async with client(cluster.server.kubeconfig) as run:
        paused = await run("rollout restart deployment/front -n web")
        lone = await run("rollout restart pod/lone -n web")
    assert "can't restart paused deployment" in paused.err
    assert "restarting is not supported" in lone.err
    assert cluster.hooks.changes == []


async def test_a_node_is_cordoned_once(start: Start) -> None:
    cluster = await start()
    async with client(cluster.server.kubeconfig) as run:
        said = [
            (await run(line)).out
            for line in ("cordon node1", "cordon node1", "uncordon node1", "uncordon node1")
        ]
    assert said == [
        "node/node1 cordoned\n",
        "node/node1 already cordoned\n",
        "node/node1 uncordoned\n",
        "node/node1 already uncordoned\n",
    ]


async def test_a_drain_keeps_to_the_disruption_budget_and_shows_it(start: Start) -> None:
    cluster = await start(deployment("front"), budget("front", 2))
    async with client(cluster.server.kubeconfig) as run:
        blocked = await run("drain node1 --timeout=1s")
        kind = cluster.store.kinds.named("PodDisruptionBudget")
        cluster.store.patch(kind, "web", "front", {"spec": {"minAvailable": 1}})
        drained = await run("drain node1 --timeout=20s")
    assert blocked.delivery is Delivery.UNKNOWN
    assert "The disruption budget front needs 2 healthy pods and has 2 currently" in blocked.message
    assert "violate the pod's disruption budget" in blocked.err
    assert blocked.message.startswith("done: patch nodes node1; then: ")
    assert drained.out.splitlines()[-1] == "node/node1 drained"
    assert {text(value, "spec", "nodeName") for value in cluster.store.of_kind("Pod", "web")} == {"node2"}


async def test_a_drain_goes_on_when_the_budget_lets_it(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakglass.transport.kubectl.verb_drain.AGAIN_AFTER", 0.2)
    cluster = await start(deployment("front"), budget("front", 2))
    kind = cluster.store.kinds.named("PodDisruptionBudget")
    change: Object = {"spec": {"minAvailable": 1}}
    cluster.clock.call_later(10, lambda: cluster.store.patch(kind, "web", "front", change))
    async with client(cluster.server.kubeconfig) as run:
        came = await run("drain node1")
    assert came.fault == "", came.message
    assert "(will retry after 0.2s)" in came.err
    assert "node/node1 drained" in came.out


async def test_a_drain_stops_before_pods_that_it_may_not_take(start: Start) -> None:
    local = pod("local", node_name="node1")
    spec = local["spec"]
    assert isinstance(spec, dict)
    spec["volumes"] = [{"name": "cache", "emptyDir": {}}]
    cluster = await start(local)
    async with client(cluster.server.kubeconfig) as run:
        lone = await run("drain node1")
        emptydir = await run("drain node1 --force")
        assert len(cluster.store.of_kind("Pod", "web")) == 1
        all_of_it = await run("drain node1 --force --delete-emptydir-data")
    assert "declare no controller (use --force to override): web/local" in lone.message
    assert "local storage (use --delete-emptydir-data to override): web/local" in emptydir.message
    assert all_of_it.fault == ""
    assert cluster.store.of_kind("Pod", "web") == []


async def test_a_job_is_made_from_a_cron_job(start: Start) -> None:
    cluster = await start(cron_job("probe", "0 0 1 1 *"))
    async with client(cluster.server.kubeconfig) as run:
        came = await run("create job by-hand --from=cronjob/probe -n web")
        twice = await run("create job by-hand --from=cronjob/probe -n web")
        missing = await run("create job by-hand --from=cronjob/none -n web")
    job = cluster.store.of_kind("Job", "web")[0]
    assert came.out == "job.batch/by-hand created\n"
    assert text(job, "metadata", "annotations", "cronjob.kubernetes.io/instantiate") == "manual"
    assert text(job, "metadata", "ownerReferences", 0, "name") == "probe"
    assert at(job, "spec", "template") is not None
    assert (twice.fault, missing.fault) == ("conflict", "not-found")


async def test_what_is_not_allowed_is_forbidden_and_nothing_is_done(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"), users=(User("oncall", READ_ONLY),))
    async with client(cluster.server.kubeconfig) as run:
        came = await run("delete pod front -n web")
    assert (came.delivery, came.fault) == (Delivery.ANSWERED, "forbidden")
    assert 'User "oncall" cannot delete resource "pods"' in came.message
    assert came.err.startswith('Error from server (Forbidden): pods "front" is forbidden: ')


async def test_a_stateful_sets_pods_come_one_at_a_time(start: Start) -> None:
    cluster = await start(stateful_set("data", 2), storage_class("block"))
    async with client(cluster.server.kubeconfig) as run:
        assert (await run("scale sts data -n web --replicas=1")).out == "statefulset.apps/data scaled\n"
        assert (await run("rollout status sts/data -n web")).fault == ""
        gone = await run("wait --for=delete pod/data-1 -n web --timeout=20s")
    assert gone.fault == ""


def test_every_verb_that_is_understood_is_carried_out() -> None:
    known = {**vars(operations), **vars(changes)}
    understood = {each for each in known.values() if isinstance(each, type)}
    assert set(VERBS) == {each for each in understood if issubclass(each, Operation)} - {Operation}
