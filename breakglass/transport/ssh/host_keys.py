"""Whether a host is the one it was before: `known_hosts` as OpenSSH keeps it.

A key that is not known is shown to a person with its fingerprint and is never accepted silently; a key that
differs from the known one is refused, always. Facts about the file are from sshd(8) of OpenSSH 9.2.
"""

import base64
import binascii
import hashlib
import hmac
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from breakglass.transport.ssh.client_config import DEFAULT_PORT
from breakglass.transport.ssh.patterns import matches


@dataclass(frozen=True, slots=True)
class HostKeyQuestion:
    """An unknown host key, for a person to compare with what the host's own console says.

    fingerprint: as `ssh-keygen -l` shows it. known_hosts: the file that an accepted key goes into. via: the
    names of the jump hosts on the way; empty for none. doubt: why the host's certificate does not count.
    """

    host: str
    address: str
    key_type: str
    fingerprint: str
    known_hosts: Path
    via: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A line of a `known_hosts` file."""

    marker: Literal["", "@cert-authority", "@revoked"]
    names: tuple[str, ...]
    key_type: str
    key: bytes
    file: Path
    line: int

    def is_for(self, name: str) -> bool:
        """Whether the line is about a host, by its name or `[name]:port`."""
        lowered = name.lower()
        found = False
        for pattern in self.names:
            if pattern.startswith("|1|"):
                found = found or _is_hash_of(pattern, lowered)
            elif pattern.startswith("!"):
                if matches(pattern[1:], lowered):
                    return False
            else:
                found = found or matches(pattern, lowered)
        return found


@dataclass(frozen=True, slots=True)
class HostKeyJudgement:
    """What `known_hosts` says of a key. `lines` are the ones that speak against it."""

    kind: Literal["known", "unknown", "changed", "revoked"]
    lines: tuple[KnownHost, ...] = ()


def fingerprint(key: bytes) -> str:
    """As `ssh-keygen -l` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def known_name(address: str, port: int) -> str:
    """How a host is called in `known_hosts`."""
    return address if port == DEFAULT_PORT else f"[{address}]:{port}"


def read_known_hosts(files: Iterable[Path]) -> tuple[KnownHost, ...]:
    """All lines that can be understood; others are passed over, as OpenSSH does. Raises OSError for a file
    that is there and cannot be read."""
    found: list[KnownHost] = []
    for file in files:
        try:
            text = file.read_text(errors="surrogateescape")
        except FileNotFoundError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            entry = _entry(line, file, number)
            if entry is not None:
                found.append(entry)
    return tuple(found)


def _entry(line: str, file: Path, number: int) -> KnownHost | None:
    words = line.split()
    marker: Literal["", "@cert-authority", "@revoked"] = ""
    if words and words[0].startswith("@"):
        if words[0] == "@cert-authority":
            marker = "@cert-authority"
        elif words[0] == "@revoked":
            marker = "@revoked"
        else:
            return None
        words = words[1:]
    if len(words) < 3 or words[0].startswith("#"):
        return None
    try:
        key = base64.b64decode(words[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return KnownHost(
        marker,
        tuple(words[0].lower().split(",") if "|" not in words[0] else words[0].split(",")),
        words[1],
        key,
        file,
        number,
    )


def judge(entries: Iterable[KnownHost], name: str, fallback: str | None, key: bytes) -> HostKeyJudgement:
    """What is known of a key.

    name: as in `known_hosts`. fallback: the name without its port, under which a key that is the same also
    counts. A host that is known by other keys only has changed, whatever their type.
    """
    lines = tuple(entries)
    names = (name,) if fallback is None else (name, fallback)
    about = [each for each in lines if any(each.is_for(one) for one in names)]
    revoked = tuple(each for each in about if each.marker == "@revoked" and each.key == key)
    if revoked:
        return HostKeyJudgement("revoked", revoked)
    plain = [each for each in about if not each.marker]
    if any(each.key == key for each in plain):
        return HostKeyJudgement("known")
    other = tuple(each for each in plain if each.is_for(name))
    return HostKeyJudgement("changed", other) if other else HostKeyJudgement("unknown")


def is_revoked(file: Path, keys: Iterable[bytes]) -> bool:
    """Whether a file as RevokedHostKeys has it names one of the keys: a list of public keys, or a binary one
    (KRL), for which `ssh-keygen` is asked. Blocks. Raises OSError, and ValueError where it cannot tell."""
    content = file.read_bytes()
    if not content.startswith(b"SSHKRL"):
        listed = {base64.b64encode(key) for key in keys}
        return any(word in listed for word in content.split())
    for key in keys:
        kind = key[4 : 4 + int.from_bytes(key[:4], "big")].decode()
        try:
            asked = subprocess.run(
                ["ssh-keygen", "-Q", "-f", str(file), "/dev/stdin"],
                input=f"{kind} {base64.b64encode(key).decode()}\n",
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ValueError(str(error)) from error
        if "REVOKED" in asked.stdout:
            return True
        if asked.returncode != 0:
            raise ValueError(asked.stderr.strip() or asked.stdout.strip())
    return False


def remember(file: Path, name: str, key_type: str, key: bytes, *, hashed: bool) -> None:
    """Add a host to a `known_hosts` file, which is made when it is not there. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shown = _hash(name.lower()) if hashed else name.lower()
    line = f"{shown} {key_type} {base64.b64encode(key).decode()}\n".encode()
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b", buffering=0) as opened:
        size = opened.seek(0, os.SEEK_END)
        if size:
            opened.seek(size - 1)
            if opened.read(1) != b"\n":
                line = b"\n" + line
        opened.write(line)
        os.fsync(opened.fileno())


def _hash(name: str) -> str:
    salt = os.urandom(20)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _is_hash_of(hashed: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in hashed.removeprefix("|1|").split("|"))
    except ValueError:
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
