"""The HTTP transport: one request to an endpoint of the site, answered, or with a word about why not.

What left and what did not is known from the connection itself: until the first byte of the request is
written nothing can have happened, and after that only a whole answer says that something is over. Only reads
(GET, HEAD, OPTIONS) are ever sent twice: over a connection that had died unseen, when `Retry-After` asks for
it, or along a redirect. What changes something goes out once, over a connection of its own.
"""

import asyncio
import json
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NoReturn, cast
from urllib.parse import quote, urlencode, urlsplit

import httpx

from breakglass.errors import UserError
from breakglass.runbook.model import FaultKind
from breakglass.site.model import Endpoint, Site
from breakglass.site.shapes import CREDENTIAL_HEADERS
from breakglass.threads import in_thread
from breakglass.transport.base import Delivery, Fault, HttpRequest, Request, Result, Sink
from breakglass.transport.endpoint import Door, Forward, Secrets, authorization_of, door_of
from breakglass.transport.http_client import client_for, fault_of, where_of
from breakglass.values import Json

LARGEST_JSON = 16 * 1024 * 1024
"""Bytes of an answer that is given as JSON; a larger one is text in the output only."""

MOST_REDIRECTS = 10
SHORTEST_PAUSE = 1.0
"""Seconds between two tries, where `Retry-After` asks for less."""

READS = frozenset({"GET", "HEAD", "OPTIONS"})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
TRAVELLING_HEADERS = frozenset({"accept", "accept-language", "user-agent"})
"""What goes along to another host. Everything else could be a secret."""

_KINDS: Mapping[int, FaultKind] = {
    401: "authentication",
    403: "forbidden",
    404: "not-found",
    407: "authentication",
    409: "conflict",
    410: "not-found",
    412: "conflict",
}
_ADVICE: Mapping[FaultKind, str] = {
    "authentication": "; look at the endpoint's `bearer` or `basic`",
    "forbidden": "; the login is known and may not do this",
}
_DOTS = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


class _NotSentError(Exception):
    """The request cannot be sent, or must not be."""

    def __init__(self, kind: FaultKind, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(kind, message)


@dataclass(slots=True)
class _Progress:
    """How far a request has come."""

    doing: str = "beginning"
    left: bool = False
    """Whether any byte of a request may have been written."""
    fresh: bool = False
    """Whether the connection was made for this request."""
    door: Door | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    received: int = 0

    async def trace(self, event: str, info: Mapping[str, object]) -> None:
        """httpcore tells here what it does: https://www.encode.io/httpcore/extensions/#trace."""
        match event:
            case "connection.connect_tcp.started":
                self.fresh = True
                self.doing = "connecting"
            case "connection.start_tls.started":
                self.doing = "in the TLS handshake"
            case "http11.send_request_headers.started":
                self.left = True
                self.doing = "sending the request"
            case "http11.receive_response_headers.started":
                self.doing = "waiting for the answer"
            case _:
                pass

    @property
    def delivery(self) -> Delivery:
        return Delivery.UNKNOWN if self.left else Delivery.NOT_SENT


@dataclass(frozen=True, slots=True)
class _Call:
    """One request on its way to one place."""

    endpoint: Endpoint
    url: str
    method: str
    headers: httpx.Headers
    body: bytes | None
    certificate: bool
    own: bool = True
    """Whether it goes to the endpoint itself, and not to where a redirect leads."""

    @property
    def reads(self) -> bool:
        return self.method in READS


@dataclass(frozen=True, slots=True)
class _Answer:
    """A whole answer. body: what is to be parsed as JSON. note: what is to be said beside a status."""

    status: int
    headers: dict[str, str]
    body: bytes | None = None
    note: str = ""
    fault: Fault | None = None


class Http:
    """The transport for endpoints of one site."""

    def __init__(self, site: Site, secrets: Secrets, forward: Forward | None = None) -> None:
        self._site = site
        self._secrets = secrets
        self._forward = forward
        self._clients: dict[tuple[object, ...], httpx.AsyncClient] = {}
        self._making = asyncio.Lock()

    async def send(self, request: Request, sink: Sink) -> Result:
        """See `Transport.send`. A status of 400 and above is a fault of its kind, with status, headers and
        data given all the same.

        Secrets are resolved before the clock of `request.timeout` starts, since a person may have to type
        them. Raises SecretError.
        """
        http = cast(HttpRequest, request)
        try:
            call = await self._call(http)
        except _NotSentError as error:
            return Result(Delivery.NOT_SENT, 0.0, fault=error.fault)
        progress = _Progress()
        started = time.monotonic()
        try:
            async with asyncio.timeout(http.timeout):
                answer = await self._answer(call, http, sink, progress, started + http.timeout)
        except TimeoutError:
            fault = _too_late(call.endpoint, progress, http.timeout)
        except _NotSentError as error:
            fault = error.fault
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            fault = await self._fault(error, call.endpoint, progress)
        else:
            seconds = time.monotonic() - started
            fault = answer.fault or _fault_of_status(call, progress.door, answer)
            body = answer.body
            data = await in_thread(lambda: _parsed(body)) if body else None
            return Result(
                Delivery.ANSWERED,
                seconds,
                status=answer.status,
                headers=answer.headers,
                data=data,
                fault=fault,
            )
        return Result(
            progress.delivery,
            time.monotonic() - started,
            status=progress.status,
            headers=progress.headers,
            fault=fault,
        )

    async def close(self) -> None:
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            await client.aclose()

    async def _call(self, http: HttpRequest) -> _Call:
        endpoint = self._site.endpoints.get(http.endpoint)
        if endpoint is None:
            there = ", ".join(self._site.endpoints) or "none"
            message = f"site {self._site.name} has no endpoint {http.endpoint!r}; it has: {there}"
            raise _NotSentError("configuration", message)
        headers = _headers(endpoint, http)
        if not http.anonymous and "authorization" not in headers:
            authorization = await authorization_of(endpoint, self._secrets)
            if authorization is not None:
                headers["Authorization"] = authorization
        url = _url(endpoint, http)
        return _Call(endpoint, url, http.method.upper(), headers, http.body, certificate=not http.anonymous)

    async def _answer(
        self, call: _Call, http: HttpRequest, sink: Sink, progress: _Progress, until: float
    ) -> _Answer:
        """Send, wait and send again, or follow, until there is an answer to keep."""
        redirects = 0
        while True:
            response = await self._open(call, progress)
            try:
                progress.status, progress.headers = response.status_code, dict(response.headers.items())
                wait = _retry_after(response)
                pause = _pause(wait, until) if wait is not None and call.reads else None
                follows = http.follow and call.reads and _redirects(response)
                if pause is None and not follows:
                    body = await _read(response, sink, progress)
                    return _Answer(response.status_code, progress.headers, body, _words(wait, call, http))
            finally:
                await response.aclose()
            if pause is not None:
                progress.doing = "waiting as Retry-After asks"
                said = f"{response.status_code}: waiting {pause:.0f} s, as Retry-After asks\n"
                sink("stderr", said.encode())
                await asyncio.sleep(pause)
                continue
            following = _following(call, response) if redirects < MOST_REDIRECTS else _TOO_MANY
            if isinstance(following, Fault):
                where = where_of(call.endpoint, progress.door)
                fault = Fault(following.kind, f"{where} {following.message}")
                return _Answer(response.status_code, progress.headers, fault=fault)
            redirects += 1
            call = following

    async def _open(self, call: _Call, progress: _Progress) -> httpx.Response:
        """Send a request, and give the answer as soon as its headers are there.

        A read goes out once more where a kept connection turns out to be dead.
        """
        while True:
            progress.fresh = False
            try:
                return await self._once(call, progress)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                if progress.fresh or not call.reads:
                    raise

    async def _once(self, call: _Call, progress: _Progress) -> httpx.Response:
        progress.doing = "preparing"
        client = await self._client(call)
        door = await self._door(call, progress)
        progress.door = door
        scheme, _, rest = call.url.partition("://")
        target = rest[len(urlsplit(call.url).netloc) :]
        headers = call.headers.copy()
        headers.setdefault("Host", door.host)
        base = urlsplit(door.base)
        try:
            request = client.build_request(
                call.method,
                f"{scheme}://{base.netloc}{target}",
                headers=headers,
                content=call.body,
                extensions={"sni_hostname": door.name, "trace": progress.trace},
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise _NotSentError("configuration", f"{where_of(call.endpoint, door)}: {error}") from error
        return await client.send(request, stream=True, auth=None, follow_redirects=False)

    async def _door(self, call: _Call, progress: _Progress) -> Door:
        endpoint = call.endpoint
        if endpoint.forward is not None and self._forward is None:
            message = f"{where_of(endpoint, None)} is reached by a port-forward, and there is none here"
            raise _NotSentError("configuration", message)
        progress.doing = "opening the port-forward" if endpoint.forward is not None else progress.doing
        try:
            door = await door_of(endpoint, self._forward)
        except (UserError, OSError) as error:
            assert endpoint.forward is not None
            there = f"{endpoint.forward.target} in {endpoint.forward.namespace}"
            message = f"{where_of(endpoint, None)}: no port-forward to {there}: {error}"
            raise _NotSentError("unreachable", message) from error
        progress.door = door
        if not door.address:
            # Looked up here as well, since the loop's own threads would keep the program from ending
            # while a dead name server keeps them waiting.
            progress.doing = "resolving the name"
            try:
                await in_thread(lambda: socket.getaddrinfo(door.name, door.port, type=socket.SOCK_STREAM))
            except UnicodeError as error:
                message = f"{where_of(endpoint, door)}: {door.name!r} is not a name that can be resolved"
                raise _NotSentError("dns", message) from error
        return door

    async def _client(self, call: _Call) -> httpx.AsyncClient:
        """Kept for each endpoint. What changes something gets no kept connection: one that had died unseen
        would make its outcome unknown for nothing."""
        key = (call.endpoint.name, call.endpoint.url, call.certificate, call.own, call.reads)
        async with self._making:
            client = self._clients.get(key)
            if client is None:
                try:
                    client = await client_for(
                        call.endpoint, certificate=call.certificate, kept=8 if call.reads else 0
                    )
                except OSError as error:
                    message = f"{where_of(call.endpoint, None)}: {error}"
                    raise _NotSentError("configuration", message) from error
                self._clients[key] = client
            return client

    @staticmethod
    async def _fault(error: Exception, endpoint: Endpoint, progress: _Progress) -> Fault:
        fault = await fault_of(error, endpoint, progress.door)
        if progress.received:
            return Fault(fault.kind, f"{fault.message}; {progress.received} bytes of the answer had come")
        return fault


def _url(endpoint: Endpoint, http: HttpRequest) -> str:
    """The URL as it is shown and sent: the endpoint's, with the path after it, and nothing made of it.

    Raises _NotSentError for a path in which a value could lead elsewhere than it shows.
    """
    path = http.path
    wrong = ""
    if path and not path.startswith(("/", "?")):
        wrong = "a path begins with /"
    elif "#" in path or any(ord(character) <= 32 or ord(character) == 127 for character in path):
        wrong = "a path holds no #, blank or control character; write it as %XX"
    elif _DOTS.search(path.partition("?")[0]):
        wrong = "a path holds no . or .. between slashes"
    if wrong:
        raise _NotSentError(
            "configuration", f"endpoint {endpoint.name}: {path[:200]!r} cannot be sent: {wrong}"
        )
    url = endpoint.url.rstrip("/") + path if path else endpoint.url
    if http.query:
        url += ("&" if "?" in path else "?") + urlencode(http.query, quote_via=quote)
    return url


def _headers(endpoint: Endpoint, http: HttpRequest) -> httpx.Headers:
    """The endpoint's headers and over them the step's. Raises _NotSentError for a name that is not ASCII."""
    sent = {
        name: value
        for name, value in endpoint.headers.items()
        if not (http.anonymous and name.lower() in CREDENTIAL_HEADERS)
    }
    try:
        headers = httpx.Headers([(n.encode("ascii"), v.encode()) for n, v in sent.items()])
        headers.update(httpx.Headers([(n.encode("ascii"), v.encode()) for n, v in http.headers.items()]))
    except UnicodeEncodeError as error:
        message = f"endpoint {endpoint.name}: {error.object[:80]!r} cannot be a header"
        raise _NotSentError("configuration", message) from error
    return headers


async def _read(response: httpx.Response, sink: Sink, progress: _Progress) -> bytes | None:
    """Stream the body to the sink. Gives it whole, where it says that it is JSON and is not too large."""
    progress.doing = "reading the answer"
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    kept = bytearray() if media_type == "application/json" or media_type.endswith("+json") else None
    async for part in response.aiter_bytes():
        progress.received += len(part)
        sink("stdout", part)
        if kept is not None:
            kept += part
            kept = kept if len(kept) <= LARGEST_JSON else None
    return bytes(kept) if kept is not None else None


_TOO_MANY = Fault("malformed", f"redirects more than {MOST_REDIRECTS} times, so nothing more was asked")


def _redirects(response: httpx.Response) -> bool:
    return response.status_code in REDIRECTS and bool(response.headers.get("Location"))


def _following(call: _Call, response: httpx.Response) -> "_Call | Fault":
    """The request that a redirect asks for, or why it is not followed.

    To another scheme, host or port goes nothing that could be a secret: no login, no header but a few, no
    client certificate.
    """
    location = response.headers["Location"]
    here = httpx.URL(call.url)
    try:
        target = here.join(location).copy_with(username=None, password=None, fragment=None)
    except (httpx.InvalidURL, ValueError):
        return Fault("malformed", f"redirects to {location[:200]!r}, which is not a URL")
    if target.scheme not in ("http", "https") or not target.host:
        return Fault("malformed", f"redirects to {location[:200]!r}, which is not HTTP")
    if _origin(target) == _origin(here):
        return replace(call, url=str(target))
    if target.scheme == "http" and here.scheme == "https":
        return Fault("rejected", f"redirects from https to {location[:200]!r}, which is not followed")
    elsewhere = Endpoint(
        call.endpoint.name, f"{target.scheme}://{target.netloc.decode()}", ca=call.endpoint.ca
    )
    headers = httpx.Headers(
        [(name, value) for name, value in call.headers.raw if name.decode().lower() in TRAVELLING_HEADERS]
    )
    return _Call(elsewhere, str(target), call.method, headers, None, certificate=False, own=False)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that a server which is busy asks to wait: a number, or a date (RFC 9110, section 10.2.3)."""
    given = response.headers.get("Retry-After", "").strip()
    if response.status_code not in (429, 503):
        return None
    if given.isascii() and given.isdecimal():
        return float(given[:9])
    try:
        at = parsedate_to_datetime(given)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _pause(wait: float, until: float) -> float | None:
    """How long to pause before the next try; None when the deadline comes first."""
    pause = max(wait, SHORTEST_PAUSE)
    return pause if time.monotonic() + pause < until else None


def _words(wait: float | None, call: _Call, http: HttpRequest) -> str:
    if wait is None:
        return ""
    asked = f"; it asks to wait {wait:.0f} s (Retry-After)"
    return f"{asked}, longer than the deadline of {http.timeout:g} s allows" if call.reads else asked


def _fault_of_status(call: _Call, door: Door | None, answer: _Answer) -> Fault | None:
    """What a status of 400 and above means to the engine: whether the far side can have acted."""
    if answer.status < 400:
        return None
    kind = _KINDS.get(answer.status, "rejected" if answer.status < 500 else "server-error")
    phrase = _phrase(answer.status)
    page = ""
    if answer.headers.get("content-type", "").lower().startswith("text/html"):
        page = " with an HTML page, perhaps that of a proxy in front of it"
    advice = _ADVICE.get(kind, "")
    return Fault(kind, f"{where_of(call.endpoint, door)} answers {phrase}{page}{answer.note}{advice}")


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _too_late(endpoint: Endpoint, progress: _Progress, timeout: float) -> Fault:
    where = where_of(endpoint, progress.door)
    words = f"{where}: no whole answer within {timeout:g} s, {progress.doing}"
    if progress.received:
        words += f" after {progress.received} bytes"
    advice = "" if progress.left else "; nothing was sent"
    return Fault("timeout", words + advice)


def _parsed(body: bytes) -> Json:
    try:
        return cast(Json, json.loads(body, parse_constant=_no_constant))
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
