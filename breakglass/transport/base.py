"""What every transport takes and gives: a prepared request in, streamed output and one typed result out.

A request is complete and rendered: nothing in it is evaluated again. A transport never decides risk, never
asks, never retries a change, and never raises for what the far side did: that is a `Fault` in the result.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, Protocol, TypeAlias

from breakglass.errors import RequestError
from breakglass.policy.kubectl.operations import KubectlCommand
from breakglass.runbook.faults import FaultKind
from breakglass.values import Json


@dataclass(frozen=True, slots=True)
class KubectlRequest:
    """`dry_run` asks for a server-side dry run. `changing`: unless it is known to read."""

    cluster: str
    command: KubectlCommand
    timeout: float
    changing: bool = True
    driver: Literal["native", "binary"] = "native"
    stdin: bytes | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False


SUDO = ("sudo", "-n", "--")
"""What stands before a command that root runs. It never asks."""


@dataclass(frozen=True, slots=True)
class SshRequest:
    """`argv` is what the far side runs, word for word, whichever login shell the user has there."""

    host: str
    argv: tuple[str, ...]
    timeout: float
    stdin: bytes | None = None


@dataclass(frozen=True, slots=True)
class LocalProgram:
    """A program of this machine. leads_to: where links lead from its path. identity: which file that was when
    it was looked at, by its place on the disk, its size and its times; empty where nobody looked."""

    name: str
    path: str
    leads_to: str = ""
    identity: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LocalRequest:
    """`argv` is what runs on this machine, with programs by the site's names. places: which of its words are
    such names. shell: it is `sh -c` with text that names them. programs: all that it starts by them."""

    argv: tuple[str, ...]
    timeout: float
    programs: tuple[LocalProgram, ...]
    places: tuple[int, ...] = (0,)
    shell: bool = False
    stdin: bytes | None = None


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    endpoint: str
    timeout: float
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    follow: bool = False
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """A diagnostic of `breakglass.probe`, read-only. `arguments` are the probe's own."""

    name: str
    arguments: Mapping[str, Json]
    timeout: float


Request: TypeAlias = KubectlRequest | SshRequest | HttpRequest | LocalRequest | ProbeRequest


class Delivery(Enum):
    """What is known of a request's arrival. The engine derives a change's outcome from this."""

    NOT_SENT = "not sent"
    """The far side cannot have acted: no connection, no key, refused before the request left."""
    ANSWERED = "answered"
    """The far side answered, with success or with a fault."""
    UNKNOWN = "may have happened"
    """The request left, wholly or in part, and no complete answer came back."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request did not give what was asked. `message` names the host or object and what to do next."""

    kind: FaultKind
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came back, apart from the output itself, which went to the sink.

    exit: exit status of a command; None where there is none.
    status: HTTP status; None where there is none.
    data: the answer as JSON where it is JSON (a `get -o json`, an HTTP body, a probe's findings), as it came:
        it is not yet redacted, and must not be shown or stored before it is.
    tls: the certificate that an HTTP answer came with: `subject`, `issuer`, `names`, `not_before`,
        `not_after`, `days_left`; None for one without TLS.
    seconds: time from sending to the last byte, from the monotonic clock.
    """

    delivery: Delivery
    seconds: float
    exit: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    data: Json = None
    tls: Mapping[str, Json] | None = None
    fault: Fault | None = None


class OutputLimitError(RequestError):
    """A sink takes no more. A transport lets it pass, and ends what it was reading on the way out."""


Stream: TypeAlias = Literal["stdout", "stderr"]
Sink: TypeAlias = Callable[[Stream, bytes], None]
"""Receives raw output as it comes, in order, one piece at a time, in whichever thread read it.

It raises OutputLimitError where it takes no more. It may block; then the far side is held back, and nothing
is queued. When a request was cut short, by its deadline or by cancelling, one last piece may still be under
way in a thread; the sink then drops it.

The session's sink is `transport.output.Recorder`: it decodes, removes secrets, makes control characters
visible, keeps the head and tail, and spills the whole to a file.
"""


class SecretResolver(Protocol):
    """What a transport needs of the site's secrets. `resolve` raises SecretError."""

    async def resolve(self, name: str, /) -> str: ...


class Transport(Protocol):
    """One way out, for one kind of request."""

    async def send(self, request: Request, sink: Sink) -> Result:
        """Carry the request out, and return within `request.timeout` seconds whatever the far side does.

        Never raises for what the far side did. Cancelling the task cancels the request, as far as the far
        side lets itself be cancelled.
        """
        ...

    async def close(self) -> None: ...
