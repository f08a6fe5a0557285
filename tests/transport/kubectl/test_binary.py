"""The kubectl program: what it is given, what is read from what it says, and how it is ended."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from breakglass.policy.kubectl.parse import understood
from breakglass.site.model import Cluster
from breakglass.transport.base import Delivery, KubectlRequest
from breakglass.transport.kubectl.binary import arguments, explained
from tests.transport.kubectl.support import client


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for kubectl, first in PATH, whose text a test writes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "kubectl"


def written(program: Path, script: str) -> None:
    program.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{script}\n")
    program.chmod(0o755)


def is_alive(pid: str) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] not in "ZX"


def test_the_site_says_where_to_go() -> None:
    cluster = Cluster("main", Path("/k"), "c", "https://10.0.0.1:6443", "oncall")
    request = KubectlRequest("main", understood(("top", "pods")), 5.0)
    assert arguments(cluster, request) == [
        *("--kubeconfig=/k", "--context=c", "--server=https://10.0.0.1:6443", "--as=oncall"),
        *("top", "pods"),
    ]
    assert arguments(Cluster("main"), request) == ["top", "pods"]


async def test_output_status_and_data_come_back(program: Path, tmp_path: Path) -> None:
    written(
        program,
        "proxy = os.environ['HTTPS_PROXY']\n"
        "print(json.dumps({'argv': sys.argv[1:], 'stdin': sys.stdin.read(), 'proxy': proxy}))",
    )
    async with client(tmp_path / "k", proxy="http://proxy:1") as run:
        came = await run("top pods -o json", binary=True, stdin=b"given")
    assert (came.result.exit, came.fault, came.delivery) == (0, "", Delivery.ANSWERED)
    argv = [f"--kubeconfig={tmp_path / 'k'}", "top", "pods", "-o", "json"]
    assert came.result.data == {"argv": argv, "stdin": "given", "proxy": "http://proxy:1"}
    assert came.result.data == json.loads(came.out)


async def test_nothing_is_read_from_the_terminal(program: Path, tmp_path: Path) -> None:
    written(program, "print(repr(sys.stdin.read()))")
    async with client(tmp_path / "k") as run:
        assert (await run("top pods", binary=True)).out == "''\n"


async def test_a_program_that_hangs_is_ended_with_all_it_started(program: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    written(program, "")
    program.write_text(f'#!/bin/sh\nsleep 600 &\necho $$ $! > "{pids}"\nwait\n')
    async with client(tmp_path / "k") as run:
        came = await run("apply -f x", binary=True, timeout=3.0)
    assert (came.delivery, came.fault) == (Delivery.UNKNOWN, "timeout")
    assert "kubectl did not end within 3 s and was ended" in came.message
    async with asyncio.timeout(20):
        for pid in pids.read_text().split():
            while is_alive(pid):
                await asyncio.sleep(0.01)


async def test_twenty_megabytes_that_are_no_text_come_in_pieces(program: Path, tmp_path: Path) -> None:
    written(program, "[sys.stdout.buffer.write(b'\\xff' * 1_000_000) for _ in range(20)]")
    async with client(tmp_path / "k") as run:
        came = await run("top pods", binary=True)
    assert (came.fault, came.output.size) == ("", 20_000_000)
    assert came.output.largest <= 1_000_000


async def test_a_missing_program_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with client(tmp_path / "k") as run:
        came = await run("top pods", binary=True)
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "configuration")
    assert "the kubectl program is not installed" in came.message


@pytest.mark.parametrize(
    ("line", "how", "message"),
    [
        ("delete pod x --context=other", {}, "--context=other would lead to another cluster"),
        ("delete pod x", {"uid": "u"}, "cannot hold to a uid"),
        ("delete pod x", {"version": "1"}, "cannot hold to a uid or version"),
    ],
)
async def test_what_the_program_must_not_do_is_not_started(
    program: Path, tmp_path: Path, line: str, how: dict[str, str], message: str
) -> None:
    written(program, f"open('{tmp_path}/ran', 'w')")
    async with client(tmp_path / "k") as run:
        came = await run(line, binary=True, **how)  # type: ignore[arg-type]
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "configuration")
    assert message in came.message
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("line", ["apply -f x", "exec p -- reboot", "create configmap x"])
async def test_what_has_no_dry_run_is_not_started(program: Path, tmp_path: Path, line: str) -> None:
    written(program, f"open('{tmp_path}/ran', 'w')")
    async with client(tmp_path / "k") as run:
        came = await run(line, binary=True, dry_run=True)
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "configuration")
    assert not (tmp_path / "ran").exists()


async def test_a_dry_run_asks_the_server(program: Path, tmp_path: Path) -> None:
    written(program, "print(' '.join(sys.argv[2:]))")
    async with client(tmp_path / "k") as run:
        came = await run("delete pod x", binary=True, dry_run=True)
    assert came.out == "delete pod x --dry-run=server\n"


@pytest.mark.parametrize(
    ("said", "kind", "delivery"),
    [
        ('Error from server (NotFound): pods "x" not found', "not-found", Delivery.ANSWERED),
        ('Error from server (Forbidden): pods "x" is forbidden', "forbidden", Delivery.ANSWERED),
        ("Error from server (Conflict): the object has been modified", "conflict", Delivery.ANSWERED),
        ('The Deployment "x" is invalid: spec.replicas: no', "rejected", Delivery.ANSWERED),
        ("Error from server (InternalError): etcd", "server-error", Delivery.ANSWERED),
        ("error: You must be logged in to the server (Unauthorized)", "authentication", Delivery.ANSWERED),
        (
            "The connection to a:1 was refused - did you specify the right host or port?",
            "refused",
            Delivery.NOT_SENT,
        ),
        ("Unable to connect to the server: dial tcp: lookup a: no such host", "dns", Delivery.NOT_SENT),
        ("Unable to connect to the server: x509: unknown authority", "tls", Delivery.NOT_SENT),
        ("Unable to connect to the server: EOF", "disconnected", Delivery.UNKNOWN),
        ("Unable to connect to the server: net/http: TLS handshake timeout", "timeout", Delivery.UNKNOWN),
        ('error: context "x" does not exist', "configuration", Delivery.NOT_SENT),
        ("error: unknown flag: --x", "configuration", Delivery.NOT_SENT),
        ("error: timed out waiting for the condition on pods/x", "timeout", Delivery.ANSWERED),
        ("command terminated with exit code 2", "exit", Delivery.ANSWERED),
        ("The request is invalid: patch: Invalid value", "rejected", Delivery.ANSWERED),
        ('error: error from server (NotFound): pods "a" not found', "not-found", Delivery.ANSWERED),
        ("error: Expected replicas to be 7, was 2", "conflict", Delivery.ANSWERED),
        ('error: no objects passed to scale deployments.apps "a" not found', "not-found", Delivery.ANSWERED),
        ('error: pods "front" restarting is not supported', "rejected", Delivery.ANSWERED),
        ("something else", "exit", Delivery.UNKNOWN),
        ("", "exit", Delivery.UNKNOWN),
    ],
)
async def test_a_fault_is_read_from_what_the_program_says(
    program: Path, tmp_path: Path, said: str, kind: str, delivery: Delivery
) -> None:
    assert explained(said)[:2] == (kind, delivery)
    written(program, f"print({said!r}, file=sys.stderr); sys.exit(1)")
    async with client(tmp_path / "k") as run:
        came = await run("apply -f x", binary=True)
    assert (came.fault, came.delivery, came.result.exit) == (kind, delivery, 1)


@pytest.mark.parametrize(
    "said",
    [
        'Error from server (NotFound): pods "b" not found',
        "Unable to connect to the server: dial tcp: connection refused",
    ],
)
async def test_a_fault_after_something_was_done_is_unknown(program: Path, tmp_path: Path, said: str) -> None:
    written(program, f"print('pod \"a\" deleted', flush=True); print({said!r}, file=sys.stderr); sys.exit(1)")
    async with client(tmp_path / "k") as run:
        came = await run("delete pods a b", binary=True)
    assert came.delivery is Delivery.UNKNOWN
