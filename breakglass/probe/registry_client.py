"""Requests to a registry's HTTP API, over one pool of kept connections.

A walk is thousands of small requests, and httpx would take most of its time; aiohttp's parser is compiled.
Facts about the API are from the Docker Registry HTTP API V2 specification and from distribution 2.8, against
which the tests hold this.
"""

import hashlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from breakglass.site.model import Endpoint
from breakglass.threads import in_thread
from breakglass.transport.base import Fault
from breakglass.transport.connector import connector_to, through
from breakglass.transport.http.client import KEPT_FOR, USER_AGENT, fault_of, where_of
from breakglass.transport.http.endpoint import (
    EndpointAddress,
    Forward,
    SecretResolver,
    address_of,
    authorization_of,
    proxy_of,
    tls_of,
)
from breakglass.transport.proxy import Proxy

MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPT = ", ".join(MEDIA_TYPES)
"""Goes with every request for a manifest: 2.8 answers 404 for an OCI manifest that the client does not
list."""

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes of one answer that are read; a manifest is at most 4 MiB."""

DRAINED = 64 * 1024
"""Bytes of a blob that are read to keep the connection, where the registry sent it whole."""

REQUEST_TIMEOUT = 10.0
"""Seconds for each phase of one request; the probe's own deadline is around all of them."""

_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')
_RANGE = re.compile(r"bytes [^/]*/(\d+)")
"""Go says `0--1` of the last byte of nothing."""


@dataclass(frozen=True, slots=True)
class RegistryResponse:
    """What one request gave. code: the HTTP status; 0 when no answer came, and `why` says why.

    size: bytes of the content that the registry says and shows that it has; None where it does not say.
    own: whether it is the registry's own answer, and not one of a proxy in front of it.
    actual: the digest of the content, where it was read whole as a blob's.
    """

    code: int
    body: bytes = b""
    size: int | None = None
    digest: str = ""
    media_type: str = ""
    next_page: str = ""
    why: str = ""
    own: bool = False
    actual: str = ""
    fault: Fault | None = None


class RegistryClient:
    """One registry. `requests` counts what was sent, repeats included."""

    def __init__(
        self,
        connector: aiohttp.TCPConnector,
        endpoint: Endpoint,
        address: EndpointAddress,
        authorization: str | None,
        proxy: Proxy | None = None,
    ) -> None:
        self.requests = 0
        self._proxy = proxy
        self._endpoint = endpoint
        self._address = address
        self._base = address.base.rstrip("/")
        self._authorization = authorization
        self._headers = CIMultiDict({"Host": address.host, "Accept": "*/*", "Accept-Encoding": "identity"})
        self._headers["User-Agent"] = USER_AGENT
        self._headers.update(endpoint.headers)
        if authorization is not None:
            self._headers["Authorization"] = authorization
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=REQUEST_TIMEOUT, sock_read=REQUEST_TIMEOUT
            ),
            middlewares=(self._counted,),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        await self._session.close()

    @property
    def has_credentials(self) -> bool:
        return self._authorization is not None

    async def version(self, *, anonymous: bool) -> RegistryResponse:
        """`GET /v2/`: 401 without credentials is what a private registry answers."""
        return await self._whole("/v2/", {}, anonymous=anonymous)

    async def page(self, path: str) -> RegistryResponse:
        """A page of the catalog or of tags; `next_page` is the path of the one after."""
        return await self._whole(path, {"Accept": "application/json"})

    async def manifest(self, repository: str, reference: str) -> RegistryResponse:
        """A manifest or index, whole."""
        return await self._whole(
            f"/v2/{quote(repository)}/manifests/{quote(reference, safe=':')}", {"Accept": ACCEPT}
        )

    async def blob(self, repository: str, digest: str) -> RegistryResponse:
        """Whether a blob is there to be read.

        Its last byte is asked for, since a HEAD is answered from the registry's memory, which may hold blobs
        that the disk no longer has, or has cut short. A blob that breaks off before that byte has size 0. For
        its first byte distribution 2.8 would read 4 MiB from the disk, for its last one no more than that.
        """
        return await self._send(
            f"/v2/{quote(repository)}/blobs/{quote(digest, safe=':')}", {"Range": "bytes=-1"}, _read_little
        )

    async def content(self, repository: str, digest: str) -> RegistryResponse:
        """A blob read to its end, and the digest of what came."""
        return await self._send(
            f"/v2/{quote(repository)}/blobs/{quote(digest, safe=':')}", {}, _read_and_hash
        )

    async def _whole(
        self, path: str, headers: Mapping[str, str], *, anonymous: bool = False
    ) -> RegistryResponse:
        return await self._send(path, headers, _read_whole, anonymous=anonymous)

    async def _send(
        self, path: str, headers: Mapping[str, str], read: "Reader", *, anonymous: bool = False
    ) -> RegistryResponse:
        """Send a request; once more where the connection broke, as kept ones may.

        Where it broke before the answer began, aiohttp has sent it again already.
        """
        try:
            return await self._once(path, headers, read, anonymous=anonymous)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, TimeoutError, ValueError) as error:
            return await self._unanswered(error)
        except aiohttp.ClientError:
            pass
        try:
            return await self._once(path, headers, read, anonymous=anonymous)
        except (aiohttp.ClientError, TimeoutError) as error:
            return await self._unanswered(error)

    async def _once(
        self, path: str, headers: Mapping[str, str], read: "Reader", *, anonymous: bool
    ) -> RegistryResponse:
        sent = self._headers.copy()
        sent.update(headers)
        if anonymous:
            sent.popall("Authorization", None)
        async with self._session.get(
            URL(self._base + path, encoded=True),
            headers=sent,
            allow_redirects=False,
            server_hostname=self._address.name,
            **through(self._proxy),
            auto_decompress=read is _read_whole,
        ) as response:
            return await read(response)

    async def _counted(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Count what is sent; this is called again for what aiohttp sends again."""
        self.requests += 1
        return await handler(request)

    async def _unanswered(self, error: aiohttp.ClientError | TimeoutError | ValueError) -> RegistryResponse:
        where = where_of(self._endpoint, self._address)
        match error:
            case TimeoutError():
                fault = Fault("timeout", f"{where} did not answer within {REQUEST_TIMEOUT:.0f} s")
            case aiohttp.ClientConnectorError():
                cause = error.__cause__ or error
                fault = await fault_of(cause, self._endpoint, self._address, connecting=True)
            case aiohttp.ClientResponseError():
                said = error.message.partition("\n")[0].rstrip(":")
                words = f"does not answer as HTTP does: {said}; is this the right port?"
                fault = Fault("malformed", f"{where} {words}")
            case ValueError():
                fault = Fault("configuration", f"{where}: the request cannot be sent: {error}")
            case _:
                fault = await fault_of(error, self._endpoint, self._address)
        return RegistryResponse(0, why=str(error) or type(error).__name__, fault=fault)


Reader: TypeAlias = Callable[[aiohttp.ClientResponse], Awaitable[RegistryResponse]]
"""What takes an answer in."""


async def _read_whole(response: aiohttp.ClientResponse) -> RegistryResponse:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > LARGEST_BODY:
            return RegistryResponse(response.status, why=f"the answer is larger than {LARGEST_BODY} bytes")
    return RegistryResponse(
        response.status,
        bytes(body),
        len(body),
        response.headers.get("Docker-Content-Digest", ""),
        response.headers.get("Content-Type", "").partition(";")[0].strip(),
        _next_page(response),
        own=_own(response, bytes(body)),
    )


async def _read_little(response: aiohttp.ClientResponse) -> RegistryResponse:
    """Read what came of a blob: its start, or all where it is so little that its connection is kept."""
    size = _size(response)
    enough = 1 if response.status == 200 and (size is None or size > DRAINED) else DRAINED
    read = bytearray()
    try:
        async for part in response.content.iter_any():
            read += part
            if len(read) >= enough:
                break
    except aiohttp.ClientError:
        if not read and response.status in (200, 206):
            why = "the registry says that it is there and sends none of it"
            return RegistryResponse(response.status, size=0, why=why, own=_own(response, b""))
        raise
    return RegistryResponse(response.status, size=size, own=_own(response, bytes(read)))


async def _read_and_hash(response: aiohttp.ClientResponse) -> RegistryResponse:
    """Read a blob to its end. Only its digest and its size are kept."""
    if response.status != 200:
        return await _read_little(response)
    hashed, size = hashlib.sha256(), 0
    try:
        async for part in response.content.iter_any():
            hashed.update(part)
            size += len(part)
    except aiohttp.ClientPayloadError:
        why = f"breaks off after {size} bytes"
        return RegistryResponse(response.status, size=size, why=why, own=_own(response, b""))
    actual = "sha256:" + hashed.hexdigest()
    return RegistryResponse(response.status, size=size, own=_own(response, b""), actual=actual)


def _own(response: aiohttp.ClientResponse, body: bytes) -> bool:
    """A registry names its API's version, or gives its errors as a list; the page of a proxy does neither."""
    return "Docker-Distribution-Api-Version" in response.headers or body.lstrip().startswith(b'{"errors"')


def _size(response: aiohttp.ClientResponse) -> int | None:
    """The whole size of a blob, of which one byte was asked for."""
    if response.status in (206, 416):
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        return int(match[1]) if match else None
    length = response.headers.get("Content-Length", "")
    return int(length) if response.status == 200 and length.isdecimal() else None


def _next_page(response: aiohttp.ClientResponse) -> str:
    """Path and query of the next page. Only these are taken from the link: the host stays the endpoint's."""
    match = _NEXT.search(response.headers.get("Link", ""))
    if match is None:
        return ""
    path = response.url.join(URL(match[1])).raw_path_qs
    return path[path.find("/v2/") :] if "/v2/" in path else ""


@asynccontextmanager
async def registry_client(
    endpoint: Endpoint, secrets: SecretResolver, parallel: int, forward: Forward | None
) -> AsyncGenerator[RegistryClient]:
    """A client for an endpoint, at its pinned address, with its certificate authority and credentials.

    Raises what `secrets.resolve` and `forward` raise, OSError for certificate files and proxies that
    cannot be used.
    """
    authorization = await authorization_of(endpoint, secrets)
    address = await address_of(endpoint, forward)
    context = await in_thread(lambda: tls_of(endpoint))
    try:
        proxy = proxy_of(endpoint)
    except ValueError as error:
        raise OSError(str(error)) from error
    connector = connector_to(proxy, ssl=context, limit=parallel, keepalive_timeout=KEPT_FOR)
    client = RegistryClient(connector, endpoint, address, authorization, proxy)
    try:
        yield client
    finally:
        await client.close()
