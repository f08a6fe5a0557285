"""Programs that run as they do for an operator, in a terminal of their own, and the change that they make: a
request that a server of the test answers when the test says so.
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
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from breakglass.journal.folders import all_sessions
from breakglass.journal.state import State, fold
from breakglass.journal.store import FILE_NAME, read
from tests.transport.http_support import serving

PATIENT = 90.0
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
async def change(folder: Path, runbook: str = RUNBOOK, site: str = "") -> AsyncGenerator[Change]:
    """`site` is what the site's file says besides the endpoint."""
    (folder / "state").mkdir(mode=0o700)
    (folder / "runbook.yaml").write_text(runbook)
    made = Change(folder)
    async with serving(made) as port, asyncio.timeout(PATIENT):
        (folder / "site.yaml").write_text(
            f"site: lab\nproduction: false\nendpoints: {{app: {{url: 'http://127.0.0.1:{port}'}}}}\n{site}"
        )
        yield made


@dataclass
class Terminal:
    """A program in a terminal, and what it has said so far."""

    program: "subprocess.Popen[bytes]"
    master: int
    said: bytearray = field(default_factory=bytearray)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    @property
    def text(self) -> str:
        return self.said.decode(errors="replace")

    async def until(self, *words: str) -> None:
        """Wait until it has said one of these, and forget what it said up to then."""
        while not any(each in self.text for each in words):
            await asyncio.sleep(0.02)
            assert self.program.poll() is None or any(each in self.text for each in words), self.text
        end = max(self.text.find(each) + len(each) for each in words)
        del self.said[: len(self.text[:end].encode())]

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


@dataclass(frozen=True)
class Pane:
    """A program in tmux, whose screen can be read."""

    server: tuple[str, ...]

    def __call__(self, *words: str, given: str | None = None) -> str:
        ran = subprocess.run(
            [*self.server, *words],
            check=False,
            capture_output=True,
            text=True,
            input=given,
            env=_outside_tmux(),
        )
        return ran.stdout

    @property
    def screen(self) -> str:
        """What is on the screen, with each run of blanks as one space, so that wrapping does not matter."""
        return " ".join(self("capture-pane", "-p", "-t", "one").split())

    def type(self, text: str) -> None:
        """Send a text in one write, as a paste without brackets or a very quick hand does."""
        self("send-keys", "-t", "one", "-l", text)

    def press(self, key: str) -> None:
        self("send-keys", "-t", "one", key)

    def paste(self, text: str, *options: str) -> None:
        """Paste through tmux's buffer: `-p` in brackets where the program asks for them, `-r` with line ends
        as they are."""
        self("load-buffer", "-", given=text)
        self("paste-buffer", *options, "-t", "one")

    async def until(self, *words: str) -> str:
        """The screen as soon as one of these is on it."""
        while not any(each in (screen := self.screen) for each in words):
            await asyncio.sleep(0.05)
        return screen


def _outside_tmux() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("TMUX", "NO_COLOR")}


@asynccontextmanager
async def pane(made: Change, folder: Path, *more: str) -> AsyncGenerator[Pane]:
    """The program in a tmux server of its own."""
    server = ("tmux", "-f", "/dev/null", "-S", str(folder / "tmux"))
    command = ("new-session", "-d", "-s", "one", "-x", "120", "-y", "40", *PROGRAM, *made.words, *more)
    started = ("env", f"PYTHONPATH={ROOT}", *server, *command)
    subprocess.run(started, check=True, env=made.environment, cwd=ROOT)
    try:
        yield Pane(server)
    finally:
        Pane(server)("kill-server")
