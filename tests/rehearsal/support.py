"""A scenario from YAML in a test, its world started and taken down again."""

import ssl
import textwrap
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import paramiko

from breakglass.rehearsal.load import load_scenario
from breakglass.rehearsal.rehearsal import Rehearsal, start_rehearsal
from breakglass.rehearsal.scenario import Scenario
from breakglass.site.model import Host

HEAD = """\
scenario: test
title: A test
summary: What a test needs.
runbook: some-runbook
"""
FAST = 200.0


def read(folder: Path, body: str, name: str = "test.yaml") -> Scenario:
    """A scenario from what a test writes below the header that all have."""
    path = folder / name
    text = HEAD + textwrap.dedent(body)
    if "recovered:" not in text:
        text += "recovered: 'false'\n"
    path.write_text(text)
    return load_scenario(path)


@asynccontextmanager
async def running(folder: Path, body: str, speed: float = FAST) -> AsyncGenerator[Rehearsal]:
    """The world of a scenario. At the end no rule may have been found wrong."""
    rehearsal = await start_rehearsal(read(folder, body), folder / "world", speed=speed)
    try:
        yield rehearsal
    finally:
        await rehearsal.close()
    assert rehearsal.faults == []


@asynccontextmanager
async def client_of(rehearsal: Rehearsal, endpoint: str) -> AsyncGenerator[httpx.AsyncClient]:
    """An HTTP client that reaches an endpoint as a session would: by its name, pinned to loopback."""
    site = rehearsal.site.endpoints[endpoint]
    parts = urlsplit(site.url)
    verify = ssl.create_default_context(cafile=str(site.ca)) if site.ca is not None else False
    async with httpx.AsyncClient(
        base_url=f"{parts.scheme}://127.0.0.1:{parts.port}",
        headers={"Host": str(parts.hostname)},
        verify=verify,
        timeout=10,
        event_hooks={"request": [_named(str(parts.hostname))]},
    ) as client:
        yield client


def _named(name: str) -> Callable[[httpx.Request], Awaitable[None]]:
    async def name_the_server(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = name

    return name_the_server


class Ran:
    """What a remote command gave."""

    def __init__(self, stdout: str, stderr: str, exit: int) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.exit = exit


def connected(host: Host) -> paramiko.SSHClient:
    """A logged-in connection to a simulated host, with its key checked. Blocking."""
    client = paramiko.SSHClient()
    client.load_host_keys(str(host.known_hosts))
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    client.connect(
        host.address,
        port=host.port or 22,
        username=host.user,
        key_filename=str(host.identity),
        look_for_keys=False,
        allow_agent=False,
        timeout=10,
        auth_timeout=10,
        banner_timeout=10,
    )
    return client


def run(client: paramiko.SSHClient, command: str, stdin: str | None = None) -> Ran:
    """Run a command over a connection. Blocking."""
    into, out, error = client.exec_command(command, timeout=10)
    if stdin is not None:
        into.write(stdin)
    into.channel.shutdown_write()
    return Ran(out.read().decode(), error.read().decode(), out.channel.recv_exit_status())


def run_once(host: Host, command: str, stdin: str | None = None) -> Ran:
    """Connect, run one command, and disconnect. Blocking."""
    client = connected(host)
    try:
        return run(client, command, stdin)
    finally:
        client.close()


def said(rehearsal: Rehearsal) -> Mapping[str, str]:
    """What the drill was told, by the name of the rule or trap."""
    return {each.name: each.say for each in rehearsal.happened}
