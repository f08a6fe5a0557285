"""How aiohttp connects: names are resolved in a thread, and a SOCKS5 proxy is gone through."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from breakglass.threads import in_thread
from breakglass.transport.proxy import Proxy, ProxyRefusedError, socks_connect
from breakglass.transport.resolver import ThreadResolver


class ConnectorSettings(TypedDict, total=False):
    """What aiohttp's connector is told."""

    ssl: Any
    force_close: bool
    limit: int
    use_dns_cache: bool
    keepalive_timeout: float


class Through(TypedDict, total=False):
    """What aiohttp is told of a proxy with each request."""

    proxy: str
    proxy_auth: aiohttp.BasicAuth


def through(proxy: Proxy | None) -> Through:
    """How a request goes through an HTTP proxy. One that speaks SOCKS5 is the connector's."""
    if proxy is None or proxy.is_socks:
        return {}
    if proxy.login is None:
        return {"proxy": proxy.url}
    return {"proxy": proxy.url, "proxy_auth": aiohttp.BasicAuth(*proxy.login)}


def connector_to(proxy: Proxy | None, **settings: Unpack[ConnectorSettings]) -> aiohttp.TCPConnector:
    """A connector that goes straight to a server or an HTTP proxy, or through a SOCKS5 proxy."""
    if proxy is None or not proxy.is_socks:
        return aiohttp.TCPConnector(resolver=ThreadResolver(), **settings)
    return _SocksConnector(proxy, resolver=_FarResolver(), **settings)


class _FarResolver(AbstractResolver):
    """Names stay as they are: the proxy resolves them."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=host, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        return None


class _SocksConnector(aiohttp.TCPConnector):
    def __init__(self, proxy: Proxy, **settings: Any) -> None:
        super().__init__(**settings)  # pyright: ignore[reportUnknownMemberType]
        self._proxy = proxy

    async def _wrap_create_connection(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *args: Any, addr_infos: Any, req: Any, timeout: Any, client_error: Any = None, **kwargs: Any
    ) -> Any:
        host, port = addr_infos[0][4][:2]
        try:
            through = await open_through(self._proxy, host, port)
        except OSError as error:
            raise aiohttp.ClientProxyConnectionError(req.connection_key, error) from error
        except ProxyRefusedError as error:
            raise aiohttp.ClientProxyConnectionError(req.connection_key, OSError(str(error))) from error
        try:
            return await asyncio.get_running_loop().create_connection(*args, **kwargs, sock=through)
        except ssl.CertificateError as error:
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from error
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error


async def open_through(proxy: Proxy, host: str, port: int) -> socket.socket:
    """A connection to a host through a SOCKS5 proxy. Raises OSError and ProxyRefusedError."""
    loop = asyncio.get_running_loop()
    address, at = proxy.address
    found = await in_thread(lambda: socket.getaddrinfo(address, at, type=socket.SOCK_STREAM))
    opened = await _first(found)
    try:

        async def receive(size: int) -> bytes:
            data = b""
            while len(data) < size and (more := await loop.sock_recv(opened, size - len(data))):
                data += more
            return data

        await socks_connect(proxy, host, port, lambda data: loop.sock_sendall(opened, data), receive)
    except BaseException:
        opened.close()
        raise
    return opened


async def _first(found: Sequence[tuple[Any, Any, int, str, Any]]) -> socket.socket:
    """A connection to the first address that takes one. Raises OSError."""
    failed = OSError("the proxy's name has no address")
    for family, kind, protocol, _, place in found:
        opened = socket.socket(family, kind, protocol)
        opened.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(opened, place)
        except OSError as error:
            opened.close()
            failed = error
        except BaseException:
            opened.close()
            raise
        else:
            return opened
    raise failed
