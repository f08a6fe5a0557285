"""An HTTP server on a loopback port of its own: plain or TLS, one that hangs, or one that refuses."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

LARGEST_BODY = 16 * 1024 * 1024

Handler: TypeAlias = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]
"""Answers a request, of which the body was read."""


class HttpServer:
    """One server. refuse: nothing listens on its port. hang: connections are accepted, nothing is said."""

    def __init__(self, handler: Handler, *, refuse: bool = False, hang: bool = False) -> None:
        self.port = 0
        self._handler = handler
        self._refuse = refuse
        self._hang = hang
        self._runner: web.AppRunner | None = None
        self._silent: asyncio.Server | None = None
        self._kept: set[asyncio.StreamWriter] = set()

    async def start(self, tls: ssl.SSLContext | None) -> None:
        """Listen. A server that refuses gets a port on which nothing listens."""
        if self._refuse or self._hang:
            self._silent = await asyncio.start_server(self._say_nothing, "127.0.0.1", 0)
            self.port = self._silent.sockets[0].getsockname()[1]
            if self._refuse:
                self._silent.close()
                await self._silent.wait_closed()
                self._silent = None
            return
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._silent is not None:
            self._silent.close()
        for writer in list(self._kept):
            writer.close()

    async def _say_nothing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._kept.add(writer)
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass  # the client has gone, which is what was waited for
        finally:
            self._kept.discard(writer)
            writer.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        return await self._handler(request, await request.read())
