"""The HTTP transport: one request to an endpoint of the site, answered, or with a word about why not.

What left and what did not is known from the connection itself: until the first byte of the request is
written nothing can have happened, and after that only a whole answer says that something is over. Only reads
(GET, HEAD, OPTIONS) are ever sent twice: over a connection that had died unseen, when `Retry-After` asks for
it, or along a redirect. What changes something goes out once, over a connection of its own.
"""

import asyncio
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import httpx

from breakglass.errors import UserError
from breakglass.site.model import Endpoint, Site
from breakglass.threads import in_thread
from breakglass.transport.base import Delivery, Fault, HttpRequest, Request, Result, SecretResolver, Sink
from breakglass.transport.http.certificate import certificate_in, shown_in
from breakglass.transport.http.client import answer_to, connections_to, fault_of, where_of
from breakglass.transport.http.endpoint import (
    EndpointAddress,
    Forward,
    address_of,
    authorization_of,
    proxy_of,
)
from breakglass.transport.http.rules import (
    MOST_REDIRECTS,
    TOO_MANY_REDIRECTS,
    HttpCall,
    HttpNotSentError,
    fault_of_status,
    following,
    headers_of,
    pause_before,
    redirects_to,
    retry_after,
    url_of,
    words_of_wait,
)
from breakglass.transport.http.unpacking import unpacker_of
from breakglass.values import Json, parse_json

LARGEST_JSON = 16 * 1024 * 1024
"""Bytes of an answer that is given as JSON; a larger one is text in the output only."""


@dataclass(slots=True)
class _Progress:
    """How far a request has come."""

    doing: str = "beginning"
    left: bool = False
    """Whether any byte of a request may have been written."""
    fresh: bool = False
    """Whether the connection was made for this request."""
    address: EndpointAddress | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    received: int = 0
    certificate: bytes = b""
    """What the server showed, DER."""

    async def trace(self, event: str, info: Mapping[str, object]) -> None:
        """See `http_client.Trace`."""
        if getattr(info.get("request"), "method", b"") == b"CONNECT":
            self.doing = "asking the proxy for a way"
            return
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
class _Answer:
    """A whole answer. body: what is to be parsed as JSON. fault: what its status means, or why it was not
    followed."""

    status: int
    headers: dict[str, str]
    body: bytes | None
    fault: Fault | None


class Http:
    """The transport for endpoints of one site."""

    def __init__(self, site: Site, secrets: SecretResolver, forward: Forward | None = None) -> None:
        self._site = site
        self._secrets = secrets
        self._forward = forward
        self._connections: dict[tuple[object, ...], httpx.AsyncHTTPTransport] = {}

    async def send(self, request: Request, sink: Sink) -> Result:
        """See `Transport.send`. A status of 400 and above is a fault of its kind, with status, headers and
        data given all the same.

        Secrets are resolved before the clock of `request.timeout` starts, since a person may have to type
        them. Raises SecretError.
        """
        http = cast(HttpRequest, request)
        try:
            call = await self._call(http)
        except HttpNotSentError as error:
            return Result(Delivery.NOT_SENT, 0.0, fault=error.fault)
        progress = _Progress()
        started = time.monotonic()
        until = started + http.timeout
        try:
            async with asyncio.timeout(http.timeout):
                answer = await self._answer(call, http, sink, progress, until)
        except TimeoutError:
            fault = _too_late(call.endpoint, progress, http.timeout)
        except HttpNotSentError as error:
            fault = error.fault
        except httpx.LocalProtocolError as error:
            where = where_of(call.endpoint, progress.address)
            fault = Fault("configuration", f"{where}: the request cannot be sent: {error}")
            return Result(Delivery.NOT_SENT, time.monotonic() - started, fault=fault)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            fault = await _unanswered(error, call.endpoint, progress, until)
        else:
            seconds = time.monotonic() - started
            body = answer.body
            data = await in_thread(lambda: _parsed(body)) if body else None
            der = progress.certificate
            shown = await in_thread(lambda: certificate_in(der)) if der else None
            return Result(
                Delivery.ANSWERED,
                seconds,
                status=answer.status,
                headers=answer.headers,
                data=data,
                tls=shown.facts if shown is not None else None,
                fault=answer.fault,
            )
        return Result(
            progress.delivery,
            time.monotonic() - started,
            status=progress.status,
            headers=progress.headers,
            fault=fault,
        )

    async def close(self) -> None:
        while self._connections:
            _, connections = self._connections.popitem()
            await connections.aclose()

    async def _call(self, http: HttpRequest) -> HttpCall:
        endpoint = self._site.endpoints.get(http.endpoint)
        if endpoint is None:
            lacks = self._site.lacks("endpoint", http.endpoint, self._site.endpoints)
            raise HttpNotSentError("configuration", lacks)
        headers = headers_of(endpoint, http)
        if not http.anonymous and "authorization" not in headers:
            authorization = await authorization_of(endpoint, self._secrets)
            if authorization is not None:
                headers["Authorization"] = authorization
        url = url_of(endpoint, http)
        return HttpCall(endpoint, url, http.method.upper(), headers, http.body, anonymous=http.anonymous)

    async def _answer(
        self, call: HttpCall, http: HttpRequest, sink: Sink, progress: _Progress, until: float
    ) -> _Answer:
        """Send, wait and send again, or follow, until there is an answer to keep."""
        redirects = 0
        while True:
            response = await self._open(call, progress)
            try:
                progress.certificate = shown_in(response)
                progress.status, progress.headers = response.status_code, dict(response.headers.items())
                wait = retry_after(response)
                pause = pause_before(wait, until) if wait is not None and call.reads else None
                follows = http.follow and call.reads and redirects_to(response)
                if pause is None and not follows:
                    body = await _read(response, sink, progress)
                    note = words_of_wait(wait, call, http)
                    status, headers = response.status_code, progress.headers
                    fault = fault_of_status(call, progress.address, status, headers, note)
                    return _Answer(status, headers, body, fault)
            finally:
                await response.aclose()
            if pause is not None:
                progress.doing = "waiting as Retry-After asks"
                said = f"{response.status_code}: waiting {pause:.0f} s, as Retry-After asks\n"
                sink("stderr", said.encode())
                await asyncio.sleep(pause)
                continue
            target = following(call, response) if redirects < MOST_REDIRECTS else TOO_MANY_REDIRECTS
            if isinstance(target, Fault):
                where = where_of(call.endpoint, progress.address)
                fault = Fault(target.kind, f"{where} {target.message}")
                return _Answer(response.status_code, progress.headers, None, fault)
            redirects += 1
            call = target

    async def _open(self, call: HttpCall, progress: _Progress) -> httpx.Response:
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

    async def _once(self, call: HttpCall, progress: _Progress) -> httpx.Response:
        progress.doing = "reading certificates"
        connections = await self._to(call)
        address = await self._address(call, progress)
        try:
            return await answer_to(
                connections,
                address,
                call.method,
                call.url,
                call.headers,
                body=call.body,
                trace=progress.trace,
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise HttpNotSentError("configuration", f"{where_of(call.endpoint, address)}: {error}") from error

    async def _address(self, call: HttpCall, progress: _Progress) -> EndpointAddress:
        endpoint = call.endpoint
        if endpoint.forward is not None and self._forward is None:
            message = f"{where_of(endpoint, None)} is reached by a port-forward, and there is none here"
            raise HttpNotSentError("configuration", message)
        progress.doing = "opening the port-forward" if endpoint.forward is not None else progress.doing
        try:
            address = await address_of(endpoint, self._forward)
        except (UserError, OSError) as error:
            assert endpoint.forward is not None
            there = f"{endpoint.forward.target} in {endpoint.forward.namespace}"
            message = f"{where_of(endpoint, None)}: no port-forward to {there}: {error}"
            raise HttpNotSentError("unreachable", message) from error
        progress.address = address
        if not address.address and proxy_of(endpoint) is None:
            # Looked up here as well, since the loop's own threads would keep the program from ending
            # while a dead name server keeps them waiting.
            progress.doing = "resolving the name"
            try:
                await in_thread(
                    lambda: socket.getaddrinfo(address.name, address.port, type=socket.SOCK_STREAM)
                )
            except UnicodeError as error:
                message = (
                    f"{where_of(endpoint, address)}: {address.name!r} is not a name that can be resolved"
                )
                raise HttpNotSentError("dns", message) from error
        return address

    async def _to(self, call: HttpCall) -> httpx.AsyncHTTPTransport:
        """Connections, kept for each endpoint. What changes something gets a new one each time: a kept one
        that had died unseen would make its outcome unknown for nothing."""
        key = (call.endpoint.name, call.endpoint.url, call.anonymous, call.own, call.reads)
        connections = self._connections.get(key)
        if connections is None:
            try:
                made = await connections_to(
                    call.endpoint, certificate=not call.anonymous, kept=8 if call.reads else 0
                )
            except (OSError, ValueError) as error:
                message = f"{where_of(call.endpoint, None)}: {error}"
                raise HttpNotSentError("configuration", message) from error
            connections = self._connections.setdefault(key, made)
            if connections is not made:
                await made.aclose()
        return connections


async def _read(response: httpx.Response, sink: Sink, progress: _Progress) -> bytes | None:
    """Stream the body to the sink. Gives it whole, where it says that it is JSON and is not too large."""
    progress.doing = "reading the answer"
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    kept = bytearray() if media_type == "application/json" or media_type.endswith("+json") else None
    unpack = unpacker_of(response.headers.get("Content-Encoding", ""))
    async for raw in response.aiter_raw():
        for part in unpack(raw):
            progress.received += len(part)
            sink("stdout", part)
            if kept is not None:
                kept += part
                kept = kept if len(kept) <= LARGEST_JSON else None
            await asyncio.sleep(0)  # a little that came can unpack to much, and the deadline must be seen
    return bytes(kept) if kept is not None else None


async def _unanswered(error: Exception, endpoint: Endpoint, progress: _Progress, until: float) -> Fault:
    """Why no whole answer came. What is asked of the server for that stays within the deadline."""
    fault = await fault_of(error, endpoint, progress.address, patience=until - time.monotonic())
    if not progress.received:
        return fault
    return Fault(fault.kind, f"{fault.message}; {progress.received} bytes of the answer had come")


def _too_late(endpoint: Endpoint, progress: _Progress, timeout: float) -> Fault:
    where = where_of(endpoint, progress.address)
    words = f"{where}: no whole answer within {timeout:g} s, {progress.doing}"
    if progress.received:
        words += f" after {progress.received} bytes"
    advice = "" if progress.left else "; nothing was sent"
    return Fault("timeout", words + advice)


def _parsed(body: bytes) -> Json:
    try:
        return parse_json(body)
    except ValueError:
        return None
