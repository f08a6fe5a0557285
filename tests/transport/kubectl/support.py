"""A site with the simulated cluster, and what came out of requests to it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from breakglass.policy.commands import judge_kubectl
from breakglass.policy.kubectl.parse import understood
from breakglass.policy.risk import Risk
from breakglass.site.model import Cluster as SiteCluster
from breakglass.site.model import Site
from breakglass.transport.base import Delivery, KubectlRequest, Result, Stream
from breakglass.transport.kubectl import Kubectl

TIMEOUT = 20.0


@dataclass
class Output:
    """A sink that keeps what it got, up to a limit, and counts all of it."""

    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    size: int = 0
    largest: int = 0

    def __call__(self, stream: Stream, data: bytes) -> None:
        self.size += len(data)
        self.largest = max(self.largest, len(data))
        kept = self.stdout if stream == "stdout" else self.stderr
        if len(kept) < 1_000_000:
            kept += data


@dataclass(frozen=True, slots=True)
class Came:
    """A result with its output as text."""

    result: Result
    out: str
    err: str
    output: Output

    @property
    def fault(self) -> str:
        return self.result.fault.kind if self.result.fault else ""

    @property
    def message(self) -> str:
        return self.result.fault.message if self.result.fault else ""

    @property
    def delivery(self) -> Delivery:
        return self.result.delivery


@dataclass(frozen=True, slots=True)
class Client:
    """The transport, with one cluster called main."""

    kubectl: Kubectl

    async def __call__(
        self,
        line: str | tuple[str, ...],
        *,
        binary: bool = False,
        timeout: float = TIMEOUT,
        stdin: bytes | None = None,
        uid: str | None = None,
        version: str | None = None,
        dry_run: bool = False,
    ) -> Came:
        argv = tuple(line.split(" ")) if isinstance(line, str) else line
        changing = judge_kubectl(argv).risk > Risk.READ
        request = KubectlRequest(
            "main", understood(argv), timeout, changing, stdin=stdin, uid=uid, resource_version=version
        )
        request = replace(request, driver="binary" if binary else "native", dry_run=dry_run)
        output = Output()
        result = await self.kubectl.send(request, output)
        return Came(
            result,
            output.stdout.decode(errors="replace"),
            output.stderr.decode(errors="replace"),
            output,
        )


@asynccontextmanager
async def client(
    kubeconfig: Path,
    *,
    context: str | None = None,
    server: str | None = None,
    impersonate: str | None = None,
    proxy: str | None = None,
) -> AsyncGenerator[Client]:
    """A transport to one cluster of a site."""
    cluster = SiteCluster("main", kubeconfig, context, server, impersonate, proxy)
    kubectl = Kubectl(Site("lab", clusters={"main": cluster}))
    try:
        yield Client(kubectl)
    finally:
        await kubectl.close()


@dataclass
class Relay:
    """A way to a server that counts, and that can be cut. `stop_up` keeps what the client sends back from
    then on; `stop_down` what the server answers."""

    url: str = ""
    connections: int = 0
    stop_up: bool = False
    stop_down: bool = False
    on_up: Callable[[bytes], None] = lambda data: None
    writers: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self.writers:
            writer.transport.abort()


@asynccontextmanager
async def relay(address: tuple[str, int]) -> AsyncGenerator[Relay]:
    """A relay on a port of its own to an address, for the server URL of a test's cluster."""
    between = Relay()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if up:
                    between.on_up(data)
                if between.stop_up if up else between.stop_down:
                    continue
                writer.write(data)
                await writer.drain()
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        between.connections += 1
        far_reader, far_writer = await asyncio.open_connection(*address)
        between.writers += [writer, far_writer]
        await asyncio.gather(carry(reader, far_writer, True), carry(far_reader, writer, False))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    between.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield between
    finally:
        server.close()
        between.cut()
