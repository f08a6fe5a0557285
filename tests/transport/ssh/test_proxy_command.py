"""ProxyCommand against a real sshd: it makes the connection, and ends with it."""

import os
import sys
from pathlib import Path

from breakglass.site.model import Host
from breakglass.transport.base import Delivery
from tests.support.openssh import USER, OpenSsh
from tests.transport.ssh.support import run, transport

RELAY = """\
import os, selectors, socket, sys
alive = os.open(sys.argv[3], os.O_WRONLY)
server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
ways = selectors.DefaultSelector()
ways.register(0, selectors.EVENT_READ)
ways.register(server, selectors.EVENT_READ)
while True:
    for key, _ in ways.select():
        if key.fd == 0:
            server.sendall(os.read(0, 65536))
        else:
            os.write(1, server.recv(65536))
"""


def behind(server: OpenSsh, command: str) -> Host:
    server.ssh_config.write_text(
        f"Host hidden\n  HostName 127.0.0.1\n  Port {server.port}\n  User {USER}\n"
        f"  IdentityFile {server.client_key}\n  UserKnownHostsFile {server.known_hosts}\n"
        f"  ProxyCommand {command}\n"
    )
    return Host("box", "hidden", ssh_config=server.ssh_config, connections_per_minute=6000.0)


async def test_the_command_makes_the_connection_and_is_killed_with_it(
    server: OpenSsh, tmp_path: Path
) -> None:
    relay, alive = tmp_path / "relay.py", tmp_path / "alive"
    relay.write_text(RELAY)
    os.mkfifo(alive)
    watched = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(watched, True)
    # What it has started itself, which never ends by itself, is killed as well.
    host = behind(server, f"sh -c 'exec 3<&0; {sys.executable} {relay} %h %p {alive} <&3 & wait'")
    async with transport(host) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"
        assert (await run(ssh, "echo again")).stdout == b"again\n"
        assert server.logins() == 1
    assert os.read(watched, 1) == b"", "the pipe ends when nobody holds it any more"
    os.close(watched)


async def test_a_command_that_ends_is_told_with_what_it_said(server: OpenSsh) -> None:
    host = behind(server, "sh -c 'echo no way to %h >&2; exit 7'")
    async with transport(host) as ssh:
        ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "disconnected")
    assert "its ProxyCommand sh -c 'echo no way to 127.0.0.1 >&2; exit 7' ended with 7" in ran.message
    assert "no way to 127.0.0.1" in ran.message
