"""The registry's virtual machine with a real registry's files on it.

Its shell is this machine's; its Docker is a few lines of Python around the registry's process.
"""

import asyncio
import shlex
import subprocess
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from breakglass.rehearsal import rehearsal as rehearsals
from breakglass.rehearsal.rehearsal import Rehearsal
from breakglass.rehearsal.scenario import Scenario
from breakglass.simulator.command_result import CommandResult
from breakglass.simulator.ssh_server import SshHost, SshServer, known_hosts_line, new_key
from breakglass.site.model import BasicLogin, Endpoint, Host
from tests.support.docker_registry import USER, DockerRegistry

COMMAND_WITHIN = 60.0
"""Real seconds for one command."""

Push = Callable[[DockerRegistry, str, str], None]
"""What `docker push` puts into the registry: the registry, the repository and the tag."""


@dataclass(slots=True)
class RegistryVm:
    """Commands that arrive are kept in `commands`. environment: of the registry's container."""

    registry: DockerRegistry
    push: Push | None = None
    environment: list[str] = field(default_factory=list[str])
    commands: list[str] = field(default_factory=list[str])
    _starts: int = 1

    async def run(self, line: str, stdin: Callable[[], Awaitable[str]]) -> CommandResult:
        """Carry out a command line as the machine would."""
        self.commands.append(line)
        words = shlex.split(line)
        if words[:1] == ["docker"]:
            return await asyncio.to_thread(self._docker, words[1:])
        if words[:1] in (["git"], ["python3"]) or line.endswith("/Dockerfile"):
            return CommandResult(b"Dockerfile\n")
        if words[:1] == ["df"]:
            return CommandResult(
                b"Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/a 99999999 1 99999998 1% /"
            )
        if "/root/.docker/config.json" in words or words[:2] == ["grep", "-rhs"]:
            return CommandResult(b"1\n")
        return await asyncio.to_thread(self._shell, line)

    @staticmethod
    def _shell(line: str) -> CommandResult:
        done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=COMMAND_WITHIN)
        return CommandResult(done.stdout, done.stderr, done.returncode)

    def _docker(self, words: list[str]) -> CommandResult:
        match words:
            case ["restart", name]:
                if name == "registry-private":
                    self.restart()
                return _said(name)
            case ["inspect", "-f", form, *_] if "Env" in form:
                listed = ",".join(f'"{each}"' for each in self.environment)
                return _said(f"[{listed}]")
            case ["inspect", *_]:
                return _said(f"true 2026-01-01T00:00:{self._starts:02}Z")
            case ["exec", "registry-private", "cat", _]:
                return _said((self.registry.folder / "config.yml").read_text())
            case ["exec", "registry-private", _, "garbage-collect", *options, _]:
                return self._collect(options)
            case ["exec", "registry-nginx", "curl", *_]:
                return _said("401")
            case ["exec", "registry-nginx", "nginx", "-t"]:
                return CommandResult(stderr=b"nginx: configuration file test is successful\n")
            case ["push", name]:
                assert self.push is not None, "nothing was to be pushed here"
                repository, _, tag = name.partition("/")[2].rpartition(":")
                self.push(self.registry, repository, tag)
                return _said("pushed")
            case ["build" | "login", *_]:
                return _said("done")
            case ["images", *_]:
                return _said("8c1f0e5d2b7a")
            case _:
                return CommandResult(stderr=f"no such command: {words}".encode(), exit=127)

    def _collect(self, options: list[str]) -> CommandResult:
        configuration = str(self.registry.folder / "config.yml")
        done = subprocess.run(
            ["docker-registry", "garbage-collect", *options, configuration],
            capture_output=True,
            timeout=COMMAND_WITHIN,
        )
        return CommandResult(done.stdout, done.stderr, done.returncode)

    def restart(self, **changes: bool) -> None:
        self._starts += 1
        self.registry.restart(**changes)


def _said(text: str) -> CommandResult:
    return CommandResult(f"{text}\n".encode())


@contextmanager
def rehearsals_with(vm: RegistryVm, manual: Callable[[str], None]) -> Generator[None]:
    """Rehearsals begun in here have the real registry as their endpoint `registry` and its machine as their
    host `docker-registry`; all else is simulated. `manual` is told which step a person has done."""
    start = rehearsals.start_rehearsal

    async def started(scenario: Scenario, folder: Path, *, speed: float | None = None) -> Rehearsal:
        world = await start(scenario, folder, speed=speed)
        machine = SshHost("docker-registry", "root", vm.run, lambda: True)
        client_key, host_key = new_key(folder / "vm_client"), new_key(folder / "vm_host")
        server = SshServer(machine, host_key, client_key, asyncio.get_running_loop())
        known_hosts = folder / "vm_known_hosts"
        known_hosts.write_text(known_hosts_line(server.port, host_key))
        configuration = folder / "vm_ssh_config"
        configuration.write_text("")
        for path in (known_hosts, configuration):
            path.chmod(0o600)
        host = Host(
            "docker-registry",
            "127.0.0.1",
            server.port,
            "root",
            identity=folder / "vm_client",
            known_hosts=known_hosts,
            ssh_config=configuration,
            connections_per_minute=6000.0,
        )
        endpoint = Endpoint("registry", vm.registry.url, basic=BasicLogin(USER, "registry_password"))
        reaches = world.site.reaches or frozenset()
        world.site = replace(
            world.site,
            hosts={**world.site.hosts, "docker-registry": host},
            endpoints={**world.site.endpoints, "registry": endpoint},
            reaches=reaches | {("127.0.0.1", server.port), ("127.0.0.1", vm.registry.port)},
        )
        done_by_hand, close = world.done_by_hand, world.close

        def by_hand(step: str) -> None:
            manual(step)
            done_by_hand(step)

        async def closed() -> None:
            await close()
            server.close()

        world.done_by_hand, world.close = by_hand, closed
        return world

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearsals, "start_rehearsal", started)
        yield
