"""Whom to trust over TLS, and the certificate that is shown; nothing of it is written to a disk.

The chain and the name are verified as OpenSSL, curl and Go do it. What Python 3.13 asks for beyond that
(`VERIFY_X509_STRICT`: key identifiers that many CAs leave out) is not asked for; and whoever is named as an
authority is one, also an intermediate.
"""

import os
import re
import ssl
from contextlib import ExitStack
from pathlib import Path

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_FOLDERS = (Path("/proc/self/fd"), Path("/dev/fd"))
"""Where a file that is only in memory has a name, which OpenSSL needs."""


def trusting(authorities: bytes | None) -> ssl.SSLContext:
    """A context that verifies against these authorities (PEM), or against the system's and `SSL_CERT_FILE`.

    Raises ValueError where there is no certificate among them, and ssl.SSLError for one that is broken.
    """
    context = _context()
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if authorities is None:
        if (named := os.environ.get("SSL_CERT_FILE")) and not os.access(named, os.R_OK):
            raise FileNotFoundError(0, "SSL_CERT_FILE names a file that cannot be read", named)
        context.load_default_certs()
        return context
    found = _CERTIFICATE.findall(authorities)
    if not found:
        raise ValueError("no PEM certificates")
    context.load_verify_locations(cadata=b"\n".join(found).decode("ascii"))
    return context


def _context() -> ssl.SSLContext:
    """A context with OpenSSL's own choice of ciphers, which is curl's too; Python's leaves out those that
    devices of ten years have."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("DEFAULT")
    return context


def allow_legacy(context: ssl.SSLContext) -> None:
    """Let old devices in: TLS 1.0 and 1.1, and ciphers and keys that no longer protect."""
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)  # named from Python 3.12 on
    context.set_ciphers("ALL:@SECLEVEL=0")


def trusting_anybody() -> ssl.SSLContext:
    context = _context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def show(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Show a client certificate (PEM) with its chain. Raises ssl.SSLError, and OSError where the two cannot
    be handed to OpenSSL."""
    with ExitStack() as closing:
        names: list[str] = []
        for content in (certificate, key):
            descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
            closing.callback(os.close, descriptor)
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(content)
            names.append(_name_of(descriptor))
        # A passphrase that is given, and wrong, keeps OpenSSL from asking for one on the terminal.
        context.load_cert_chain(names[0], names[1], password="-")


def _name_of(descriptor: int) -> str:
    for folder in _FOLDERS:
        if (path := folder / str(descriptor)).exists():
            return str(path)
    raise FileNotFoundError(
        0, "there is neither /proc nor /dev/fd here, by which OpenSSL is given a certificate"
    )
