"""The real program in a real pseudo-terminal: 60x20, a terminal that vanishes, and one that stops reading."""

import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROGRAM = "import sys; from breakglass.cli.main import main; sys.exit(main())"
PATIENCE = 60.0
"""Seconds before a test gives up."""
ESCAPES = re.compile(
    rb"\x1b(\[[0-9;?<>=$]*[A-Za-z]|[()][A-Z0-9]|[=>78]|\][^\x07\x1b]*(\x07|\x1b\\)|P[^\x1b]*\x1b\\)"
)
NOT_INHERITED = {"NO_COLOR", "SSH_CONNECTION"}


class Pty:
    """The program under a pseudo-terminal of its own."""

    def __init__(self, folder: Path, *words: str, size: tuple[int, int] = (60, 20)) -> None:
        self.state = folder / "state"
        self.master, slave = os.openpty()
        self.resize(*size)
        environment = {
            **{name: value for name, value in os.environ.items() if name not in NOT_INHERITED},
            "TERM": "xterm-256color",
            "BREAKGLASS_STATE": str(self.state),
            "BREAKGLASS_OPERATOR": "oncall",
            "LC_ALL": "C.UTF-8",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
        )
        os.close(slave)
        self.raw = b""

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read(self, seconds: float = 0.1) -> None:
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            try:
                self.raw += os.read(self.master, 65536)
            except OSError:
                return

    @property
    def text(self) -> str:
        """All that was written so far, without what moves and colours."""
        return " ".join(ESCAPES.sub(b" ", self.raw).decode(errors="replace").split())

    def until(self, holds: Callable[["Pty"], bool], *, reading: bool = True) -> None:
        end = time.monotonic() + PATIENCE
        while not holds(self):
            assert time.monotonic() < end, self.text[-2000:]
            if reading:
                self.read()
            else:
                select.select([], [], [], 0.05)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    @property
    def events(self) -> list[dict[str, object]]:
        """The journal's records so far."""
        lines = [line for path in self.state.glob("sessions/*/journal.jsonl") for line in path.open()]
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def has(self, type_: str, **fields: object) -> bool:
        return any(
            each["type"] == type_ and all(dict(each["data"]).get(n) == v for n, v in fields.items())  # type: ignore[call-overload]
            for each in self.events
        )

    def of(self, type_: str) -> list[dict[str, object]]:
        return [each for each in self.events if each["type"] == type_]

    def ended(self) -> int:
        self.until(lambda pty: pty.process.poll() is not None)
        assert self.process.returncode is not None
        return self.process.returncode


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Pty]]:
    made: list[Pty] = []

    def start(*words: str, size: tuple[int, int] = (60, 20)) -> Pty:
        made.append(Pty(tmp_path, *words, size=size))
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def test_a_walk_at_60x20_by_keyboard_to_its_report_and_exit_code(started: Callable[..., Pty]) -> None:
    pty = started("rehearse", "outpost-shm-purge", "healthy-outpost")
    pty.until(lambda pty: pty.has("asked", question="continue") and "NEEDS YOU" in pty.text)
    assert "REHEARSAL" in pty.text
    pty.press("\r")
    pty.until(lambda pty: len(pty.of("asked")) > 1 and "end of Symptom" in pty.text)
    pty.press("\r")
    pty.until(lambda pty: "After-action review" in pty.text)
    pty.press("q")
    assert pty.ended() == 0
    assert b"\x1b[?1049l" in pty.raw, "the terminal is given back"
    titles = set(re.findall(rb"\x1b\]([^\x07\x1b]*)", pty.raw))
    assert titles <= {b"22;default"}, "the shape of the mouse pointer, and nothing from outside"


def go_on_to(pty: Pty, question: str, step: str, *, reading: bool = True) -> None:
    """Go on from each stop of the walk until a question is asked."""
    stops = 0
    while not pty.has("asked", question=question, step=step):
        pty.until(lambda pty, known=stops: len(pty.of("asked")) > known, reading=reading)
        stops = len(pty.of("asked"))
        if not pty.has("asked", question=question, step=step):
            pty.press("\r")


def to_the_change(pty: Pty) -> None:
    """Walk to the confirmation and give the word."""
    go_on_to(pty, "confirm", "purge")
    pty.press("\r")
    pty.until(lambda pty: "To run it, type" in pty.text)
    while "the end; Up, PgUp" not in pty.text:
        pty.press("\x1b[6~")
        pty.read(0.2)
    asked = next(each for each in pty.events if dict(each["data"]).get("question") == "confirm")  # type: ignore[call-overload]
    pty.press(str(dict(asked["data"])["typed"]))  # type: ignore[call-overload]
    pty.until(lambda pty: "sends it" in pty.text)
    pty.press("\r")
    pty.until(lambda pty: pty.has("action.intended"))


def test_the_outcome_of_a_change_is_recorded_though_the_terminal_is_gone(started: Callable[..., Pty]) -> None:
    pty = started("rehearse", "outpost-shm-purge")
    to_the_change(pty)
    os.close(pty.master)
    assert pty.process.wait(PATIENCE) is not None
    intended = [each for each in pty.events if each["type"] == "action.intended"]
    finished = [each for each in pty.events if each["type"] == "action.finished"]
    assert len(intended) == 1
    assert any(dict(each["data"])["step"] == "purge" for each in finished)  # type: ignore[call-overload]
    assert pty.has("session.ended", result="stopped")


def test_a_terminal_that_stops_reading_does_not_stop_the_session(started: Callable[..., Pty]) -> None:
    pty = started("rehearse", "outpost-shm-purge", size=(120, 40))
    go_on_to(pty, "continue", "other-sites")
    for turn in range(80):
        pty.resize(120 - turn % 2, 40)
        pty.process.send_signal(signal.SIGWINCH)
        select.select([], [], [], 0.02)
    go_on_to(pty, "continue", "owner", reading=False)
    pty.until(
        lambda pty: "Will anything replace the pod?" in pty.text and "next phase, Purge: Delete" in pty.text
    )
    pty.press("S")
    pty.until(lambda pty: "Whom do you call" in pty.text)
    pty.press("call\r")
    pty.until(lambda pty: pty.has("session.ended"))
    pty.until(lambda pty: "After-action review" in pty.text)
    pty.press("q")
    assert pty.ended() == 5
