"""A value that was captured from output is one argument wherever it is put, and is never evaluated again.

From what a real shell printed, through a capture of the engine, to a real shell over a real sshd, to an API
server, and to an HTTP server, which keep what arrived.
"""

import asyncio
import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from breakglass.engine import commands as c
from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.prompts import JournalWriter
from breakglass.engine.walk import Engine
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.journal.store import open_journal
from breakglass.runbook.load import load_runbook
from breakglass.site.model import Cluster, Endpoint, Site
from breakglass.transport.base import HttpRequest, KubectlRequest, Request, SshRequest, Transport
from breakglass.transport.http.transport import Http
from breakglass.transport.ssh import Ssh
from tests.engine.support import FarSide, ok, walk
from tests.support.openssh import OpenSsh, openssh
from tests.transport.http_support import KnownSecrets, serving

RUNBOOK = """\
runbook: values
title: Use what was seen
summary: Each value is used in every place where one can stand.
severity: sev2
USES
steps:
  - id: seen
    title: Look
    ssh: {host: box, run: [cat, FOLDER/seen]}
    capture: {v: result.json.values}
  - id: words
    title: As words of a list
    ssh: {host: box, run: [FOLDER/keep, FOLDER/words, LIST]}
    risk: read
    because: It writes down what it was given.
  - id: shell
    title: In shell text
    ssh: {host: box, run: "FOLDER/keep FOLDER/shell WORDS"}
    risk: read
    because: It writes down what it was given.
  - id: cluster
    title: In a kubectl line
    kubectl: "get pods -n web WORDS -o json"
  - id: query
    title: In a query, a header and a body
    http: {post: app, path: "/x", query: {q: "${{ v[0] }}"}, json: {all: "${{ v }}", one: "${{ v[0] }}"}}
    confirm: key
    verify: {http: {get: app}, until: "true", within: 1s}
  - id: path
    title: In a path
    http: {get: app, path: "/x/${{ v[0] }}"}
  - id: header
    title: In a header
    http: {get: app, headers: {X-Value: "${{ v[0] }}"}}
"""

KEEP = """#!/bin/sh
file=$1; shift; for each; do printf '%s\\0' "$each"; done > "$file"
"""
"""A program that nobody knows, and that writes down what it was given."""


@dataclass
class Door:
    """Everything that outlives one walk: a real sshd, an HTTP server, and an event loop."""

    runner: asyncio.Runner
    box: OpenSsh
    folder: Path
    port: int = 0
    requests: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)  # pyright: ignore[reportUnknownVariableType]
    walks: int = 0

    async def keep(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.raw_path, headers, await request.read()))
        return web.Response(text="kept")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Generator[Door]:
    folder = tmp_path_factory.mktemp("values")
    with openssh(folder / "sshd") as box, asyncio.Runner() as runner:
        made = Door(runner, box, folder)
        server = serving(made.keep)
        made.port = runner.run(server.__aenter__())
        try:
            yield made
        finally:
            runner.run(server.__aexit__(None, None, None))


@dataclass(frozen=True, slots=True)
class Walked:
    state: State
    argv: tuple[str, ...]
    """Of kubectl; empty where it was not sent."""
    folder: Path

    def arguments(self, step: str) -> list[str] | None:
        """The arguments that arrived at the shell; None where nothing did."""
        path = self.folder / step
        return path.read_bytes().decode().split("\0")[:-1] if path.exists() else None

    def said(self, step: str) -> str:
        last = self.state.steps[step].last
        return last.say if last is not None else ""


def walked(door: Door, values: list[str], *steps: str) -> Walked:
    """Walk the runbook with these values printed by the machine; of the steps, only these."""
    return door.runner.run(_walk(door, values, steps))


async def _walk(door: Door, values: list[str], wanted: tuple[str, ...]) -> Walked:
    door.walks += 1
    folder = door.folder / str(door.walks)
    (folder / "session" / "output").mkdir(parents=True)
    keep = folder / "keep"
    keep.write_text(KEEP)
    keep.chmod(0o755)
    seen = folder / "seen"
    seen.write_text(json.dumps({"values": values}))
    words = [f"${{{{ v[{number}] }}}}" for number in range(len(values))]
    head, *blocks = RUNBOOK.split("  - id: ")
    text = head + "".join(f"  - id: {each}" for each in blocks if each.split("\n")[0] in ("seen", *wanted))
    text = text.replace("LIST", ", ".join(f'"{word}"' for word in words)).replace("WORDS", " ".join(words))
    used = {"clusters": ["main"], "hosts": ["box"], "endpoints": ["app"]}
    reached = {"clusters": "kubectl:", "hosts": "ssh:", "endpoints": "http:"}
    uses = {kind: names if reached[kind] in text else [] for kind, names in used.items()}
    text = text.replace("USES", f"uses: {json.dumps(uses)}").replace("FOLDER", str(folder))
    path = folder / "runbook.yaml"
    path.write_text(text)
    site = Site(
        "lab",
        clusters={"main": Cluster("main")},
        hosts={"box": door.box.host()},
        endpoints={"app": Endpoint("app", f"http://127.0.0.1:{door.port}")},
    )
    cluster = FarSide({"kubectl": ok("{}")})
    ssh, http = Ssh(site, KnownSecrets(), None), Http(site, KnownSecrets())
    clock = Clock()
    transports: dict[type[Request], Transport] = {KubectlRequest: cluster, SshRequest: ssh, HttpRequest: http}
    gateway = Gateway(site, folder / "session" / "output", clock, Prompts(), transports=transports)
    runbook = load_runbook(path)
    engine = Engine(
        runbook, site, JournalWriter(open_journal(folder / "session", create=True)), gateway, clock, "never"
    )
    await engine.writer.record(
        e.SessionStarted(
            "s", runbook.name, runbook.title, "sev2", str(path), runbook.digest, "lab", "", False, "live",
            "operator", {}, "test", "test", 1,
        )
    )  # fmt: skip
    try:
        state = await walk(engine, *[confirm_or_skip] * 12)
    finally:
        await engine.close()
    sent = [each for each in cluster.sent if isinstance(each, KubectlRequest)]
    return Walked(state, sent[0].command.argv if sent else (), folder)


def confirm_or_skip(asked: e.Asked) -> c.Command:
    return c.Confirm("Y", "operator") if asked.question == "confirm" else c.Skip("as expected", "operator")


HARM = [
    "; rm -rf /",
    "$(reboot)",
    "`reboot`",
    "a --all",
    "x\n-rf",
    "\n",
    " ",
    "${{ secrets.x }}",
    "${{ 1 + 1 }}",
    "$${{ v }}",
    "%(x)s {0} $HOME ~ * ?",
    "'; reboot; '",
    '"; reboot; "',
    "\\",
    "&& reboot",
    "a\r\nX-Planted: 1",
    "\x1b]52;c;eA==\x07\u202e",
    "../../etc/passwd",
    "web-1?dryRun=None",
]
VALUES = st.lists(
    st.text(
        st.one_of(
            st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
            st.sampled_from(" \t\n\r'\"\\$`;&|<>(){}[]*?!#~=-%^\x1b"),
        ),
        min_size=1,
        max_size=20,
    ).filter(lambda value: not value.startswith("-")),
    min_size=1,
    max_size=8,
)


@given(VALUES)
@example(HARM)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_captured_value_is_one_argument_of_a_shell_and_of_kubectl(door: Door, values: list[str]) -> None:
    ran = walked(door, values, "words", "shell", "cluster")
    assert ran.state.values["v"] == values, "captured as it is"
    assert ran.arguments("words") == values
    assert ran.arguments("shell") == values
    assert ran.argv == ("get", "pods", "-n", "web", *values, "-o", "json")


@pytest.mark.parametrize("value", ["--all", "-rf", "-", "--", "--kubeconfig=/tmp/x", "-o yaml"])
def test_a_captured_value_is_never_an_option(door: Door, value: str) -> None:
    ran = walked(door, [value], "words", "shell", "cluster")
    assert (ran.arguments("words"), ran.arguments("shell"), ran.argv) == (None, None, ())
    for step in ("words", "shell", "cluster"):
        assert "begins with '-' and would be read as an option" in ran.said(step)


@pytest.mark.parametrize("value", HARM)
def test_a_captured_value_stays_inside_its_part_of_a_query_and_a_body(door: Door, value: str) -> None:
    door.requests.clear()
    walked(door, [value, "other"], "query")
    posts = [each for each in door.requests if each[0] == "POST"]
    assert len(posts) == 1
    _, target, _, body = posts[0]
    path, _, query = target.partition("?")
    name, _, sent = query.partition("=")
    assert (path, name, unquote(sent)) == ("/x", "q", value)
    assert "&" not in query
    assert json.loads(body) == {"all": [value, "other"], "one": value}


@pytest.mark.parametrize("value", HARM)
def test_a_captured_value_leads_a_path_and_a_header_nowhere_else(door: Door, value: str) -> None:
    door.requests.clear()
    ran = walked(door, [value], "path", "header")
    for method, target, headers, body in door.requests:
        assert (method, body) == ("GET", b"")
        assert "x-planted" not in headers
        assert target.startswith("/x/") or target == "/"
        assert "?" not in target
        assert ".." not in target.split("/")
        assert set(headers) <= {"host", "accept", "accept-encoding", "connection", "user-agent", "x-value"}
    refusals = ("cannot be sent", "leads to another path", "cannot stand in a header", "answers 400")
    for step, arrived in (("path", "/x/"), ("header", "/")):
        seen = any(each[1] == arrived or (step == "path" and each[1] != "/") for each in door.requests)
        assert seen or any(each in ran.said(step) for each in refusals), (step, ran.said(step))
