"""Connections to an endpoint and requests of steps over them; and why no answer came, to a step or a probe.

httpx's transport is used without its client: what that adds (cookies, redirects, logins, proxies of the
environment, a second reading of `Location`) must not happen here unasked.
"""

import errno
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import TypeAlias, cast
from urllib.parse import urlsplit

import httpcore
import httpx

from breakglass.runbook.faults import FaultKind
from breakglass.site.model import Endpoint
from breakglass.threads import in_thread
from breakglass.transport.base import Fault
from breakglass.transport.http.certificate import PATIENCE, distrust, shown_at
from breakglass.transport.http.endpoint import EndpointAddress, proxy_of, tls_of
from breakglass.transport.proxy import Proxy, ProxyRefusedError, socks_connect

Trace: TypeAlias = Callable[[str, Mapping[str, object]], Awaitable[None]]
"""Is told what httpcore does: https://www.encode.io/httpcore/extensions/#trace."""

USER_AGENT = "breakglass"
KEPT_FOR = 30.0
"""Seconds that an idle connection is kept."""

_UNREACHABLE = frozenset(
    {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EPERM}
)


_CUT_OFF = ("disconnected", "closed connection")
"""How httpcore and h11 say that the far side closed before its answer was whole."""


_OLD = (
    *("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "DH_KEY_TOO_SMALL", "UNSAFE_LEGACY_RENEGOTIATION"),
    *("NO_CIPHERS_AVAILABLE", "INSUFFICIENT_SECURITY", "EE_KEY_TOO_SMALL", "WRONG_SIGNATURE_TYPE"),
)
"""Parts of OpenSSL's reasons that a server gives which speaks no TLS of these years."""


async def connections_to(
    endpoint: Endpoint, *, certificate: bool = True, kept: int = 8
) -> httpx.AsyncHTTPTransport:
    """Connections with the endpoint's trust.

    certificate: whether the endpoint's client certificate is shown. kept: idle connections that are kept.
    Raises OSError for certificate files that cannot be read, and ValueError for a proxy that cannot be used.
    """
    context = await in_thread(lambda: tls_of(endpoint, certificate=certificate))
    limits = httpx.Limits(max_keepalive_connections=kept, keepalive_expiry=KEPT_FOR)
    proxy = proxy_of(endpoint)
    if proxy is not None and proxy.is_socks:
        return _SocksTransport(proxy, context, kept)
    through = httpx.Proxy(proxy.url, auth=proxy.login) if proxy is not None else None
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits, proxy=through)


class _SocksTransport(httpx.AsyncHTTPTransport):
    """Connections through a SOCKS5 proxy, which resolves the names."""

    def __init__(self, proxy: Proxy, context: ssl.SSLContext, kept: int) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_keepalive_connections=kept,
            keepalive_expiry=KEPT_FOR,
            network_backend=_SocksBackend(proxy),
        )


class _SocksBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._backend = cast(httpcore.AsyncNetworkBackend, httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        address, at = self._proxy.address
        stream = await self._backend.connect_tcp(address, at, timeout, local_address, socket_options)

        async def receive(size: int) -> bytes:
            data = b""
            while len(data) < size and (more := await stream.read(size - len(data))):
                data += more
            return data

        try:
            await socks_connect(self._proxy, host, port, stream.write, receive)
        except BaseException as error:
            await stream.aclose()
            if isinstance(error, ProxyRefusedError):
                raise httpcore.ProxyError(str(error)) from error
            raise
        return stream


async def answer_to(
    connections: httpx.AsyncHTTPTransport,
    address: EndpointAddress,
    method: str,
    url: str,
    headers: httpx.Headers,
    *,
    body: bytes | None = None,
    trace: Trace | None = None,
) -> httpx.Response:
    """Send a request to an endpoint. The answer is there with its headers; its body is still to be read, and
    it must be closed.

    url: with the endpoint's own name, in place of which `address` is put. Raises httpx.HTTPError,
    and ValueError or httpx.InvalidURL for what cannot be sent.
    """
    scheme, _, rest = url.partition("://")
    target = rest[len(urlsplit(url).netloc) :]
    sent = httpx.Headers({"Host": address.host, "Accept": "*/*", "Accept-Encoding": "identity"})
    sent["User-Agent"] = USER_AGENT
    sent.update(headers)
    extensions: dict[str, object] = {
        "sni_hostname": address.name,
        "timeout": httpx.Timeout(None).as_dict(),
    }
    if trace is not None:
        extensions["trace"] = trace
    netloc = urlsplit(address.base).netloc
    request = httpx.Request(
        method, f"{scheme}://{netloc}{target}", headers=sent, content=body, extensions=extensions
    )
    response = await connections.handle_async_request(request)
    response.request = request
    return response


def where_of(endpoint: Endpoint, address: EndpointAddress | None) -> str:
    """An endpoint in the words of a message: its name, URL and pinned address."""
    return f"endpoint {endpoint.name} ({endpoint.url}{address.words if address is not None else ''})"


async def fault_of(
    error: BaseException,
    endpoint: Endpoint,
    address: EndpointAddress | None,
    *,
    connecting: bool = False,
    patience: float = PATIENCE,
) -> Fault:
    """Why no answer came, with the endpoint's name and what to do next.

    connecting: whether it is known that there was no connection, for errors that are not httpx's.
    Where the certificate was not trusted, the server is asked for it once more, for at most `patience`
    seconds, so that it can be named.
    """
    where = where_of(endpoint, address)
    chain = list(_causes(error))
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            shown = None
            if address is not None:
                shown = await shown_at(httpx.URL(address.base).host, address.port, address.name, patience)
            return Fault(
                "tls", f"{where}: {distrust(each, shown, address.name if address else endpoint.url)}"
            )
        if isinstance(each, ssl.SSLError):
            return Fault("tls", f"{where}: {_handshake(each)}")
    kind, words = _unanswered(error, chain, address, connecting=connecting)
    return Fault(kind, f"{where}{words}")


def _handshake(error: ssl.SSLError) -> str:
    reason = (error.reason or "").upper()
    if any(word in reason for word in _OLD):
        return (
            f"it speaks only old TLS ({error.reason}), which is not taken; if it is a device that can do no "
            "better, say `legacy_tls: true` for this endpoint in the site"
        )
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return (
            f"the TLS handshake was refused ({error.reason}); does it want a `client_certificate`, or is it "
            f"an old "
            "device that has weak ciphers only (`legacy_tls: true` in the site)?"
        )
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"):
        return "it does not speak TLS there; is it plain http, or another port?"
    return (
        f"the TLS handshake failed: {error.reason or 'cut off'}; check its `ca` and `client_certificate`, "
        f"and for an "
        "old device `legacy_tls: true` in the site"
    )


def _unanswered(
    error: BaseException, chain: list[BaseException], address: EndpointAddress | None, *, connecting: bool
) -> tuple[FaultKind, str]:
    pinned = address is not None and address.address
    numbers = {each.errno for each in chain if isinstance(each, OSError)}
    if errno.ECONNREFUSED in numbers:
        return "refused", " refuses the connection; is the service, or the proxy in front of it, running?"
    if any(isinstance(each, socket.gaierror) for each in chain):
        return "dns", ": the name does not resolve; pin its address with `resolve`"
    if numbers & _UNREACHABLE:
        advice = "is the pinned address right?" if pinned else "is there a route?"
        return "unreachable", f" cannot be reached: {_reason(chain)}; {advice}"
    if connecting or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return "unreachable", f" cannot be reached: {_reason(chain)}"
    if isinstance(error, httpx.ProxyError):
        return "unreachable", f" is not reached through the proxy: {error}; is NO_PROXY to name it?"
    if isinstance(error, httpx.RemoteProtocolError) and not any(word in str(error) for word in _CUT_OFF):
        if "buffer too long" in str(error):  # h11's words
            return "malformed", " sends headers that do not end within 100 KB"
        return "malformed", f" does not answer as HTTP does: {error}; is this the right port?"
    if isinstance(error, httpx.DecodingError):
        return "malformed", f" sends content that cannot be decoded: {error}"
    if isinstance(error, httpx.LocalProtocolError):
        return "configuration", f": the request cannot be sent: {error}"
    return "disconnected", f": the connection was lost before the answer was whole: {_reason(chain)}"


def _reason(chain: list[BaseException]) -> str:
    for each in reversed(chain):
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return next((str(each) for each in chain if str(each)), type(chain[0]).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and all that led to it."""
    waiting = [error]
    seen: set[int] = set()
    for each in waiting:
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [next_one for next_one in (each.__cause__, each.__context__) if next_one is not None]
        if isinstance(each, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", each).exceptions
