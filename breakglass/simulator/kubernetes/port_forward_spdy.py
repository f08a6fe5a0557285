"""Port-forwards over SPDY/3.1: for each connection two streams of one `requestid`, for data and an error.

Source: `staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/httpstream.go` of Kubernetes 1.34.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

from aiohttp import web

from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.port_forward import PIECE, Dial, ForwardRequest, refusal
from breakglass.spdy import (
    Data,
    Frame,
    FrameReader,
    FrameWriter,
    GoAway,
    Ping,
    Reset,
    SpdyError,
    SynReply,
    SynStream,
)

PROTOCOL = "portforward.k8s.io"


@dataclass(slots=True)
class _Pair:
    """The streams of one connection to a port."""

    port: int
    streams: dict[str, int] = field(default_factory=dict[str, int])
    came: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue[bytes])


class _Connection(asyncio.Protocol):
    """Takes the connection over from the HTTP server."""

    def __init__(self, transport: asyncio.Transport, asked: ForwardRequest, dial: Dial | None) -> None:
        self._transport, self._asked, self._dial = transport, asked, dial
        self._reader, self._writer = FrameReader(), FrameWriter()
        self._pairs: dict[str, _Pair] = {}
        self._of_stream: dict[int, _Pair] = {}
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.gone = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
        except (SpdyError, ValueError):
            self._transport.abort()

    def _take(self, frame: Frame) -> None:
        match frame:
            case SynStream():
                self._opened(frame)
            case Data() if frame.stream in self._of_stream:
                if frame.data:
                    self._of_stream[frame.stream].came.put_nowait(frame.data)
                if frame.finished:
                    self._of_stream[frame.stream].came.put_nowait(b"")
            case Reset() if frame.stream in self._of_stream:
                self._of_stream[frame.stream].came.put_nowait(b"")
            case Ping():
                self._send(frame)
            case GoAway():
                self._transport.close()
            case _:
                pass

    def _opened(self, frame: SynStream) -> None:
        """A stream is opened. With the second of a pair, its connection is made."""
        number = frame.headers.get("requestid", "")
        pair = self._pairs.setdefault(number, _Pair(int(frame.headers.get("port", "0"))))
        kind = frame.headers.get("streamtype", "")
        pair.streams[kind] = frame.stream
        self._send(SynReply(frame.stream))
        if kind == "data":
            self._of_stream[frame.stream] = pair
        if {"data", "error"} <= pair.streams.keys():
            task = asyncio.create_task(self._carry(pair))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _carry(self, pair: _Pair) -> None:
        address = None if self._dial is None else self._dial(self._asked.pod, pair.port)
        try:
            if address is None:
                raise ConnectionRefusedError("connection refused")
            reader, writer = await asyncio.open_connection(*address)
        except OSError:
            self._send(Data(pair.streams["error"], refusal(self._asked.pod, pair.port).encode()))
        else:
            sending = asyncio.create_task(_feed(writer, pair.came))
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(PIECE):
                    await self._may_write.wait()
                    self._send(Data(pair.streams["data"], data))
            sending.cancel()
            writer.close()
        for stream in pair.streams.values():
            self._send(Data(stream, b"", finished=True))

    def _send(self, frame: Frame) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._writer.write(frame))

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        self._may_write.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()


async def _feed(writer: asyncio.StreamWriter, came: asyncio.Queue[bytes]) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await came.get():
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def serve(request: web.Request, asked: ForwardRequest, dial: Dial | None) -> web.StreamResponse:
    """Upgrade, and carry until the client is gone. ApiError 403 where it speaks another protocol."""
    offered = request.headers.getall("X-Stream-Protocol-Version", [])
    transport = request.transport
    if PROTOCOL not in offered or transport is None:
        raise statuses.ApiError(403, "Forbidden", f"unable to upgrade: the server speaks {PROTOCOL}")
    before = transport.get_protocol()
    connection = _Connection(transport, asked, dial)
    transport.set_protocol(connection)
    answer = (
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        f"X-Stream-Protocol-Version: {PROTOCOL}\r\n\r\n"
    )
    transport.write(answer.encode())
    try:
        await connection.gone.wait()
    finally:
        for task in list(connection.tasks):
            task.cancel()
        await asyncio.gather(*connection.tasks, return_exceptions=True)
        transport.abort()
        if isinstance(before, asyncio.Protocol):
            before.connection_lost(None)
    return web.Response()
