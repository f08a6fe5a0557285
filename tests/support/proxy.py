"""A TCP proxy on loopback that cuts, resets, stalls and slows connections, at a byte or at a moment.

Nothing is understood of what passes: a byte that is counted may be anywhere in a handshake.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Harm: TypeAlias = Literal["cut", "reset", "stall", "slow"]
HARMS: tuple[Harm, ...] = ("cut", "reset", "stall", "slow")
DRIP = 0.05
"""Seconds for each byte of a slow connection."""


@dataclass
class _Link:
    """One connection through the proxy. `left`: bytes that the far side may still say before the harm."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    harm: Harm | None
    left: int
    struck: bool = False

    async def answers(self, reader: asyncio.StreamReader) -> None:
        """Carry what the far side says, until the harm comes."""
        while data := await reader.read(65536):
            passing = len(data) if self.harm is None else min(self.left, len(data))
            self.left -= passing if self.harm is not None else 0
            self.near.write(data[:passing])
            await self.near.drain()
            if passing < len(data):
                await self.strike(data[passing:])
                if self.harm != "slow":
                    return
        self.near.close()

    async def requests(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65536):
            if not self.struck or self.harm == "slow":
                self.far.write(data)
                await self.far.drain()
        self.far.close()

    async def strike(self, rest: bytes = b"") -> None:
        """Do the harm now. `rest` is what a slow connection still brings, a byte at a time."""
        self.struck = True
        match self.harm:
            case "cut":
                self.near.close()
                self.far.close()
            case "reset":
                for each in (self.near, self.far):
                    reset(each)
            case "slow":
                for at in range(len(rest)):
                    self.near.write(rest[at : at + 1])
                    await self.near.drain()
                    await asyncio.sleep(DRIP)
            case "stall" | None:
                return


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a reset and not with a good-bye."""
    made: socket.socket | None = writer.get_extra_info("socket")
    if made is not None and made.fileno() >= 0:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class Proxy:
    """A running proxy. `harm` and `after` are what becomes of new connections: the harm, and after how many
    bytes from the far side. Without a harm everything passes."""

    port: int = 0
    harm: Harm | None = None
    after: int = 0
    connections: int = 0
    links: list[_Link] = field(default_factory=list[_Link])

    def strike_after(self, harm: Harm, after: int) -> None:
        """Harm every connection that there is, and each new one, after so many more bytes of the far side;
        after none, at once."""
        self.harm, self.after = harm, after
        for link in self.links:
            link.harm, link.left = harm, after
            if after == 0 and not link.struck and harm in ("cut", "reset"):
                link.struck = True
                link.near.close() if harm == "cut" else reset(link.near)


@asynccontextmanager
async def proxy(address: str, port: int) -> AsyncGenerator[Proxy]:
    """A proxy on a port of its own to an address."""
    between = Proxy()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        between.connections += 1
        with contextlib.suppress(ConnectionError, OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection(address, port)
            link = _Link(writer, far_writer, between.harm, between.after)
            between.links.append(link)
            if link.harm in ("cut", "reset") and link.left == 0:
                await link.strike()
                return
            await asyncio.gather(link.answers(far_reader), link.requests(reader))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        server.close()
        for link in between.links:
            reset(link.near)
            reset(link.far)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
