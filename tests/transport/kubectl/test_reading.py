"""Verbs that look: get, logs, wait, rollout status, auth can-i."""

import asyncio
import json

import pytest
import yaml

from breakglass.kubernetes_objects import Object
from breakglass.simulator.kubernetes.access import READ_ONLY, User
from breakglass.simulator.kubernetes.hooks import LogAnswer, PodBirth, PodEnding, ServerFault
from breakglass.simulator.kubernetes.kinds import custom_kind
from breakglass.transport.base import Delivery
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import TestHooks, deployment, pod, stateful_set, storage_class
from tests.transport.kubectl.support import client, relay

STORE: Object = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "ExternalSecret",
    "metadata": {"name": "token", "namespace": "web"},
    "status": {"conditions": [{"type": "Ready", "status": "False"}]},
}


async def test_one_object_is_the_results_data(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"))
    async with client(cluster.server.kubeconfig) as run:
        came = await run("get pod front -n web -o json")
    data = came.result.data
    assert isinstance(data, dict)
    assert data == json.loads(came.out)
    assert data["kind"] == "Pod"
    assert came.out.startswith('{\n    "apiVersion": "v1",\n    "kind": "Pod",\n')
    assert (came.result.exit, came.delivery) == (0, Delivery.ANSWERED)


async def test_several_objects_are_one_list(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"), pod("back", node_name="node2"))
    async with client(cluster.server.kubeconfig) as run:
        listed = (await run("get pods -n web -o json")).result.data
        named = (await run("get pods front back -n web -o yaml")).out
    assert isinstance(listed, dict)
    assert listed["kind"] == "List"
    items = listed["items"]
    assert isinstance(items, list)
    assert [item["kind"] for item in items if isinstance(item, dict)] == ["Pod", "Pod"]
    assert [item["metadata"]["name"] for item in yaml.safe_load(named)["items"]] == ["front", "back"]


async def test_labels_fields_and_namespaces_select(start: Start) -> None:
    cluster = await start(pod("front", "a", "node1"), pod("back", "b", "node2"))
    async with client(cluster.server.kubeconfig) as run:
        assert (await run(("get", "pods", "-A", "-l", "app in (a,c)", "-o", "name"))).out == "pod/front\n"
        chosen = "--field-selector=spec.nodeName=node2,status.phase=Running"
        assert (await run(f"get pods -A {chosen} -o name")).out == "pod/back\n"
        came = await run("get pods -n web --field-selector=spec.nodeName=node1 -o name")
        assert came.out == "pod/front\n"


async def test_a_list_is_read_page_by_page(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakglass.transport.kubectl.find.PAGE", 2)
    cluster = await start(*(pod(f"front{index}") for index in range(5)))
    async with client(cluster.server.kubeconfig) as run:
        names = (await run("get pods -n web -o name")).out
        table = (await run("get pods -n web")).out
    assert names.split() == [f"pod/front{index}" for index in range(5)]
    assert [line.split()[0] for line in table.splitlines()] == ["NAME", *(f"front{i}" for i in range(5))]


async def test_tables_of_several_kinds_stand_apart(start: Start) -> None:
    cluster = await start(deployment("front", 1))
    async with client(cluster.server.kubeconfig) as run:
        came = await run("get deploy,rs -n web")
        bare = await run("get deploy -n web --no-headers")
    first, second = came.out.split("\n\n")
    assert first.splitlines()[1].startswith("deployment.apps/front ")
    assert second.splitlines()[1].startswith("replicaset.apps/front-")
    assert bare.out.split()[0] == "front"


async def test_nothing_found_is_said_and_no_fault(start: Start) -> None:
    cluster = await start()
    async with client(cluster.server.kubeconfig) as run:
        came = await run("get pods -n web")
        everywhere = await run("get pods -A")
    assert (came.out, came.err) == ("", "No resources found in web namespace.\n")
    assert everywhere.err == "No resources found\n"
    assert came.fault == ""


async def test_what_is_missing_is_named_with_the_cluster(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"))
    async with client(cluster.server.kubeconfig) as run:
        came = await run("get pods front gone -n web -o name")
        ignored = await run("get pod gone -n web --ignore-not-found")
    assert came.fault == "not-found"
    assert came.out == "pod/front\n"
    assert came.err == 'Error from server (NotFound): pods "gone" not found\n'
    assert f"cluster main ({cluster.server.url})" in came.message
    assert (ignored.out, ignored.err, ignored.fault) == ("", "", "")


async def test_an_operators_own_kind_is_found_by_any_of_its_names(start: Start) -> None:
    columns = (("Ready", "status.conditions.Ready.status"),)
    kind = custom_kind("external-secrets.io", "v1", "externalsecrets", "ExternalSecret", columns=columns)
    cluster = await start()
    cluster.store.kinds.add(kind)
    cluster.store.load([STORE])
    async with client(cluster.server.kubeconfig) as run:
        for word in ("externalsecrets.external-secrets.io", "externalsecrets", "ExternalSecret"):
            came = await run(f"get {word} -A")
            header, row = came.out.splitlines()
            assert header.split()[:3] == ["NAMESPACE", "NAME", "READY"]
            assert row.split()[:3] == ["web", "token", "False"]


async def test_a_kind_that_no_one_serves_is_named(start: Start) -> None:
    async with client((await start()).server.kubeconfig) as run:
        for word in ("gadgets", "gadgets.example.com"):
            came = await run(f"get {word}")
            assert came.fault == "not-found"
            assert f"no resource type '{word}'" in came.message


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a%2fb"])
async def test_a_name_that_would_lead_elsewhere_is_not_sent(start: Start, name: str) -> None:
    cluster = await start(pod("front"))
    async with client(cluster.server.kubeconfig) as run:
        came = await run(("delete", "pod", name, "-n", "web"))
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "configuration")
    assert [value.get("kind") for value in cluster.store.of_kind("Namespace")].count("Namespace") > 0
    assert cluster.hooks.changes == []


async def test_logs_are_cut_and_prefixed(start: Start) -> None:
    hooks = TestHooks(log=LogAnswer(["one", "two", "three"]))
    cluster = await start(pod("front", "a", "node1"), pod("back", "a", "node2"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        assert (await run("logs front -n web --tail=2")).out == "two\nthree\n"
        came = await run("logs -n web -l app=a --prefix --tail=1")
        previous = await run("logs front -n web -p")
        nobody = await run("logs -n web -l app=b")
    assert came.out == "[pod/back/main] three\n[pod/front/main] three\n"
    assert previous.fault == "rejected"
    assert "previous terminated container" in previous.message
    assert (nobody.err, nobody.fault) == ("No resources found in web namespace.\n", "")


async def test_the_pods_of_a_deployment_have_logs(start: Start) -> None:
    hooks = TestHooks(log=LogAnswer(["one"]))
    cluster = await start(deployment("front"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("logs deploy/front -n web")
    assert came.out == "one\n"
    assert came.err.startswith("Found 2 pods, using pod/front-")


async def test_a_log_of_twenty_megabytes_comes_in_pieces(start: Start) -> None:
    hooks = TestHooks(log=LogAnswer(["x" * 999] * 20_000))
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("logs front -n web")
    assert came.output.size == 20_000_000
    assert came.output.largest <= 1_000_000


async def test_a_container_that_is_not_there_is_named(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"))
    async with client(cluster.server.kubeconfig) as run:
        came = await run("logs front -n web -c sidecar")
    assert came.fault == "rejected"
    assert "no container 'sidecar'; it has: main" in came.message


async def test_waiting_ends_with_the_condition_and_with_the_deletion(start: Start) -> None:
    hooks = TestHooks(births={"front": PodBirth(delay=10)}, endings={"front": PodEnding(10)})
    cluster = await start(hooks=hooks)
    cluster.store.load([pod("front")])
    async with client(cluster.server.kubeconfig) as run:
        ready = await run("wait --for=condition=Ready pod/front -n web --timeout=20s")
        labelled = await run("wait --for=condition=Ready pod -l app=front -n web")
        await run("delete pod front -n web --wait=false")
        gone = await run("wait --for=delete pod/front -n web --timeout=20s")
        again = await run("wait --for=delete pod/front -n web --timeout=20s")
    assert ready.out == labelled.out == gone.out == "pod/front condition met\n"
    assert (again.out, again.fault) == ("", "")
    assert cluster.store.of_kind("Pod", "web") == []


async def test_waiting_gives_up_after_the_lines_time(start: Start) -> None:
    hooks = TestHooks(births={"front": PodBirth(delay=None)})
    cluster = await start(pod("front"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("wait --for=condition=Ready pod/front -n web --timeout=300ms")
        missing = await run("wait --for=condition=Ready pods -l app=nobody -n web --timeout=1s")
    assert (came.fault, came.result.exit) == ("timeout", 1)
    assert came.err == "error: timed out waiting for the condition on pods/front\n"
    assert missing.err == "error: no matching resources found\n"


async def test_a_rollout_is_told_to_its_end(start: Start) -> None:
    cluster = await start(deployment("front"), stateful_set("data", 2), storage_class("block"))
    async with client(cluster.server.kubeconfig) as run:
        for target, end in (
            ("deployment/front", "successfully rolled out"),
            ("sts/data", "partitioned roll out complete: 2 new pods have been updated..."),
        ):
            assert (await run(f"rollout restart {target} -n web")).fault == ""
            status = await run(f"rollout status {target} -n web --timeout=20s")
            assert end in status.out.splitlines()[-1], status.err


async def test_a_rollout_that_does_not_roll_is_refused(start: Start) -> None:
    cluster = await start(stateful_set("data", 1, "OnDelete"), storage_class("block"))
    async with client(cluster.server.kubeconfig) as run:
        status = await run("rollout status statefulset/data -n web")
        service = await run("rollout status node/node1")
    assert "only available for RollingUpdate" in status.err
    assert "no status viewer" in service.err


async def test_rights_are_told(start: Start) -> None:
    cluster = await start(users=(User("oncall", READ_ONLY),))
    async with client(cluster.server.kubeconfig) as run:
        allowed = await run("auth can-i list pods -n web")
        denied = await run("auth can-i delete pods -n web")
        quiet = await run("auth can-i delete pods -n web -q")
        unknown = await run("auth can-i get gadgets")
    assert (allowed.out, allowed.result.exit, allowed.fault) == ("yes\n", 0, "")
    assert denied.out.startswith("no")
    assert (denied.result.exit, denied.fault) == (1, "exit")
    assert (quiet.out, quiet.result.exit) == ("", 1)
    assert "the server doesn't have a resource type 'gadgets'" in unknown.err


async def test_one_connection_is_kept_for_reading(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"))
    async with (
        relay(cluster.server.address) as between,
        client(cluster.server.kubeconfig, server=between.url) as run,
    ):
        for _ in range(3):
            assert (await run("get pod front -n web")).fault == ""
    assert between.connections == 1


async def test_a_broken_aggregated_api_keeps_no_one_from_looking_at_pods(start: Start) -> None:
    hooks = TestHooks(faults={"get": ServerFault("answer", 503, "ServiceUnavailable", "no endpoints")})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        assert (await run("get pods -n web -o name")).out == "pod/front\n"
        came = await run("get gadgets")
    assert came.fault == "server-error"


async def test_requests_at_the_same_time_share_one_way_in(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"))
    async with client(cluster.server.kubeconfig) as run:
        came = await asyncio.gather(*(run("get pods -n web -o name") for _ in range(20)))
    assert {each.out for each in came} == {"pod/front\n"}
