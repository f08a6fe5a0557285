"""Keys from files, agents and certificates, and how few of them are tried."""

import base64
import contextlib
import hashlib
import socket
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path

import paramiko
import paramiko.common
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from breakglass.site.model import Host
from breakglass.transport.base import Delivery
from tests.support import openssh as support
from tests.support.openssh import OpenSsh, fingerprint, make_key, openssh
from tests.transport.ssh.support import run, transport


@contextlib.contextmanager
def agent(folder: Path, *keys: Path) -> Generator[Path]:
    """A real ssh-agent with these keys. Gives its socket."""
    folder.mkdir(exist_ok=True)
    path = folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        if keys:
            support.run("ssh-add", "-q", *(str(key) for key in keys), SSH_AUTH_SOCK=str(path))
        yield path
    finally:
        process.terminate()
        process.communicate(timeout=10)


def unnamed(server: OpenSsh, lines: str, name: str = "box") -> Host:
    """The server as a host that takes its keys from the configuration."""
    server.ssh_config.write_text(lines)
    return server.host(name, identity=None)


def tries(server: OpenSsh) -> int:
    return server.log.read_text().count("Failed publickey") + server.logins()


async def test_a_key_in_the_agent_gets_in(
    server: OpenSsh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with agent(tmp_path / "a", server.client_key) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        monkeypatch.setenv("HOME", str(tmp_path))
        async with transport(unnamed(server, "")) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_the_agent_of_the_configuration_is_asked(
    server: OpenSsh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "nothing"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with agent(tmp_path / "a", server.client_key) as path:
        host = unnamed(server, f"IdentityAgent {path}\n")
        async with transport(host) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_an_agent_full_of_wrong_keys_is_left_alone_when_the_identity_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [make_key(tmp_path / f"wrong{number}") for number in range(6)]
    with (
        openssh(tmp_path / "sshd", options=["MaxAuthTries 2"]) as server,
        agent(tmp_path / "a", *wrong) as path,
    ):
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        by_site = server.host()
        by_config = unnamed(
            server, f"IdentityFile {server.client_key}\nIdentitiesOnly yes\n", name="configured"
        )
        async with transport(by_site, by_config) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"
            assert (await run(ssh, "echo in", "configured")).stdout == b"in\n"
        assert tries(server) == server.logins()


async def test_no_more_than_three_keys_are_tried(
    server: OpenSsh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [make_key(tmp_path / f"wrong{number}") for number in range(6)]
    with agent(tmp_path / "a", *wrong) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        monkeypatch.setenv("HOME", str(tmp_path))
        async with transport(unnamed(server, "")) as ssh:
            ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "authentication")
    assert tries(server) == 3
    assert fingerprint(wrong[0]) in ran.message
    assert "3 more were not tried" in ran.message and "IdentitiesOnly" in ran.message


async def test_a_named_key_comes_before_those_of_the_agent(
    server: OpenSsh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [make_key(tmp_path / f"wrong{number}") for number in range(5)]
    with agent(tmp_path / "a", *wrong) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        host = unnamed(server, f"IdentityFile {server.client_key}\n")
        async with transport(host) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"
    assert tries(server) == 1


async def test_a_server_that_closes_after_a_wrong_key_is_said(tmp_path: Path) -> None:
    wrong = make_key(tmp_path / "wrong")
    with openssh(tmp_path / "sshd", options=["MaxAuthTries 1"]) as server:
        async with transport(server.host(identity=wrong)) as ssh:
            ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "authentication")
    assert str(wrong) in ran.message
    assert "Too many authentication failures" in ran.message


async def test_a_server_that_hangs_up_within_the_login_is_not_counted_as_a_refusal(server: OpenSsh) -> None:
    class HangsUp(paramiko.ServerInterface):
        def __init__(self, there: paramiko.Transport) -> None:
            self.there = there

        def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
            self.there.close()
            return paramiko.common.AUTH_FAILED

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                there = paramiko.Transport(connection)
                there.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(server.host_keys[0])))
                there.start_server(server=HangsUp(there), event=threading.Event())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        port = int(listener.getsockname()[1])
        server.known_hosts.write_text(server.known_hosts.read_text().replace(str(server.port), str(port)))
        async with transport(server.host(port=port)) as ssh:
            ran = [await run(ssh, "true") for _ in range(5)]
        listener.shutdown(socket.SHUT_RDWR)
    assert {(each.delivery, each.fault) for each in ran} == {(Delivery.NOT_SENT, "disconnected")}


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
async def test_every_kind_of_key_gets_in(server: OpenSsh, tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "key", kind=kind)
    server.authorize(tmp_path / "key.pub")
    async with transport(server.host(identity=key)) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"


@pytest.mark.parametrize("kind", ["rsa", "ec"])
async def test_a_key_that_openssl_wrote_gets_in(server: OpenSsh, tmp_path: Path, kind: str) -> None:
    key = tmp_path / "key"
    if kind == "ec":
        support.run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", str(key))
    else:
        support.run("openssl", "genpkey", "-algorithm", kind, "-out", str(key))
    key.chmod(0o600)
    (tmp_path / "public").write_text(support.run("ssh-keygen", "-y", "-f", str(key)))
    server.authorize(tmp_path / "public")
    async with transport(server.host(identity=key)) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_an_encrypted_key_is_said_with_what_to_do(server: OpenSsh, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", passphrase="very secret")
    async with transport(server.host(identity=key)) as ssh:
        ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "authentication")
    assert f"{key}: is encrypted and not in the agent; run `ssh-add {key}` first" in ran.message
    assert server.log.read_text().count("Failed publickey") == 0


async def test_an_encrypted_key_is_used_by_way_of_the_agent(
    server: OpenSsh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make_key(tmp_path / "key")
    server.authorize(tmp_path / "key.pub")
    with agent(tmp_path / "a", plain) as path:
        support.run("ssh-keygen", "-q", "-p", "-P", "", "-N", "very secret", "-f", str(plain))
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        async with transport(server.host(identity=plain)) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"
        async with transport(server.host(identity=tmp_path / "key.pub")) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"


class OneSecret:
    def __init__(self, value: str) -> None:
        self.value = value
        self.resolved: list[str] = []

    async def resolve(self, name: str) -> str:
        self.resolved.append(name)
        return self.value


@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
async def test_a_secret_of_the_site_opens_an_encrypted_key(
    server: OpenSsh, tmp_path: Path, form: str
) -> None:
    key = make_key(tmp_path / "key", kind="ecdsa", passphrase="very secret")
    support.run(
        "ssh-keygen", "-q", "-p", "-P", "very secret", "-N", "very secret", "-m", form, "-f", str(key)
    )
    server.authorize(tmp_path / "key.pub")
    secrets = OneSecret("very secret")
    async with transport(server.host(identity=key, passphrase="key_phrase"), secrets=secrets) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"
    assert secrets.resolved == ["key_phrase"]
    async with transport(
        server.host(identity=key, passphrase="key_phrase"), secrets=OneSecret("not that one")
    ) as ssh:
        ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "authentication")
    assert "the passphrase is wrong" in ran.message
    assert "not that one" not in ran.message


@pytest.mark.parametrize("content", [b"", b"not a key\n", b"\xff\x00" * 40])
async def test_a_file_that_is_no_key_is_said(server: OpenSsh, tmp_path: Path, content: bytes) -> None:
    key = tmp_path / "key"
    key.write_bytes(content)
    async with transport(server.host(identity=key)) as ssh:
        ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "authentication")
    assert f"{key}: is not a private key" in ran.message


async def test_a_key_that_is_not_there_is_said(server: OpenSsh, tmp_path: Path) -> None:
    async with transport(server.host(identity=tmp_path / "absent")) as ssh:
        ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "authentication")
    assert f"{tmp_path / 'absent'}: is not there" in ran.message


async def test_an_agent_that_is_gone_does_not_keep_a_key_file_out(
    server: OpenSsh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    async with transport(server.host()) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"


@contextlib.contextmanager
def trusting(folder: Path) -> Generator[tuple[OpenSsh, Path]]:
    """A server that trusts a certificate authority and no plain key. Gives the authority's key as well."""
    authority = make_key(folder / "authority")
    options = [f"TrustedUserCAKeys {folder / 'authority.pub'}"]
    with openssh(folder / "sshd", options=options) as server:
        (server.folder / "authorized_keys").write_text("")
        yield server, authority


def sign(authority: Path, public: Path, validity: str = "+1h") -> Path:
    name = support.USER
    support.run(
        "ssh-keygen", "-q", "-s", str(authority), "-I", "test", "-n", name, "-V", validity, str(public)
    )
    return public.with_name(public.stem + "-cert.pub")


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
async def test_a_certificate_beside_its_key_gets_in(tmp_path: Path, kind: str) -> None:
    with trusting(tmp_path) as (server, authority):
        key = make_key(tmp_path / "key", kind=kind)
        sign(authority, tmp_path / "key.pub")
        async with transport(server.host(identity=key)) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_a_certificate_that_is_named_gets_in(tmp_path: Path) -> None:
    with trusting(tmp_path) as (server, authority):
        key = make_key(tmp_path / "key")
        elsewhere = sign(authority, tmp_path / "key.pub").rename(tmp_path / "elsewhere.pub")
        async with transport(server.host(identity=key)) as ssh:
            assert (await run(ssh, "true")).fault == "authentication"
        async with transport(server.host(identity=key, certificate=elsewhere)) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"
        server.ssh_config.write_text(f"IdentityFile {key}\nCertificateFile {elsewhere}\n")
        async with transport(server.host(identity=None)) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_a_certificate_goes_with_a_key_in_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trusting(tmp_path) as (server, authority):
        key = make_key(tmp_path / "key")
        certificate = sign(authority, tmp_path / "key.pub").rename(tmp_path / "elsewhere.pub")
        with agent(tmp_path / "a", key) as path:
            key.unlink()
            monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
            host = server.host(identity=tmp_path / "key.pub", certificate=certificate)
            async with transport(host) as ssh:
                assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_an_expired_certificate_is_said_and_not_offered(tmp_path: Path) -> None:
    with trusting(tmp_path) as (server, authority):
        key = make_key(tmp_path / "key")
        certificate = sign(authority, tmp_path / "key.pub", "20200101:20200102")
        async with transport(server.host(identity=key)) as ssh:
            ran = await run(ssh, "true")
    assert ran.fault == "authentication"
    assert f"certificate {certificate}: expired at 2020-01-0" in ran.message
    assert tries(server) == 1


async def test_a_key_is_not_changed_by_its_certificate(tmp_path: Path) -> None:
    """A server that knows the plain key lets it in although the certificate is of a stranger."""
    stranger = make_key(tmp_path / "stranger")
    with openssh(tmp_path / "sshd") as server:
        sign(stranger, server.folder / "client.pub")
        async with transport(server.host()) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_a_server_that_wants_a_second_proof_is_said(tmp_path: Path) -> None:
    options = ["AuthenticationMethods publickey,publickey"]
    with openssh(tmp_path, options=options) as server:
        async with transport(server.host()) as ssh:
            ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "authentication")
    assert "wants publickey as well" in ran.message


async def test_a_user_who_may_not_log_in_is_refused(server: OpenSsh) -> None:
    async with transport(server.host(user="no-such-user")) as ssh:
        ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "authentication")
    assert "no-such-user@" in ran.message


def string(data: bytes) -> bytes:
    """As SSH writes it."""
    return len(data).to_bytes(4, "big") + data


class FidoAgent:
    """An agent with one FIDO key, made of software: its signatures are those of a token that was touched."""

    TYPE = b"sk-ssh-ed25519@openssh.com"
    APPLICATION = b"ssh:"

    def __init__(self, path: Path) -> None:
        self._key = Ed25519PrivateKey.generate()
        public = self._key.public_key().public_bytes_raw()
        self.blob = b"".join(map(string, (self.TYPE, public, self.APPLICATION)))
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def public(self) -> str:
        return f"{self.TYPE.decode()} {base64.b64encode(self.blob).decode()} token"

    def close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection, connection.makefile("rwb") as file:
                    while head := file.read(4):
                        file.write(string(self._answer(file.read(int.from_bytes(head, "big")))))
                        file.flush()

    def _answer(self, request: bytes) -> bytes:
        if request[0] == 11:  # which keys?
            return b"\x0c" + (1).to_bytes(4, "big") + string(self.blob) + string(b"token")
        size = int.from_bytes(request[1:5], "big")
        start = 5 + size
        data = request[start + 4 : start + 4 + int.from_bytes(request[start : start + 4], "big")]
        counted = b"\x01" + (7).to_bytes(4, "big")  # touched, and the seventh signature
        application, message = (hashlib.sha256(each).digest() for each in (self.APPLICATION, data))
        signature = self._key.sign(application + counted + message)
        return b"\x0e" + string(string(self.TYPE) + string(signature) + counted)


async def test_a_fido_key_in_the_agent_gets_in_and_the_touch_is_said(
    server: OpenSsh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = FidoAgent(tmp_path / "agent")
    (tmp_path / "token.pub").write_text(token.public)
    server.authorize(tmp_path / "token.pub")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    host = unnamed(server, f"IdentityFile {tmp_path / 'token.pub'}\nIdentitiesOnly yes\n")
    told: list[str] = []
    with contextlib.closing(token):
        async with transport(host, tell=told.append) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"
            assert (await run(ssh, "echo again")).stdout == b"again\n"
    assert [each.partition(": ")[2] for each in told] == [
        f"touch the FIDO key when it blinks: {tmp_path / 'token.pub'} (by the agent)"
    ]


async def test_a_fido_key_outside_the_agent_is_told_how_to_get_there(server: OpenSsh, tmp_path: Path) -> None:
    token = tmp_path / "id_ed25519_sk"
    public = b"".join(map(string, (FidoAgent.TYPE, bytes(32), FidoAgent.APPLICATION)))
    (tmp_path / "id_ed25519_sk.pub").write_text(
        f"{FidoAgent.TYPE.decode()} {base64.b64encode(public).decode()}\n"
    )
    token.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
    async with transport(server.host(identity=token)) as ssh:
        ran = await run(ssh, "true")
    assert f"{token}: is a FIDO key, which only the agent can use; run `ssh-add {token}`" in ran.message
