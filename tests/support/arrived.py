"""What arrived at the simulated servers, and which of it could have changed something.

Kept at the servers' doors, before anything is made of a request, so that it is the request that is judged and
not what the servers understood.
"""

import fnmatch
import json
import shlex
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from breakglass.policy.commands import HTTP_READS, judge_command
from breakglass.policy.login_shell import argv_of
from breakglass.policy.risk import Risk
from breakglass.policy.site_rules import judge_verb
from breakglass.rehearsal.endpoints import SimulatedEndpoint
from breakglass.rehearsal.hosts import SimulatedHost
from breakglass.rehearsal.spec.machines import HostSpec
from breakglass.runbook.actions import KubectlAction, SshAction
from breakglass.runbook.model import Runbook
from breakglass.runbook.shell_text import with_values
from breakglass.simulator.command_result import CommandResult
from breakglass.simulator.kubernetes import server
from breakglass.site.model import Host

ASKED_ABOUT = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")
"""Resources to which a POST is a question."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to an API server, as it was written."""

    method: str
    target: str
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} {self.target} {self.body.decode(errors='replace')}".rstrip()


@dataclass(frozen=True, slots=True)
class Arrived:
    """All requests, in order of arrival."""

    api: list[ApiRequest] = field(default_factory=list[ApiRequest])
    commands: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Host and command line, over SSH."""
    http: list[str] = field(default_factory=list[str])
    """Method, endpoint and target."""

    def changes(self, hosts: Mapping[str, Host | HostSpec], runbook: Runbook) -> list[str]:
        """Every request that is neither a read nor a server-side dry run, as text.

        hosts: the site's, or the scenario's. runbook: says of some commands, with its reason, that they read.
        """
        said = said_to_read(runbook)
        sent = [str(each) for each in self.api if not is_harmless(each, said)]
        for host, command in self.commands:
            words = as_written(argv_of(shlex.split(command)))
            found = judge_verb(words) if hosts[host].forced_command else judge_command(words)
            if found.risk is not Risk.READ and not _is_one_of(words, said):
                sent.append(f"ssh {host} {command}")
        return [*sent, *(each for each in self.http if each.split(" ")[0] not in HTTP_READS)]


def as_written(words: Sequence[str]) -> Sequence[str]:
    """The words of a command, a script of the program's own with its values in their places again."""
    match list(words):
        case ["sh", "-c", script, _, *values]:
            return ("sh", "-c", with_values(script, values))
        case _:
            return words


def said_to_read(runbook: Runbook) -> list[list[str]]:
    """The commands that a runbook calls a read where the tables do not, each word as a pattern."""
    found: list[list[str]] = []
    for step in runbook.steps:
        action = step.action
        if not step.assessed.is_lowered or step.risk is not Risk.READ:
            continue
        if isinstance(action, SshAction | KubectlAction):
            words = ["".join(p if isinstance(p, str) else "*" for p in word.parts) for word in action.words]
            found.append(words[words.index("--") + 1 :] if isinstance(action, KubectlAction) else words)
    return found


def _is_one_of(words: Sequence[str], patterns: Sequence[Sequence[str]]) -> bool:
    return any(
        len(words) == len(pattern) and all(map(fnmatch.fnmatchcase, words, pattern)) for pattern in patterns
    )


def is_harmless(request: ApiRequest, said: Sequence[Sequence[str]] = ()) -> bool:
    """Whether an API server changes nothing at this request. said: commands that count as reads."""
    parts = urlsplit(request.target)
    query = parse_qs(parts.query)
    last = parts.path.rstrip("/").rpartition("/")[2]
    if last in ("exec", "attach"):
        command = query.get("command", [])
        reads = judge_command(command).risk is Risk.READ or _is_one_of(command, said)
        return last == "exec" and reads
    if request.method in HTTP_READS or last == "portforward" or last in ASKED_ABOUT:
        return True
    if request.method == "DELETE" and request.body.strip():
        # A real API server does not look at the query string of a deletion that has a body.
        return _dry_run_of(request.body) == ["All"]
    return query.get("dryRun") == ["All"]


def _dry_run_of(body: bytes) -> Sequence[object]:
    try:
        options: object = json.loads(body)
    except ValueError:
        return ()
    given = cast("Mapping[str, object]", options).get("dryRun") if isinstance(options, dict) else None
    return cast("list[object]", given) if isinstance(given, list) else ()


@contextmanager
def arrivals() -> Generator[Arrived]:
    """Keep what arrives at every simulated server meanwhile."""
    kept = Arrived()
    service = server._Service  # pyright: ignore[reportPrivateUsage]
    api, http, run = service.handle, SimulatedEndpoint.handle, SimulatedHost.run

    async def to_api(self: "server._Service", request: web.Request) -> web.StreamResponse:  # pyright: ignore[reportPrivateUsage]
        body = b"" if request.method in HTTP_READS else await request.read()
        kept.api.append(ApiRequest(request.method, request.raw_path, body))
        return await api(self, request)

    async def to_endpoint(self: SimulatedEndpoint, request: web.Request, body: bytes) -> web.StreamResponse:
        kept.http.append(f"{request.method} {self.name} {request.raw_path}")
        return await http(self, request, body)

    async def to_host(
        self: SimulatedHost, command: str, stdin: Callable[[], Awaitable[str]]
    ) -> CommandResult:
        kept.commands.append((self.name, command))
        return await run(self, command, stdin)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "handle", to_api)
        patch.setattr(SimulatedEndpoint, "handle", to_endpoint)
        patch.setattr(SimulatedHost, "run", to_host)
        yield kept
