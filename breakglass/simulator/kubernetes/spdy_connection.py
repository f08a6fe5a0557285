"""The server's side of a SPDY/3.1 connection that took over from HTTP: frames in and out, no faster than the
client reads. What its streams carry is for `exec_spdy` and `port_forward_spdy`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from aiohttp import web

from breakglass.simulator.kubernetes import statuses
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

C = TypeVar("C", bound="SpdyConnection")


class SpdyConnection(asyncio.Protocol):
    """A connection whose streams the client opens. gone: set once the client is."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._reader, self._writer = FrameReader(), FrameWriter()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.gone = asyncio.Event()

    def stream_opened(self, frame: SynStream) -> None:
        """The client has opened a stream, and has been told that it is open."""
        raise NotImplementedError

    def stream_received(self, stream: int, data: bytes) -> None:
        """The client sent something on a stream."""
        raise NotImplementedError

    def stream_finished(self, stream: int) -> None:
        """The client sends nothing more on a stream."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
        except SpdyError:
            self.cut()

    def _take(self, frame: Frame) -> None:
        match frame:
            case SynStream(stream=stream):
                self.send(SynReply(stream))
                self.stream_opened(frame)
                if frame.finished:
                    self.stream_finished(stream)
            case Data(stream=stream):
                if frame.data:
                    self.stream_received(stream, frame.data)
                if frame.finished:
                    self.stream_finished(stream)
            case Reset(stream=stream):
                self.stream_finished(stream)
            case Ping():
                self.send(frame)
            case GoAway():
                self._transport.close()
            case _:
                pass

    def send(self, frame: Frame) -> None:
        """Send a frame, unless the connection is closing."""
        if not self._transport.is_closing():
            self._transport.write(self._writer.write(frame))

    async def send_data(self, stream: int, data: bytes) -> None:
        """Send data once the client has read enough of what came before. Raises ConnectionResetError where it
        is gone."""
        await self._may_write.wait()
        if self.gone.is_set():
            raise ConnectionResetError("the client is gone")
        self.send(Data(stream, data))

    async def hang_up(self) -> None:
        """Close it, after what has been sent."""
        await self._may_write.wait()
        self._transport.close()

    def cut(self) -> None:
        """Break it off at once."""
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        self._may_write.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()


@asynccontextmanager
async def upgraded(
    request: web.Request, protocol: str, make: Callable[[asyncio.Transport], C]
) -> AsyncGenerator[C]:
    """Take a request's connection over, and break it off at the end. ApiError 403 where the client does not
    speak `protocol`, a version of what the streams carry."""
    offered = request.headers.getall("X-Stream-Protocol-Version", [])
    versions = [version.strip() for entry in offered for version in entry.split(",")]
    transport = request.transport
    if protocol not in versions or transport is None:
        raise statuses.ApiError(403, "Forbidden", f"unable to upgrade: the server speaks {protocol}")
    before = transport.get_protocol()
    connection = make(transport)
    transport.set_protocol(connection)
    answer = (
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        f"X-Stream-Protocol-Version: {protocol}\r\n\r\n"
    )
    transport.write(answer.encode())
    try:
        yield connection
    finally:
        connection.cut()
        if isinstance(before, asyncio.Protocol):
            before.connection_lost(None)
