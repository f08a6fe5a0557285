"""Certificates of hosts against a real sshd, and what makes one not count."""

import base64
import contextlib
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from breakglass.transport.ssh.certificates import AUTHORITY_ALGORITHMS, CertificateError, host_certificate
from tests.support.openssh import OpenSsh, fingerprint, make_key, openssh
from tests.support.openssh import run as run_here
from tests.transport.ssh.support import Prompt, run, transport


def signed(folder: Path, *options: str, authority: str = "ca", kind: str = "ed25519") -> Path:
    """The certificate of a host key, made with these options of ssh-keygen."""
    for name, of_kind in ((authority, "ed25519"), ("host", kind)):
        if not (folder / name).exists():
            make_key(folder / name, kind=of_kind)
    run_here(
        "ssh-keygen", "-q", "-s", str(folder / authority), "-I", "box", *options, str(folder / "host.pub")
    )
    return folder / "host-cert.pub"


@contextlib.contextmanager
def certified(folder: Path, *options: str, kind: str = "ed25519") -> Generator[OpenSsh]:
    """A server whose key is known only by the authority that signed its certificate."""
    certificate = signed(folder, *options, kind=kind)
    lines = [f"HostKey {folder / 'host'}", f"HostCertificate {certificate}"]
    with openssh(folder / "sshd", options=lines, kinds=()) as server:
        server.known_hosts.write_text(line(folder / "ca.pub", f"[127.0.0.1]:{server.port}"))
        yield server


def line(public: Path, name: str, marker: str = "@cert-authority") -> str:
    return f"{marker} {name} {' '.join(public.read_text().split()[:2])}\n"


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_a_host_that_its_authority_vouches_for_is_known(tmp_path: Path, kind: str) -> None:
    with certified(tmp_path, "-h", "-n", "127.0.0.1", "-V", "-1d:+1d", kind=kind) as server:
        async with transport(server.host()) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_the_alias_is_the_name_that_the_certificate_must_have(tmp_path: Path) -> None:
    with certified(tmp_path, "-h", "-n", "machine") as server:
        server.ssh_config.write_text("HostKeyAlias machine\n")
        server.known_hosts.write_text(line(tmp_path / "ca.pub", "mach*"))
        async with transport(server.host()) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_a_certificate_for_another_host_makes_the_key_unknown_and_says_why(tmp_path: Path) -> None:
    prompt = Prompt(accept=False, asked=[])
    with certified(tmp_path, "-h", "-n", "elsewhere") as server:
        async with transport(server.host(), prompt=prompt) as ssh:
            refused = await run(ssh, "true")
        async with transport(server.host()) as ssh:
            unasked = await run(ssh, "true")
    assert len(prompt.asked) == 1, "it is shown as an unknown key is"
    assert refused.fault == unasked.fault == "host-key"
    assert "its certificate does not count: it is for elsewhere and not for 127.0.0.1" in unasked.message


async def test_an_authority_that_is_not_known_or_revoked_vouches_for_nobody(tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    with certified(tmp_path, "-h", "-n", "127.0.0.1") as server:
        name = f"[127.0.0.1]:{server.port}"
        server.known_hosts.write_text(line(tmp_path / "other.pub", name))
        async with transport(server.host()) as ssh:
            unknown = await run(ssh, "true")
        server.known_hosts.write_text(
            line(tmp_path / "ca.pub", name) + line(tmp_path / "ca.pub", "*", "@revoked")
        )
        async with transport(server.host()) as ssh:
            revoked = await run(ssh, "true")
        server.known_hosts.write_text(line(tmp_path / "ca.pub", name))
        for content in ((tmp_path / "ca.pub").read_bytes(), krl(tmp_path)):
            (tmp_path / "revoked").write_bytes(content)
            server.ssh_config.write_text(f"RevokedHostKeys {tmp_path / 'revoked'}\n")
            async with transport(server.host()) as ssh:
                listed = await run(ssh, "true")
            assert f"is revoked in {tmp_path / 'revoked'}" in listed.message
    assert f"is of the authority {fingerprint(tmp_path / 'ca.pub')}, which is not known" in unknown.message
    assert "is revoked in" in revoked.message


def krl(folder: Path) -> bytes:
    run_here("ssh-keygen", "-q", "-k", "-f", str(folder / "krl"), str(folder / "ca.pub"))
    return (folder / "krl").read_bytes()


def why_not(certificate: Path, host: str = "box", now: float | None = None) -> str:
    blob = base64.b64decode(certificate.read_text().split()[1])
    return host_certificate(blob).why_not(host, AUTHORITY_ALGORITHMS, now or time.time())


def test_what_makes_a_certificate_not_count(tmp_path: Path) -> None:
    assert why_not(signed(tmp_path, "-h", "-n", "box,other"), "BOX") == ""
    assert why_not(signed(tmp_path, "-h")) == "", "OpenSSH 9.2 takes one that names no host for any"
    assert "is for *.lab and not for a.lab" in why_not(signed(tmp_path, "-h", "-n", "*.lab"), "a.lab")
    assert "it is a user's" in why_not(signed(tmp_path, "-n", "box"))
    assert "has critical options: x@y" in why_not(signed(tmp_path, "-h", "-n", "box", "-O", "critical:x@y=1"))
    short = signed(tmp_path, "-h", "-n", "box", "-V", "20200101000000Z:20200102000000Z")
    assert "expired at 2020-01-02 00:00:00 UTC" in why_not(short)
    assert "is valid only from 2020-01-01" in why_not(short, now=1.0)
    assert why_not(short, now=1577880000.0) == ""
    make_key(tmp_path / "rsa", kind="rsa")
    old = signed(tmp_path, "-h", "-n", "box", "-t", "ssh-rsa", authority="rsa")
    assert "signed with ssh-rsa, which CASignatureAlgorithms leaves out" in why_not(old)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_changed_byte_of_a_certificate_is_noticed(tmp_path: Path, kind: str) -> None:
    blob = bytearray(base64.b64decode(signed(tmp_path, "-h", "-n", "box", kind=kind).read_text().split()[1]))
    at = blob.rindex(b"box")  # the principal; the name of the certificate stands before it
    blob[at : at + 3] = b"bux"
    changed = host_certificate(bytes(blob))
    assert changed.why_not("bux", AUTHORITY_ALGORITHMS, time.time()) == "its signature is wrong"


def test_what_is_no_certificate_is_an_error(tmp_path: Path) -> None:
    make_key(tmp_path / "plain")
    with pytest.raises(CertificateError, match="plain key"):
        host_certificate(base64.b64decode((tmp_path / "plain.pub").read_text().split()[1]))
    with pytest.raises(CertificateError, match="cannot be read"):
        host_certificate(b"\0\0\0\x04none" + bytes(100))
