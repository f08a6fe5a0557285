"""Certificates of SSH: until when they hold, and whether one speaks for a host (PROTOCOL.certkeys)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)
from paramiko import Message

from breakglass.errors import RequestError

FOREVER = 2**64 - 1
"""How a certificate says that it does not expire."""
AUTHORITY_ALGORITHMS = (
    *("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    *("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "rsa-sha2-512", "rsa-sha2-256"),
)
"""What CASignatureAlgorithms is unless somebody changed it."""


class CertificateError(RequestError):
    """It cannot be read, or by its form it speaks for nobody. The message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class HostCertificate:
    """A certificate that a host has shown. authority: the public key that has signed it."""

    certificate: SSHCertificate
    authority: bytes
    signed_with: str

    def why_not(self, host: str, allowed: Sequence[str], now: float) -> str:
        """Why it does not speak for a host, in words; empty where it does. The authority is looked at
        elsewhere. allowed: the algorithms with which it may be signed."""
        certificate = self.certificate
        principals = [each.decode(errors="replace") for each in certificate.valid_principals]
        if certificate.type is not SSHCertificateType.HOST:
            return "it is a user's certificate"
        if principals and host.lower() not in principals:
            return f"it is for {', '.join(principals)} and not for {host}"
        if certificate.critical_options:
            names = ", ".join(each.decode(errors="replace") for each in certificate.critical_options)
            return f"it has critical options: {names}"
        if self.signed_with not in allowed:
            return f"it is signed with {self.signed_with}, which CASignatureAlgorithms leaves out"
        try:
            certificate.verify_cert_signature()
        except (InvalidSignature, UnsupportedAlgorithm):
            return "its signature is wrong"
        return invalid(certificate, now)


def host_certificate(blob: bytes) -> HostCertificate:
    """Read what a host has shown. Raises CertificateError."""
    from base64 import b64encode

    name = Message(blob).get_text()
    try:
        found = load_ssh_public_identity(f"{name} ".encode() + b64encode(blob))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"it cannot be read: {error}") from error
    if not isinstance(found, SSHCertificate):
        raise CertificateError("it is a plain key")
    authority, signature = _ending(blob)
    return HostCertificate(found, authority, Message(signature).get_text())


def _ending(blob: bytes) -> tuple[bytes, bytes]:
    """The authority's key and the signature, the last two fields of a certificate. The fields before them are
    walked over, since their number depends on the kind of key."""
    message = Message(blob)
    kind = message.get_text()
    # A nonce and the key's fields: RSA has two, ECDSA a curve's name and a point, Ed25519 one; FIDO one more.
    numbers = {"ssh-rsa": 2, "ecdsa-sha2": 2, "ssh-ed25519": 1, "sk-ecdsa-sha2": 3, "sk-ssh-ed25519": 2}
    for _ in range(1 + next(count for start, count in numbers.items() if kind.startswith(start))):
        message.get_binary()
    message.get_int64()  # serial
    message.get_int()  # type
    message.get_binary()  # its name
    message.get_binary()  # principals
    message.get_int64()  # valid from
    message.get_int64()  # and until
    for _ in ("critical options", "extensions", "reserved"):
        message.get_binary()
    return message.get_binary(), message.get_binary()


def invalid(certificate: SSHCertificate, now: float) -> str:
    """Why a certificate does not hold at a time, in words; empty where it does."""
    if now < certificate.valid_after:
        return f"is valid only from {_utc(certificate.valid_after)}"
    if certificate.valid_before != FOREVER and now >= certificate.valid_before:
        return f"expired at {_utc(certificate.valid_before)}; get a new one signed"
    return ""


def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
