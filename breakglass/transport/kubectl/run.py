"""One kubectl request under way: what it has read, what it has changed, and what it is waiting for.

From this, and from nothing else, the delivery is told at the end, also when the deadline cuts it anywhere.
"""

import math
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import aiohttp

from breakglass.policy.kubectl.changes import Exec
from breakglass.policy.kubectl.operations import Operation, Target
from breakglass.runbook.faults import FaultKind
from breakglass.transport.base import Delivery, Fault, KubectlRequest, Sink
from breakglass.transport.kubectl.api import Api, Method, Query, Sending
from breakglass.transport.kubectl.faults import NEXT, KubectlFaultError
from breakglass.transport.kubectl.resources import Resource, Resources
from breakglass.transport.kubectl.spdy_streams import SpdyStreams
from breakglass.values import Json


@dataclass(frozen=True, slots=True)
class VerbResult:
    """What a verb gives besides its output. `fault` is set for a command that ended with another status."""

    exit: int = 0
    data: Json = None
    fault: Fault | None = None


@dataclass
class KubectlRun:
    """One request of the engine, on one cluster."""

    api: Api
    resources: Resources
    request: KubectlRequest
    sink: Sink
    until: float = math.inf
    """When the time of the whole request is over, by the monotonic clock."""
    doing: str = "read the kubeconfig"
    done: list[str] = field(default_factory=list[str])
    """Changes that the server has said it made."""
    waiting: bool = False
    """All changes are made; what follows only looks."""
    _sendings: list[Sending] = field(default_factory=list[Sending])
    _warned: set[str] = field(default_factory=set[str])

    @property
    def changing(self) -> bool:
        """Whether the verb may change something. Its reads are then only preparation."""
        return self.request.command.takes_dry_run or isinstance(self.request.command.operation, Exec)

    @property
    def where(self) -> str:
        return self.api.where

    @property
    def pending(self) -> list[str]:
        """Requests that may have arrived, and whose answer has not."""
        return [sending.doing for sending in self._sendings if sending.sent]

    def out(self, text: str) -> None:
        if text:
            self.sink("stdout", text.encode("utf-8", "surrogatepass"))

    def err(self, text: str) -> None:
        self.sink("stderr", f"{text}\n".encode("utf-8", "surrogatepass"))

    async def namespace(self, target: Target | None = None, given: str | None = None) -> str:
        """The namespace that counts: the line's, or that of the kubeconfig's context."""
        named = (target.namespace if target is not None else None) or given
        return named or (await self.api.access()).namespace

    async def find(self, word: str) -> Resource:
        return await self.resources.find(word, self._read_discovery, self.where)

    async def read(
        self, path: str, doing: str, *, query: Query = (), headers: Mapping[str, str] | None = None
    ) -> dict[str, Json]:
        """GET an object. Raises FaultError."""
        with self._tracked(doing, counts=not self.changing) as sending:
            value = await self.api.json("GET", path, sending, query=query, headers=headers)
            sending.sent = False
            return value

    async def change(
        self,
        method: Method,
        path: str,
        doing: str,
        *,
        body: Json = None,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Json]:
        """Send a change, once. Raises FaultError."""
        if self.is_dry_run:
            query = (*query, ("dryRun", "All"))
            if method == "DELETE":
                # An API server that gets a body does not look at the query string of a deletion at all.
                body = {**(body if isinstance(body, dict) else {}), "dryRun": ["All"]}
        with self._tracked(doing) as sending:
            value = await self.api.json(method, path, sending, query=query, body=body, headers=headers)
            sending.sent = False
        if not self.is_dry_run:
            self.done.append(doing)
        return value

    @property
    def is_dry_run(self) -> bool:
        return self.request.dry_run or cast(bool, getattr(self.request.command.operation, "dry_run", False))

    @property
    def dry_suffix(self) -> str:
        return " (server dry run)" if self.is_dry_run else ""

    @asynccontextmanager
    async def stream(
        self, path: str, doing: str, query: Query = ()
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """An answer to be read as it comes. Raises FaultError."""
        headers = {"Accept": "*/*"}
        with self._tracked(doing) as sending:
            async with self.api.open("GET", path, sending, query=query, headers=headers) as answer:
                yield answer
            sending.sent = False

    @asynccontextmanager
    async def websocket(
        self, path: str, doing: str, query: Query, protocols: Sequence[str]
    ) -> AsyncGenerator[tuple[aiohttp.ClientWebSocketResponse, Sending]]:
        """A WebSocket, and what says whether its end is known. Raises FaultError."""
        with self._tracked(doing) as sending:
            async with self.api.websocket(path, sending, query=query, protocols=protocols) as socket:
                yield socket, sending

    @asynccontextmanager
    async def spdy(
        self, path: str, doing: str, query: Query, versions: Sequence[str]
    ) -> AsyncGenerator[tuple[SpdyStreams, Sending]]:
        """Streams over SPDY, for a server that refuses WebSockets. Raises FaultError."""
        with self._tracked(doing) as sending:
            async with self.api.spdy(path, sending, query=query, versions=versions) as streams:
                yield streams, sending

    def _warn(self, sending: Sending) -> None:
        """Pass on what the server warned of, each once, as kubectl does."""
        for warning in sending.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self.err(f"Warning: {warning}")

    @contextmanager
    def _tracked(self, doing: str, *, counts: bool = True) -> Generator[Sending]:
        """Keep account of one request. `counts`: as long as its answer is out, the whole is unknown."""
        sending = self._sending(doing)
        if counts:
            self._sendings.append(sending)
        try:
            yield sending
            self._warn(sending)
        except KubectlFaultError as error:
            self._warn(sending)
            answered = error.delivery is Delivery.ANSWERED and error.fault.kind != "malformed"
            if answered or error.delivery is Delivery.NOT_SENT:
                sending.sent = False
            raise

    async def _read_discovery(self, path: str, doing: str) -> dict[str, Json]:
        return await self.api.json("GET", path, self._sending(doing))

    def _sending(self, doing: str) -> Sending:
        self.doing = doing
        return Sending(doing, until=self.until, hears=self.err)

    def past_deadline(self) -> KubectlFaultError:
        """The fault of a request that the deadline cut."""
        seconds = f"{self.request.timeout:g} s"
        if self.waiting:
            message = f"{self.where}: {self.doing}: not done within {seconds}"
            return KubectlFaultError(
                "timeout", message, self.delivery(None), said="error: timed out waiting for the condition"
            )
        doing, advice = self.doing, NEXT["timeout"]
        if self.api.entering and not self.pending:
            doing, advice = self.api.entering, "try it by hand, or use another kubeconfig user"
        message = f"{self.where}: {doing}: no answer within {seconds}; {advice}"
        return KubectlFaultError(
            "timeout", message, self.delivery(None), said=f"error: no answer within {seconds}"
        )

    def delivery(self, answered: Delivery | None) -> Delivery:
        """What is known of the whole request when it ends with a fault. `answered`: the delivery of the one
        request that failed; None when the deadline cut it."""
        if self.pending:
            return Delivery.UNKNOWN
        if self.done:
            return Delivery.ANSWERED if self.waiting else Delivery.UNKNOWN
        if self.changing:
            return Delivery.ANSWERED if answered is Delivery.ANSWERED else Delivery.NOT_SENT
        return answered or Delivery.NOT_SENT

    def fault(self, failed: KubectlFaultError) -> Fault:
        """The fault as the engine must read it: once something is done, no refusal says that nothing was."""
        if not self.done:
            return failed.fault
        said = ", ".join(self.done)
        if not self.waiting:
            return Fault(failed.fault.kind, f"done: {said}; then: {failed.fault.message}")
        kind: FaultKind = "timeout" if failed.fault.kind == "timeout" else "disconnected"
        return Fault(kind, f"accepted: {said}; then: {failed.fault.message}")


Verbs: TypeAlias = Mapping[type[Operation], Callable[[KubectlRun, Any], Coroutine[Any, Any, VerbResult]]]
"""What carries out a verb, by the type of its operation, which it is given."""
