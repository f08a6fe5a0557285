"""Loopback servers that behave well and badly, and an HTTP transport that is pointed at them."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias, cast

from aiohttp import web

from breakglass.simulator.kubernetes.certificates import Authority, Issued
from breakglass.site.model import Endpoint, PortForward, Site
from breakglass.transport.base import HttpRequest, Result, Stream
from breakglass.transport.http.endpoint import Forward
from breakglass.transport.http.transport import Http

Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Connected: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PLENTY = 20.0
"""A deadline that no test reaches."""


class KnownSecrets:
    """Secrets that are known beforehand."""

    async def resolve(self, name: str) -> str:
        return f"value-of-{name}"


@dataclass
class Said:
    """A sink that keeps what it was told, unless that is too much."""

    stdout: bytes = b""
    stderr: bytes = b""
    largest: int = 0
    total: int = 0
    kept: int = 1024 * 1024
    on_data: Callable[[], None] | None = None

    def __call__(self, stream: Stream, data: bytes) -> None:
        self.largest = max(self.largest, len(data))
        self.total += len(data)
        if self.on_data is not None:
            self.on_data()
        if stream == "stderr":
            self.stderr += data
        elif len(self.stdout) < self.kept:
            self.stdout += data


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    """A server on loopback, and its port."""
    runner = web.ServerRunner(web.Server(handler), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield cast("tuple[str, int]", runner.addresses[0])[1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw(connected: Connected) -> AsyncGenerator[int]:
    """A server that speaks bytes, and its port. Its connections end with it."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await connected(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            return
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """The head of a request."""
    return await reader.readuntil(b"\r\n\r\n")


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


def endpoint_at(port: int, **fields: object) -> Endpoint:
    """An endpoint on loopback; `fields` as they are in Endpoint."""
    return replace(Endpoint("app", f"http://127.0.0.1:{port}"), **fields)  # type: ignore[arg-type]


@asynccontextmanager
async def transport(endpoint: Endpoint, forward: Forward | None = None) -> AsyncGenerator[Http]:
    http = Http(Site("loopback", endpoints={endpoint.name: endpoint}), KnownSecrets(), forward)
    try:
        yield http
    finally:
        await http.close()


async def sent(
    endpoint: Endpoint,
    method: str = "GET",
    path: str = "",
    *,
    timeout: float = PLENTY,
    sink: Said | None = None,
    forward: Forward | None = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    follow: bool = False,
    anonymous: bool = False,
) -> Result:
    """One request, over a transport of its own."""
    async with transport(endpoint, forward) as http:
        request = HttpRequest(
            method, endpoint.name, timeout, path, query or {}, headers or {}, body, follow, anonymous
        )
        return await http.send(request, sink if sink is not None else Said())


async def no_forward(forward: PortForward) -> tuple[str, int]:
    raise AssertionError(f"{forward} was not to be opened")


@dataclass
class Seen:
    """Requests that a server got, and an answer to each."""

    answer: Callable[[web.BaseRequest], web.StreamResponse] = field(
        default=lambda request: web.json_response({})
    )
    requests: list[web.BaseRequest] = field(default_factory=list[web.BaseRequest])
    bodies: list[bytes] = field(default_factory=list[bytes])

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return self.answer(request)

    @property
    def last(self) -> web.BaseRequest:
        return self.requests[-1]


@dataclass(frozen=True)
class Certificates:
    """An authority, and files of it for a client."""

    folder: Path
    authority: Authority

    @property
    def ca(self) -> Path:
        path = self.folder / "ca.pem"
        path.write_bytes(self.authority.certificate)
        return path

    def client(self) -> tuple[Path, Path]:
        """A client certificate and its key."""
        return self._written("client", self.authority.client("walker", (), days=1))

    def server(
        self, *names: str, days: int = 10, asks_for_client: bool = False, seen: list[str | None] | None = None
    ) -> ssl.SSLContext:
        """What a server at these names shows. `seen` gets the names that clients ask for."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._written("server", self.authority.server(names, days)))
        if asks_for_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)

        def note(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
            if seen is not None:
                seen.append(name)

        context.sni_callback = note
        return context

    def _written(self, name: str, issued: Issued) -> tuple[Path, Path]:
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(issued.certificate)
        key.write_bytes(issued.key)
        return certificate, key
