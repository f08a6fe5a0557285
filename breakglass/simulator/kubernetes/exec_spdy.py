"""The streams of a command over SPDY/3.1: one SPDY stream each, named by its `streamtype` header.

Source: `staging/src/k8s.io/kubelet/pkg/cri/streaming/remotecommand` of Kubernetes 1.34.
"""

import asyncio
import contextlib

from aiohttp import web

from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.exec import ExecRequest, Stream, run
from breakglass.simulator.kubernetes.hooks import Hooks, Stdin
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

PROTOCOL = "v4.channel.k8s.io"
OPENING = 30.0
"""Real seconds within which the client must have opened all its streams."""


class SpdyConnection(asyncio.Protocol):
    """Takes the connection over from the HTTP server, and is the `Channels` of the command."""

    def __init__(self, transport: asyncio.Transport, asked: ExecRequest) -> None:
        self._transport = transport
        self._reader, self._writer = FrameReader(), FrameWriter()
        self._expected = {"error"} | {name for name, wanted in _streams(asked).items() if wanted}
        self._streams: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.stdin = Stdin(attached=asked.stdin)
        self.opened = asyncio.Event()
        self.gone = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
        except SpdyError:
            self.cut()

    def _take(self, frame: Frame) -> None:
        match frame:
            case SynStream():
                name = frame.headers.get("streamtype", "")
                self._streams[name] = frame.stream
                self._names[frame.stream] = name
                self._send(SynReply(frame.stream))
                if frame.finished and name == "stdin":
                    self.stdin.close()
                if self._expected <= self._streams.keys():
                    self.opened.set()
            case Data():
                if self._names.get(frame.stream) == "stdin":
                    self.stdin.feed(frame.data)
                    if frame.finished:
                        self.stdin.close()
            case Reset():
                if self._names.get(frame.stream) == "stdin":
                    self.stdin.close()
            case Ping():
                self._send(frame)
            case GoAway():
                self._transport.close()
            case _:
                pass

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

    async def write(self, stream: Stream, data: bytes) -> None:
        await self._may_write.wait()
        if self.gone.is_set():
            raise ConnectionResetError("the client is gone")
        if stream in self._streams:
            self._send(Data(self._streams[stream], data))

    async def finish(self) -> None:
        for number in self._streams.values():
            self._send(Data(number, b"", finished=True))
        await self._may_write.wait()
        self._transport.close()

    def cut(self) -> None:
        self._transport.abort()


def _streams(asked: ExecRequest) -> dict[str, bool]:
    return {"stdin": asked.stdin, "stdout": asked.stdout, "stderr": asked.stderr and not asked.tty}


async def serve(
    request: web.Request, asked: ExecRequest, hooks: Hooks, clock: SimulatedClock, user: str
) -> web.StreamResponse:
    """Upgrade, run the command, and come back when it is over or the client is gone. ApiError 403 where the
    client speaks no version of the streams that is known here."""
    offered = request.headers.getall("X-Stream-Protocol-Version", [])
    versions = [version.strip() for entry in offered for version in entry.split(",")]
    transport = request.transport
    if PROTOCOL not in versions or transport is None:
        raise statuses.ApiError(403, "Forbidden", f"unable to upgrade: the server speaks {PROTOCOL}")
    before = transport.get_protocol()
    connection = SpdyConnection(transport, asked)
    transport.set_protocol(connection)
    answer = (
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        f"X-Stream-Protocol-Version: {PROTOCOL}\r\n\r\n"
    )
    transport.write(answer.encode())
    work = asyncio.create_task(_serve(connection, asked, hooks, clock, user))
    try:
        await connection.gone.wait()
    finally:
        work.cancel()
        transport.abort()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        if isinstance(before, asyncio.Protocol):
            before.connection_lost(None)
    return web.Response()


async def _serve(
    connection: SpdyConnection, asked: ExecRequest, hooks: Hooks, clock: SimulatedClock, user: str
) -> None:
    try:
        await asyncio.wait_for(connection.opened.wait(), OPENING)
        await run(asked, connection.stdin, connection, hooks, clock, user)
    except TimeoutError:
        connection.cut()
    except ConnectionError:
        # The client went in the middle of the output.
        return
