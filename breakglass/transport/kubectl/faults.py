"""What went wrong, in three forms: a fault for the engine, words for the operator, and kubectl's own line.

The one thing that must be right here is the delivery: whether a change that did not come back may have
happened.
"""

import errno
import re
import socket
import ssl
from collections.abc import Iterator, Sequence

import aiohttp

from breakglass.errors import RequestError
from breakglass.runbook.faults import FaultKind
from breakglass.transport.base import Delivery, Fault
from breakglass.transport.proxy import ProxyRefusedError
from breakglass.values import Json

NEXT: dict[FaultKind, str] = {
    "refused": "see whether the API server runs; another control plane can be given as `server` in the site",
    "unreachable": "see whether the network, the VPN and the proxy are up",
    "dns": "give an IP address as the cluster's `server` in the site file",
    "tls": "compare the kubeconfig's certificate authority with the server's certificate",
    "authentication": "renew the credentials of this kubeconfig user",
    "timeout": "try again, or reach the API server by another address with `server` in the site",
    "disconnected": "look at the object before doing it again",
    "server-error": "see the health of the API server and of etcd; look before doing it again",
    "malformed": "something other than a Kubernetes API answers at this address; check `server` and `proxy`",
}
"""What to do next, by kind, where the message itself does not say."""

TLS_ALERTS_ABOUT_THE_CLIENT = (
    *("CERTIFICATE_EXPIRED", "CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "CERTIFICATE_REVOKED"),
    *("UNKNOWN_CA", "CERTIFICATE_UNKNOWN", "UNSUPPORTED_CERTIFICATE", "ACCESS_DENIED"),
)
"""Alerts with which a server ends the handshake because of the client's certificate. With TLS 1.3 they
arrive after the request was written, and still nothing of it was read."""


class ApiConnectionLostError(RequestError):
    """The connection ended after the request was begun. Not one of aiohttp's, which would send it again."""


class KubectlFaultError(RequestError):
    """A request did not give what was asked. `said` is the line that kubectl would print.

    status, reason, retry_after (seconds), detail: what the server's answer said, where there was one.
    """

    def __init__(
        self,
        kind: FaultKind,
        message: str,
        delivery: Delivery,
        *,
        said: str = "",
        status: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(message)
        self.fault = Fault(kind, message)
        self.delivery = delivery
        self.said = said or f"error: {message}"
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.detail = detail


def misused(message: str) -> KubectlFaultError:
    """A request that was refused before anything left."""
    return KubectlFaultError("configuration", message, Delivery.NOT_SENT)


def refused_here(kind: FaultKind, message: str, said: str = "") -> KubectlFaultError:
    """What the far side's answers show to be impossible; nothing has been changed."""
    return KubectlFaultError(kind, message, Delivery.ANSWERED, said=said)


def from_status(
    code: int, body: Json, where: str, doing: str, retry_after: float | None = None
) -> KubectlFaultError:
    """The fault of an answer that is an error. `body` is None for one that is no Kubernetes Status."""
    status = body if isinstance(body, dict) and body.get("kind") == "Status" else None
    if status is None:
        kind: FaultKind = "server-error" if code >= 500 else "malformed"
        message = f"{where}: {doing}: answered HTTP {code} without a Kubernetes status; {NEXT[kind]}"
        said = f"Error from server: an error on the server (HTTP {code}) has prevented the request"
        return KubectlFaultError(kind, message, Delivery.ANSWERED, said=said, status=code)
    reason, text = str(status.get("reason") or ""), str(status.get("message") or f"HTTP {code}")
    kind = _kind_of(code)
    advice = f"; {NEXT[kind]}" if kind in NEXT else ""
    return KubectlFaultError(
        kind,
        f"{where}: {doing}: {text}{advice}",
        Delivery.ANSWERED,
        said=_kubectl_line(code, reason, text, status),
        status=code,
        reason=reason,
        retry_after=retry_after,
        detail=_detail(status),
    )


def _detail(status: dict[str, Json]) -> str:
    """The first cause of an answer, such as the disruption budget that refused an eviction."""
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    first = causes[0] if isinstance(causes, list) and causes else None
    return str(first.get("message") or "") if isinstance(first, dict) else ""


def _kind_of(code: int) -> FaultKind:
    match code:
        case 401:
            return "authentication"
        case 403:
            return "forbidden"
        case 404:
            return "not-found"
        case 409:
            return "conflict"
        case _:
            return "server-error" if code >= 500 else "rejected"


def _kubectl_line(code: int, reason: str, text: str, status: dict[str, Json]) -> str:
    """Source: `CheckErr` in `staging/src/k8s.io/kubectl/pkg/cmd/util/helpers.go` of Kubernetes 1.34."""
    if code == 401:
        return "error: You must be logged in to the server (Unauthorized)"
    if reason == "Invalid":
        return _invalid_line(text, status.get("details"))
    return f"Error from server ({reason}): {text}" if reason else f"Error from server: {text}"


def _invalid_line(text: str, details: Json) -> str:
    if not isinstance(details, dict):
        return f"The request is invalid: {text}"
    causes = details.get("causes")
    said = [
        f"{cause.get('field')}: {cause.get('message')}"
        for cause in (causes if isinstance(causes, list) else [])
        if isinstance(cause, dict)
    ]
    lines = list(dict.fromkeys(said))
    is_named = bool(details.get("kind") or details.get("name"))
    head = f'The {details.get("kind", "")} "{details.get("name", "")}" is invalid'
    if not is_named:
        head = "The request is invalid"
    if len(lines) == 1:
        return f"{head}: {lines[0]}"
    if lines:
        return "\n".join([f"{head}: ", *(f"* {line}" for line in lines)])
    return head if is_named else f"{head}: {text}"


def warnings(headers: Sequence[str]) -> list[str]:
    """What a server warns of: a version that will go, or what admission lets pass for now."""
    found = [re.match(r'299 \S+ "((?:[^"\\]|\\.)*)"', header) for header in headers]
    return [re.sub(r"\\(.)", r"\1", match[1]) for match in found if match]


def from_exception(
    error: BaseException, where: str, doing: str, server: str, *, sent: bool
) -> KubectlFaultError:
    """The fault of a request that got no answer. `sent`: its first byte may have left."""
    kind, what, never_read = _explained(error, server, sent=sent)
    delivery = Delivery.UNKNOWN if sent and not never_read else Delivery.NOT_SENT
    message = f"{where}: {doing}: {what}; {NEXT.get(kind, 'check the site file')}"
    said = f"Unable to connect to the server: {what}"
    if kind == "refused":
        host = server.split("://", 1)[-1]
        said = f"The connection to the server {host} was refused - did you specify the right host or port?"
    return KubectlFaultError(kind, message, delivery, said=said)


def _explained(error: BaseException, server: str, *, sent: bool) -> tuple[FaultKind, str, bool]:
    """Kind, words, and whether it is certain that the server read nothing."""
    for cause in _causes(error):
        alert = str(getattr(cause, "reason", "") or cause) if isinstance(cause, ssl.SSLError) else ""
        if "ALERT" in alert and any(name in alert for name in TLS_ALERTS_ABOUT_THE_CLIENT):
            return "authentication", f"the server refuses the client certificate ({alert.lower()})", True
    match error:
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "dns", f"the name in {server} does not resolve", not sent
        case aiohttp.ClientConnectorCertificateError():
            return "tls", f"the server's certificate is not trusted: {_certificate(error)}", not sent
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return "tls", f"the TLS handshake failed: {_deepest(error)}", not sent
        case aiohttp.ClientHttpProxyError():
            text = f"the proxy answered HTTP {error.status} {error.message} instead of a way through"
            return "unreachable", text, not sent
        case aiohttp.ClientProxyConnectionError() if isinstance(error.__cause__, ProxyRefusedError):
            return "unreachable", str(error.__cause__), not sent
        case aiohttp.ClientProxyConnectionError():
            return "unreachable", f"the proxy cannot be reached: {_deepest(error)}", not sent
        case aiohttp.ConnectionTimeoutError():
            return "timeout", "no connection in time", not sent
        case aiohttp.ClientConnectorError():
            if error.os_error.errno == errno.ECONNREFUSED:
                return "refused", "the connection was refused", not sent
            return "unreachable", f"no connection: {_deepest(error)}", not sent
        case aiohttp.InvalidURL():
            return "configuration", f"{server} is no address", not sent
        case aiohttp.ClientResponseError() if not sent:
            return "unreachable", f"the proxy's answer is not HTTP: {_deepest(error)}", True
        case aiohttp.ClientResponseError():
            return "malformed", f"the answer is not HTTP: {_deepest(error)}", not sent
        case _:
            if not sent:
                return "unreachable", f"no connection: {_deepest(error)}", True
            return "disconnected", "the connection was lost before the answer was complete", False


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
        inner = getattr(each, "os_error", None)
        if isinstance(inner, BaseException):
            waiting.append(inner)


def _certificate(error: BaseException) -> str:
    inner = getattr(error, "certificate_error", error)
    return str(getattr(inner, "verify_message", "") or inner)


def _deepest(error: BaseException) -> str:
    inner = getattr(error, "os_error", None) or error.__cause__ or error
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return str(inner) or type(inner).__name__
