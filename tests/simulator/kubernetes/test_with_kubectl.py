"""What the real `kubectl` programs see and do."""

import asyncio
import json
from collections.abc import Callable

from breakglass.kubernetes_objects import Object, number, text, uid_of
from breakglass.simulator.kubernetes.access import READ_ONLY, User
from breakglass.simulator.kubernetes.hooks import ExecAnswer, LogAnswer, PodBirth, PodEnding, RequestInfo
from breakglass.simulator.kubernetes.kinds import custom_kind
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import (
    Cluster,
    Kubectl,
    TestHooks,
    budget,
    deployment,
    pod,
    stateful_set,
    storage_class,
)

Client = Callable[[Cluster], Kubectl]


async def test_pods_are_printed_as_a_table(start: Start, kubectl: Client) -> None:
    run = kubectl(await start(pod("front", node_name="node1")))
    shown = await run("get", "pods", "-n", "web")
    header, row = (line.split() for line in shown.out.splitlines())
    assert header == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert row[:4] == ["front", "1/1", "Running", "0"]


async def test_the_wide_table_names_the_node_and_the_address(start: Start, kubectl: Client) -> None:
    cluster = await start(pod("front", node_name="node1"))
    shown = await kubectl(cluster)("get", "pods", "-n", "web", "-o", "wide")
    address = text(cluster.store.of_kind("Pod", "web")[0], "status", "podIP")
    header, row = shown.out.splitlines()
    assert "NOMINATED NODE" in header and "READINESS GATES" in header
    assert row.split()[5:7] == [address, "node1"]


async def test_objects_come_as_json_yaml_names_and_jsonpath(start: Start, kubectl: Client) -> None:
    run = kubectl(await start(pod("front", node_name="node1")))
    listed = json.loads((await run("get", "pods", "-n", "web", "-o", "json")).out)
    assert [(item["kind"], item["metadata"]["name"]) for item in listed["items"]] == [("Pod", "front")]
    assert "kind: Pod\n" in (await run("get", "pod", "front", "-n", "web", "-o", "yaml")).out
    assert (await run("get", "pods", "-n", "web", "-o", "name")).out == "pod/front\n"
    path = "jsonpath={.items[*].spec.nodeName}"
    assert (await run("get", "pods", "-n", "web", "-o", path)).out == "node1"


async def test_labels_fields_and_namespaces_select(start: Start, kubectl: Client) -> None:
    run = kubectl(await start(pod("front", "a", "node1"), pod("back", "b", "node2")))
    assert (await run("get", "pods", "-A", "-l", "app in (a,c)", "-o", "name")).out == "pod/front\n"
    selector = "--field-selector=spec.nodeName=node2,status.phase=Running"
    assert (await run("get", "pods", "-A", selector, "-o", "name")).out == "pod/back\n"
    refused = await run("get", "pods", "-A", "--field-selector=spec.image=x")
    assert refused.exit == 1 and "field label not supported: spec.image" in refused.err


async def test_what_is_not_there_is_not_found(start: Start, kubectl: Client) -> None:
    run = kubectl(await start())
    missing = await run("get", "pod", "front", "-n", "web")
    assert missing.exit == 1
    assert missing.err.strip() == 'Error from server (NotFound): pods "front" not found'
    assert 'doesn\'t have a resource type "gadgets"' in (await run("get", "gadgets")).err


async def test_a_scenarios_own_resource_has_its_columns(start: Start, kubectl: Client) -> None:
    columns = (("Store", "spec.secretStoreRef.name"), ("Ready", "status.conditions.Ready.status"))
    kind = custom_kind("external-secrets.io", "v1", "externalsecrets", "ExternalSecret", columns=columns)
    cluster = await start()
    cluster.store.kinds.add(kind)
    cluster.store.load(
        [
            {
                "apiVersion": "external-secrets.io/v1",
                "kind": "ExternalSecret",
                "metadata": {"name": "token", "namespace": "web"},
                "spec": {"secretStoreRef": {"name": "vault-kv"}},
                "status": {"conditions": [{"type": "Ready", "status": "False"}]},
            }
        ]
    )
    shown = await kubectl(cluster)("get", "externalsecrets", "-n", "web")
    assert [line.split()[:3] for line in shown.out.splitlines()] == [
        ["NAME", "STORE", "READY"],
        ["token", "vault-kv", "False"],
    ]


async def test_logs_are_cut_to_the_last_lines(start: Start, kubectl: Client) -> None:
    hooks = TestHooks(log=LogAnswer(["one", "two", "three"]))
    run = kubectl(await start(pod("front", node_name="node1"), hooks=hooks))
    assert (await run("logs", "front", "-n", "web", "--tail=2")).out == "two\nthree\n"
    assert "previous terminated container" in (await run("logs", "front", "-n", "web", "-p")).err


async def test_a_command_gives_both_outputs_and_its_exit_status(start: Start, kubectl: Client) -> None:
    hooks = TestHooks(answers={"df": ExecAnswer(b"full\n", b"warning\n", exit=3)})
    run = kubectl(await start(pod("front", node_name="node1"), hooks=hooks))
    ran = await run("exec", "-n", "web", "front", "--", "df", "-k", "/dev/shm")
    assert (ran.exit, ran.out) == (3, "full\n")
    assert ran.err.splitlines() == ["warning", "command terminated with exit code 3"]
    assert hooks.calls[0].argv == ("df", "-k", "/dev/shm")
    assert hooks.calls[0].container == "main"


async def test_a_command_reads_its_input_to_the_end(start: Start, kubectl: Client) -> None:
    run = kubectl(await start(pod("front", node_name="node1")))
    content = b"line\n" * 40_000
    ran = await run("exec", "-i", "-n", "web", "front", "--", "cat", stdin=content)
    assert (ran.exit, ran.out) == (0, content.decode())


async def test_a_large_output_comes_whole(start: Start, kubectl: Client) -> None:
    hooks = TestHooks(answers={"dump": ExecAnswer([b"x" * 1_000_000] * 8)})
    run = kubectl(await start(pod("front", node_name="node1"), hooks=hooks))
    ran = await run("exec", "-n", "web", "front", "--", "dump")
    assert (ran.exit, len(ran.out)) == (0, 8_000_000)


async def test_a_command_in_a_pod_that_does_not_run_is_refused(start: Start, kubectl: Client) -> None:
    hooks = TestHooks(births={"front": PodBirth(delay=None)})
    run = kubectl(await start(pod("front", node_name="node1"), hooks=hooks))
    ran = await run("exec", "-n", "web", "front", "--", "df")
    assert ran.exit == 1 and "container not found" in ran.err


async def test_a_deletion_waits_until_the_pod_is_gone(start: Start, kubectl: Client) -> None:
    hooks = TestHooks(endings={"front": PodEnding(10)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    ran = await kubectl(cluster)("delete", "pod", "front", "-n", "web", "--grace-period=30")
    assert ran.exit == 0 and 'pod "front" deleted' in ran.out
    assert cluster.store.of_kind("Pod", "web") == []
    assert [(change.verb, change.grace) for change in hooks.changes] == [("delete", 30)]


async def test_a_pod_that_hangs_is_only_gone_by_force(start: Start, kubectl: Client) -> None:
    hooks = TestHooks(endings={"front": PodEnding(None)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    run = kubectl(cluster)
    await run("delete", "pod", "front", "-n", "web", "--wait=false")
    assert "Terminating" in (await run("get", "pods", "-n", "web")).out
    await run("delete", "pod", "front", "-n", "web", "--grace-period=0", "--force")
    assert cluster.store.of_kind("Pod", "web") == []


async def test_a_dry_run_on_the_server_changes_nothing(start: Start, kubectl: Client) -> None:
    cluster = await start(deployment("front"), pod("lone", node_name="node1"))
    run, before = kubectl(cluster), cluster.store.snapshot()
    change = json.dumps({"spec": {"replicas": 5}})
    for argv in (
        ("delete", "pod", "lone", "-n", "web"),
        ("patch", "deployment", "front", "-n", "web", "-p", change),
        ("delete", "deployment", "front", "-n", "web"),
        ("cordon", "node1"),
    ):
        assert (await run(*argv, "--dry-run=server")).exit == 0, argv
    assert cluster.store.snapshot() == before


async def test_the_three_patches_change_an_object(start: Start, kubectl: Client) -> None:
    cluster = await start(deployment("front"))
    run = kubectl(cluster)
    target = ("patch", "deployment", "front", "-n", "web")
    await run(*target, "--type=merge", "-p", '{"spec":{"replicas":3}}')
    await run(*target, "--type=json", "-p", '[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]')
    container = {"name": "main", "env": [{"name": "MODE", "value": "safe"}]}
    change = json.dumps({"spec": {"template": {"spec": {"containers": [container]}}}})
    await run(*target, "--type=strategic", "-p", change)
    found = cluster.store.of_kind("Deployment", "web")[0]
    assert number(found, "spec", "replicas") == 3
    assert text(found, "metadata", "labels", "a") == "b"
    first = ("spec", "template", "spec", "containers", 0)
    assert text(found, *first, "image") == "registry.lab.example/app:1"
    assert text(found, *first, "env", 0, "value") == "safe"


async def test_waiting_ends_with_the_condition_and_with_the_deletion(start: Start, kubectl: Client) -> None:
    hooks = TestHooks(births={"front": PodBirth(delay=10)}, endings={"front": PodEnding(10)})
    cluster = await start(hooks=hooks)
    run = kubectl(cluster)
    cluster.store.load([pod("front")])
    ready = await run("wait", "--for=condition=Ready", "pod/front", "-n", "web", "--timeout=20s")
    assert ready.out == "pod/front condition met\n"
    await run("delete", "pod", "front", "-n", "web", "--wait=false")
    gone = await run("wait", "--for=delete", "pod/front", "-n", "web", "--timeout=20s")
    assert gone.exit == 0
    assert cluster.store.of_kind("Pod", "web") == []


async def test_waiting_gives_up_after_its_time(start: Start, kubectl: Client) -> None:
    hooks = TestHooks(births={"front": PodBirth(delay=None)})
    run = kubectl(await start(pod("front"), hooks=hooks))
    ran = await run("wait", "--for=condition=Ready", "pod/front", "-n", "web", "--timeout=1s")
    assert ran.exit == 1 and "timed out waiting for the condition" in ran.err


async def test_scaling_and_restarting_roll_out(start: Start, kubectl: Client) -> None:
    cluster = await start(deployment("front"))
    run = kubectl(cluster)
    assert (await run("scale", "deployment/front", "-n", "web", "--replicas=3")).exit == 0
    assert (await run("rollout", "status", "deployment/front", "-n", "web", "--timeout=20s")).exit == 0
    before = {uid_of(value) for value in cluster.store.of_kind("Pod", "web")}
    assert len(before) == 3
    assert (await run("rollout", "restart", "deployment/front", "-n", "web")).exit == 0
    status = await run("rollout", "status", "deployment/front", "-n", "web", "--timeout=20s")
    assert "successfully rolled out" in status.out
    ready = [value for value in cluster.store.of_kind("Pod", "web") if uid_of(value) not in before]
    assert len(ready) == 3
    assert {change.verb for change in cluster.hooks.changes} == {"scale", "patch"}


async def test_a_stateful_set_rolls_one_pod_at_a_time(start: Start, kubectl: Client) -> None:
    cluster = await start(stateful_set("data", 2), storage_class("block"))
    run = kubectl(cluster)
    before = {uid_of(value) for value in cluster.store.of_kind("Pod", "web")}
    await run("rollout", "restart", "statefulset/data", "-n", "web")
    status = await run("rollout", "status", "statefulset/data", "-n", "web", "--timeout=20s")
    assert status.exit == 0, status.err
    after = cluster.store.of_kind("Pod", "web")
    assert len(after) == 2 and before.isdisjoint(map(uid_of, after))


async def test_a_cordoned_node_gets_no_pods(start: Start, kubectl: Client) -> None:
    cluster = await start()
    run = kubectl(cluster)
    assert (await run("cordon", "node1")).out == "node/node1 cordoned\n"
    assert "Ready,SchedulingDisabled" in (await run("get", "nodes")).out
    cluster.store.load([pod(f"front{index}") for index in range(3)])
    await run("wait", "--for=condition=Ready", "pod", "--all", "-n", "web", "--timeout=20s")
    assert {text(value, "spec", "nodeName") for value in cluster.store.of_kind("Pod")} == {"node2"}
    assert (await run("uncordon", "node1")).out == "node/node1 uncordoned\n"


async def test_a_drain_waits_for_the_disruption_budget(start: Start, kubectl: Client) -> None:
    cluster = await start(deployment("front"), budget("front", 2))
    run = kubectl(cluster)
    blocked = await run("drain", "node1", "--timeout=1s")
    assert blocked.exit == 1 and "violate the pod's disruption budget" in blocked.err
    cluster.store.patch(
        cluster.store.kinds.named("PodDisruptionBudget"), "web", "front", {"spec": {"minAvailable": 1}}
    )
    drained = await run("drain", "node1", "--timeout=20s")
    assert drained.exit == 0, drained.err
    nodes = {text(value, "spec", "nodeName") for value in cluster.store.of_kind("Pod", "web")}
    assert nodes == {"node2"}
    assert [change.verb for change in cluster.hooks.changes][-1] == "evict"


async def test_rights_are_told_before_they_are_needed(start: Start, kubectl: Client) -> None:
    cluster = await start(users=(User("oncall", READ_ONLY),))
    run = kubectl(cluster)
    assert (await run("auth", "can-i", "list", "pods", "-n", "web")).out == "yes\n"
    denied = await run("auth", "can-i", "delete", "pods", "-n", "web")
    assert denied.out.startswith("no") and denied.exit == 1
    assert "[get list watch]" in (await run("auth", "can-i", "--list")).out


async def test_what_is_not_allowed_is_forbidden_with_the_reason(start: Start, kubectl: Client) -> None:
    cluster = await start(pod("front", node_name="node1"), users=(User("oncall", READ_ONLY),))
    ran = await kubectl(cluster)("delete", "pod", "front", "-n", "web")
    assert ran.exit == 1
    assert (
        'pods "front" is forbidden: User "oncall" cannot delete resource "pods" in API group "" '
        'in the namespace "web"'
    ) in ran.err
    assert len(cluster.store.of_kind("Pod", "web")) == 1


async def test_a_watch_shows_changes_as_they_come(start: Start, kubectl: Client) -> None:
    hooks = TestHooks(births={"front": PodBirth(delay=None)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)

    def label_once_watched(request: RequestInfo) -> None:
        if request.verb == "watch":
            change: Object = {"metadata": {"labels": {"seen": "yes"}}}
            cluster.clock.call_later(
                1, lambda: cluster.store.patch(cluster.store.kinds.named("Pod"), "web", "front", change)
            )

    hooks.on_request = label_once_watched
    lines = await kubectl(cluster).until("yes", "get", "pods", "-n", "web", "-w", "-L", "seen")
    assert [line.split()[-1] for line in lines[1:]][-1] == "yes"
    assert len(lines) == 3


async def test_objects_are_created_and_applied(start: Start, kubectl: Client) -> None:
    cluster = await start()
    run = kubectl(cluster)
    assert (await run("create", "configmap", "hosts", "-n", "web", "--from-literal=a=1")).exit == 0
    manifest = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"hosts"},"data":{"b":"2"}}'
    applied = await run("apply", "-n", "web", "-f", "-", stdin=manifest.encode())
    assert applied.exit == 0, applied.err
    found = cluster.store.of_kind("ConfigMap", "web")[0]
    assert (text(found, "data", "a"), text(found, "data", "b")) == ("1", "2")


async def test_an_object_can_be_described(start: Start, kubectl: Client) -> None:
    run = kubectl(await start(pod("front", node_name="node1")))
    for argv in (("pod", "front", "-n", "web"), ("node", "node1")):
        shown = await run("describe", *argv)
        assert shown.exit == 0 and shown.out.startswith("Name:"), shown.err


async def test_a_port_of_a_pod_is_forwarded(start: Start, kubectl: Client) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    far = await asyncio.start_server(answer, "127.0.0.1", 0)
    address: tuple[str, int] = far.sockets[0].getsockname()[:2]
    run = kubectl(await start(pod("front", node_name="node1"), dial=lambda pod, port: address))
    argv = ("port-forward", "pod/front", ":8200", "-n", "web", "--address=127.0.0.1")
    async with run.running(*argv) as lines, asyncio.timeout(30):
        said = await lines.readline()
        local = int(said.decode().partition("127.0.0.1:")[2].partition(" ")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", local)
        writer.write(b"hello\n")
        assert await reader.readline() == b"HELLO\n"
        writer.close()
    far.close()
