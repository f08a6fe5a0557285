"""Port-forwards over SPDY/3.1: for each connection two streams of one `requestid`, for data and an error.

Source: `staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/httpstream.go` of Kubernetes 1.34.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

from aiohttp import web

from breakglass.simulator.kubernetes.port_forward import PIECE, Dial, ForwardRequest, refusal
from breakglass.simulator.kubernetes.spdy_connection import SpdyConnection, upgraded
from breakglass.spdy import Data, SynStream

PROTOCOL = "portforward.k8s.io"


@dataclass(slots=True)
class _Pair:
    """The streams of one connection to a port."""

    port: int
    streams: dict[str, int] = field(default_factory=dict[str, int])
    came: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue[bytes])


class _Forward(SpdyConnection):
    """The connections to the ports of one pod."""

    def __init__(self, transport: asyncio.Transport, asked: ForwardRequest, dial: Dial | None) -> None:
        super().__init__(transport)
        self._asked, self._dial = asked, dial
        self._pairs: dict[str, _Pair] = {}
        self._of_stream: dict[int, _Pair] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def stream_opened(self, frame: SynStream) -> None:
        """With the second stream of a pair, its connection is made."""
        port = frame.headers.get("port", "")
        if not port.isdigit():
            self.cut()
            return
        pair = self._pairs.setdefault(frame.headers.get("requestid", ""), _Pair(int(port)))
        kind = frame.headers.get("streamtype", "")
        pair.streams[kind] = frame.stream
        if kind == "data":
            self._of_stream[frame.stream] = pair
        if {"data", "error"} <= pair.streams.keys():
            task = asyncio.create_task(self._carry(pair))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def stream_received(self, stream: int, data: bytes) -> None:
        if stream in self._of_stream:
            self._of_stream[stream].came.put_nowait(data)

    def stream_finished(self, stream: int) -> None:
        if stream in self._of_stream:
            self._of_stream[stream].came.put_nowait(b"")

    async def _carry(self, pair: _Pair) -> None:
        address = None if self._dial is None else self._dial(self._asked.pod, pair.port)
        try:
            if address is None:
                raise ConnectionRefusedError("connection refused")
            reader, writer = await asyncio.open_connection(*address)
        except OSError:
            self.send(Data(pair.streams["error"], refusal(self._asked.pod, pair.port).encode()))
        else:
            sending = asyncio.create_task(_feed(writer, pair.came))
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(PIECE):
                    await self.send_data(pair.streams["data"], data)
            sending.cancel()
            writer.close()
        for stream in pair.streams.values():
            self.send(Data(stream, b"", finished=True))

    async def end(self) -> None:
        """Let go of every connection to a port."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _feed(writer: asyncio.StreamWriter, came: asyncio.Queue[bytes]) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await came.get():
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def serve(request: web.Request, asked: ForwardRequest, dial: Dial | None) -> web.StreamResponse:
    """Upgrade, and carry until the client is gone. ApiError 403 where it speaks another protocol."""
    async with upgraded(request, PROTOCOL, lambda transport: _Forward(transport, asked, dial)) as connection:
        try:
            await connection.gone.wait()
        finally:
            await connection.end()
    return web.Response()
