"""Which proxy a request goes through, by the environment's rules, and the way through one that speaks SOCKS5.

Source: `golang.org/x/net/http/httpproxy`, with `NewProxierWithNoProxyCIDR` of `k8s.io/apimachinery`; they say
what kubectl does, and curl agrees but for IPv6 in brackets. SOCKS5: RFC 1928, RFC 1929. The name of the far
side is resolved by a SOCKS5 proxy, since whoever needs one has often no name server of the far side.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from breakglass.errors import RequestError

Send: TypeAlias = Callable[[bytes], Awaitable[None]]
Receive: TypeAlias = Callable[[int], Awaitable[bytes]]
"""Reads exactly so many bytes; fewer only at the end of the connection."""

SCHEMES = ("http", "https", "socks5", "socks5h")
DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}

_REPLIES = {
    1: "it failed",
    2: "its rules do not allow it",
    3: "the network is unreachable",
    4: "the host is unreachable",
    5: "the connection was refused",
    6: "the time to live expired",
    7: "it does not connect",
    8: "it does not know this kind of address",
}


class ProxyRefusedError(RequestError):
    """A SOCKS5 proxy lets nobody through, or does not speak SOCKS5. Nothing has reached the far side."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. `url` has no login, and may be shown; `login` is never."""

    url: str
    login: tuple[str, str] | None = None

    @property
    def is_socks(self) -> bool:
        return self.url.startswith("socks5")

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]


def proxy_at(url: str) -> Proxy:
    """A proxy by its URL. Raises ValueError for what is no URL of a proxy that can be spoken to."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"unsupported scheme {parts.scheme!r}; a proxy is {', '.join(SCHEMES[:-1])}")
    if not parts.hostname:
        raise ValueError("it names no host")
    shown = parts._replace(netloc=_without_login(parts), path="", query="", fragment="").geturl()
    if parts.username is None:
        return Proxy(shown)
    return Proxy(shown, (unquote(parts.username), unquote(parts.password or "")))


def _without_login(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else "")


def proxy_for(url: str, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy of the environment for a URL. Loopback is reached through none.

    Raises ValueError, naming the variable, for a proxy that cannot be used.
    """
    parts = urlsplit(url)
    variable = "HTTPS_PROXY" if parts.scheme == "https" else "HTTP_PROXY"
    given = environment.get(variable) or environment.get(variable.lower()) or ""
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    if not given or is_direct(parts.hostname or "", port, environment):
        return None
    if not _is_whole(given):
        given = f"http://{given}"
    try:
        return proxy_at(given)
    except ValueError as error:
        raise ValueError(f"the proxy of {variable} cannot be used: {error}") from None


def _is_whole(given: str) -> bool:
    try:
        parts = urlsplit(given)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def is_direct(host: str, port: int, environment: Mapping[str, str]) -> bool:
    """Whether a host is reached without a proxy: it is loopback, or `NO_PROXY` names it."""
    host = host.lower()
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    listed = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    return any(_matches(entry, host, port, address) for entry in _entries(listed))


def _entries(listed: str) -> Iterator[str]:
    return (entry for entry in (each.strip().lower() for each in listed.split(",")) if entry)


IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(text: str) -> IpAddress | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _matches(entry: str, host: str, port: int, address: IpAddress | None) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            pass
        else:
            return address is not None and address in network
    name, wanted = _split(entry)
    if not name or wanted not in ("", str(port)):
        return False
    if (named := _address(name)) is not None:
        return named == address
    name = name[1:] if name.startswith("*.") else name
    suffix = ascii_name(name if name.startswith(".") else f".{name}")
    here = ascii_name(host)
    return here.endswith(suffix) or (not name.startswith(".") and here == suffix[1:])


def _split(entry: str) -> tuple[str, str]:
    """A host and a port. An IPv6 address with a port stands in brackets."""
    found = re.fullmatch(r"\[([^]]*)\]:(\d*)|([^:]*)(?::(\d*))?", entry)
    if found is None:
        return entry, ""
    return found[1] or found[3] or "", found[2] or found[4] or ""


def ascii_name(host: str) -> str:
    """A name as it stands in a request: an international one as `xn--…`. One that has no such form, as it
    is."""
    if host.isascii():
        return host
    import idna

    leading = "." if host.startswith(".") else ""
    try:
        return leading + idna.encode(host.removeprefix("."), uts46=True).decode("ascii")
    except idna.IDNAError:
        return host


async def socks_connect(proxy: Proxy, host: str, port: int, send: Send, receive: Receive) -> None:
    """Ask a SOCKS5 proxy, over a new connection to it, for one to a host. Raises ProxyRefusedError."""
    methods = b"\x00\x02" if proxy.login else b"\x00"
    await send(bytes([5, len(methods)]) + methods)
    version, method = await _exactly(receive, 2, proxy)
    if version != 5:
        raise ProxyRefusedError(f"the proxy {proxy.url} does not speak SOCKS5")
    if method == 2 and proxy.login is not None:
        await _log_in(proxy, proxy.login, send, receive)
    elif method != 0:
        raise ProxyRefusedError(f"the proxy {proxy.url} wants another login")
    await send(b"\x05\x01\x00" + _target(host) + port.to_bytes(2, "big"))
    version, reply, _, kind = await _exactly(receive, 4, proxy)
    if version != 5 or reply != 0:
        why = _REPLIES.get(reply, f"it answers {reply}")
        raise ProxyRefusedError(f"the proxy {proxy.url} gives no way to {host}:{port}: {why}")
    length = {1: 4, 4: 16}.get(kind) or (await _exactly(receive, 1, proxy))[0]
    await _exactly(receive, length + 2, proxy)


async def _log_in(proxy: Proxy, login: tuple[str, str], send: Send, receive: Receive) -> None:
    user, password = (each.encode()[:255] for each in login)
    await send(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
    _, status = await _exactly(receive, 2, proxy)
    if status != 0:
        raise ProxyRefusedError(f"the proxy {proxy.url} refuses the login")


def _target(host: str) -> bytes:
    address = _address(host)
    if address is None:
        name = ascii_name(host).encode("ascii", "replace")[:255]
        return bytes([3, len(name)]) + name
    return bytes([1 if address.version == 4 else 4]) + address.packed


async def _exactly(receive: Receive, size: int, proxy: Proxy) -> bytes:
    data = await receive(size)
    if len(data) != size:
        raise ProxyRefusedError(f"the proxy {proxy.url} closed the connection")
    return data
