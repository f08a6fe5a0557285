"""A flood of 1,000,000 lines, 100 MB, from SSH with the walk on screen, beside paramiko reading to nowhere.

The walk is the program in a pseudo-terminal, on a site with one loopback sshd. Meanwhile `?` and `Esc` are
pressed, and each press is timed until what it asks for was painted.
"""

import json
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import paramiko

from bench.measure import Line
from bench.terminal import Screen, in_terminal
from tests.support.openssh import USER, OpenSsh, openssh

LINES, MEGABYTES = 1_000_000, 100
PATIENCE = 400.0
RUNBOOK = """\
runbook: flood
title: A flood of lines
summary: Reads one large file.
severity: sev3
uses: {{hosts: [box]}}
steps:
  - id: first
    title: One line
    ssh: {{host: box, run: [head, -n, "1", {file}]}}
    timeout: 30s
  - id: flood
    title: Read the large file
    ssh: {{host: box, run: [cat, {file}]}}
    timeout: 600s
  - id: stay
    title: Stay here
    manual: Nothing to do.
"""
SITE = """\
site: bench
production: false
hosts:
  box:
    address: {server.address}
    port: {server.port}
    user: {user}
    identity: {server.client_key}
    known_hosts: {server.known_hosts}
    ssh_config: {server.ssh_config}
    connections_per_minute: 600
"""


def measure(work: Path) -> list[Line]:
    file = work / "large"
    with file.open("w") as lines:
        for number in range(LINES):
            lines.write(f"{number:09} {'x' * 89}\n")
    with openssh(work / "sshd") as server:
        plain = [_to_nowhere(server, f"cat {file}")]
        walk = _walk(work, server, file)
        plain.append(_to_nowhere(server, f"cat {file}"))
    theirs = MEGABYTES / statistics.median(plain)
    what = "flood of 1,000,000 lines"
    return [
        Line(what, MEGABYTES / walk.seconds, "MB/s", "paramiko, to nowhere", theirs, 0.5, at_least=True),
        Line(f"{what}: memory grows by", walk.grown, "MB", reach=60.0),
        Line(f"{what}: key to paint, median", statistics.median(walk.presses) * 1000, "ms"),
        Line(
            f"{what}: key to paint, 99th percentile of {len(walk.presses)}",
            statistics.quantiles(walk.presses, n=100)[98] * 1000,
            "ms",
            reach=100.0,
        ),
    ]


class Walked:
    """What was seen of the walk: how long the flood took, and what it did to the screen meanwhile."""

    seconds: float
    grown: float
    presses: list[float]


def _walk(work: Path, server: OpenSsh, file: Path) -> Walked:
    runbook, site, state = work / "runbook.yaml", work / "site.yaml", work / "state"
    runbook.write_text(RUNBOOK.format(file=file))
    site.write_text(SITE.format(server=server, user=USER))
    places = {"XDG_STATE_HOME": str(state), "HOME": str(work)}
    argv = [Path(sys.executable).parent / "breakglass", "run", runbook, "--site", site]
    seen = Walked()
    seen.presses = []
    with in_terminal(argv, places, work) as (screen, process):
        journal = _until(screen, lambda: next(state.rglob("journal.jsonl"), None))
        _until(screen, lambda: _event(journal, "action.prepared", "flood"))
        before = _memory(process.pid)
        seen.grown = 0.0
        while (finished := _event(journal, "action.finished", "flood")) is None:
            for key, painted in ((b"?", b" help"), (b"\x1b", b"")):
                screen.written = b""
                pressed = time.perf_counter()
                screen.type(key)
                if painted:
                    screen.until(painted)
                    seen.presses.append(time.perf_counter() - pressed)
                _listen(screen, 0.2)
            seen.grown = max(seen.grown, _memory(process.pid) - before)
        seen.seconds = float(finished["seconds"])
    return seen


def _until(screen: Screen, look: Any) -> Any:
    end = time.monotonic() + PATIENCE
    while (found := look()) is None:
        if time.monotonic() > end:
            raise RuntimeError(f"the walk did not come so far; at last came {screen.written[-2000:]!r}")
        _listen(screen, 0.05)
    return found


def _listen(screen: Screen, seconds: float) -> None:
    """Read what is painted for a while, as a terminal does."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and screen.read(left):
        screen.written = screen.written[-10_000:]


def _event(journal: Path, type_: str, step: str) -> Mapping[str, Any] | None:
    for line in journal.read_text().splitlines():
        if f'"type":"{type_}"' in line and f'"step":"{step}"' in line:
            return json.loads(line)["data"]
    return None


def _memory(process: int) -> float:
    """Resident megabytes."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def _to_nowhere(server: OpenSsh, command: str) -> float:
    client = paramiko.SSHClient()
    client.load_host_keys(str(server.known_hosts))
    client.connect(server.address, server.port, USER, key_filename=str(server.client_key), allow_agent=False)
    try:
        started = time.perf_counter()
        _, stdout, _ = client.exec_command(command)
        while stdout.channel.recv(1 << 17):
            pass
        return time.perf_counter() - started
    finally:
        client.close()
