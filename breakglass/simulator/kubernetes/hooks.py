"""What the simulated cluster asks of the scenario: how commands answer, how pods start and end, what fails.

All durations are simulated seconds of the world's `SimulatedClock`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from breakglass.errors import SimulatorError
from breakglass.kubernetes_objects import Object
from breakglass.simulator.kubernetes.kinds import ResourceKind

Verb: TypeAlias = Literal["create", "update", "patch", "delete", "evict", "scale"]


class Stdin:
    """What the client sends to a command. A command that does not read it does not wait for it."""

    def __init__(self, *, attached: bool) -> None:
        self._received = bytearray()
        self._closed = asyncio.Event()
        if not attached:
            self._closed.set()

    def feed(self, data: bytes) -> None:
        self._received += data

    def close(self) -> None:
        self._closed.set()

    async def read(self) -> bytes:
        """All of it, once the client has closed it. Empty at once where no input is attached."""
        await self._closed.wait()
        return bytes(self._received)


@dataclass(frozen=True, slots=True)
class ExecCall:
    pod: Object
    container: str
    argv: tuple[str, ...]
    stdin: Stdin
    user: str
    tty: bool = False


@dataclass(frozen=True, slots=True)
class ExecAnswer:
    """What a command in a container does.

    stdout, stderr: whole, or in pieces that are sent one by one (standard output first).
    exit: its status. delay: before the first output. then: after the output, `exit`, or `hang` until the
    client goes, or `cut` the connection without an exit status.
    """

    stdout: bytes | Sequence[bytes] = b""
    stderr: bytes | Sequence[bytes] = b""
    exit: int = 0
    delay: float = 0.0
    then: Literal["exit", "hang", "cut"] = "exit"


@dataclass(frozen=True, slots=True)
class LogLine:
    """`text` without the newline. `time` defaults to the start of the container."""

    text: str
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogCall:
    """A request for logs. The server applies the options to the whole list of lines that a hook gives."""

    pod: Object
    container: str
    previous: bool
    follow: bool


@dataclass(frozen=True, slots=True)
class LogAnswer:
    """lines: everything the container has written, oldest first. more: lines still to come, for a follower.

    hang: nothing is sent, not even the headers, until the client goes.
    """

    lines: Sequence[LogLine | str] = ()
    more: AsyncIterator[LogLine | str] | None = None
    hang: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One change that a client asks for.

    before: the object as it stands; None for a creation. after: as it would stand; None for a deletion or
    an eviction. subresource: `scale`, `status`, `eviction` or empty. grace: of a deletion, in seconds;
    None where the client gave none. propagation: of a deletion.
    """

    verb: Verb
    kind: ResourceKind
    namespace: str
    name: str
    user: str
    before: Object | None = None
    after: Object | None = None
    subresource: str = ""
    dry_run: bool = False
    grace: int | None = None
    propagation: str = "Background"


@dataclass(frozen=True, slots=True)
class Denial:
    """Admission refuses. 403 reads as admission does; 422 as validation; 500 as a webhook that failed."""

    message: str
    code: int = 403
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request as access rules see it. verb: `get`, `list`, `watch`, `create`, `update`, `patch`,
    `delete`, `deletecollection`; plural is empty for discovery and health."""

    verb: str
    group: str
    plural: str
    namespace: str
    name: str
    subresource: str
    user: str
    path: str


@dataclass(frozen=True, slots=True)
class ServerFault:
    """How the API server itself misbehaves for one request.

    answer: gives `code` with a Status. hang: accepts and says nothing. cut: closes without an answer.
    slow: acts after `seconds`. hang-after, cut-after: acts, and then the answer never comes.
    """

    kind: Literal["answer", "hang", "cut", "slow", "hang-after", "cut-after"]
    code: int = 500
    reason: str = "InternalError"
    message: str = "Internal error occurred: the server is not well"
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PodBirth:
    """How a pod that was given to a node comes up.

    delay: until `phase` is reached; None means that it stays in ContainerCreating for ever.
    phase, ready: what it reaches. waiting: a reason such as `CrashLoopBackOff` that its containers wait
    with. message: of that reason. terminated: the last end of its containers, such as `OOMKilled`.
    restarts: of each container. statuses: whole container statuses, instead of all those.
    address: its IP; one is assigned where None.
    """

    delay: float | None = 1.0
    phase: str = "Running"
    ready: bool = True
    waiting: str = ""
    message: str = ""
    terminated: str = ""
    restarts: int = 0
    statuses: Sequence[Object] | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class PodEnding:
    """How long a pod takes to end when it is deleted gracefully. None: it never does, until forced."""

    seconds: float | None = 1.0


@dataclass(frozen=True, slots=True)
class JobRun:
    """How a pod of a Job runs, after it has started. seconds: None for ever."""

    seconds: float | None = 1.0
    exit: int = 0
    reason: str = ""


class Hooks(Protocol):
    """The scenario's world, as the API server and the controllers ask for it."""

    async def exec(self, call: ExecCall) -> ExecAnswer: ...

    async def logs(self, call: LogCall) -> LogAnswer: ...

    async def before_change(self, change: Change) -> Denial | None:
        """Admission, for dry runs too. It may take its time, or raise `CutConnectionError`."""
        ...

    def after_change(self, change: Change) -> None:
        """A client's change was made (never a dry run). Controllers' changes are not told; subscribe to the
        store for those."""
        ...

    def fault(self, request: RequestInfo) -> ServerFault | None: ...

    def pod_birth(self, pod: Object) -> PodBirth: ...

    def pod_ending(self, pod: Object) -> PodEnding: ...

    def job_run(self, pod: Object) -> JobRun: ...


class CutConnectionError(SimulatorError):
    """Raised by a hook: close the client's connection without an answer."""


@dataclass
class PlainHooks:
    """A cluster where nothing is wrong, and containers know no commands. Scenarios derive from it."""

    changes: list[Change] = field(default_factory=list[Change])

    async def exec(self, call: ExecCall) -> ExecAnswer:
        return ExecAnswer(stderr=f"sh: {call.argv[0] if call.argv else ''}: not found\n".encode(), exit=127)

    async def logs(self, call: LogCall) -> LogAnswer:
        return LogAnswer()

    async def before_change(self, change: Change) -> Denial | None:
        return None

    def after_change(self, change: Change) -> None:
        self.changes.append(change)

    def fault(self, request: RequestInfo) -> ServerFault | None:
        return None

    def pod_birth(self, pod: Object) -> PodBirth:
        return PodBirth()

    def pod_ending(self, pod: Object) -> PodEnding:
        return PodEnding()

    def job_run(self, pod: Object) -> JobRun:
        return JobRun()
