"""The rules of an HTTP request: what is sent, where a redirect may lead, when to try again, what a status
means. Nothing here reaches outside."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import quote, urlencode

import httpx

from breakglass.errors import RequestError
from breakglass.runbook.faults import FaultKind
from breakglass.site.model import CREDENTIAL_HEADERS, Endpoint
from breakglass.transport.base import Fault, HttpRequest
from breakglass.transport.http.client import where_of
from breakglass.transport.http.endpoint import EndpointAddress

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
TOO_MANY_REDIRECTS = Fault(
    "malformed", f"redirects more than {MOST_REDIRECTS} times; the last was not followed"
)
_DOTS = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


class HttpNotSentError(RequestError):
    """The request cannot be sent, or must not be."""

    def __init__(self, kind: FaultKind, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(kind, message)


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request on its way to one place."""

    endpoint: Endpoint
    url: str
    method: str
    headers: httpx.Headers
    body: bytes | None
    anonymous: bool
    """Whether nothing is shown of who asks, a client certificate neither."""
    own: bool = True
    """Whether it goes to the endpoint itself, and not to where a redirect leads."""

    @property
    def reads(self) -> bool:
        return self.method in READS


def url_of(endpoint: Endpoint, http: HttpRequest) -> str:
    """The URL as it is shown and sent: the endpoint's, with the path after it, and nothing made of it.

    Raises NotSentError for a path in which a value could lead elsewhere than it shows.
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
        raise HttpNotSentError("configuration", f"endpoint {endpoint.name}: {path!r} cannot be sent: {wrong}")
    url = endpoint.url.rstrip("/") + path if path else endpoint.url
    if http.query:
        url += ("&" if "?" in path else "?") + urlencode(http.query, quote_via=quote)
    return url


def headers_of(endpoint: Endpoint, http: HttpRequest) -> httpx.Headers:
    """The endpoint's headers and over them the step's. Raises NotSentError for a name that is not ASCII."""
    sent = {
        name: value
        for name, value in endpoint.headers.items()
        if not (http.anonymous and name.lower() in CREDENTIAL_HEADERS)
    }
    try:
        headers = httpx.Headers([(n.encode("ascii"), v.encode()) for n, v in sent.items()])
        headers.update(httpx.Headers([(n.encode("ascii"), v.encode()) for n, v in http.headers.items()]))
    except UnicodeEncodeError as error:
        message = f"endpoint {endpoint.name}: {error.object!r} cannot be a header"
        raise HttpNotSentError("configuration", message) from error
    return headers


def redirects_to(response: httpx.Response) -> bool:
    return response.status_code in REDIRECTS and bool(response.headers.get("Location"))


def following(call: HttpCall, response: httpx.Response) -> "HttpCall | Fault":
    """The request that a redirect asks for, or why it is not followed.

    To another scheme, host or port goes nothing that could be a secret: no login, no header but a few, no
    client certificate.
    """
    location = response.headers["Location"]
    here = httpx.URL(call.url)
    try:
        target = here.join(location).copy_with(username=None, password=None, fragment=None)
    except (httpx.InvalidURL, ValueError):
        return Fault("malformed", f"redirects to {location!r}, which is not a URL")
    if target.port is not None and not 0 < target.port < 2**16:
        return Fault("malformed", f"redirects to {location!r}, and there is no such port")
    if target.scheme not in ("http", "https") or not target.host:
        return Fault("malformed", f"redirects to {location!r}, which is not HTTP")
    if _origin(target) == _origin(here):
        return replace(call, url=str(target))
    if target.scheme == "http" and here.scheme == "https":
        return Fault("rejected", f"redirects from https to {location!r}, which is not followed")
    elsewhere = Endpoint(
        call.endpoint.name, f"{target.scheme}://{target.netloc.decode()}", ca=call.endpoint.ca
    )
    headers = httpx.Headers(
        [(name, value) for name, value in call.headers.raw if name.decode().lower() in TRAVELLING_HEADERS]
    )
    return HttpCall(elsewhere, str(target), call.method, headers, None, anonymous=True, own=False)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that a server which is busy asks to wait: a number, or a date (RFC 9110, section 10.2.3)."""
    given = response.headers.get("Retry-After", "").strip()
    if response.status_code not in (429, 503):
        return None
    if given.isascii() and given.isdecimal():
        return float(given[:9])
    try:
        at = parsedate_to_datetime(given)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


def pause_before(wait: float, until: float) -> float | None:
    """How long to pause before the next try; None when the deadline comes first."""
    pause = max(wait, SHORTEST_PAUSE)
    return pause if time.monotonic() + pause < until else None


def words_of_wait(wait: float | None, call: HttpCall, http: HttpRequest) -> str:
    if wait is None:
        return ""
    asked = f"; it asks to wait {wait:.0f} s (Retry-After)"
    return f"{asked}, longer than the deadline of {http.timeout:g} s allows" if call.reads else asked


def fault_of_status(
    call: HttpCall, address: EndpointAddress | None, status: int, headers: Mapping[str, str], note: str
) -> Fault | None:
    """What a status of 400 and above means to the engine: whether the far side can have acted."""
    if status < 400:
        return None
    kind = _KINDS.get(status, "rejected" if status < 500 else "server-error")
    page = ""
    if headers.get("content-type", "").lower().startswith("text/html"):
        page = " with an HTML page, perhaps that of a proxy in front of it"
    words = f"{where_of(call.endpoint, address)} answers {_phrase(status)}{page}{note}"
    return Fault(kind, words if call.anonymous else words + _ADVICE.get(kind, ""))


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
