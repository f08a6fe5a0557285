"""One command on a kept SSH connection, beside the `ssh` program with a kept master and with none."""

import asyncio
from pathlib import Path

from bench.measure import Line, Sample, by_turns, called, compared, program
from bench.peers import debian
from breakglass.site.model import Site
from breakglass.transport.base import SshRequest
from breakglass.transport.ssh import Ssh
from tests.support.openssh import USER, OpenSsh, openssh

MASTER, FRESH = "ssh, ControlMaster", "ssh, fresh"


class NoSecrets:
    """The key has no passphrase, so nobody asks for one."""

    async def resolve(self, name: str) -> str:
        raise KeyError(name)


def measure(work: Path) -> list[Line]:
    with openssh(work / "sshd") as server, asyncio.Runner() as runner:
        ssh = Ssh(Site("bench", hosts={"box": server.host()}), NoSecrets(), None)

        async def ask() -> None:
            result = await ssh.send(SshRequest("box", ("true",), 30.0), lambda stream, data: None)
            if result.fault is not None:
                raise RuntimeError(result.fault.message)

        def kept() -> Sample:
            return called(lambda: runner.run(ask()))

        control = work / "control"
        words = [debian("ssh", "openssh-client"), *options(server)]
        master = [*words, "-S", str(control)]
        program([*master, "-M", "-f", "-N", server.address])
        sides = {
            "kept": kept,
            MASTER: lambda: program([*master, server.address, "true"]),
            FRESH: lambda: program([*words, server.address, "true"]),
        }
        try:
            return compared("an SSH step", by_turns(sides, 15), "kept", {MASTER: 1.5, FRESH: 0.2})
        finally:
            program([*master, "-O", "exit", server.address])
            runner.run(ssh.close())


def options(server: OpenSsh) -> list[str]:
    return [
        *("-F", str(server.ssh_config), "-i", str(server.client_key), "-p", str(server.port), "-l", USER),
        *("-o", f"UserKnownHostsFile={server.known_hosts}", "-o", "BatchMode=yes", "-q"),
    ]
