"""Jump hosts: real servers in network namespaces, each reachable only through the one before."""

import asyncio
import socket
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from breakglass.site.model import Host
from breakglass.transport.base import Delivery, SshRequest
from tests.support.network import Chain, chain
from tests.support.openssh import OpenSsh, fingerprint, make_key, openssh
from tests.transport.ssh.support import Prompt, run, transport

PORT = 2222


@dataclass(frozen=True, slots=True)
class Row:
    """A server that is reached directly, one behind it, and one on the loopback of that."""

    network: Chain
    near: OpenSsh
    far: OpenSsh
    inner: OpenSsh

    def hosts(self) -> tuple[Host, Host, Host]:
        return (
            self.near.host("near"),
            self.far.host("far", jump=("near",)),
            self.inner.host("inner", jump=("near", "far")),
        )


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> Generator[Row]:
    folder = tmp_path_factory.mktemp("row")
    with (
        chain() as network,
        openssh(folder / "near", address=network.near_address, port=PORT, namespace=network.near) as near,
        openssh(folder / "far", address=network.far_address, port=PORT, namespace=network.far) as far,
        openssh(folder / "inner", address="127.0.0.1", port=PORT, namespace=network.far) as inner,
    ):
        yield Row(network, near, far, inner)


async def test_a_host_behind_a_jump_host_is_not_reached_without_it(row: Row) -> None:
    async with transport(row.far.host()) as ssh:
        ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "unreachable")


async def test_a_host_is_reached_through_its_jump_hosts(row: Row) -> None:
    async with transport(*row.hosts()) as ssh:
        assert (await run(ssh, "echo far", "far")).stdout == b"far\n"
        assert (await run(ssh, "echo inner", "inner")).stdout == b"inner\n"
        ran = await run(ssh, "ip -o addr show; exit 4", "inner")
    assert row.network.far_address.encode() in ran.stdout
    assert "inner (root@127.0.0.1:2222) via near, far" in ran.message


async def test_the_connections_to_jump_hosts_are_shared(row: Row) -> None:
    before = (row.near.logins(), row.far.logins(), row.inner.logins())
    async with transport(*row.hosts()) as ssh:
        names = ["near", "far", "inner"] * 4
        ran = await asyncio.gather(*(run(ssh, f"echo {name}", name) for name in names))
    assert [each.stdout.decode().strip() for each in ran] == names
    after = (row.near.logins(), row.far.logins(), row.inner.logins())
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1]


async def test_much_output_flows_through_jump_hosts(row: Row) -> None:
    async with transport(*row.hosts()) as ssh:
        ran = await run(ssh, "head -c 5000000 /dev/zero", "inner", timeout=60)
    assert (len(ran.stdout), ran.result.exit) == (5_000_000, 0)


async def test_jump_hosts_of_the_configuration_lead_to_the_host(row: Row, tmp_path: Path) -> None:
    config = tmp_path / "config"
    known = tmp_path / "known_hosts"
    known.write_text("".join(each.known_hosts.read_text() for each in (row.near, row.far)))
    config.write_text(
        f"""\
Host behind
    HostName {row.network.far_address}
    IdentityFile {row.far.client_key}
    ProxyJump root@{row.network.near_address}:{PORT}
Match host 198.18.*,198.19.*
    Port {PORT}
    User root
    IdentitiesOnly yes
    UserKnownHostsFile {known}
    IdentityFile {row.near.client_key}
"""
    )
    async with transport(Host("box", "behind", ssh_config=config)) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"


async def test_a_jump_host_that_cannot_be_reached_is_named(row: Row) -> None:
    near, far, _ = row.hosts()
    async with transport(replace(near, port=1), far) as ssh:
        ran = await run(ssh, "true", "far")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "refused")
    assert ran.message.startswith(f"near (root@{row.network.near_address}:1): ")


async def test_a_host_that_refuses_its_jump_host_is_named(row: Row) -> None:
    near, far, _ = row.hosts()
    async with transport(near, replace(far, port=1)) as ssh:
        ran = await run(ssh, "true", "far")
        assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "refused")
        assert f"far (root@{row.network.far_address}:1) via near: near says: " in ran.message
        assert (await run(ssh, "echo near", "near")).stdout == b"near\n"


async def test_a_name_that_the_jump_host_cannot_resolve_is_said(row: Row) -> None:
    near, far, _ = row.hosts()
    async with transport(near, replace(far, address="no-such-host.invalid")) as ssh:
        ran = await run(ssh, "true", "far")
    assert ran.delivery is Delivery.NOT_SENT
    assert ran.fault in ("dns", "unreachable")
    assert "near says: " in ran.message


async def test_a_jump_host_that_forwards_nothing_is_said(row: Row, tmp_path: Path) -> None:
    with openssh(tmp_path, options=["AllowTcpForwarding no"]) as closed:
        _, far, _ = row.hosts()
        async with transport(closed.host("near"), far) as ssh:
            ran = await run(ssh, "true", "far")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "unreachable")
    assert "AllowTcpForwarding" in ran.message


async def test_an_unknown_key_behind_a_jump_host_is_asked_about_with_the_way_to_it(
    row: Row, tmp_path: Path
) -> None:
    near, far, _ = row.hosts()
    prompt = Prompt(True, [])
    async with transport(near, replace(far, known_hosts=tmp_path / "known_hosts"), prompt=prompt) as ssh:
        assert (await run(ssh, "echo in", "far")).stdout == b"in\n"
    (question,) = prompt.asked
    assert (question.host, question.via) == ("far", "near")
    assert question.fingerprint == fingerprint(row.far.host_keys[0])


async def test_a_changed_key_of_a_jump_host_stops_there(row: Row, tmp_path: Path) -> None:
    make_key(tmp_path / "before")
    words = (tmp_path / "before.pub").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text(f"[{row.network.near_address}]:{PORT} {words[0]} {words[1]}\n")
    near, far, _ = row.hosts()
    before = row.far.log.read_text().count("Connection from")
    async with transport(replace(near, known_hosts=known), far) as ssh:
        ran = await run(ssh, "true", "far")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "host-key")
    assert ran.message.startswith("near (")
    assert row.far.log.read_text().count("Connection from") == before


async def test_a_jump_host_that_dies_takes_its_connections_along_and_they_are_made_anew(row: Row) -> None:
    async with transport(*row.hosts()) as ssh:
        assert (await run(ssh, "echo in", "inner")).stdout == b"in\n"
        row.near.cut()
        assert (await run(ssh, "echo again", "inner")).stdout == b"again\n"


async def test_a_command_behind_a_jump_host_that_dies_has_an_unknown_outcome(row: Row) -> None:
    async with transport(*row.hosts()) as ssh:
        request = SshRequest("far", ("sh", "-c", "echo begun; sleep 60"), 30.0)
        result = await ssh.send(request, lambda stream, data: row.near.cut())
    assert (result.delivery, result.exit) == (Delivery.UNKNOWN, None)
    assert result.fault is not None and result.fault.kind == "disconnected"


async def test_a_silent_host_behind_a_jump_host_holds_nobody_up(row: Row) -> None:
    near, far, _ = row.hosts()
    with socket.create_server((_here(row), 0)) as silent:
        port = int(silent.getsockname()[1])
        async with transport(near, replace(far, address=_here(row), port=port)) as ssh:
            ran = await asyncio.wait_for(run(ssh, "true", "far", timeout=0.7), 20)
            assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "timeout")
            assert (await run(ssh, "echo near", "near")).stdout == b"near\n"


def _here(row: Row) -> str:
    """This machine's address, as the first server sees it."""
    first, _, last = row.network.near_address.rpartition(".")
    return f"{first}.{int(last) - 1}"
