"""Floods of 1,000,000 lines, 100 MB, from SSH with the walk on screen, beside paramiko reading to nowhere.

The walk is the program in a pseudo-terminal, on a site with one loopback sshd. Some floods are left alone;
they give the throughput and what the memory grows by. Through the others keys are pressed in turn:
help, back from it, the timeline, and back to the output. Each press is timed until what it asks for was
painted; those that began within a flood count.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import paramiko

from bench.measure import Line
from bench.terminal import Screen, in_terminal
from tests.support.openssh import USER, OpenSsh, openssh

LINES, MEGABYTES = 1_000_000, 100
ALONE, PRESSED = 5, 40
"""Floods that are left alone, and those through which keys are pressed."""
PATIENCE = 400.0
BETWEEN = 0.05
"""Seconds from what a press has painted to the next press."""
KEYS = (
    (b"?", b"Move unwrapped output to the left."),
    (b"q", b"Read it all"),
    (b"t", b"[ timeline "),
    (b"t", b"[ output "),
)
"""What is pressed, and what is then painted that was not before. Esc would do in place of q, but whether it
begins a sequence shows only 0.1 s later."""
RUNBOOK = """\
runbook: flood
title: Floods of lines
summary: Reads one large file again and again.
severity: sev3
uses: {hosts: [box]}
steps:
  - {id: first, title: One line, ssh: {host: box, run: [head, -n, "1", FILE]}, timeout: 30s}
"""
FLOOD = """\
  - id: NAME
    title: Read it all
    ssh: {host: box, run: [cat, FILE]}
    timeout: 600s
    output_limit: 128 MiB
"""
STAY = "  - {id: stay, title: Stay here, manual: Nothing to do.}\n"
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
T = TypeVar("T")


def measure(work: Path) -> list[Line]:
    file = work / "large"
    with file.open("w") as lines:
        for number in range(LINES):
            lines.write(f"{number:09} {'x' * 89}\n")
    with openssh(work / "sshd") as server:
        plain = [_to_nowhere(server, f"cat {file}") for _ in range(3)]
        walk = _walk(work, server, file)
        plain += [_to_nowhere(server, f"cat {file}") for _ in range(3)]
    theirs = MEGABYTES / statistics.median(plain)
    what = "flood of 1,000,000 lines"
    presses = [
        seconds for began, seconds in walk.presses if any(begin <= began <= end for begin, end in walk.times)
    ]
    return [
        Line(what, _throughput(walk.alone), "MB/s", "paramiko, to nowhere", theirs, 0.5, at_least=True),
        Line(f"{what}, keys pressed", _throughput(walk.pressed), "MB/s", "paramiko, to nowhere", theirs),
        Line(f"{what}: memory grows by", walk.grown, "MB", reach=60.0),
        Line(f"{what}: key to paint, median of {len(presses)}", statistics.median(presses) * 1000, "ms"),
        Line(
            f"{what}: key to paint, 99th percentile of {len(presses)}",
            statistics.quantiles(presses, n=100)[98] * 1000,
            "ms",
            reach=100.0,
        ),
    ]


def _throughput(seconds: list[float]) -> float:
    return MEGABYTES / statistics.median(seconds)


@dataclass(slots=True)
class Walked:
    """What was seen of the walk. alone, pressed: how long each flood took, by the program's own record.

    grown: megabytes. times: when the floods with presses began and ended. presses: when each was made, and
    how long it took.
    """

    alone: list[float] = field(default_factory=list[float])
    pressed: list[float] = field(default_factory=list[float])
    grown: float = 0.0
    times: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    presses: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])


def _walk(work: Path, server: OpenSsh, file: Path) -> Walked:
    runbook, site, state = work / "runbook.yaml", work / "site.yaml", work / "state"
    alone = [f"alone-{number}" for number in range(ALONE)]
    pressed = [f"pressed-{number}" for number in range(PRESSED)]
    floods = "".join(FLOOD.replace("NAME", name) for name in alone + pressed)
    runbook.write_text(f"{RUNBOOK}{floods}{STAY}".replace("FILE", str(file)))
    site.write_text(SITE.format(server=server, user=USER))
    places = {"XDG_STATE_HOME": str(state), "HOME": str(work)}
    argv = [Path(sys.executable).parent / "breakglass", "run", runbook, "--site", site]
    seen = Walked()
    with in_terminal(argv, places, work) as (screen, process):
        journal = _until(screen, lambda: next(state.rglob("journal.jsonl"), None))
        _until(screen, lambda: _event(journal, "action.prepared", alone[0]))
        before = _memory(process.pid)
        while _event(journal, "action.prepared", pressed[0]) is None:
            _listen(screen, 0.2)
            seen.grown = max(seen.grown, _memory(process.pid) - before)
        while _event(journal, "action.finished", pressed[-1]) is None:
            for key, painted in KEYS:
                screen.written = b""
                began, pressed_at = time.time(), time.perf_counter()
                screen.type(key)
                screen.until(painted)
                seen.presses.append((began, time.perf_counter() - pressed_at))
                _listen(screen, BETWEEN)
            seen.grown = max(seen.grown, _memory(process.pid) - before)
    for name in alone + pressed:
        begin, end = (_event(journal, f"action.{what}", name) for what in ("prepared", "finished"))
        assert begin is not None and end is not None
        (seen.alone if name in alone else seen.pressed).append(float(end["data"]["seconds"]))
        if name in pressed:
            seen.times.append((_time(begin), _time(end)))
    return seen


def _until(screen: Screen, look: Callable[[], T | None]) -> T:
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
            return json.loads(line)
    return None


def _time(record: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(record["time"]).timestamp()


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
