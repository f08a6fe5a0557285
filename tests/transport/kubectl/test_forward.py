"""Ports of pods through the API, and secrets out of it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from breakglass.kubernetes_objects import Object, name_of
from breakglass.simulator.kubernetes.access import RbacRule, User
from breakglass.simulator.kubernetes.hooks import PodBirth
from breakglass.site.model import KubernetesSecret, PortForward
from breakglass.site.secrets import SecretError
from breakglass.transport.kubectl import ForwardError
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import TestHooks, deployment, pod
from tests.transport.kubectl.support import client

SECRET: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "keys", "namespace": "web"},
    "data": {"one": "c2VjcmV0AAE=", "odd": "!"},
}


def service(target: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front", "namespace": "web"},
        "spec": {"selector": {"app": "front"}, "ports": [{"port": 80, "targetPort": target}]},  # type: ignore[dict-item]
    }


@asynccontextmanager
async def shouting() -> AsyncGenerator[tuple[str, int]]:
    """A server that answers every line in capitals, many times."""

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper() * 20_000)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[:2]
    server.close()


async def ask(address: tuple[str, int], line: bytes, size: int) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(line)
    try:
        async with asyncio.timeout(20):
            return await reader.readexactly(size)
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("target", "port"), [("pod/front", 8200), ("svc/front", 80), ("deploy/front", 8200), ("front", 8200)]
)
async def test_a_local_port_leads_to_the_pod(start: Start, target: str, port: int) -> None:
    values = [deployment("front", 1)] if target.startswith("deploy") else [pod("front", node_name="node1")]
    async with shouting() as far:
        cluster = await start(*values, service(8200), dial=lambda pod, asked: far if asked == 8200 else None)
        async with client(cluster.server.kubeconfig) as run:
            forward = PortForward("main", "web", target, port)
            address = await run.kubectl.forward(forward)
            assert address[0] == "127.0.0.1"
            assert await run.kubectl.forward(forward) == address
            answers = await asyncio.gather(*(ask(address, b"hello\n", 120_000) for _ in range(3)))
    assert set(answers) == {b"HELLO\n" * 20_000}
    with pytest.raises(OSError):
        await asyncio.open_connection(*address)


async def test_a_service_finds_the_named_port_of_its_pod(start: Start) -> None:
    front = pod("front", node_name="node1")
    spec = front["spec"]
    assert isinstance(spec, dict)
    spec["containers"] = [{"name": "main", "image": "a", "ports": [{"name": "http", "containerPort": 8200}]}]
    async with shouting() as far:
        cluster = await start(front, service("http"), dial=lambda pod, asked: far if asked == 8200 else None)
        async with client(cluster.server.kubeconfig) as run:
            address = await run.kubectl.forward(PortForward("main", "web", "svc/front", 80))
            assert await ask(address, b"hello\n", 6) == b"HELLO\n"


async def test_a_pod_that_was_replaced_is_left_behind(start: Start) -> None:
    asked: list[str] = []
    async with shouting() as far:

        def dial(value: Object, port: int) -> tuple[str, int]:
            asked.append(name_of(value))
            return far

        cluster = await start(deployment("front", 1), service(8200), dial=dial)
        async with client(cluster.server.kubeconfig) as run:
            address = await run.kubectl.forward(PortForward("main", "web", "svc/front", 80))
            await ask(address, b"hello\n", 6)
            await run(f"delete pod {asked[0]} -n web --grace-period=1")
            await run("wait --for=condition=Ready pods -l app=front -n web")
            await ask(address, b"hello\n", 6)
    assert len(set(asked)) == 2


async def test_a_port_that_no_one_listens_on_ends_the_connection(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"), dial=lambda pod, asked: None)
    async with client(cluster.server.kubeconfig) as run:
        address = await run.kubectl.forward(PortForward("main", "web", "pod/front", 9999))
        reader, writer = await asyncio.open_connection(*address)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    ("target", "port", "kind", "message"),
    [
        ("pod/gone", 80, "not-found", 'pods "gone" not found'),
        ("svc/gone", 80, "not-found", 'services "gone" not found'),
        ("svc/front", 81, "configuration", "has no port 81; it has: 80"),
        ("svc/idle", 80, "not-found", "has no pods now"),
        ("gadget/x", 80, "not-found", "no resource type 'gadget'"),
    ],
)
async def test_what_cannot_be_forwarded_is_said(
    start: Start, target: str, port: int, kind: str, message: str
) -> None:
    idle = service(80)
    idle["metadata"] = {"name": "idle", "namespace": "web"}
    idle["spec"] = {"selector": {"app": "idle"}, "ports": [{"port": 80}]}
    cluster = await start(pod("front", node_name="node1"), service(8200), idle)
    async with client(cluster.server.kubeconfig) as run:
        with pytest.raises(ForwardError) as raised:
            await run.kubectl.forward(PortForward("main", "web", target, port))
    assert raised.value.fault.kind == kind
    assert message in str(raised.value)


async def test_a_service_without_a_ready_pod_says_so(start: Start) -> None:
    hooks = TestHooks(births={"front": PodBirth(delay=None)})
    cluster = await start(pod("front", node_name="node1"), service(8200), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        with pytest.raises(ForwardError, match="none of the pods behind svc/front is ready"):
            await run.kubectl.forward(PortForward("main", "web", "svc/front", 80))


async def test_a_cluster_that_the_site_does_not_have_is_named(start: Start) -> None:
    async with client((await start()).server.kubeconfig) as run:
        with pytest.raises(ForwardError, match="has no cluster 'other'"):
            await run.kubectl.forward(PortForward("other", "web", "svc/front", 80))
        with pytest.raises(SecretError, match="has no cluster 'other'"):
            await run.kubectl.read_secret(KubernetesSecret("other", "web", "keys", "one"))


async def test_a_secret_is_read_as_bytes(start: Start) -> None:
    cluster = await start(SECRET)
    async with client(cluster.server.kubeconfig) as run:
        assert (
            await run.kubectl.read_secret(KubernetesSecret("main", "web", "keys", "one")) == b"secret\x00\x01"
        )
        for name, key, message in (
            ("keys", "two", "has no key 'two'"),
            ("keys", "odd", "its key 'odd' is not base64"),
            ("gone", "one", 'secrets "gone" not found'),
        ):
            with pytest.raises(SecretError) as raised:
                await run.kubectl.read_secret(KubernetesSecret("main", "web", name, key))
            assert message in str(raised.value)


async def test_a_secret_that_may_not_be_read_is_forbidden(start: Start) -> None:
    rules = (RbacRule(("get",), ("pods",)),)
    cluster = await start(SECRET, users=(User("oncall", rules),))
    async with client(cluster.server.kubeconfig) as run:
        with pytest.raises(SecretError, match='User "oncall" cannot get resource "secrets"'):
            await run.kubectl.read_secret(KubernetesSecret("main", "web", "keys", "one"))


CREATES = User(
    "oncall", (RbacRule(("create",), ("pods/portforward",)), RbacRule(("get", "list"), ("pods", "services")))
)
"""A role that allows what kubectl needs, and no GET, with which a WebSocket is opened."""


async def test_where_a_websocket_is_refused_the_port_is_reached_over_spdy(start: Start) -> None:
    async with shouting() as far:
        cluster = await start(
            pod("front", node_name="node1"),
            users=(CREATES,),
            dial=lambda pod, asked: far if asked == 8200 else None,
        )
        async with client(cluster.server.kubeconfig) as run:
            address = await run.kubectl.forward(PortForward("main", "web", "pod/front", 8200))
            answers = await asyncio.gather(*(ask(address, b"hello\n", 120_000) for _ in range(3)))
            closed = PortForward("main", "web", "pod/front", 8201)
            with pytest.raises(asyncio.IncompleteReadError):
                await ask(await run.kubectl.forward(closed), b"hello\n", 6)
            said = run.kubectl.refused_forward(closed)
    assert set(answers) == {b"HELLO\n" * 20_000}
    assert "connect: connection refused" in said
