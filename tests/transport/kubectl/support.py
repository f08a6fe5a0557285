"""A site with the simulated cluster, and what came out of requests to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

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
    bytes: int = 0
    largest: int = 0

    def __call__(self, stream: Stream, data: bytes) -> None:
        self.bytes += len(data)
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
        request = KubectlRequest("main", argv, timeout, stdin=stdin, uid=uid, resource_version=version)
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
async def client(kubeconfig: Path, **fields: str) -> AsyncIterator[Client]:
    """A transport to one cluster; `fields` are more of the site's cluster."""
    cluster = SiteCluster("main", kubeconfig, **fields)
    kubectl = Kubectl(Site("lab", clusters={"main": cluster}))
    try:
        yield Client(kubectl)
    finally:
        await kubectl.close()
