"""How an endpoint of the site is reached: where to connect, what proves who asks, and whom to trust.

No HTTP library is loaded here, so that whoever only names these types stays light.
"""

import base64
import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from breakglass.site.model import Endpoint, PortForward
from breakglass.transport.base import SecretResolver
from breakglass.transport.proxy import Proxy, ascii_name, proxy_for
from breakglass.transport.tls import allow_legacy, trusting, trusting_anybody

Forward: TypeAlias = Callable[[PortForward], Awaitable[tuple[str, int]]]
"""Opens a port-forward, or gives the one that is open: the local address and port that lead through it."""


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """Where an endpoint is entered.

    base: the endpoint's URL with the address to connect to in place of its name.
    host: the `Host` header, which stays the URL's. name: what the certificate must be for, and the SNI.
    address: the pinned or forwarded address; empty where the name is resolved.
    """

    base: str
    host: str
    name: str
    port: int
    address: str = ""

    @property
    def words(self) -> str:
        return f" at {self.address}" if self.address else ""


async def address_of(endpoint: Endpoint, forward: Forward | None) -> EndpointAddress:
    """Where an endpoint is reached; a port-forward is opened. Raises what `forward` raises."""
    parts = urlsplit(endpoint.url)
    name = ascii_name(parts.hostname or "")
    host = _bracketed(name) + (f":{parts.port}" if parts.port else "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if endpoint.forward is not None and forward is not None:
        address, local = await forward(endpoint.forward)
        there = f"{_bracketed(address)}:{local}"
        return EndpointAddress(parts._replace(netloc=there).geturl(), host, name, local, there)
    if endpoint.resolve is not None:
        there = _bracketed(endpoint.resolve) + (f":{parts.port}" if parts.port else "")
        return EndpointAddress(parts._replace(netloc=there).geturl(), host, name, port, endpoint.resolve)
    return EndpointAddress(parts._replace(netloc=host).geturl(), host, name, port)


def proxy_of(endpoint: Endpoint) -> Proxy | None:
    """The proxy of the environment that an endpoint is reached through. One whose address is pinned, or that
    is forwarded, is reached through none. Raises ValueError, naming the variable."""
    if endpoint.resolve is not None or endpoint.forward is not None:
        return None
    return proxy_for(endpoint.url, os.environ)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


async def authorization_of(endpoint: Endpoint, secrets: SecretResolver) -> str | None:
    """The value of the `Authorization` header, where the endpoint has a login. Raises SecretError."""
    if endpoint.basic is not None:
        login = f"{endpoint.basic.user}:{await secrets.resolve(endpoint.basic.password)}"
        return f"Basic {base64.b64encode(login.encode()).decode('ascii')}"
    if endpoint.bearer is not None:
        return f"Bearer {await secrets.resolve(endpoint.bearer)}"
    return None


def tls_of(endpoint: Endpoint, *, certificate: bool = True) -> ssl.SSLContext:
    """Whom to trust at an endpoint, and the client certificate to show, unless `certificate` is False.

    Reads files. Raises OSError, of which `ssl.SSLError` is one, naming the file that cannot be used.
    """
    if urlsplit(endpoint.url).scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used, and quicker than reading all authorities
    if not endpoint.verify_tls:
        context = trusting_anybody()
    else:
        try:
            context = trusting(endpoint.ca.read_bytes() if endpoint.ca is not None else None)
        except (OSError, ValueError) as error:
            named = f"ca {endpoint.ca}" if endpoint.ca is not None else os.environ.get("SSL_CERT_FILE", "")
            raise OSError(f"{named} cannot be used: {_why(error, 'no PEM certificates')}") from error
    if endpoint.legacy_tls:
        allow_legacy(context)
    if endpoint.client_certificate is not None and certificate:
        try:
            # A passphrase that is given, and wrong, keeps OpenSSL from asking for one on the terminal.
            context.load_cert_chain(endpoint.client_certificate, endpoint.client_key, password="-")
        except OSError as error:
            key = f" with {endpoint.client_key}" if endpoint.client_key else ""
            why = _why(error, "no PEM certificate with its key, or the key has a passphrase")
            message = f"client_certificate {endpoint.client_certificate}{key} cannot be used: {why}"
            raise OSError(message) from error
    return context


def _why(error: OSError | ValueError, content: str) -> str:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    return content
