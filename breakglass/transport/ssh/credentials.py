"""The keys to log in with: which, in what order, and no more than a careful host lets one try.

Named keys come first, then what the agent holds, then the keys that `ssh` tries by itself. A server commonly
closes after a few tries and counts them against the caller, so at most three are made.
"""

import io
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    SSHCertificate,
    load_pem_private_key,
    load_ssh_public_identity,
)
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import PublicBlob, UnknownKeyType

from breakglass.transport.ssh.certificates import invalid
from breakglass.transport.ssh.route import Hop

_NOT_OF_PARAMIKO = re.compile(rb"-----BEGIN ((ENCRYPTED )?PRIVATE KEY|EC PARAMETERS)-----")
"""What `openssl` and `ssh-keygen -m PKCS8` write."""
_PARAMETERS = re.compile(rb"-----BEGIN EC PARAMETERS-----.*?-----END EC PARAMETERS-----\s*", re.DOTALL)
"""A curve's name, which stands in the key as well."""
_KINDS: Mapping[type, type[paramiko.PKey]] = {
    Ed25519PrivateKey: paramiko.Ed25519Key,
    EllipticCurvePrivateKey: paramiko.ECDSAKey,
    RSAPrivateKey: paramiko.RSAKey,
}
MOST_TRIES = 3
"""Keys offered on one connection. Doors for emergencies allow three."""
AGENT_TIMEOUT = 20.0
"""Seconds for one answer of the agent. It may ask its owner in between."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A key to be offered, and what it is called in messages."""

    key: paramiko.PKey
    words: str

    @property
    def algorithm(self) -> str:
        """Of the certificate, if it has one; RSA has the name of its key."""
        blob = self.key.public_blob
        return self.key.get_name() if blob is None else str(blob.key_type)

    @property
    def fido(self) -> bool:
        """Whether it wants to be touched, mostly: its kind does, if it was not made without."""
        return self.algorithm.startswith("sk-")


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be offered. `unusable` says of every named key that cannot, why; `encrypted` are the key files
    for which a passphrase is missing. `agent` is to be closed after the login."""

    candidates: tuple[Candidate, ...]
    unusable: tuple[str, ...]
    encrypted: tuple[Path, ...]
    agent: "Agent | None"


class Agent(AgentSSH):
    """The keys in an SSH agent behind a socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.settimeout(AGENT_TIMEOUT)
        try:
            self._connection.connect(str(path))
            self._connect(self._connection)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        except (OSError, paramiko.SSHException):
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()


def offer(hop: Hop, passphrase: str | None) -> Offer:
    """Look for the keys of a hop: in files and in the agent. Blocks; raises nothing for what is missing."""
    unusable: list[str] = []
    encrypted: list[Path] = []
    agent: Agent | None = None
    if hop.agent is not None:
        try:
            agent = Agent(hop.agent)
        except (OSError, paramiko.SSHException) as error:
            unusable.append(f"agent {hop.agent}: {error}")
    held = list(agent.get_keys()) if agent is not None else []
    certificates = _certificates(hop, unusable)
    named: list[Candidate] = []
    for path in hop.identities:
        named += _of_identity(path, hop, passphrase, held, certificates, unusable, encrypted)
    others: list[Candidate] = []
    if not hop.identities_only:
        taken = {each.key.asbytes() for each in named}
        others = [_of_agent(key) for key in held if key.asbytes() not in taken]
    ordered = named + others if hop.explicit else others + named
    usable = tuple(each for each in ordered if _allowed(each, hop, unusable))
    return Offer(usable, (*unusable, *hop.unusable), tuple(encrypted), agent)


def _allowed(candidate: Candidate, hop: Hop, unusable: list[str]) -> bool:
    """Whether `ssh_config` lets a key be offered; where not, it is said why."""
    if not hop.algorithms.takes(candidate.algorithm):
        unusable.append(f"{candidate.words}: PubkeyAcceptedAlgorithms leaves {candidate.algorithm} out")
    elif candidate.key.get_name() == "ssh-rsa" and candidate.key.get_bits() < hop.rsa_bits:
        unusable.append(f"{candidate.words}: has fewer bits than RequiredRSASize {hop.rsa_bits}")
    else:
        return True
    return False


def _of_agent(key: AgentKey) -> Candidate:
    comment = f" {key.comment}" if key.comment else ""
    return Candidate(key, f"agent key{comment} ({key.fingerprint})")


def _certificates(hop: Hop, unusable: list[str]) -> list[tuple[Path, PublicBlob]]:
    """The certificates that are named or lie beside a key, without those that are not valid now."""
    beside = (path.with_name(path.name + "-cert.pub") for path in hop.identities)
    found: list[tuple[Path, PublicBlob]] = []
    for path in (*hop.certificates, *(each for each in beside if each.exists())):
        try:
            content = path.read_bytes()
            certificate = load_ssh_public_identity(content)
            blob = PublicBlob.from_string(content.decode())
        except (OSError, ValueError) as error:
            unusable.append(f"certificate {path}: {error}")
            continue
        if not isinstance(certificate, SSHCertificate):
            unusable.append(f"certificate {path}: is a plain public key")
            continue
        why = invalid(certificate, time.time())
        if why:
            unusable.append(f"certificate {path}: {why}")
            continue
        found.append((path, blob))
    return found


def _of_identity(
    path: Path,
    hop: Hop,
    passphrase: str | None,
    held: list[AgentKey],
    certificates: list[tuple[Path, PublicBlob]],
    unusable: list[str],
    encrypted: list[Path],
) -> Iterator[Candidate]:
    """A key file, by the agent where that holds it; with its certificates first."""
    public = _public_part(path)
    key: paramiko.PKey | None = next((each for each in held if each.blob == public), None)
    words = f"{path} (by the agent)"
    if key is None:
        words = str(path)
        key = _private_key(path, hop, passphrase, unusable, encrypted)
    if key is None:
        return
    for where, blob in certificates:
        if _certifies(blob, key):
            yield Candidate(
                _with_certificate(path, key, passphrase, blob), f"{words} with certificate {where}"
            )
    yield Candidate(key, words)


def _certifies(blob: PublicBlob, key: paramiko.PKey) -> bool:
    """Whether a certificate is for a key: the key's own fields stand in it, after its type and nonce."""
    plain = paramiko.Message(key.asbytes())
    plain.get_text()
    certificate = paramiko.Message(blob.key_blob)
    certificate.get_text()
    certificate.get_binary()
    return certificate.get_remainder().startswith(plain.get_remainder())


def _with_certificate(
    path: Path, key: paramiko.PKey, passphrase: str | None, blob: PublicBlob
) -> paramiko.PKey:
    """Another object for the same key, since paramiko keeps the certificate in the key."""
    if isinstance(key, AgentKey):
        other: paramiko.PKey = AgentKey(key.agent, key.blob, key.comment)
    else:
        other = _loaded(path, passphrase)
    other.public_blob = blob  # pyright: ignore[reportAttributeAccessIssue]
    return other


def _public_part(path: Path) -> bytes | None:
    """The public key of a key file, from the `.pub` beside it, or from the file if that is public itself."""
    for each in (path.with_name(path.name + ".pub"), path):
        try:
            return PublicBlob.from_string(each.read_text()).key_blob
        except (OSError, ValueError):
            continue
    return None


def _private_key(
    path: Path, hop: Hop, passphrase: str | None, unusable: list[str], encrypted: list[Path]
) -> paramiko.PKey | None:
    public = _public_part(path)
    if public is not None and paramiko.Message(public).get_text().startswith("sk-"):
        unusable.append(f"{path}: is a FIDO key, which only the agent can use; run `ssh-add {path}` first")
        return None
    try:
        return _loaded(path, passphrase)
    except FileNotFoundError:
        if hop.explicit:
            unusable.append(f"{path}: is not there")
    except (paramiko.PasswordRequiredException, TypeError):
        encrypted.append(path)
        unusable.append(f"{path}: is encrypted and not in the agent; run `ssh-add {path}` first")
    except OSError as error:
        unusable.append(f"{path}: {error.strerror}")
    except (ValueError, UnknownKeyType, paramiko.SSHException):
        what = "the passphrase is wrong, or it is" if passphrase else "is"
        unusable.append(f"{path}: {what} not a private key that can be read")
    return None


def _loaded(path: Path, passphrase: str | None) -> paramiko.PKey:
    """The private key alone, without the certificate that paramiko would take from beside it."""
    # What reads the file below paramiko takes bytes only.
    password = passphrase.encode() if passphrase is not None else None
    content = path.read_bytes()
    if _NOT_OF_PARAMIKO.search(content) is None:
        key = paramiko.PKey.from_path(path, password)  # pyright: ignore[reportArgumentType]
        key.public_blob = None
        return key
    encrypted = b"ENCRYPTED" in content
    plain = load_pem_private_key(_PARAMETERS.sub(b"", content), password if encrypted else None)
    for kind, of_paramiko in _KINDS.items():
        if isinstance(plain, kind):
            text = plain.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
            return of_paramiko.from_private_key(io.StringIO(text))
    raise UnknownKeyType(key_type=type(plain).__name__, key_bytes=b"")
