"""Port-forwards over a WebSocket: two channels for each port, data and error.

The first message on each channel is the port's number. Source: `pkg/kubelet` port forwarding of Kubernetes
1.34 (`staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go`). Over SPDY, as
`kubectl port-forward` does it: `port_forward_spdy`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import WSMsgType, web

from breakglass.kubernetes_objects import Object, text, uid_of
from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.exec import check_reachable
from breakglass.simulator.kubernetes.store import ObjectStore

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
PIECE = 32 * 1024

Dial: TypeAlias = Callable[[Object, int], "tuple[str, int] | None"]
"""Where a port of a pod really listens: host and port on loopback, or None where nothing does."""


@dataclass(frozen=True, slots=True)
class ForwardRequest:
    pod: Object
    ports: tuple[int, ...]


def forward_request(
    store: ObjectStore, namespace: str, name: str, query: Iterable[tuple[str, str]]
) -> ForwardRequest:
    """ApiError 400, 404 or 500 where nothing can be forwarded."""
    pod = store.get(store.kinds.named("Pod", ""), namespace, name)
    written = [port for key, value in query if key == "ports" for port in value.split(",")]
    if not all(port.isdigit() and 0 < int(port) < 65536 for port in written):
        raise statuses.bad_request("query parameter ports must be one or more port numbers")
    check_reachable(store, pod)
    if text(pod, "status", "phase") != "Running":
        phase = text(pod, "status", "phase")
        raise statuses.bad_request(
            f"unable to forward port because pod is not running. Current status={phase}"
        )
    return ForwardRequest(pod, tuple(int(port) for port in written))


def refusal(pod: Object, port: int) -> str:
    """What a kubelet says of a port on which nobody listens."""
    return (
        f"error forwarding port {port} to pod {uid_of(pod)}, uid : failed to connect to localhost:{port} "
        f"inside namespace: dial tcp4 127.0.0.1:{port}: connect: connection refused"
    )


async def serve(request: web.Request, asked: ForwardRequest, dial: Dial | None) -> web.StreamResponse:
    """Upgrade, and carry bytes until either side has closed every port."""
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0)
    await socket.prepare(request)
    feeds: dict[int, asyncio.Queue[bytes]] = {}
    tasks: list[asyncio.Task[None]] = []
    for index, port in enumerate(asked.ports):
        for channel in (2 * index, 2 * index + 1):
            await socket.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))
        feeds[2 * index] = asyncio.Queue()
        address = None if dial is None else dial(asked.pod, port)
        carrying = _carry(socket, 2 * index, feeds[2 * index], address, asked.pod, port)
        tasks.append(asyncio.create_task(carrying))
    ending = asyncio.create_task(_close_after(socket, tasks))
    try:
        async for message in socket:
            if message.type is WSMsgType.BINARY and message.data[:1] and message.data[0] in feeds:
                feeds[message.data[0]].put_nowait(message.data[1:])
    finally:
        for task in (*tasks, ending):
            task.cancel()
        await asyncio.gather(*tasks, ending, return_exceptions=True)
    return socket


async def _close_after(socket: web.WebSocketResponse, tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)
    await socket.close()


async def _carry(
    socket: web.WebSocketResponse,
    channel: int,
    feed: asyncio.Queue[bytes],
    address: tuple[str, int] | None,
    pod: Object,
    port: int,
) -> None:
    try:
        if address is None:
            raise ConnectionRefusedError("connection refused")
        reader, writer = await asyncio.open_connection(*address)
    except OSError:
        with contextlib.suppress(ConnectionError):
            await socket.send_bytes(bytes([channel + 1]) + refusal(pod, port).encode())
        return
    sending = asyncio.create_task(_send(writer, feed.get))
    try:
        while data := await reader.read(PIECE):
            await socket.send_bytes(bytes([channel]) + data)
    except ConnectionError:
        # Either side has gone; there is nothing more to carry.
        return
    finally:
        sending.cancel()
        writer.close()


async def _send(writer: asyncio.StreamWriter, next_piece: Callable[[], Awaitable[bytes]]) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(await next_piece())
            await writer.drain()
