"""What the far side says is data: through real transports and the real program, nothing of it is obeyed."""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from tests.safety.hostile import (
    PATIENCE,
    PAYLOADS,
    PROGRAM,
    RAW,
    Place,
    hostile_answer,
    hostile_place,
    obeyed_in,
    obeyed_in_terminal,
)

RUNBOOK = """\
runbook: hostile
title: Ask everybody
summary: Everything that is asked answers with harm.
severity: sev2
uses: {clusters: [main], hosts: [box], endpoints: [app]}
steps:
  - id: over-ssh
    title: Ask the machine
    ssh: {host: box, run: "cat ANSWERS/hostile; cat ANSWERS/hostile >&2"}
    capture: {said: result.text, lines: 'result.text.split("\\n")'}
    expect: [{that: "result.exit == 0 && said.contains('planted')", else: "It said ${{ said }}"}]
  - id: pods
    title: List the pods
    kubectl: get pods -n web -o json
    capture: {note: "result.json.items[0].metadata.annotations.note"}
    expect: [{that: "note.contains('planted')", else: "${{ note }}"}]
    next: [{when: "note == 'none'", goto: done, say: "${{ note }}"}]
  - id: table
    title: As a table
    kubectl: get pods -n web -o wide
  - id: log
    title: Read the log
    kubectl: logs -n web front
  - id: inside
    title: Ask inside of the pod
    kubectl: exec -n web front -- df
    tolerate: [exit]
  - id: page
    title: Ask the site
    http: {get: app, path: /x}
    capture: {header: "result.headers['x-planted']"}
    expect: [{that: "header == ''", else: "The header is ${{ header }}"}]
  - id: gone
    title: Ask for what is not there
    kubectl: "get pod ${{ note }} -n web -o json"
  - id: deny
    title: Delete what may not be deleted
    kubectl: delete pod denied -n web
    impact: "Breaks ${{ note }}"
    confirm: {type: denied}
    undo: {say: "As ${{ said }}"}
    verify: {kubectl: get pods -n web -o json, until: "size(result.json.items) == 0", within: 1s}
"""
ANSWER = hostile_answer(
    f"503 planted {PAYLOADS[7]}", RAW, "X-Planted: [bold]planted[/] \x9b31m \u202e", "Location: /\x9b31m"
)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place]:
    async with hostile_place(tmp_path / "place", RUNBOOK, http=ANSWER) as made:
        yield made


def walked(place: Place) -> list[str]:
    """The types of all records so far."""
    lines = [
        line for path in (place.folder / "state").glob("sessions/*/journal.jsonl") for line in path.open()
    ]
    return [json.loads(line)["type"] for line in lines if line.endswith("\n")]


SKIPS = "".join(f"3\nleft out {number}\n" for number in range(4))


async def test_plain_mode_and_what_is_kept_hold_no_control(place: Place) -> None:
    ran = await place.run("run", str(place.runbook), "--site", str(place.site), "--plain", typed=SKIPS * 2)
    assert "planted" in ran.text
    assert not obeyed_in(ran.text)
    assert "Traceback" not in ran.text
    assert "action.finished" in walked(place)
    for path, content in place.stored().items():
        assert not obeyed_in(content.decode()), path
    for words in (["report", "last"], ["report", "last", "--timeline"]):
        told = await place.run(*words)
        assert told.exit == 0, told.text
        assert "planted" in told.text
        assert not obeyed_in(told.text), words


async def test_headless_output_and_a_watcher_hold_no_control(place: Place) -> None:
    words = ["run", str(place.runbook), "--site", str(place.site)]
    for told in (
        await place.run(*words),
        await place.run(*words, "--json"),
        await place.run("watch", "--json"),
    ):
        assert "planted" in told.text
        assert not obeyed_in(told.text)
        for line in told.out.decode().splitlines():
            assert not line.startswith("{") or json.loads(line)


class Terminal:
    """A pseudo-terminal with the cockpit in it."""

    def __init__(self, place: Place, *words: str) -> None:
        self.place = place
        self.raw = b""
        self.master, slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=place.environment,
            start_new_session=True,
        )
        os.close(slave)

    def until(self, what: str, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, f"{what}: {self.raw[-3000:]!r}"
            self.read(0.05)

    def read(self, seconds: float) -> bool:
        """Read what there is; whether there was anything within so many seconds."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        with contextlib.suppress(OSError):  # the program has gone, and its end of the terminal with it
            self.raw += os.read(self.master, 65536)
        return self.process.poll() is None

    def settle(self) -> None:
        """Read until nothing more comes for a moment, so that what a key shows is drawn before the next."""
        while self.read(0.06):
            pass

    def press(self, *keys: str) -> None:
        for key in keys:
            os.write(self.master, key.encode())
            self.settle()

    def press_until(self, key: str, words: bytes) -> None:
        """Press a key until its answer is on the screen; the screen may not have caught up with the walk."""
        mark = len(self.raw)
        while words not in self.raw[mark:]:
            os.write(self.master, key.encode())
            self.read(1.0)
            self.settle()
        self.settle()

    def asked(self, step: str, question: str) -> Callable[[], bool]:
        def holds() -> bool:
            path = next((self.place.folder / "state").glob("sessions/*/journal.jsonl"), None)
            lines = path.read_text().splitlines() if path is not None else []
            if not lines:
                return False
            last = json.loads(lines[-1])
            where = (last["data"].get("step"), last["data"].get("question"))
            return last["type"] == "asked" and where == (step, question)

        return holds

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


def walk_the_cockpit(place: Place) -> bytes:
    """Walk to the end, looking at every view of every step on the way. Gives all that the terminal got."""
    terminal = Terminal(place, "run", str(place.runbook), "--site", str(place.site))
    try:
        terminal.until("the pods", terminal.asked("pods", "continue"))
        terminal.press("\r")
        terminal.until("the page", terminal.asked("page", "decide"))
        terminal.press("v", "t", "o", "f", "w", "f")
        for _ in range(6):
            terminal.press("k", "o")
        terminal.press("\r")
        terminal.press_until("s", b"deferred item")
        terminal.press("left out", "\r")
        terminal.until("what is gone", terminal.asked("gone", "decide"))
        terminal.press_until("s", b"deferred item")
        terminal.press("left out", "\r")
        terminal.until("the change", terminal.asked("deny", "confirm"))
        terminal.press_until("\r", b"WILL RUN")
        terminal.press(*["\x1b[6~"] * 3)
        terminal.until("the quiet", lambda: b"To run it, type" in terminal.raw)
        terminal.press("\x1b")
        terminal.until("its end", terminal.asked("deny", "decide"))
        terminal.press_until("S", b"Whom do you call")
        terminal.press("enough", "\r")
        terminal.until("the report", lambda: b"Post-mortem" in terminal.raw)
        terminal.press("t", " ", "G", "t", " ", "t", "q")
        terminal.until("the end", lambda: terminal.process.poll() is not None)
        return terminal.raw
    finally:
        terminal.kill()


@pytest.mark.parametrize("payload", [each for each in PAYLOADS if "\x1b" in each or "\x9b" in each])
def test_what_came_through_raw_would_be_seen(payload: str) -> None:
    assert obeyed_in(f"a line {payload}")
    assert obeyed_in_terminal(f"\x1b[38;5;16m{payload}\x1b[0m".encode())


async def test_the_cockpit_writes_no_escape_but_its_own(place: Place) -> None:
    raw = await asyncio.to_thread(walk_the_cockpit, place)
    assert raw.count(b"planted") > 20, "it was shown"
    assert rb"\x1b]52;c;cGxhbnRlZA==\x07" in raw, "as text"
    assert not obeyed_in_terminal(raw)
