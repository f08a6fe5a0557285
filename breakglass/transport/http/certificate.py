"""What certificate a server shows, asked for when it was not trusted, so that a message can say why."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from breakglass.values import Json

if TYPE_CHECKING:
    import httpx

PATIENCE = 3.0
"""Seconds for the look. It comes after the fault, and is for its words only."""


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """A certificate as it was shown, trusted or not."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    @property
    def facts(self) -> dict[str, Json]:
        """The certificate as an expression sees it. Times are of the form that CEL's `timestamp` takes."""
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "names": list(self.names),
            "not_before": f"{self.not_before:%Y-%m-%dT%H:%M:%SZ}",
            "not_after": f"{self.not_after:%Y-%m-%dT%H:%M:%SZ}",
            "days_left": (self.not_after - datetime.now(UTC)).days,
        }

    @property
    def words(self) -> str:
        return f"its certificate ({self.subject}, issued by {self.issuer})"


async def shown_at(address: str, port: int, name: str, patience: float = PATIENCE) -> ShownCertificate | None:
    """The certificate that a server shows to who asks for `name`, or None. Nothing is sent to it but the
    handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(min(patience, PATIENCE)):
            _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
    except (OSError, ValueError):
        return None
    try:
        connection = writer.get_extra_info("ssl_object")
        assert isinstance(connection, ssl.SSLObject)
        encoded = connection.getpeercert(binary_form=True)
        return certificate_in(encoded) if encoded else None
    finally:
        writer.transport.abort()


def shown_in(response: "httpx.Response") -> bytes:
    """The certificate with which an answer came, DER; empty for one without TLS."""
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("ssl_object") if stream is not None else None
    return (connection.getpeercert(binary_form=True) or b"") if isinstance(connection, ssl.SSLObject) else b""


@lru_cache(maxsize=64)
def certificate_in(encoded: bytes) -> ShownCertificate | None:
    """What stands in a certificate (DER); None where it cannot be read."""
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(encoded)
        try:
            extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            names: tuple[str, ...] = ()
        else:
            names = tuple(str(each.value) for each in extension.value)
        return ShownCertificate(
            certificate.subject.rfc4514_string() or "no subject",
            certificate.issuer.rfc4514_string() or "nobody",
            names,
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )
    except ValueError:
        return None


def distrust(error: ssl.SSLCertVerificationError, shown: ShownCertificate | None, name: str) -> str:
    """Why a certificate is not trusted, and what to do."""
    its = shown.words if shown is not None else "its certificate"
    now = datetime.now(UTC)
    if error.verify_code == _EXPIRED or (shown is not None and shown.not_after < now):
        when = f" on {shown.not_after:%Y-%m-%d %H:%M} UTC" if shown is not None else ""
        return f"{its} expired{when}; renew it, and look whether this machine's clock is right"
    if error.verify_code == _NOT_YET or (shown is not None and shown.not_before > now):
        when = f" from {shown.not_before:%Y-%m-%d %H:%M} UTC" if shown is not None else " later"
        return f"{its} is valid only{when}; is this machine's clock right?"
    if error.verify_code in _WRONG_NAME:
        names = ", ".join(shown.names[:5]) if shown is not None and shown.names else "other names"
        return f"{its} is for {names} and not for {name}; look at the endpoint's `url` and `resolve`"
    return f"{its} is not trusted: {error.verify_message}; give the endpoint's `ca`"


_NOT_YET, _EXPIRED = 9, 10
_WRONG_NAME = frozenset({62, 64})
"""X509_V_ERR_ numbers of OpenSSL, from x509_vfy.h: host name mismatch, IP address mismatch."""
