"""API servers that write down how they are asked, and know nothing: what kubectl sends, and what we send."""

import json
import ssl
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "api.test"
"""A name on the servers' certificate, beside 127.0.0.1."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: who asked, and as whom, each header by its name in lower case."""

    method: str
    path: str
    who: tuple[tuple[str, str], ...]
    upgrade: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer."""

    status: int = 200
    body: Mapping[str, object] = field(default_factory=dict[str, object])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Answer = Callable[[Asked], Told]


@dataclass
class Recorder:
    """A server that is running. `answer` may be put in place."""

    url: str
    authority: bytes
    asked: list[Asked] = field(default_factory=list[Asked])
    answer: Answer = lambda asked: Told(body={"kind": "Nothing"})


@dataclass(frozen=True, slots=True)
class Issued:
    """A server's certificate with its key, and who issued it, PEM."""

    authority: bytes
    chain: bytes


def issued(*, identifiers: bool = True, issuer_is_ca: bool = True) -> Issued:
    """A certificate for 127.0.0.1 and NAME. identifiers: whether it has those that Python 3.13 asks for."""
    now = datetime.now(UTC)
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "api")])

    def made(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        built = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(public)
        built = built.serial_number(x509.random_serial_number())
        return built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))

    above = made(issuer, key.public_key())
    above = above.add_extension(x509.BasicConstraints(ca=issuer_is_ca, path_length=None), critical=True)
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ip_address("127.0.0.1"))])
    below = made(subject, own.public_key()).add_extension(names, critical=False)
    if identifiers:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        above = above.add_extension(identifier, critical=False)
        above = above.add_extension(_signs(), critical=True)
        below = below.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    private = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    return Issued(
        above.sign(key, hashes.SHA256()).public_bytes(pem),
        below.sign(key, hashes.SHA256()).public_bytes(pem) + private,
    )


def _signs() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


@contextmanager
def recorder(folder: Path, certificate: Issued | None = None) -> Generator[Recorder]:
    """A server with TLS on a port of its own."""
    certificate = certificate or issued()
    chain = folder / "recorder.pem"
    chain.write_bytes(certificate.chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    chain.unlink()

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    recording = Recorder(f"https://127.0.0.1:{server.server_address[1]}", certificate.authority)
    Handler.recording = recording
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield recording
    finally:
        server.shutdown()
        server.server_close()


def kubeconfig_for(folder: Path, server: Recorder, user: Mapping[str, object]) -> Path:
    """A kubeconfig that leads to a recorder, as a user."""
    (folder / "ca.crt").write_bytes(server.authority)
    path = folder / "config"
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "web"}}],
                "clusters": [
                    {"name": "c", "cluster": {"server": server.url, "certificate-authority": "ca.crt"}}
                ],
                "users": [{"name": "u", "user": dict(user)}],
            }
        )
    )
    return path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recording: ClassVar[Recorder]

    def log_message(self, format: str, *args: object) -> None:
        return

    def take(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        who = sorted(
            (name.lower(), value)
            for name, value in self.headers.items()
            if name.lower() == "authorization" or name.lower().startswith("impersonate-")
        )
        asked = Asked(self.command, self.path, tuple(who), self.headers.get("Upgrade", "").lower())
        self.recording.asked.append(asked)
        told = self.recording.answer(asked)
        data = json.dumps(told.body).encode()
        self.send_response(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


for _method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler.take)
