"""Requests to the API server of one cluster: kept connections to read, a fresh one for each change.

A change never goes over a connection that has been idle, because when that turns out to be dead nobody can
say whether the request arrived. Nothing here sends a change twice, and aiohttp is kept from doing so.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Literal, cast

import aiohttp
from multidict import CIMultiDict

from breakglass.site.model import Cluster
from breakglass.threads import in_thread
from breakglass.transport.base import Delivery
from breakglass.transport.connector import connector_to, through
from breakglass.transport.kubectl.access import Access, get_access
from breakglass.transport.kubectl.faults import (
    NEXT,
    ApiConnectionLostError,
    KubectlFaultError,
    from_exception,
    from_status,
    warnings,
)
from breakglass.transport.kubectl.spdy_streams import SpdyStreams
from breakglass.values import Json, parse_json

LARGEST_ANSWER = 256 * 1024 * 1024
"""Bytes of one answer that is read whole."""

PARSED_AT_ONCE = 256 * 1024
"""Bytes of JSON that are parsed in the event loop; more go to a thread."""

PIECE = 64 * 1024

SAID_FROM = 2.0
"""Seconds of waiting that are said."""

SHORTEST_PAUSE = 1.0
"""Seconds between two tries of a read, where `Retry-After` asks for less."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Query = Sequence[tuple[str, str]]


@dataclass(eq=False)
class Sending:
    """What happens to one request. `doing` is in words, for messages.

    sent: its first byte may have left, and no complete answer has come back.
    hears: is told what a server that is busy is waited for.
    warnings: what the server warned of in its answer.
    """

    doing: str
    sent: bool = False
    until: float = math.inf
    """When its time is over, by the monotonic clock. A server that is busy is not waited for beyond that."""
    refusal: tuple[int, bytes] | None = None
    warnings: list[str] = field(default_factory=list[str])
    hears: Callable[[str], None] = lambda line: None


@dataclass
class Api:
    """One cluster's API server. Made once, closed with the session."""

    cluster: Cluster
    entering: str = ""
    """What the way in is waiting for; empty once it is open."""
    listeners: set[Callable[[str], None]] = field(default_factory=set[Callable[[str], None]])
    """Those who wait for the way in, and are told what a credential plugin says, such as a code to enter."""
    _access: Access | None = None
    _kept: aiohttp.ClientSession | None = None
    _fresh: aiohttp.ClientSession | None = None
    _old: list[aiohttp.ClientSession] = field(default_factory=list[aiohttp.ClientSession])
    """Sessions of credentials that were renewed; what is under way on them goes on."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def where(self) -> str:
        server = self._access.server if self._access else self.cluster.server
        return f"cluster {self.cluster.name} ({server})" if server else f"cluster {self.cluster.name}"

    async def access(self) -> Access:
        """The way in, read on first use and again when its credentials are about to end."""
        async with self._lock:
            if self._access is None or self._access.is_stale():
                self._access = await get_access(self.cluster, self._tell, self._say)
                self._retire_sessions()
                self.entering = ""
            return self._access

    async def json(
        self,
        method: Method,
        path: str,
        sending: Sending,
        *,
        query: Query = (),
        body: Json = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Json]:
        """Send one request and give its answer. Raises FaultError for all but success with a JSON object.

        A read whose kept connection turned out to be dead is sent once more, on a new one.
        """
        async with self.open(method, path, sending, query=query, body=body, headers=headers) as answer:
            data = await self._whole(answer, sending)
            value = await _parsed(data)
            if not isinstance(value, dict):
                what = f"the answer is {_content(answer)} and no Kubernetes object"
                message = f"{self.where}: {sending.doing}: {what}; {NEXT['malformed']}"
                raise KubectlFaultError("malformed", message, Delivery.ANSWERED, status=answer.status)
            return value

    @asynccontextmanager
    async def open(
        self,
        method: Method,
        path: str,
        sending: Sending,
        *,
        query: Query = (),
        body: Json = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """An answer that is a success, to be read as it comes. Raises FaultError otherwise."""
        answer = await self._answered(method, path, sending, query, body, headers)
        try:
            yield answer
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise self.failed(error, sending) from None
        finally:
            answer.close() if not answer.content.at_eof() else answer.release()

    async def _answered(
        self,
        method: Method,
        path: str,
        sending: Sending,
        query: Query,
        body: Json,
        headers: Mapping[str, str] | None,
    ) -> aiohttp.ClientResponse:
        renewed = again = False
        while True:
            access = await self.access()
            try:
                answer = await self._request(access, method, path, sending, query, body, headers)
            except ApiConnectionLostError as error:
                if method == "GET" and not again:
                    again = True
                    continue
                raise self.failed(error, sending) from None
            except (aiohttp.ClientError, OSError) as error:
                raise self.failed(error, sending) from None
            sending.warnings += warnings(answer.headers.getall("Warning", []))
            if answer.status == 401 and access.renewable and not renewed:
                renewed = True
                sending.sent = False
                answer.close()
                await self.forget(access)
                continue
            if 200 <= answer.status < 300:
                return answer
            pause = _pause_before(answer, sending) if method == "GET" else None
            if pause is not None:
                status = answer.status
                answer.close()
                sending.sent = False
                if pause >= SAID_FROM:
                    sending.hears(f"{self.where}: HTTP {status}: waiting {pause:.0f} s, as Retry-After asks")
                await asyncio.sleep(pause)
                continue
            try:
                raise await self._refusal(answer, sending)
            finally:
                answer.close()

    async def _request(
        self,
        access: Access,
        method: Method,
        path: str,
        sending: Sending,
        query: Query,
        body: Json,
        headers: Mapping[str, str] | None,
    ) -> aiohttp.ClientResponse:
        given = _headers(access, {"Accept": "application/json", **(headers or {})})
        data = None
        if body is not None:
            given.setdefault("Content-Type", "application/json")
            data = json.dumps(body).encode()
        session = self._session(access, fresh=method != "GET")
        return await session.request(
            method,
            access.server + path,
            params=list(query),
            data=data,
            headers=given,
            allow_redirects=False,
            **through(access.proxy),
            server_hostname=access.server_name,
            trace_request_ctx=sending,
        )

    @asynccontextmanager
    async def spdy(
        self, path: str, sending: Sending, *, query: Query, versions: Sequence[str]
    ) -> AsyncGenerator[SpdyStreams]:
        """Streams over SPDY/3.1 on a connection of their own. Raises FaultError when they are refused or
        lost."""
        access = await self.access()
        headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "Content-Length": "0"}
        async with _new_session(access, fresh=True, sending=sending) as session:
            try:
                answer = await session.request(
                    "POST",
                    access.server + path,
                    params=list(query),
                    headers=CIMultiDict(
                        [
                            *_headers(access, headers).items(),
                            *(("X-Stream-Protocol-Version", version) for version in versions),
                        ]
                    ),
                    allow_redirects=False,
                    **through(access.proxy),
                    server_hostname=access.server_name,
                )
                if answer.status != 101:
                    refusal = await self._refusal(answer, sending)
                    sending.sent = False  # no stream was opened, so nothing runs
                    raise refusal
                yield SpdyStreams(answer)
            except (ApiConnectionLostError, aiohttp.ClientError, OSError) as error:
                if isinstance(error, TimeoutError):
                    raise
                raise self.failed(error, sending) from None

    @asynccontextmanager
    async def websocket(
        self, path: str, sending: Sending, *, query: Query, protocols: Sequence[str]
    ) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket on a connection of its own. Raises FaultError when it is refused or lost."""
        session, opened = await self._upgraded(path, sending, query, protocols)
        try:
            yield opened
        except (aiohttp.ClientError, ConnectionError) as error:
            raise self.failed(error, sending) from None
        finally:
            # Not the WebSocket's own close, which waits for an answer that may not come.
            await session.close()

    async def _upgraded(
        self, path: str, sending: Sending, query: Query, protocols: Sequence[str]
    ) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
        renewed = False
        while True:
            access = await self.access()
            sending.refusal = None
            async with AsyncExitStack() as closing:
                session = await closing.enter_async_context(_new_session(access, fresh=True, sending=sending))
                try:
                    opened = await session.ws_connect(
                        access.server + path,
                        params=list(query),
                        headers=_headers(access, {}),
                        protocols=protocols,
                        **through(access.proxy),
                        server_hostname=access.server_name,
                        max_msg_size=0,
                    )
                except aiohttp.WSServerHandshakeError as error:
                    status, data = sending.refusal or (error.status, b"")
                    if status == 403 and not data.strip():
                        raise self._unspoken(sending, protocols) from None
                    if status != 401 or renewed or not access.renewable:
                        raise await self._explained(status, data, sending, None) from None
                except (ApiConnectionLostError, aiohttp.ClientError, OSError) as error:
                    raise self.failed(error, sending) from None
                else:
                    closing.pop_all()
                    return session, opened
            renewed = True
            sending.sent = False
            await self.forget(access)

    async def forget(self, access: Access) -> None:
        """Let the next request ask for credentials again."""
        async with self._lock:
            if self._access is access:
                self._access = None
                self._retire_sessions()

    async def close(self) -> None:
        self._retire_sessions()
        for session in self._old:
            await session.close()
        self._old.clear()

    def failed(self, error: BaseException, sending: Sending) -> KubectlFaultError:
        """The fault of a request that got no answer."""
        access = self._access
        server = access.server if access else ""
        failed = from_exception(error, self.where, sending.doing, server, sent=sending.sent)
        return self._with_expiry(failed, access)

    async def _refusal(self, answer: aiohttp.ClientResponse, sending: Sending) -> KubectlFaultError:
        try:
            data = await answer.content.read(PIECE * 16)
            while (more := await answer.content.read(PIECE)) and len(data) < PIECE * 16:
                data += more
        except (aiohttp.ClientError, OSError):
            data = b""
        return await self._explained(answer.status, data, sending, _retry_after(answer))

    def _unspoken(self, sending: Sending, protocols: Sequence[str]) -> KubectlFaultError:
        """An API server that speaks none of the protocols refuses the WebSocket without a word."""
        spoken = " and ".join(protocols)
        message = (
            f"{sending.doing}: the server does not speak {spoken}; Kubernetes before 1.30 cannot end "
            "standard input over a WebSocket: use `driver: binary`"
        )
        return KubectlFaultError("rejected", f"{self.where}: {message}", Delivery.ANSWERED, status=403)

    async def _explained(
        self, status: int, data: bytes, sending: Sending, retry_after: float | None
    ) -> KubectlFaultError:
        failed = from_status(status, await _parsed(data), self.where, sending.doing, retry_after)
        return self._with_expiry(failed, self._access)

    def _with_expiry(self, failed: KubectlFaultError, access: Access | None) -> KubectlFaultError:
        """Say so when it is the client certificate's end that explains a refused login."""
        if failed.fault.kind != "authentication" or access is None or access.certificate_ends is None:
            return failed
        if access.certificate_ends > datetime.now(UTC):
            return failed
        message = (
            f"{self.where}: the client certificate of kubeconfig user {access.user} expired on "
            f"{access.certificate_ends:%Y-%m-%d %H:%M} UTC; renew it, or use another context"
        )
        return KubectlFaultError(
            "authentication", message, failed.delivery, said=failed.said, status=failed.status
        )

    async def _whole(self, answer: aiohttp.ClientResponse, sending: Sending) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in answer.content.iter_chunked(PIECE):
            size += len(piece)
            if size > LARGEST_ANSWER:
                raise KubectlFaultError(
                    "malformed",
                    f"{self.where}: {sending.doing}: the answer is larger than {LARGEST_ANSWER >> 20} MiB; "
                    "select less",
                    Delivery.UNKNOWN,
                )
            pieces.append(piece)
        return b"".join(pieces)

    def _session(self, access: Access, *, fresh: bool) -> aiohttp.ClientSession:
        if fresh:
            if self._fresh is None:
                self._fresh = _new_session(access, fresh=True)
            return self._fresh
        if self._kept is None:
            self._kept = _new_session(access, fresh=False)
        return self._kept

    def _tell(self, what: str) -> None:
        self.entering = what

    def _say(self, line: str) -> None:
        self.entering = f"{self.entering.partition(', which says: ')[0]}, which says: {line}"
        for hear in tuple(self.listeners):
            hear(line)

    def _retire_sessions(self) -> None:
        self._old += [session for session in (self._kept, self._fresh) if session is not None]
        self._kept = self._fresh = None


def _headers(access: Access, given: Mapping[str, str]) -> CIMultiDict[str]:
    """The headers of a request: what it says itself, and who asks, and as whom."""
    return CIMultiDict([("User-Agent", "breakglass"), *given.items(), *access.headers])


def _retry_after(answer: aiohttp.ClientResponse) -> float | None:
    """Seconds that a server asks to wait; the API gives a number."""
    given = answer.headers.get("Retry-After", "").strip()
    return float(given[:9]) if given.isascii() and given.isdigit() else None


def _pause_before(answer: aiohttp.ClientResponse, sending: Sending) -> float | None:
    """How long to wait before a read is sent again: as long as a busy server asks, and at least a second.
    None where it does not ask, or the read's time is over before."""
    wait = _retry_after(answer) if answer.status in (429, 503) else None
    if wait is None:
        return None
    pause = max(wait, SHORTEST_PAUSE)
    return pause if time.monotonic() + pause < sending.until else None


def _new_session(access: Access, *, fresh: bool, sending: Sending | None = None) -> aiohttp.ClientSession:
    """A session. `sending` is the one request that it is for; without, each request gives its own."""
    through_socks = access.proxy is not None and access.proxy.is_socks
    connector = connector_to(
        access.proxy if through_socks else None,
        ssl=access.ssl,
        force_close=fresh,
        limit=0,
        use_dns_cache=False,
    )

    def context(trace_request_ctx: Sending | None = None) -> SimpleNamespace:
        return SimpleNamespace(sending=sending or trace_request_ctx)

    trace = aiohttp.TraceConfig(context)  # type: ignore[arg-type]
    trace.on_connection_create_end.append(_about_to_send)
    trace.on_connection_reuseconn.append(_about_to_send)
    trace.on_request_end.append(_read_refused_upgrade)
    return aiohttp.ClientSession(
        connector=connector,
        trace_configs=[trace],
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        middlewares=(_once,),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=2 * PIECE,
    )


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp sends a DELETE or PUT a second time when its connection is lost, unless the error is not one
    of its own."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ApiConnectionLostError(str(error)) from error


async def _about_to_send(
    session: aiohttp.ClientSession, context: SimpleNamespace, parameters: object
) -> None:
    cast(Sending, context.sending).sent = True


async def _read_refused_upgrade(
    session: aiohttp.ClientSession, context: SimpleNamespace, parameters: aiohttp.TraceRequestEndParams
) -> None:
    """What a server says when it refuses a WebSocket; aiohttp throws it away."""
    answer = parameters.response
    if parameters.headers.get("Upgrade", "").lower() == "websocket" and answer.status != 101:
        sending = cast(Sending, context.sending)
        try:
            sending.refusal = answer.status, await answer.content.read(PIECE)
        except (aiohttp.ClientError, OSError):
            sending.refusal = answer.status, b""


async def _parsed(data: bytes) -> Json:
    """The JSON in some bytes; None where it is none."""

    def parse() -> Json:
        try:
            return parse_json(data)
        except ValueError:
            return None

    return parse() if len(data) <= PARSED_AT_ONCE else await in_thread(parse)


def _content(answer: aiohttp.ClientResponse) -> str:
    return answer.headers.get("Content-Type", "of no type").split(";")[0]
