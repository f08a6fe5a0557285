"""Algorithms: what `ssh_config` allows is offered, and where nothing is common both sides are shown."""

from pathlib import Path

import pytest
from paramiko import SSHException

from breakglass.transport.ssh import Ssh
from breakglass.transport.ssh.algorithms import named
from breakglass.transport.ssh.chacha import ChaChaPoly
from tests.support.openssh import OpenSsh, openssh
from tests.transport.ssh.support import run, transport


def agreed(ssh: Ssh) -> tuple[str, str]:
    """Cipher and kind of host key of the one connection."""
    client = next(iter(ssh._kept.values())).client  # pyright: ignore[reportPrivateUsage]
    return str(client.remote_cipher), str(client.host_key_type)  # pyright: ignore


async def test_the_algorithms_of_the_configuration_are_used(server: OpenSsh) -> None:
    server.ssh_config.write_text("Ciphers aes256-ctr,aes128-ctr\nKexAlgorithms ecdh-sha2-nistp384\n")
    async with transport(server.host()) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"
        assert agreed(ssh) == ("aes256-ctr", "ssh-ed25519")


async def test_where_nothing_is_configured_the_fast_cipher_is_used(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"
        assert agreed(ssh)[0] == "aes128-gcm@openssh.com"


@pytest.mark.parametrize(
    "options",
    [
        ["KexAlgorithms curve25519-sha256"],
        ["MACs umac-128-etm@openssh.com", "Ciphers aes256-gcm@openssh.com"],
        ["MACs umac-128-etm@openssh.com", "Ciphers chacha20-poly1305@openssh.com"],
    ],
    ids=["the newer name of curve25519", "no MAC that we have, and none needed", "chacha20 alone"],
)
async def test_a_strict_server_lets_us_in(tmp_path: Path, options: list[str]) -> None:
    with openssh(tmp_path / "sshd", options=options) as server:
        async with transport(server.host()) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"


@pytest.mark.parametrize(
    ("options", "configured", "theirs", "ours", "remedy"),
    [
        (
            ["KexAlgorithms sntrup761x25519-sha512@openssh.com"],
            "",
            "KexAlgorithms. It offers sntrup761x25519-sha512@openssh.com; breakglass offers ",
            "curve25519-sha256",
            "in the host's sshd_config: KexAlgorithms +curve25519-sha256",
        ),
        (
            ["MACs umac-128-etm@openssh.com", "Ciphers aes256-ctr"],
            "",
            "MACs. It offers umac-128-etm@openssh.com; breakglass offers ",
            "hmac-sha2-256",
            "in the host's sshd_config: MACs +hmac-sha2-256-etm@openssh.com",
        ),
        (
            ["Ciphers aes128-ctr"],
            "Ciphers aes256-ctr\n",
            "Ciphers. It offers aes128-ctr; breakglass offers aes256-ctr",
            "",
            "in ssh_config, for this host: Ciphers +aes128-ctr",
        ),
    ],
)
async def test_where_nothing_is_common_both_offers_and_the_line_that_helps_are_told(
    tmp_path: Path, options: list[str], configured: str, theirs: str, ours: str, remedy: str
) -> None:
    with openssh(tmp_path / "sshd", options=options) as server:
        server.ssh_config.write_text(configured)
        async with transport(server.host()) as ssh:
            ran = await run(ssh, "true")
    assert ran.fault == "malformed"
    assert f"no common algorithm for {theirs}" in ran.message
    assert ours in ran.message and remedy in ran.message


async def test_a_key_that_the_configuration_leaves_out_is_not_offered(server: OpenSsh) -> None:
    server.ssh_config.write_text("PubkeyAcceptedAlgorithms rsa-sha2-512\n")
    async with transport(server.host()) as ssh:
        ran = await run(ssh, "true")
    assert "PubkeyAcceptedAlgorithms leaves ssh-ed25519 out" in ran.message
    assert server.logins() == 0


def test_a_list_may_change_the_usual_one() -> None:
    usual = ("a-1", "a-2", "b")
    assert named("c,b", usual) == ("c", "b")
    assert named("+c,b", usual) == ("a-1", "a-2", "b", "c")
    assert named("-a-*", usual) == ("b",)
    assert named("^b,c", usual) == ("b", "c", "a-1", "a-2")


async def test_much_goes_both_ways_under_chacha20_and_new_keys(tmp_path: Path) -> None:
    options = ["Ciphers chacha20-poly1305@openssh.com", "RekeyLimit 300K"]
    data = bytes(range(256)) * 4096
    with openssh(tmp_path / "sshd", options=options) as server:
        async with transport(server.host()) as ssh:
            assert (await run(ssh, "cat", stdin=data)).stdout == data
            assert agreed(ssh)[0] == "chacha20-poly1305@openssh.com"


def test_a_changed_byte_under_chacha20_is_noticed() -> None:
    sending, receiving = ChaChaPoly(bytes(range(64))), ChaChaPoly(bytes(range(64)))
    sending.number = receiving.number = lambda: 7
    sealed = sending.encrypt(b"", b"a packet", b"\0\0\0\x08")
    receiving.sent_length = sending.sent_length
    assert receiving.turned_length(sending.sent_length) == b"\0\0\0\x08"
    assert receiving.decrypt(b"", sealed, b"") == b"a packet"
    for changed in (b"\1" + sealed[1:], sealed[:-1] + bytes([sealed[-1] ^ 1])):
        with pytest.raises(SSHException, match="Mismatched MAC"):
            receiving.decrypt(b"", changed, b"")
    receiving.sent_length = bytes(4)
    with pytest.raises(SSHException, match="Mismatched MAC"):
        receiving.decrypt(b"", sealed, b"")
    receiving.sent_length, receiving.number = sending.sent_length, lambda: 8
    with pytest.raises(SSHException, match="Mismatched MAC"):
        receiving.decrypt(b"", sealed, b"")
