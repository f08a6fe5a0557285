"""The streams of one connection that was upgraded to SPDY/3.1, on the client's side.

Source: `k8s.io/apimachinery/pkg/util/httpstream/spdy`; flow control is not enforced there either.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp

from breakglass.spdy import Data, FrameReader, FrameWriter, GoAway, Ping, Reset, SpdyError, SynStream

MOST_WAITING = 64
"""Frames that may wait to be taken before nothing more is read."""


class SpdyStreams:
    """Opens streams, sends on them, and gives what comes, until the connection ends."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        connection = answer.connection
        if connection is None or connection.protocol is None or connection.transport is None:
            raise aiohttp.ServerDisconnectedError("the connection ended as it was upgraded")
        self._transport = connection.transport
        self._reader, self._writer = FrameReader(), FrameWriter()
        self._next = 1
        self._came: asyncio.Queue[Data | None] = asyncio.Queue()
        # aiohttp gives what comes to a parser, as it does for its own WebSockets.
        connection.protocol.set_parser(self, None)

    def open(self, headers: Mapping[str, str], *, finished: bool = False) -> int:
        """Open a stream. `finished`: nothing will be sent on it."""
        number, self._next = self._next, self._next + 2
        self._transport.write(self._writer.write(SynStream(number, headers, finished)))
        return number

    def send(self, stream: int, data: bytes, *, finished: bool = False) -> None:
        self._transport.write(self._writer.write(Data(stream, data, finished)))

    async def __aiter__(self) -> AsyncIterator[Data]:
        """Data and ends of streams, in the order in which they come, until the connection ends."""
        while (frame := await self._came.get()) is not None:
            if self._came.empty():
                self._transport.resume_reading()
            yield frame

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """What aiohttp has read. The first of what it is given back: whether the far side broke the rules."""
        try:
            for frame in self._reader.feed(data):
                match frame:
                    case Data():
                        self._came.put_nowait(frame)
                    case Reset():
                        self._came.put_nowait(Data(frame.stream, b"", finished=True))
                    case Ping():
                        self._transport.write(self._writer.write(frame))
                    case GoAway():
                        self._came.put_nowait(None)
                    case _:
                        pass
        except SpdyError:
            self._came.put_nowait(None)
            return True, b""
        if self._came.qsize() > MOST_WAITING:
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        self._came.put_nowait(None)
