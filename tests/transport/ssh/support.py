"""The SSH transport in a test: a site of a few hosts, and what a command gave."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from breakglass.site.model import Host, Site
from breakglass.transport.base import Delivery, Result, SecretResolver, SshRequest, Stream
from breakglass.transport.ssh import HostKeyQuestion, Ssh


class NoSecrets:
    async def resolve(self, name: str) -> str:
        raise AssertionError(f"nobody should want the secret {name}")


@dataclass(slots=True)
class Prompt:
    """Answers every question in the same way, and keeps them."""

    accept: bool
    asked: list[HostKeyQuestion]

    async def __call__(self, question: HostKeyQuestion) -> bool:
        self.asked.append(question)
        return self.accept


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command gave."""

    result: Result
    stdout: bytes
    stderr: bytes

    @property
    def fault(self) -> str:
        return self.result.fault.kind if self.result.fault else ""

    @property
    def message(self) -> str:
        return self.result.fault.message if self.result.fault else ""

    @property
    def delivery(self) -> Delivery:
        return self.result.delivery


@asynccontextmanager
async def transport(
    *hosts: Host,
    prompt: Callable[[HostKeyQuestion], Awaitable[bool]] | None = None,
    secrets: SecretResolver | None = None,
    tell: Callable[[str], None] | None = None,
) -> AsyncGenerator[Ssh]:
    """The transport of a site with these hosts."""
    ssh = Ssh(Site("test", hosts={host.name: host for host in hosts}), secrets or NoSecrets(), prompt, tell)
    try:
        yield ssh
    finally:
        await ssh.close()


async def run(
    ssh: Ssh,
    command: str | Sequence[str],
    host: str = "box",
    timeout: float = 20.0,
    stdin: bytes | None = None,
) -> Ran:
    """Send a command and keep all that it gives. Text is for `sh`."""
    out: dict[Stream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    request = SshRequest(host, argv_for(command), timeout, stdin)
    result = await ssh.send(request, lambda stream, data: out[stream].extend(data))
    return Ran(result, bytes(out["stdout"]), bytes(out["stderr"]))


def argv_for(command: str | Sequence[str]) -> tuple[str, ...]:
    return ("sh", "-c", command) if isinstance(command, str) else tuple(command)
