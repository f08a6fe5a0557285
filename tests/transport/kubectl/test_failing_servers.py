"""Servers that say nothing, too little or something else; what is known of a change then."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from breakglass.simulator.kubernetes.hooks import RequestInfo, ServerFault
from breakglass.transport.base import Delivery
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import TestHooks, deployment, pod
from tests.transport.kubectl.support import client, relay

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]

PLAIN = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "%s"}}]
users: [{name: u, user: {token: t}}]
"""

CHANGES = [
    "delete pod front -n web --wait=false",
    "scale deployment/front -n web --replicas=1",
]


def plain_kubeconfig(folder: Path, server: str) -> Path:
    path = folder / "config"
    path.write_text(PLAIN % server)
    return path


@asynccontextmanager
async def raw_server(answer: bytes | None) -> AsyncGenerator[tuple[str, int]]:
    """A TCP server that gives the same bytes to everyone, or nothing for ever."""
    tasks: set[asyncio.Task[object]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if answer is not None and b"\r\n\r\n" in data:
                    writer.write(answer)
                    await writer.drain()
                    writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def page(status: str, body: str, kind: str = "text/html") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


@pytest.mark.parametrize("line", ["get pods -n web", *CHANGES, "exec front -n web -c main -- df"])
async def test_a_server_that_accepts_and_says_nothing_meets_the_deadline(tmp_path: Path, line: str) -> None:
    async with (
        raw_server(None) as (host, port),
        client(plain_kubeconfig(tmp_path, f"https://{host}:{port}")) as run,
    ):
        came = await run(line, timeout=0.6)
    assert (came.fault, came.delivery) == ("timeout", Delivery.NOT_SENT)
    assert f"cluster main (https://{host}:{port})" in came.message


@pytest.mark.parametrize("line", [CHANGES[0], CHANGES[1], "exec front -n web -c main -- df"])
async def test_a_change_without_an_answer_is_unknown(tmp_path: Path, line: str) -> None:
    async with (
        raw_server(None) as (host, port),
        client(plain_kubeconfig(tmp_path, f"http://{host}:{port}")) as run,
    ):
        came = await run(line, timeout=0.6)
    assert (came.fault, came.delivery) == ("timeout", Delivery.UNKNOWN)


@pytest.mark.parametrize("kind", ["hang", "hang-after", "cut", "cut-after"])
@pytest.mark.parametrize(("verb", "line"), [("delete", CHANGES[0]), ("patch", CHANGES[1])])
async def test_a_change_that_is_cut_is_unknown_and_sent_once(
    start: Start, kind: str, verb: str, line: str
) -> None:
    seen: list[RequestInfo] = []
    hooks = TestHooks(faults={verb: ServerFault(kind)})  # type: ignore[arg-type]
    hooks.on_request = seen.append
    cluster = await start(pod("front", node_name="node1"), deployment("front"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run(line, timeout=1.0)
    assert came.delivery is Delivery.UNKNOWN
    assert came.fault == ("timeout" if kind.startswith("hang") else "disconnected")
    assert len([request for request in seen if request.verb == verb]) == 1


async def test_a_change_goes_over_a_connection_of_its_own(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"), pod("back", node_name="node1"))
    async with (
        relay(cluster.server.address) as between,
        client(cluster.server.kubeconfig, server=between.url) as run,
    ):
        await run("get pods -n web")
        between.cut()
        came = await run("delete pod front -n web --wait=false")
        again = await run("delete pod back -n web --wait=false")
    assert (came.fault, again.fault) == ("", "")
    assert between.connections == 3


async def test_a_read_over_a_dead_kept_connection_is_sent_once_more(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"))
    async with (
        relay(cluster.server.address) as between,
        client(cluster.server.kubeconfig, server=between.url) as run,
    ):
        await run("get pods -n web")
        between.cut()
        came = await run("get pods -n web -o name")
    assert came.out == "pod/front\n"


async def test_a_read_that_is_always_cut_is_a_fault(start: Start) -> None:
    hooks = TestHooks(faults={"list": ServerFault("cut")})
    cluster = await start(hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("get pods -n web")
    assert came.fault == "disconnected"


async def test_a_preparation_that_fails_leaves_a_change_unsent(start: Start) -> None:
    hooks = TestHooks(faults={"get": ServerFault("hang")})
    cluster = await start(deployment("front"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("rollout restart deployment/front -n web", timeout=0.6)
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "timeout")
    assert "get deployments front" in came.message


@pytest.mark.parametrize(
    ("code", "reason", "fault"),
    [
        (401, "Unauthorized", "authentication"),
        (403, "Forbidden", "forbidden"),
        (404, "NotFound", "not-found"),
        (409, "Conflict", "conflict"),
        (422, "Invalid", "rejected"),
        (429, "TooManyRequests", "rejected"),
        (500, "InternalError", "server-error"),
        (504, "Timeout", "server-error"),
    ],
)
async def test_what_the_server_answers_is_told_by_kind(
    start: Start, code: int, reason: str, fault: str
) -> None:
    hooks = TestHooks(faults={"delete": ServerFault("answer", code, reason, "not now")})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("delete pod front -n web")
    assert (came.fault, came.delivery, came.result.status) == (fault, Delivery.ANSWERED, code)
    assert f"cluster main ({cluster.server.url}): delete pods front: not now" in came.message


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "302 Found", "502 Bad Gateway"])
@pytest.mark.parametrize("line", ["get pods -n web", CHANGES[0]])
async def test_a_page_instead_of_an_answer_is_no_answer(tmp_path: Path, status: str, line: str) -> None:
    async with (
        raw_server(page(status, "<html>Please log in</html>")) as (host, port),
        client(plain_kubeconfig(tmp_path, f"http://{host}:{port}")) as run,
    ):
        came = await run(line)
    assert came.fault == ("server-error" if status.startswith("5") else "malformed")
    if line != "get pods -n web" and not status.startswith("5"):
        assert came.delivery is Delivery.UNKNOWN


@pytest.mark.parametrize(
    "answer",
    [
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[1,2]",
        b"HTTP/1.1 banana\r\n\r\n",
    ],
)
async def test_half_an_answer_to_a_change_is_unknown(tmp_path: Path, answer: bytes) -> None:
    async with (
        raw_server(answer) as (host, port),
        client(plain_kubeconfig(tmp_path, f"http://{host}:{port}")) as run,
    ):
        came = await run(CHANGES[0])
    assert came.fault in ("malformed", "disconnected")
    assert came.delivery is Delivery.UNKNOWN


async def test_no_one_listening_is_refused_and_unsent(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        async with client(plain_kubeconfig(tmp_path, f"https://127.0.0.1:{port}")) as run:
            came = await run(CHANGES[0])
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "refused")
    assert "`server` in the site" in came.message
    assert came.err.startswith(f"The connection to the server 127.0.0.1:{port} was refused")


async def test_a_name_that_does_not_resolve_is_said_with_the_way_round(tmp_path: Path) -> None:
    async with client(plain_kubeconfig(tmp_path, "https://api.invalid:6443")) as run:
        came = await run(CHANGES[0])
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "dns")
    assert "give an IP address as the cluster's `server`" in came.message


async def test_plain_text_where_tls_is_expected_is_a_tls_fault(tmp_path: Path) -> None:
    async with (
        raw_server(b"SSH-2.0-OpenSSH_9.2\r\n") as (host, port),
        client(plain_kubeconfig(tmp_path, f"http://{host}:{port}")) as run,
    ):
        plain = await run(CHANGES[0])
    assert plain.delivery is Delivery.UNKNOWN


async def test_a_certificate_that_is_not_trusted_is_a_tls_fault(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"))
    async with client(plain_kubeconfig(tmp_path, cluster.server.url)) as run:
        came = await run("delete pod front -n web")
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "tls")
    assert "is not trusted" in came.message


@pytest.mark.parametrize("answer", [page("403 Forbidden", "<html>blocked</html>"), b"garbage\r\n\r\n"])
async def test_a_proxy_that_answers_with_a_page_is_no_way_through(start: Start, answer: bytes) -> None:
    cluster = await start(pod("front"))
    async with (
        raw_server(answer) as (host, port),
        client(cluster.server.kubeconfig, proxy=f"http://{host}:{port}") as run,
    ):
        came = await run("delete pod front -n web")
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "unreachable")
    assert cluster.hooks.changes == []


async def test_a_proxy_leads_to_the_server(start: Start) -> None:
    cluster = await start(pod("front"))
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        far_reader, far_writer = await asyncio.open_connection(*cluster.server.address)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    sink.write(data)
                sink.close()

        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with client(cluster.server.kubeconfig, proxy=f"http://127.0.0.1:{port}") as run:
        came = await run("get pods -n web -o name")
    server.close()
    assert came.out == "pod/front\n"
    assert asked[0].startswith(f"CONNECT {cluster.server.url.removeprefix('https://')} ".encode())
