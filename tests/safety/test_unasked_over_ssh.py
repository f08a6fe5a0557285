"""Nothing that changes something runs unasked on a real machine: not in a dry run, not in triage, not where
nobody can be asked, whether or not the runbook was checked.

Each command here was once taken for a read. A walk in which somebody does confirm them shows that they do
what is feared of them.
"""

import io
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.engine import commands as c
from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.opening import open_session
from breakglass.engine.session import Request
from breakglass.engine.triage import triage
from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.policy.risk import Risk
from breakglass.runbook.load import read_runbook
from breakglass.runbook.model import Runbook
from breakglass.site.load import load_site
from breakglass.yamlio.record import shape_of
from breakglass.yamlio.shape import Unreadable
from breakglass.yamlio.source import compose
from tests.engine.support import events_of, walk
from tests.support.openssh import OpenSsh, openssh

HEAD = """\
runbook: feared
title: What was taken for a read
summary: It changes something.
severity: sev2
uses: {hosts: [h]}
triage:
  - {use: curl, verdict: {ok: result.exit == 0}}
  - {use: delete, verdict: {ok: result.exit == 0}}
steps:
"""
STEPS = {
    "curl": '"curl -sX DELETE http://127.0.0.1:PORT/api/db && curl -sd purge=1 http://127.0.0.1:PORT/admin"',
    "delete": "[rm, -f, MARKS/victim]",
    "sort": "[sort, -o, MARKS/sorted, /etc/hostname]",
    "print": "\"cd MARKS; sed -n '1w printed' /etc/hostname\"",
    "find": "[find, MARKS, -name, other, -exec, ls, -l, '{}', ';', -exec, rm, '{}', ';']",
    "commit": '"cd MARKS/../source && git log -1 --output=MARKS/commit"',
    "shell": "\"echo touch MARKS/shell | awk '{print | s}' s=sh\"",
}
LEAVES = {
    "curl": ["DELETE /api/db", "POST /admin"],
    "delete": ["no victim"],
    "sort": ["sorted"],
    "print": ["printed"],
    "find": ["no other"],
    "commit": ["commit"],
    "shell": ["shell"],
}
"""What each leaves behind once it has run."""

SAYS = {
    "curl": "-X",
    "delete": "rm",
    "sort": "-o",
    "print": "sed",
    "find": "rm",
    "commit": "--output",
    "shell": "awk",
}
"""What the check of the runbook names."""


@dataclass
class Machine:
    """A real sshd, an HTTP server that notes what changes something, and a folder in which marks are left."""

    folder: Path
    marks: Path
    site: Path
    port: int
    requests: list[str]

    def left(self) -> list[str]:
        """What has been changed so far."""
        new = sorted({each.name for each in self.marks.iterdir()} - {"victim", "other"})
        gone = [f"no {name}" for name in ("victim", "other") if not (self.marks / name).exists()]
        return [*self.requests, *gone, *new]

    def text(self, *names: str, more: str = "") -> str:
        steps = "".join(
            f"  - id: {name}\n    title: Look\n    ssh: {{host: h, run: {STEPS[name]}}}\n    timeout: 20s\n"
            f"    tolerate: [exit]\n{more}"
            for name in names or STEPS
        )
        text = HEAD + steps + "  - {id: end, title: Done, ends: recovered}\n"
        return text.replace("MARKS", str(self.marks)).replace("PORT", str(self.port))

    def unchecked(self, *names: str, more: str = "") -> Runbook:
        """The runbook of these commands, whatever the check says of it."""
        text, path = self.text(*names, more=more), self.folder / "runbook.yaml"
        tree = compose(text, path, [])
        assert tree is not None
        given = shape_of(Runbook).read(tree, [])
        assert not isinstance(given, Unreadable)
        return replace(given, path=path, source=text, digest="0" * 64)


class _Notes(BaseHTTPRequestHandler):
    """Notes each request that is more than a look."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.command != "GET":
            self.server.noted.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    do_DELETE = do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def noting() -> Generator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Notes)
    server.noted = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Generator[OpenSsh]:
    with openssh(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, box: OpenSsh, monkeypatch: pytest.MonkeyPatch) -> Generator[Machine]:
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("BREAKGLASS_RUNBOOKS", str(tmp_path / "none"))
    marks = tmp_path / "marks"
    marks.mkdir()
    for name in ("victim", "other"):
        (marks / name).write_text("still here")
    source = tmp_path / "source"
    git = shutil.which("git")
    assert git is not None, "git is not installed; run tools/debian-packages.sh"
    commit = ("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "x")
    subprocess.run([git, "init", "-q", str(source)], check=True, timeout=30)
    subprocess.run([git, "-C", str(source), *commit], check=True, timeout=30)
    host = box.host("h")
    site = tmp_path / "site.yaml"
    site.write_text(
        "site: lab\nproduction: false\nhosts:\n"
        f"  h: {{address: {host.address}, port: {host.port}, user: {host.user}, identity: {host.identity}, "
        f"known_hosts: {host.known_hosts}, ssh_config: {host.ssh_config}, connections_per_minute: 6000}}\n"
    )
    with noting() as server:
        yield Machine(tmp_path, marks, site, server.server_address[1], server.noted)  # type: ignore[attr-defined]


async def walked(machine: Machine, runbook: Runbook, mode: e.Mode, reply: c.Command | None) -> State:
    """Walk the runbook; each question about a change is answered with a yes, or each step that stops is left
    out."""

    def answer(asked: e.Asked) -> c.Command:
        if asked.question == "confirm" and reply is None:
            return c.Confirm(asked.typed or "Y", "operator")
        return c.Skip("as the test says", "operator")

    request = Request(mode=mode, runbook=runbook, site=machine.site, pace="never")
    async with open_session(request) as session:
        return await walk(session.engine, *[answer] * 2 * len(STEPS))


NOBODY = c.Skip("nobody is there", "operator")


@pytest.mark.parametrize("name", STEPS)
async def test_each_of_them_does_what_is_feared_of_it_once_it_is_confirmed(
    machine: Machine, name: str
) -> None:
    await walked(machine, machine.unchecked(name), "live", None)
    assert machine.left() == LEAVES[name]


@pytest.mark.parametrize("mode", ["dry-run", "live"])
async def test_none_of_them_runs_in_a_dry_run_nor_where_nobody_confirms_it(
    machine: Machine, mode: e.Mode
) -> None:
    state = await walked(machine, machine.unchecked(), mode, NOBODY)
    assert machine.left() == []
    assert events_of(state, e.ActionFinished) == []
    assert state.ended is not None


@pytest.mark.parametrize("mode", ["dry-run", "live"])
async def test_none_of_them_that_is_known_to_change_is_made_a_read_by_its_author(
    machine: Machine, mode: e.Mode
) -> None:
    more = "    risk: read\n    because: It is fine.\n"
    known = ("curl", "delete", "sort", "find")
    state = await walked(machine, machine.unchecked(*known, more=more), mode, NOBODY)
    assert machine.left() == []
    assert events_of(state, e.ActionFinished) == []


@pytest.mark.parametrize("more", ["", "    risk: read\n    because: It is fine.\n"])
async def test_none_of_them_runs_in_triage(machine: Machine, more: str) -> None:
    gateway = Gateway(load_site(machine.site), machine.folder / "output", Clock(), Prompts())
    try:
        (row,) = await triage(gateway, {"feared": machine.unchecked(more=more)})
    finally:
        await gateway.close()
    assert machine.left() == []
    assert [each.verdict for each in row.findings] == ["unknown", "unknown"]
    assert all(each.message.startswith("not run") for each in row.findings)


async def test_a_read_by_the_author_s_word_runs_in_a_dry_run_and_never_in_triage(machine: Machine) -> None:
    peek = machine.marks / "peek"
    peek.write_text(f"#!/bin/sh\necho seen\ntouch {machine.marks}/peeked\n")
    peek.chmod(0o755)
    text = (
        HEAD.replace("  - {use: delete, verdict: {ok: result.exit == 0}}\n", "")
        + f"  - id: curl\n    title: Peek\n    ssh: {{host: h, run: [{peek}]}}\n"
        "    risk: read\n    because: It only looks.\n"
    )
    path = machine.folder / "runbook.yaml"
    runbook, problems = read_runbook(text, path)
    assert runbook is not None, problems
    gateway = Gateway(load_site(machine.site), machine.folder / "output", Clock(), Prompts())
    try:
        (row,) = await triage(gateway, {"feared": runbook})
    finally:
        await gateway.close()
    assert row.findings[0].message.startswith("not run: a read by the author's word: It only looks.")
    assert machine.left() == ["peek"]
    state = await walked(machine, runbook, "dry-run", NOBODY)
    assert machine.left() == ["peek", "peeked"]
    (prepared,) = events_of(state, e.ActionPrepared)
    assert isinstance(prepared, e.ActionPrepared)
    assert prepared.because == "by the author's word: It only looks."


def test_the_check_of_a_runbook_names_the_word_that_makes_each_a_change(machine: Machine) -> None:
    for name, word in SAYS.items():
        runbook, problems = read_runbook(machine.text(name), machine.folder / "runbook.yaml")
        assert runbook is None
        said = [each.message for each in problems if f"step {name}: a step of risk" in each.message]
        assert said and all(word in each for each in said), problems


def test_rm_is_not_made_a_read_by_any_reason(machine: Machine) -> None:
    text = machine.text("delete", more="    risk: read\n    because: It is fine.\n")
    runbook, problems = read_runbook(text, machine.folder / "runbook.yaml")
    assert runbook is None
    (said,) = [each.message for each in problems if "leave `risk` away" in each.message]
    assert "rm" in said
    assert Risk.DESTRUCTIVE.word in said


@pytest.mark.parametrize(
    "command",
    [
        ["run", "RUNBOOK", "--site", "SITE", "--dry-run"],
        ["run", "RUNBOOK", "--site", "SITE", "--json"],
        ["exec", "--site", "SITE", "ssh", "h", "--", "rm", "-f", "VICTIM"],
        ["exec", "--site", "SITE", "--dry-run", "ssh", "h", "--", "rm", "-f", "VICTIM"],
    ],
)
def test_nothing_runs_from_the_command_line_unasked(
    machine: Machine, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = machine.folder / "runbook.yaml"
    path.write_text(machine.text())
    given = {"RUNBOOK": str(path), "SITE": str(machine.site), "VICTIM": str(machine.marks / "victim")}
    code = main([given.get(word, word) for word in command])
    assert machine.left() == []
    dry = "exec" in command and "--dry-run" in command
    assert (code == ExitCode.DONE) == dry, capsys.readouterr()


def test_what_the_site_knows_as_a_read_is_not_asked_about_and_that_is_said(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    peek = machine.marks / "peek"
    peek.write_text("#!/bin/sh\necho seen $1\n")
    peek.chmod(0o755)
    command = ["exec", "--site", str(machine.site), "ssh", "h", "--", str(peek)]
    assert main([*command, "this"]) != ExitCode.DONE
    machine.site.write_text(machine.site.read_text() + f"reads: ['{peek} *']\n")
    assert main([*command, "--that"]) != ExitCode.DONE
    assert "seen" not in capsys.readouterr().out
    assert main([*command, "this"]) == ExitCode.DONE
    said = capsys.readouterr()
    assert "seen this" in said.out
    assert f"READ (by this site's word: {peek} *)" in said.err


def test_the_plain_form_says_what_is_taken_at_somebody_s_word(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = machine.folder / "runbook.yaml"
    path.write_text(
        HEAD.split("triage:")[0] + "steps:\n  - {id: peek, title: Peek, ssh: {host: h, run: [/no/such]}, "
        "risk: read, because: It only looks., tolerate: [exit]}\n"
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["run", str(path), "--site", str(machine.site), "--dry-run", "--plain"]) == ExitCode.DONE
    said = capsys.readouterr().out
    assert "vouched for, not checked: 1 Peek: READ (by the author's word: It only looks.)" in said
    assert "READ (by the author's word: It only looks.): /no/such" in said


def test_the_machine_is_reached_at_all(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exec", "--site", str(machine.site), "ssh", "h", "--", "ls", str(machine.marks)]) == 0
    assert "victim" in capsys.readouterr().out
