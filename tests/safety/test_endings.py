"""A program that is told to end, or whose terminal goes, in the middle of a change: the outcome is on record.

The program runs as it does for an operator, in a terminal of its own or without one; the change is a request
that a server of the test answers when the test says so.
"""

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from breakglass.journal import events as e
from breakglass.journal.folders import all_sessions
from breakglass.journal.state import State, fold
from breakglass.journal.store import FILE_NAME, read
from tests.transport.http_support import serving

PATIENT = 90.0
MEANWHILE = 0.3
"""Seconds between the harm and the answer, so that there is something to be waited for."""
RUNBOOK = """\
runbook: example
title: An example
summary: Something is wrong.
severity: sev2
uses: {endpoints: [app]}
steps:
  - id: restart
    title: Restart it
    http: {post: app}
    timeout: 20s
    undo: NONE
    verify: {http: {get: app}, until: result.status == 200, every: 1s, within: 5s}
    impact: It restarts.
    unknown: Look whether it has restarted.
  - id: after
    title: Look
    manual: Look at it.
"""
PROGRAM = (sys.executable, "-m", "breakglass.cli.main")
ROOT = Path(__file__).parents[2]


@dataclass
class Change:
    """A server whose one change takes as long as the test wants."""

    folder: Path
    url: str = ""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    answer: asyncio.Event = field(default_factory=asyncio.Event)
    requests: int = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "POST":
            self.requests += 1
            self.arrived.set()
            await self.answer.wait()
        return web.json_response({"restarted": True})

    @property
    def words(self) -> tuple[str, ...]:
        return ("run", str(self.folder / "runbook.yaml"), "--site", str(self.folder / "site.yaml"))

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TMUX")}
        state = {"BREAKGLASS_STATE": str(self.folder / "state"), "BREAKGLASS_OPERATOR": "operator"}
        return {**kept, **state, "TERM": "xterm-256color", "LANG": "C.UTF-8"}

    def state(self) -> State:
        """What the journal says of the one session that there is."""
        (folder,) = all_sessions(self.folder / "state")
        return fold(read(folder.path / FILE_NAME).records)


@asynccontextmanager
async def change(folder: Path) -> AsyncGenerator[Change]:
    (folder / "state").mkdir(mode=0o700)
    (folder / "runbook.yaml").write_text(RUNBOOK)
    made = Change(folder)
    async with serving(made) as port, asyncio.timeout(PATIENT):
        (folder / "site.yaml").write_text(
            f"site: lab\nproduction: false\nendpoints: {{app: {{url: 'http://127.0.0.1:{port}'}}}}\n"
        )
        yield made


@dataclass
class Terminal:
    """A program in a terminal. What it says is read and dropped."""

    program: "subprocess.Popen[bytes]"
    master: int
    said: bytearray = field(default_factory=bytearray)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def close(self) -> None:
        """Close the terminal, as closing its window does."""
        asyncio.get_running_loop().remove_reader(self.master)
        os.close(self.master)
        self.master = -1

    async def ended(self) -> int:
        while self.program.poll() is None:
            await asyncio.sleep(0.02)
        return self.program.returncode


def heeding_interrupts() -> None:
    """Whoever runs the suite in the background has SIGINT ignored, and every program that it starts too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@asynccontextmanager
async def terminal(made: Change, *more: str) -> AsyncGenerator[Terminal]:
    """The program in a terminal of its own, which is the one that it is controlled by."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def controlled() -> None:
        heeding_interrupts()
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    program = subprocess.Popen(
        [*PROGRAM, *made.words, *more],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=made.environment,
        preexec_fn=controlled,
    )
    os.close(slave)
    shown = Terminal(program, master)

    def listen() -> None:
        with contextlib.suppress(OSError):
            shown.said += os.read(master, 65536)

    asyncio.get_running_loop().add_reader(master, listen)
    try:
        yield shown
    finally:
        program.kill()
        program.wait()
        if shown.master >= 0:
            shown.close()


async def until_it_arrives(made: Change, press: Callable[[], None]) -> None:
    """Press what confirms the change, as often as it takes: a dialog that has just opened takes no keys."""
    while not made.arrived.is_set():
        press()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(made.arrived.wait(), 1.0)


def key_for(said: str) -> str:
    """The key that the cockpit waits for: what opens the confirmation, or what is the word."""
    return "Y" if "To do it" in said else "\r"


def check(made: Change) -> None:
    """The change was sent once, and how it ended is on record."""
    state = made.state()
    (attempt,) = state.steps["restart"].attempts
    assert made.requests == 1
    assert [each.outcome for each in attempt.finished] == ["succeeded"]
    assert not attempt.open_intents


def hang_up(shown: Terminal) -> None:
    shown.close()


def told(received: signal.Signals) -> Callable[[Terminal], None]:
    def tell(shown: Terminal) -> None:
        os.kill(shown.program.pid, received)

    return tell


HARMS = {
    "SIGHUP": told(signal.SIGHUP),
    "SIGTERM": told(signal.SIGTERM),
    "SIGINT": told(signal.SIGINT),
    "closed terminal": hang_up,
}
EACH_HARM = pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())


@EACH_HARM
@pytest.mark.parametrize("front", ["--plain", "cockpit"])
async def test_in_a_terminal_the_outcome_of_a_change_is_waited_for(
    tmp_path: Path, front: str, harm: Callable[[Terminal], None]
) -> None:
    plain = front == "--plain"
    async with change(tmp_path) as made, terminal(made, *([front] if plain else [])) as shown:
        await until_it_arrives(
            made, lambda: shown.type("Y\n" if plain else key_for(shown.said.decode(errors="replace")))
        )
        harm(shown)
        await asyncio.sleep(MEANWHILE)
        made.answer.set()
        await shown.ended()
        check(made)


async def test_a_tmux_server_that_is_killed_leaves_the_outcome_on_record(tmp_path: Path) -> None:
    server = ("tmux", "-f", "/dev/null", "-S", str(tmp_path / "tmux"))
    async with change(tmp_path) as made:
        command = ("new-session", "-d", "-s", "one", "-x", "120", "-y", "40", *PROGRAM, *made.words)
        started = ("env", f"PYTHONPATH={ROOT}", *server, *command)
        subprocess.run(started, check=True, env=made.environment, cwd=ROOT)
        try:
            await until_it_arrives(made, lambda: press_in(*server))
            (begun,) = [each.event for each in made.state().timeline[:1]]
            assert isinstance(begun, e.SessionStarted)
        finally:
            run(*server, "kill-server")
        await asyncio.sleep(MEANWHILE)
        made.answer.set()
        while Path(f"/proc/{begun.pid}").exists():
            await asyncio.sleep(0.02)
        check(made)


def press_in(*server: str) -> None:
    said = run(*server, "capture-pane", "-p", "-t", "one")
    run(*server, "send-keys", "-t", "one", "-l", key_for(said))


def run(*argv: str) -> str:
    return subprocess.run(argv, check=False, capture_output=True, text=True).stdout


@pytest.mark.parametrize("harm", ["SIGHUP", "SIGTERM", "SIGINT", "closed pipe"])
async def test_without_a_terminal_the_outcome_of_a_change_is_waited_for(tmp_path: Path, harm: str) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    words = ("rehearse", "outpost-shm-purge", "--auto", "--json", "--speed", "10")
    program = await asyncio.create_subprocess_exec(
        *(*PROGRAM, *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=2**22,
        cwd=ROOT,
        env={**os.environ, "BREAKGLASS_STATE": str(state)},
        preexec_fn=heeding_interrupts,
    )
    assert program.stdout is not None
    async with asyncio.timeout(PATIENT):
        while b'"type": "action.intended"' not in (line := await program.stdout.readline()):
            assert line, "it ended before it came to the change"
        if harm == "closed pipe":
            program.stdout.feed_eof()
            program._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        else:
            program.send_signal(signal.Signals[harm])
            await program.stdout.read()
        code = await program.wait()
    (folder,) = all_sessions(state)
    session = fold(read(folder.path / FILE_NAME).records)
    (attempt,) = session.steps["purge"].attempts
    assert [each.outcome for each in attempt.finished] == ["succeeded"]
    if harm == "SIGINT":
        assert session.ended is None
        assert code == 130
    else:
        assert session.ended is not None
        assert session.ended.result == "stopped"
        # Unknown, unless its first look has verified it already.
        assert code == (5 if session.steps["purge"].status == "ok" else 6)
