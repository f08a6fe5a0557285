"""Host keys: asked about when unknown, refused when changed, known in every form that OpenSSH writes."""

import asyncio
import base64
import shlex
import stat
from pathlib import Path

import pytest

from breakglass.transport.base import Delivery
from breakglass.transport.ssh.host_keys import KnownHost, judge, read_known_hosts, remember
from tests.support import openssh as support
from tests.support.openssh import OpenSsh, fingerprint, known_hosts_line, make_key, openssh
from tests.transport.ssh.support import Prompt, run, transport


async def test_an_unknown_key_is_refused_when_nobody_can_be_asked(server: OpenSsh) -> None:
    server.known_hosts.unlink()
    async with transport(server.host()) as ssh:
        ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "host-key")
    assert fingerprint(server.host_keys[0]) in ran.message
    assert not server.known_hosts.exists()


async def test_what_the_refusal_says_to_run_makes_the_host_known(server: OpenSsh) -> None:
    server.known_hosts.unlink()
    async with transport(server.host()) as ssh:
        refused = await run(ssh, "true")
        command = refused.message[refused.message.index("echo ") :]
        assert str(server.known_hosts) in command
        support.run("sh", "-c", command)
        assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_an_unknown_key_is_shown_and_remembered_when_it_is_accepted(server: OpenSsh) -> None:
    prompt = Prompt(True, [])
    file = server.folder / "new" / "known_hosts"
    async with transport(server.host(known_hosts=file), prompt=prompt) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"
        await run(ssh, "true")
    (question,) = prompt.asked
    assert question.host == "box"
    assert question.address == f"127.0.0.1:{server.port}"
    assert question.key_type == "ssh-ed25519"
    assert question.fingerprint == fingerprint(server.host_keys[0])
    assert question.known_hosts == file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    found = support.run("ssh-keygen", "-F", f"[127.0.0.1]:{server.port}", "-f", str(file))
    assert "ssh-ed25519" in found
    async with transport(server.host(known_hosts=file)) as ssh:
        assert (await run(ssh, "echo again")).stdout == b"again\n"


async def test_an_unknown_key_that_is_not_accepted_is_refused_and_not_remembered(server: OpenSsh) -> None:
    server.known_hosts.unlink()
    prompt = Prompt(False, [])
    async with transport(server.host(), prompt=prompt) as ssh:
        ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "host-key")
    assert len(prompt.asked) == 1
    assert not server.known_hosts.exists()
    assert server.logins() == 0


async def test_many_commands_at_once_ask_once(server: OpenSsh) -> None:
    server.known_hosts.unlink()
    prompt = Prompt(True, [])
    async with transport(server.host(), prompt=prompt) as ssh:
        ran = await asyncio.gather(*(run(ssh, f"echo {number}") for number in range(6)))
    assert [each.stdout for each in ran] == [f"{number}\n".encode() for number in range(6)]
    assert len(prompt.asked) == 1


async def test_the_time_that_a_person_takes_is_not_the_hosts(server: OpenSsh) -> None:
    server.known_hosts.unlink()
    asked = asyncio.Event()
    answer = asyncio.Event()

    async def prompt(question: object) -> bool:
        asked.set()
        await answer.wait()
        return True

    async with transport(server.host(), prompt=prompt) as ssh:
        running = asyncio.create_task(run(ssh, "echo in", timeout=3.0))
        await asyncio.wait_for(asked.wait(), 10)
        assert "Connection from" in server.log.read_text()
        done, _ = await asyncio.wait({running}, timeout=3.1)
        assert not done, "the step's time must not run while the question is open"
        answer.set()
        assert (await running).stdout == b"in\n"


async def test_strict_checking_in_the_configuration_asks_nobody(server: OpenSsh) -> None:
    server.known_hosts.unlink()
    server.ssh_config.write_text("StrictHostKeyChecking yes\n")
    prompt = Prompt(True, [])
    async with transport(server.host(), prompt=prompt) as ssh:
        assert (await run(ssh, "true")).fault == "host-key"
    assert prompt.asked == []


async def test_a_configuration_that_accepts_everything_is_not_followed(server: OpenSsh) -> None:
    server.known_hosts.unlink()
    server.ssh_config.write_text("StrictHostKeyChecking no\n")
    async with transport(server.host()) as ssh:
        assert (await run(ssh, "true")).fault == "host-key"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
async def test_a_changed_key_is_refused_with_both_fingerprints(
    server: OpenSsh, tmp_path: Path, kind: str
) -> None:
    before = make_key(tmp_path / "before", kind=kind)
    server.known_hosts.write_text(known_hosts_line("127.0.0.1", server.port, tmp_path / "before.pub"))
    prompt = Prompt(True, [])
    async with transport(server.host(), prompt=prompt) as ssh:
        ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "host-key")
    assert fingerprint(before) in ran.message
    assert fingerprint(server.host_keys[0]) in ran.message
    assert prompt.asked == [], "a changed key is no question"
    advice = ran.message[ran.message.index("ssh-keygen -R") :]
    support.run("sh", "-c", advice)
    assert "ssh" not in server.known_hosts.read_text()
    assert shlex.split(advice)[2] == f"[127.0.0.1]:{server.port}"


async def test_a_hashed_known_hosts_file_is_understood(server: OpenSsh) -> None:
    support.run("ssh-keygen", "-H", "-f", str(server.known_hosts))
    assert server.known_hosts.read_text().startswith("|1|")
    async with transport(server.host()) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_a_changed_key_is_seen_in_a_hashed_file(server: OpenSsh, tmp_path: Path) -> None:
    make_key(tmp_path / "before")
    server.known_hosts.write_text(known_hosts_line("127.0.0.1", server.port, tmp_path / "before.pub"))
    support.run("ssh-keygen", "-H", "-f", str(server.known_hosts))
    async with transport(server.host()) as ssh:
        assert "has changed" in (await run(ssh, "true")).message


async def test_a_key_is_remembered_hashed_where_the_configuration_says_so(server: OpenSsh) -> None:
    server.known_hosts.unlink()
    server.ssh_config.write_text("HashKnownHosts yes\n")
    async with transport(server.host(), prompt=Prompt(True, [])) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"
    assert "127.0.0.1" not in server.known_hosts.read_text()
    assert support.run("ssh-keygen", "-F", f"[127.0.0.1]:{server.port}", "-f", str(server.known_hosts))


async def test_a_revoked_key_is_refused(server: OpenSsh) -> None:
    line = server.known_hosts.read_text()
    server.known_hosts.write_text(f"@revoked * {' '.join(line.split()[1:])}\n{line}")
    async with transport(server.host(), prompt=Prompt(True, [])) as ssh:
        ran = await run(ssh, "true")
    assert ran.fault == "host-key"
    assert f"revoked in {server.known_hosts}:1" in ran.message


async def test_the_kind_of_key_that_is_known_is_asked_for(tmp_path: Path) -> None:
    with openssh(tmp_path, kinds=["ed25519", "rsa", "ecdsa"]) as server:
        for key in server.host_keys:
            server.known_hosts.write_text(
                known_hosts_line("127.0.0.1", server.port, key.with_name(key.name + ".pub"))
            )
            async with transport(server.host()) as ssh:
                assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_a_name_from_the_configuration_stands_for_the_host(server: OpenSsh) -> None:
    server.ssh_config.write_text("HostKeyAlias the-box\n")
    words = server.known_hosts.read_text().split()
    server.known_hosts.write_text(f"the-box {words[1]} {words[2]}\n")
    async with transport(server.host()) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_a_known_hosts_file_that_cannot_be_written_is_said(server: OpenSsh, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with transport(
        server.host(known_hosts=tmp_path / "file" / "known_hosts"), prompt=Prompt(True, [])
    ) as ssh:
        ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "configuration")
    assert str(tmp_path / "file") in ran.message


KEY = b"\x00\x00\x00\x0bssh-ed25519" + b"k" * 36
OTHER = b"\x00\x00\x00\x0bssh-ed25519" + b"o" * 36


def lines(tmp_path: Path, text: str) -> tuple[KnownHost, ...]:
    file = tmp_path / "known_hosts"
    file.write_text(
        text.replace("KEY", base64.b64encode(KEY).decode()).replace("OTHER", base64.b64encode(OTHER).decode())
    )
    return read_known_hosts([file, tmp_path / "missing"])


@pytest.mark.parametrize(
    ("text", "name", "verdict"),
    [
        ("host ssh-ed25519 KEY\n", "host", "known"),
        ("HOST ssh-ed25519 KEY comment here\n", "host", "known"),
        ("host ssh-ed25519 OTHER\n", "host", "changed"),
        ("host ssh-rsa OTHER\n", "host", "changed"),
        ("host ssh-ed25519 OTHER\nhost ssh-ed25519 KEY\n", "host", "known"),
        ("other ssh-ed25519 KEY\n", "host", "unknown"),
        ("a,host,b ssh-ed25519 KEY\n", "host", "known"),
        ("*.example ssh-ed25519 KEY\n", "a.example", "known"),
        ("*.example,!b.example ssh-ed25519 KEY\n", "b.example", "unknown"),
        ("10.0.0.? ssh-ed25519 KEY\n", "10.0.0.7", "known"),
        ("10.0.0.? ssh-ed25519 KEY\n", "10.0.0.77", "unknown"),
        ("[host]:2222 ssh-ed25519 KEY\n", "[host]:2222", "known"),
        ("[host]:2222 ssh-ed25519 OTHER\n", "[host]:2222", "changed"),
        ("[h]ost ssh-ed25519 KEY\n", "host", "unknown"),
        ("@cert-authority host ssh-ed25519 KEY\n", "host", "unknown"),
        ("@revoked host ssh-ed25519 KEY\nhost ssh-ed25519 KEY\n", "host", "revoked"),
        ("@revoked host ssh-ed25519 OTHER\nhost ssh-ed25519 KEY\n", "host", "known"),
        ("@unheard host ssh-ed25519 KEY\n", "host", "unknown"),
        ("# host ssh-ed25519 KEY\n\nhost\nhost ssh-ed25519\nhost ssh-ed25519 !!\n", "host", "unknown"),
        ("", "host", "unknown"),
    ],
)
def test_known_hosts_lines_are_read_as_openssh_does(
    tmp_path: Path, text: str, name: str, verdict: str
) -> None:
    assert judge(lines(tmp_path, text), name, None, KEY).kind == verdict


def test_the_name_without_its_port_counts_for_the_same_key_only(tmp_path: Path) -> None:
    known = lines(tmp_path, "host ssh-ed25519 KEY\n")
    assert judge(known, "[host]:2222", "host", KEY).kind == "known"
    assert judge(known, "[host]:2222", "host", OTHER).kind == "unknown"


@pytest.mark.parametrize("hashed", [False, True])
def test_what_is_remembered_is_known_afterwards(tmp_path: Path, hashed: bool) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("other ssh-ed25519 AAAA")
    remember(file, "[Host]:2222", "ssh-ed25519", KEY, hashed=hashed)
    assert judge(read_known_hosts([file]), "[host]:2222", None, KEY).kind == "known"
    assert file.read_text().startswith("other ssh-ed25519 AAAA\n")
