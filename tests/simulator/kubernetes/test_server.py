"""The server at its edges: who may come in, how it fails on purpose, streams, logs, and closing."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest

from breakglass.kubernetes_objects import Object, at, objects, text
from breakglass.simulator.kubernetes.access import READ_ONLY, RbacRule, User
from breakglass.simulator.kubernetes.hooks import (
    ExecAnswer,
    LogAnswer,
    LogLine,
    PodBirth,
    PodEnding,
    ServerFault,
)
from breakglass.values import Json
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.raw import Raw, raw
from tests.simulator.kubernetes.support import TestHooks, deployment, pod

ROOT = User("root", login="token")
ONCALL = User("oncall", READ_ONLY, login="token")
PODS = "/api/v1/namespaces/web/pods"
FRONT = f"{PODS}/front"


async def test_without_a_name_only_the_open_paths_answer(start: Start) -> None:
    async with raw(await start(users=(ROOT,)), token="") as anyone:
        assert (await anyone.ask("GET", "/healthz")).text == "ok"
        assert at((await anyone.ask("GET", "/version")).body, "minor") == "34"
        refused = await anyone.ask("GET", PODS)
        assert refused.code == 403
        assert 'User "system:anonymous" cannot list resource "pods"' in text(refused.body, "message")
        assert (await anyone.ask("GET", "/apis")).code == 403


async def test_a_token_that_is_not_known_is_unauthorized(start: Start) -> None:
    async with raw(await start(users=(ROOT,)), token="made-up") as stranger:
        assert (await stranger.ask("GET", PODS)).code == 401


async def test_one_user_may_act_as_another_only_with_the_right(start: Start) -> None:
    cluster = await start(pod("front"), users=(ROOT, ONCALL))
    async with raw(cluster, "root") as root:
        answer = await root.ask("DELETE", FRONT, headers={"Impersonate-User": "oncall"})
        assert answer.code == 403 and 'User "oncall" cannot delete' in text(answer.body, "message")
    async with raw(cluster, "oncall") as oncall:
        answer = await oncall.ask("GET", PODS, headers={"Impersonate-User": "root"})
        assert answer.code == 403
        assert 'User "oncall" cannot impersonate resource "users"' in text(answer.body, "message")


async def test_a_rule_can_be_for_one_name_and_one_subresource(start: Start) -> None:
    rules = (RbacRule(("get",), ("pods",), names=("front",)), RbacRule(("get",), ("pods/log",)))
    cluster = await start(pod("front"), pod("back"), users=(User("narrow", rules, login="token"),))
    async with raw(cluster, "narrow") as narrow:
        codes = [
            (await narrow.ask("GET", path)).code
            for path in (FRONT, f"{PODS}/back", f"{PODS}/back/log", f"{FRONT}/status", PODS)
        ]
    assert codes == [200, 403, 200, 403, 403]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v1/gadgets", 404),
        ("GET", "/apis/nowhere.io/v1/things", 404),
        ("GET", "/api/v1/pods/front", 404),
        ("GET", "/api/v1/namespaces/web/nodes", 404),
        ("GET", f"{FRONT}/nonsense", 404),
        ("GET", "/nonsense", 404),
        ("PUT", PODS, 405),
        ("POST", FRONT, 405),
        ("DELETE", f"{FRONT}/log", 405),
        ("GET", f"{FRONT}/exec?command=ls&stdout=true", 400),
        ("GET", f"{FRONT}/exec?stdout=true", 400),
        ("GET", f"{FRONT}/exec?command=ls", 400),
        ("GET", f"{FRONT}/log?container=side", 400),
        ("GET", f"{FRONT}/log?tailLines=-1", 422),
        ("GET", f"{FRONT}/log?tailLines=many", 400),
        ("GET", f"{PODS}?limit=many", 400),
        ("GET", f"{PODS}?continue=bad", 400),
        ("GET", f"{PODS}?labelSelector=a%3Db%3Dc", 400),
        ("GET", f"{PODS}?watch=true&resourceVersion=new", 400),
        ("DELETE", f"{FRONT}?propagationPolicy=Sideways", 422),
        ("DELETE", f"{FRONT}?gracePeriodSeconds=long", 400),
        ("PATCH", FRONT, 415),
    ],
)
async def test_a_request_that_makes_no_sense_has_its_status(
    start: Start, method: str, path: str, code: int
) -> None:
    cluster = await start(pod("front", node_name="node1"), users=(ROOT,))
    before = cluster.store.snapshot()
    async with raw(cluster, "root") as root:
        answer = await root.ask(method, path)
    assert at(answer.body, "kind") == "Status"
    assert (answer.code, at(answer.body, "code")) == (code, code)
    assert cluster.store.snapshot() == before


@pytest.mark.parametrize(
    ("content_type", "data", "code"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"[]", 400),
        ("application/json", b"{}", 400),
        ("text/html", b"<p>", 415),
        ("application/vnd.kubernetes.protobuf", b"k8s\x00\xff", 415),
        ("application/json", b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"}}', 422),
    ],
)
async def test_a_body_that_makes_no_sense_has_its_status(
    start: Start, content_type: str, data: bytes, code: int
) -> None:
    async with raw(await start(users=(ROOT,)), "root") as root:
        answer = await root.ask("POST", PODS, headers={"Content-Type": content_type}, data=data)
    assert (answer.code, at(answer.body, "kind")) == (code, "Status")


async def test_yaml_is_taken_too(start: Start) -> None:
    cluster = await start(users=(ROOT,))
    text_body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hosts}\ndata: {a: '1'}\n"
    async with raw(cluster, "root") as root:
        path = "/api/v1/namespaces/web/configmaps"
        answer = await root.ask("POST", path, headers={"Content-Type": "application/yaml"}, data=text_body)
    assert answer.code == 201
    assert text(cluster.store.of_kind("ConfigMap", "web")[0], "data", "a") == "1"


@pytest.mark.parametrize(("kind", "done"), [("cut", False), ("cut-after", True)])
async def test_a_connection_can_be_cut_before_or_after_the_act(start: Start, kind: str, done: bool) -> None:
    fault = ServerFault("cut-after" if kind == "cut-after" else "cut")
    cluster = await start(deployment("front"), hooks=TestHooks(faults={"patch": fault}), users=(ROOT,))
    path, merge = "/apis/apps/v1/namespaces/web/deployments/front", "application/merge-patch+json"
    async with raw(cluster, "root") as root:
        with pytest.raises(aiohttp.ClientError):
            await root.ask("PATCH", path, {"spec": {"paused": True}}, {"Content-Type": merge})
    assert at(cluster.store.of_kind("Deployment", "web")[0], "spec", "paused") is (True if done else None)


@pytest.mark.parametrize(("kind", "done"), [("hang", False), ("hang-after", True)])
async def test_a_server_can_say_nothing_before_or_after_the_act(start: Start, kind: str, done: bool) -> None:
    fault = ServerFault("hang-after" if kind == "hang-after" else "hang")
    asked = asyncio.Event()
    hooks = TestHooks(faults={"delete": fault}, on_request=lambda request: asked.set())
    cluster = await start(pod("front"), hooks=hooks, users=(ROOT,))
    gone = asyncio.Event()
    cluster.store.subscribe(lambda event: gone.set() if event.type == "DELETED" else None)
    async with raw(cluster, "root") as root:
        request = asyncio.create_task(root.ask("DELETE", f"{FRONT}?gracePeriodSeconds=0"))
        await asyncio.wait_for((gone if done else asked).wait(), 10)
        await await_nothing()
        assert not request.done()
        request.cancel()
    assert (cluster.store.of_kind("Pod", "web") == []) is done


async def await_nothing() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_slow_server_answers_in_the_end(start: Start) -> None:
    hooks = TestHooks(faults={"list": ServerFault("slow", seconds=2)})
    cluster = await start(pod("front"), hooks=hooks, users=(ROOT,))
    async with raw(cluster, "root") as root:
        before = cluster.clock.elapsed()
        assert (await root.ask("GET", PODS)).code == 200
    assert cluster.clock.elapsed() - before >= 2


async def test_the_options_of_a_log_choose_among_its_lines(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"), users=(ROOT,))
    now = cluster.clock.now()
    old, new = now - timedelta(hours=1), now - timedelta(seconds=1)
    cluster.hooks.log = LogAnswer([LogLine("old", old), LogLine("new", new), LogLine("ünïcode", new)])
    async with raw(cluster, "root") as root:

        async def log(query: str) -> str:
            return (await root.ask("GET", f"{FRONT}/log?{query}")).text

        assert await log("") == "old\nnew\nünïcode\n"
        assert await log("tailLines=1") == "ünïcode\n"
        assert await log("tailLines=0") == ""
        assert await log("sinceSeconds=1800") == "new\nünïcode\n"
        assert await log("limitBytes=6") == "old\nne"
        stamped = (await log("timestamps=true&tailLines=1")).split(" ")
        assert stamped[1] == "ünïcode\n" and stamped[0].startswith(new.strftime("%Y-%m-%dT%H:%M:%S."))


async def test_a_log_is_followed_line_by_line(start: Start) -> None:
    go_on = asyncio.Event()

    async def more() -> AsyncIterator[LogLine | str]:
        await go_on.wait()
        yield "second"

    hooks = TestHooks(log=LogAnswer(["first"], more()))
    cluster = await start(pod("front", node_name="node1"), hooks=hooks, users=(ROOT,))
    async with raw(cluster, "root") as root, root.lines(f"{FRONT}/log?follow=true") as lines:
        assert await anext(lines) == b"first\n"
        go_on.set()
        assert await anext(lines) == b"second\n"
        with pytest.raises(StopAsyncIteration):
            await anext(lines)


async def test_following_a_silent_log_ends_with_the_pod(start: Start) -> None:
    hooks = TestHooks(log=LogAnswer(["only"]))
    cluster = await start(pod("front", node_name="node1"), hooks=hooks, users=(ROOT,))
    async with raw(cluster, "root") as root, root.lines(f"{FRONT}/log?follow=true") as lines:
        assert await anext(lines) == b"only\n"
        cluster.store.remove(cluster.store.kinds.named("Pod"), "web", "front")
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(lines), 10)


async def test_a_log_of_a_pod_that_is_still_being_created_is_refused(start: Start) -> None:
    hooks = TestHooks(births={"front": PodBirth(delay=None)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks, users=(ROOT,))
    async with raw(cluster, "root") as root:
        answer = await root.ask("GET", f"{FRONT}/log")
    assert answer.code == 400
    message = 'container "main" in pod "front" is waiting to start: ContainerCreating'
    assert text(answer.body, "message") == message


async def test_a_node_that_is_down_gives_neither_logs_nor_exec(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"), users=(ROOT,))
    down: Object = {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
    cluster.store.patch(cluster.store.kinds.named("Node"), "", "node1", down)
    async with raw(cluster, "root") as root:
        for path in (f"{FRONT}/log", f"{FRONT}/exec?command=ls&stdout=true"):
            answer = await root.ask("GET", path)
            assert answer.code == 500 and "error dialing backend" in text(answer.body, "message")


async def next_event(lines: AsyncIterator[bytes]) -> tuple[str, str]:
    event = json.loads(await asyncio.wait_for(anext(lines), 10))
    return event["type"], event["object"]["metadata"].get("name", "")


async def test_a_watch_can_begin_with_what_is_there(start: Start) -> None:
    cluster = await start(pod("front"), users=(ROOT,))
    query = "watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    async with raw(cluster, "root") as root, root.lines(f"{PODS}?{query}") as lines:
        assert await next_event(lines) == ("ADDED", "front")
        mark = json.loads(await anext(lines))
        assert mark["type"] == "BOOKMARK"
        assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_an_object_that_comes_to_fit_a_selector_is_added_for_its_watch(start: Start) -> None:
    cluster = await start(pod("front", "a"), users=(ROOT,))
    version = cluster.store.version
    kind = cluster.store.kinds.named("Pod")
    path = f"{PODS}?watch=true&labelSelector=app%3Db&resourceVersion={version}"
    async with raw(cluster, "root") as root, root.lines(path) as lines:
        cluster.store.patch(kind, "web", "front", {"metadata": {"labels": {"app": "b"}}})
        assert await next_event(lines) == ("ADDED", "front")
        cluster.store.patch(kind, "web", "front", {"metadata": {"labels": {"more": "x"}}})
        assert await next_event(lines) == ("MODIFIED", "front")
        cluster.store.patch(kind, "web", "front", {"metadata": {"labels": {"app": "c"}}})
        assert await next_event(lines) == ("DELETED", "front")


async def test_a_watch_ends_when_its_time_is_up(start: Start) -> None:
    cluster = await start(users=(ROOT,))
    path = f"{PODS}?watch=true&resourceVersion={cluster.store.version}&timeoutSeconds=1"
    async with raw(cluster, "root") as root, root.lines(path) as lines:
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(lines), 10)


async def test_only_metadata_is_given_when_only_that_is_asked(start: Start) -> None:
    cluster = await start(pod("front"), users=(ROOT,))
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    async with raw(cluster, "root") as root:
        answer = await root.ask("GET", PODS, headers={"Accept": accept})
    assert at(answer.body, "kind") == "PartialObjectMetadataList"
    assert at(answer.body, "items", 0, "spec") is None


async def test_status_and_spec_change_through_their_own_addresses(start: Start) -> None:
    cluster = await start(deployment("front"), users=(ROOT,))
    path = "/apis/apps/v1/namespaces/web/deployments/front"
    merge = {"Content-Type": "application/merge-patch+json"}
    change: Object = {"spec": {"replicas": 3}, "status": {"collisionCount": 9}}
    async with raw(cluster, "root") as root:
        await root.ask("PATCH", path, change, merge)
        found = cluster.store.of_kind("Deployment", "web")[0]
        assert (at(found, "spec", "replicas"), at(found, "status", "collisionCount")) == (3, None)
        await root.ask("PATCH", f"{path}/status", {**change, "spec": {"replicas": 5}}, merge)
        found = cluster.store.of_kind("Deployment", "web")[0]
        assert (at(found, "spec", "replicas"), at(found, "status", "collisionCount")) == (3, 9)


async def socket(root: Raw, query: str) -> aiohttp.ClientWebSocketResponse:
    return await root.session.ws_connect(
        root.url.replace("https", "wss") + f"{FRONT}/exec?{query}",
        protocols=("v5.channel.k8s.io",),
        headers=root.headers(),
        ssl=root.context,
    )


async def test_a_command_can_break_off_without_an_exit_status(start: Start) -> None:
    hooks = TestHooks(answers={"df": ExecAnswer(b"half", then="cut")})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks, users=(ROOT,))
    async with raw(cluster, "root") as root:
        channel = await socket(root, "command=df&stdout=true")
        received = [message.data async for message in channel]
    assert received == [b"\x01", b"\x01half"]
    assert channel.close_code != 1000


async def test_the_end_of_input_is_told_to_the_command(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"), users=(ROOT,))
    async with raw(cluster, "root") as root:
        channel = await socket(root, "command=cat&stdin=true&stdout=true")
        await channel.send_bytes(b"\x00hello")
        await channel.send_bytes(b"\xff\x00")
        received = [message.data async for message in channel]
    assert received[1] == b"\x01hello"
    assert json.loads(received[2][1:]) == {"metadata": {}, "status": "Success"}


async def test_a_command_that_hangs_ends_with_its_client(start: Start) -> None:
    hooks = TestHooks(answers={"mount": ExecAnswer(b"trying", then="hang")})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks, users=(ROOT,))
    async with raw(cluster, "root") as root:
        channel = await socket(root, "command=mount&stdout=true")
        assert await channel.receive_bytes() == b"\x01"
        assert await channel.receive_bytes() == b"\x01trying"
        await channel.close()


async def test_a_closed_server_lets_its_watchers_go(start: Start) -> None:
    cluster = await start(pod("front"), hooks=TestHooks(endings={"front": PodEnding(None)}), users=(ROOT,))
    async with raw(cluster, "root") as root, root.lines(f"{PODS}?watch=true") as lines:
        assert await next_event(lines) == ("ADDED", "front")
        await asyncio.wait_for(cluster.server.close(), 10)
        with pytest.raises((aiohttp.ClientError, StopAsyncIteration)):
            await asyncio.wait_for(anext(lines), 10)


async def test_what_it_writes_only_its_owner_can_read(start: Start) -> None:
    cluster = await start(users=(ROOT, ONCALL))
    paths = [*cluster.server.kubeconfigs.values(), cluster.server.authority]
    assert [oct(path.stat().st_mode)[-3:] for path in paths] == ["600"] * 3


async def test_a_list_names_its_items_kind_once(start: Start) -> None:
    cluster = await start(pod("front"), users=(ROOT,))
    async with raw(cluster, "root") as root:
        listed = await root.ask("GET", PODS)
    assert at(listed.body, "kind") == "PodList"
    assert "kind" not in objects(listed.body, "items")[0]


async def test_options_in_the_body_of_a_deletion_are_all_that_counts(start: Start) -> None:
    cluster = await start(pod("front"), pod("back"), users=(ROOT,))
    now: dict[str, Json] = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
    async with raw(cluster, "root") as root:
        await root.ask("DELETE", f"{PODS}/back?dryRun=All", {**now, "dryRun": ["All"]})
        assert (await root.ask("GET", f"{PODS}/back")).code == 200
        await root.ask("DELETE", f"{FRONT}?dryRun=All", now)
        assert (await root.ask("GET", FRONT)).code == 404
