"""The streams of a command over a WebSocket: the first byte of each message names the stream.

Source: `staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go` of Kubernetes 1.34. Version 5
adds a message that closes one stream, so that a command can see the end of its input.
"""

import asyncio
import contextlib

from aiohttp import WSCloseCode, WSMsgType, web

from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.kubernetes.exec import ExecRequest, Stream, run
from breakglass.simulator.kubernetes.hooks import Hooks, Stdin

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, CLOSE = 0, 255
_NUMBERS: dict[Stream, int] = {"stdout": 1, "stderr": 2, "error": 3}


class WebSocketChannels:
    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self._socket = socket
        self._request = request

    async def write(self, stream: Stream, data: bytes) -> None:
        await self._socket.send_bytes(bytes([_NUMBERS[stream]]) + data)

    async def finish(self) -> None:
        await self._socket.close(code=WSCloseCode.OK)

    def cut(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


async def serve(
    request: web.Request, asked: ExecRequest, hooks: Hooks, clock: SimulatedClock, user: str
) -> web.StreamResponse:
    """Upgrade, run the command, and come back when it is over or the client is gone."""
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0)
    await socket.prepare(request)
    stdin = Stdin(attached=asked.stdin)
    channels = WebSocketChannels(socket, request)
    # Empty messages announce the streams, as a real server does; clients tell from them that it is ready.
    if asked.stdout:
        await channels.write("stdout", b"")
    command = asyncio.create_task(_quietly(asked, stdin, channels, hooks, clock, user))
    try:
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                _take(stdin, message.data)
            elif message.type is WSMsgType.TEXT:
                _take(stdin, message.data.encode())
        if socket.closed and command.done():
            await command
    finally:
        command.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await command
    return socket


async def _quietly(
    asked: ExecRequest,
    stdin: Stdin,
    channels: WebSocketChannels,
    hooks: Hooks,
    clock: SimulatedClock,
    user: str,
) -> None:
    """A client that goes away in the middle of the output is nothing to report."""
    with contextlib.suppress(ConnectionError):
        await run(asked, stdin, channels, hooks, clock, user)


def _take(stdin: Stdin, message: bytes) -> None:
    if message[:1] == bytes([STDIN]):
        stdin.feed(message[1:])
    elif message[:2] == bytes([CLOSE, STDIN]):
        stdin.close()
