"""The streams of a command over SPDY/3.1: one SPDY stream each, named by its `streamtype` header.

Source: `staging/src/k8s.io/kubelet/pkg/cri/streaming/remotecommand` of Kubernetes 1.34.
"""

import asyncio
import contextlib

from aiohttp import web

from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.kubernetes.exec import ExecRequest, Stream, run
from breakglass.simulator.kubernetes.hooks import Hooks, Stdin
from breakglass.simulator.kubernetes.spdy_connection import SpdyConnection, upgraded
from breakglass.spdy import Data, SynStream

PROTOCOL = "v4.channel.k8s.io"
OPENING = 30.0
"""Real seconds within which the client must have opened all its streams."""


class _Command(SpdyConnection):
    """The connection and the `Channels` of one command. stdin: what comes for it. opened: set once all its
    streams are."""

    def __init__(self, transport: asyncio.Transport, asked: ExecRequest) -> None:
        super().__init__(transport)
        wanted = {"stdin": asked.stdin, "stdout": asked.stdout, "stderr": asked.stderr and not asked.tty}
        self._expected = {"error"} | {name for name, is_wanted in wanted.items() if is_wanted}
        self._streams: dict[str, int] = {}
        self.stdin = Stdin(attached=asked.stdin)
        self.opened = asyncio.Event()

    def stream_opened(self, frame: SynStream) -> None:
        self._streams[frame.headers.get("streamtype", "")] = frame.stream
        if self._expected <= self._streams.keys():
            self.opened.set()

    def stream_received(self, stream: int, data: bytes) -> None:
        if stream == self._streams.get("stdin"):
            self.stdin.feed(data)

    def stream_finished(self, stream: int) -> None:
        if stream == self._streams.get("stdin"):
            self.stdin.close()

    async def write(self, stream: Stream, data: bytes) -> None:
        if stream in self._streams:
            await self.send_data(self._streams[stream], data)

    async def finish(self) -> None:
        for number in self._streams.values():
            self.send(Data(number, b"", finished=True))
        await self.hang_up()


async def serve(
    request: web.Request, asked: ExecRequest, hooks: Hooks, clock: SimulatedClock, user: str
) -> web.StreamResponse:
    """Upgrade, run the command, and come back when it is over or the client is gone. ApiError 403 where the
    client speaks no version of the streams that is known here."""
    async with upgraded(request, PROTOCOL, lambda transport: _Command(transport, asked)) as connection:
        work = asyncio.create_task(_serve(connection, asked, hooks, clock, user))
        try:
            await connection.gone.wait()
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
    return web.Response()


async def _serve(
    connection: _Command, asked: ExecRequest, hooks: Hooks, clock: SimulatedClock, user: str
) -> None:
    try:
        await asyncio.wait_for(connection.opened.wait(), OPENING)
        await run(asked, connection.stdin, connection, hooks, clock, user)
    except TimeoutError:
        connection.cut()
    except ConnectionError:
        # The client went in the middle of the output.
        return
