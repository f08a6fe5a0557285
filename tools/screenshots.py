"""Pictures of every screen, made by walking a rehearsal by keyboard: `python -m tools.screenshots`.

Each screen is drawn as SVG at three sizes; the README's picture is also turned into PNG by rsvg-convert. A
second walk goes through a real pseudo-terminal and is recorded as an asciicast. What differs from run to run
is what really differs: times, ports, and the ends of names.
"""

import asyncio
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

from textual.pilot import Pilot

from breakglass.cli.session_exit_code import code_of
from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder, all_sessions
from breakglass.journal.follow import follower
from breakglass.journal.state import State, fold
from breakglass.journal.store import FILE_NAME, read
from breakglass.threads import in_thread
from breakglass.tui.app import Cockpit
from breakglass.tui.dialogs.confirm import QUIET, ConfirmDialog
from breakglass.tui.screens.report.screen import ReportScreen
from breakglass.tui.screens.walk.screen import WalkScreen
from breakglass.tui.watch import WatchCockpit

FOLDER = Path(__file__).parent.parent / "screenshots"
SIZES = ((120, 40), (80, 24), (60, 20))
RUNBOOK = "outpost-shm-purge"
IN_THE_README = "walk-120x40"
ZOOM = "0.8"
FONT, FONT_SIZE = "DejaVu Sans Mono", "font-size: 20.264px"
LONGEST_WAIT = 240.0
"""Seconds that anything of the walk may take before the pictures are given up."""

KEY_OF = {" ": "space", ".": "full_stop", ":": "colon", "@": "at", "-": "minus", "/": "slash"}

CAST_SIZE = (110, 34)
LONGEST_PAUSE = 1.5
"""Seconds of a pause that are kept in the recording."""


class NotReachedError(Exception):
    """The walk did not come to a place where a picture was to be taken."""


def convert(path: Path) -> None:
    """An SVG as a PNG beside it.

    rsvg-convert does not stretch text to `textLength`, so the font's size is set to what gives the same cell.
    """
    svg = path.read_text(encoding="utf-8").replace("Fira Code", FONT).replace("font-size: 20px", FONT_SIZE)
    command = ["rsvg-convert", "--zoom", ZOOM, "--output", str(path.with_suffix(".png"))]
    subprocess.run(command, input=svg.encode(), check=True)


@dataclass(frozen=True, slots=True)
class Camera:
    """Takes pictures of a cockpit that runs without a terminal."""

    pilot: Pilot[int]

    async def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        for _ in range(8):
            await asyncio.sleep(0.05)
            await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys by their names, or characters by themselves."""
        for key in keys:
            await self.pilot.press(KEY_OF.get(key, key))
        await self.settle()

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for the walk to come to a place."""
        end = time.monotonic() + LONGEST_WAIT
        while not holds():
            if time.monotonic() > end:
                raise NotReachedError(what)
            await asyncio.sleep(0.05)
        await self.settle()

    async def take(self, name: str) -> None:
        """The screen as it is, at each size."""
        for width, height in SIZES:
            await self.pilot.resize_terminal(width, height)
            await self.settle()
            # Spaces at the beginning of a run are dropped by rsvg-convert unless it is told to keep them.
            svg = self.pilot.app.export_screenshot().replace("<text ", '<text xml:space="preserve" ')
            path = FOLDER / f"{name}-{width}x{height}.svg"
            path.write_text(svg, encoding="utf-8")
            if path.stem == IN_THE_README:
                await in_thread(lambda path=path: convert(path))
        await self.pilot.resize_terminal(*SIZES[0])
        await self.settle()


async def walk_and_take() -> None:
    """Walk the rehearsal from the library to its report, with a picture of everything on the way."""
    app = Cockpit(code_of)
    async with app.run_test(size=SIZES[0]) as pilot:
        camera = Camera(pilot)
        await camera.until(lambda: bool(app.screen.query("#runbooks")), "the library")
        await camera.press("slash", *"no space left on device", "enter")
        await camera.take("search")
        await camera.press("escape", "slash", *"outpost", "enter", "escape")
        await camera.take("library")
        await camera.press("enter")
        await camera.until(lambda: bool(app.screen.query("#mode-live")), "the preflight")
        await camera.take("preflight")
        await camera.press("G", "enter")
        await camera.until(lambda: isinstance(app.screen, WalkScreen), "the walk")
        assert isinstance(app.screen, WalkScreen)
        session = app.screen.walk
        while True:
            await camera.until(
                lambda: session.state.waiting is not None or session.state.ended is not None, "asked"
            )
            asked = session.state.waiting
            if asked is None:
                break
            if asked.step == "owner":
                await take_the_walk(app, camera)
            await answer(camera, session.state)
            await camera.until(
                lambda asked=asked: session.state.waiting is not asked, f"{asked.step} answered"
            )
        await camera.until(lambda: isinstance(app.screen, ReportScreen), "the report")
        await camera.take("report")
        await camera.press("t")
        await camera.take("post-mortem")


async def take_the_walk(app: Cockpit, camera: Camera) -> None:
    """The walk itself: in each theme, with its timeline, its help and its palette."""
    await camera.take("walk")
    for theme in ("light", "high-contrast"):
        app.theme = theme
        await camera.take(f"walk-{theme}")
    app.theme = "dark"
    await camera.press("t", "o", "f")
    await camera.take("timeline")
    await camera.press("f", "o", "t", "question_mark")
    await camera.take("help")
    await camera.press("escape", "colon")
    await camera.take("palette")
    await camera.press("escape")


async def answer(camera: Camera, state: State) -> None:
    """Answer the open question by keyboard, as the recorded incident was answered."""
    asked = state.waiting
    assert asked is not None
    match asked.question:
        case "confirm":
            await camera.press("enter")
            await camera.until(lambda: isinstance(camera.pilot.app.screen, ConfirmDialog), "the confirmation")
            await asyncio.sleep(2 * QUIET)
            await camera.press(*asked.typed[:-2])
            await camera.take("confirm")
            await camera.press(*asked.typed[-2:])
            await asyncio.sleep(2 * QUIET)
            await camera.press("enter")
        case "choose":
            await camera.press("enter", *"j" * list(asked.options).index("later"), "enter")
        case "acknowledge":
            await camera.press("enter", *"app.lab.example: logged in", "enter")
        case _:
            await camera.press("enter")


async def watch_and_take(state: Path) -> None:
    """What a second person sees while the first is asked to confirm: the journal up to there, followed."""
    [whole] = all_sessions(state)
    part = SessionFolder(state / "watched" / whole.name)
    shutil.copytree(whole.path, part.path)
    lines = (whole.path / FILE_NAME).read_bytes().splitlines(keepends=True)
    records = read(whole.path / FILE_NAME).records
    asked = next(
        each.sequence
        for each in records
        if isinstance(each.event, e.Asked) and each.event.question == "confirm"
    )
    (part.path / FILE_NAME).write_bytes(b"".join(lines[:asked]))
    app = WatchCockpit(follower(part))
    async with app.run_test(size=SIZES[0]) as pilot:
        await Camera(pilot).take("watch")


# ---------------------------------------------------------------- the recording


class Recording:
    """The program in a pseudo-terminal, its output kept with its times as an asciicast, version 2."""

    def __init__(self, command: list[str]) -> None:
        width, height = CAST_SIZE
        self.events: list[tuple[float, str]] = []
        self._at = 0.0
        self._last = time.monotonic()
        self._rest = b""
        self._process, self._descriptor = pty.fork()
        if self._process == 0:
            os.execvp(command[0], command)
        ioctl(self._descriptor, TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, text: str, pause: float = 0.06) -> None:
        """Press keys one by one, as a person does."""
        for character in text:
            os.write(self._descriptor, character.encode())
            self.listen(pause)

    def listen(self, seconds: float) -> bool:
        """Keep what comes for a while. False when the program has ended."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self._descriptor], [], [], left)
            if not ready:
                break
            try:
                data = os.read(self._descriptor, 65536)
            except OSError:
                return False
            self._keep(data)
        return True

    def _keep(self, data: bytes) -> None:
        now = time.monotonic()
        self._at += min(now - self._last, LONGEST_PAUSE)
        self._last = now
        data, self._rest = self._rest + data, b""
        whole = len(data)
        while whole and (data[whole - 1] & 0xC0) == 0x80:
            whole -= 1
        if whole and data[whole - 1] >= 0xC0:
            data, self._rest = data[: whole - 1], data[whole - 1 :]
        self.events.append((round(self._at, 3), data.decode(errors="replace")))

    def until(self, found: Callable[[], State | None], what: str) -> State:
        """Keep what comes until something is found, and give it."""
        end = time.monotonic() + LONGEST_WAIT
        while (state := found()) is None:
            if not self.listen(0.1) or time.monotonic() > end:
                raise NotReachedError(what)
        return state

    def close(self) -> None:
        os.close(self._descriptor)
        os.waitpid(self._process, 0)

    def write(self, path: Path) -> None:
        width, height = CAST_SIZE
        header = {"version": 2, "width": width, "height": height, "title": "breakglass: a rehearsal"}
        lines = [json.dumps(header), *(json.dumps([at, "o", text]) for at, text in self.events)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def record_a_walk(state: Path) -> None:
    """Rehearse in a real terminal, answering when the journal says that an answer is waited for."""
    program = str(Path(sys.executable).parent / "breakglass")
    recording = Recording([program, "rehearse", RUNBOOK])

    def now() -> State:
        sessions = all_sessions(state)
        return fold(read(sessions[-1].path / FILE_NAME).records) if sessions else State()

    answered = 0
    try:
        while True:
            there = recording.until(
                lambda since=answered: to_answer(now(), since), f"question after {answered}"
            )
            if there.ended is not None:
                break
            answered = len(there.timeline)
            assert there.waiting is not None
            recording.listen(2.0)
            for part in typed_answer(there.waiting):
                recording.type(part, 0.12)
                recording.listen(3.0 if there.waiting.question == "confirm" else 1.5)
        recording.listen(2.0)
        recording.type("t")
        recording.listen(2.0)
        recording.type("q")
        recording.listen(3.0)
    finally:
        recording.close()
    recording.write(FOLDER / "walk.cast")


def to_answer(state: State, answered: int) -> State | None:
    """The state, when a question is open that was put after so many records, or when the walk is over."""
    asked = state.waiting is not None and len(state.timeline) > answered
    return state if asked or state.ended is not None else None


def typed_answer(asked: e.Asked) -> list[str]:
    """The keys that answer a question as the recorded incident was answered, with a pause after each part."""
    enter = "\r"
    match asked.question:
        case "confirm":
            return [enter, asked.typed, enter]
        case "choose":
            return [enter, "j" * list(asked.options).index("later"), enter]
        case "acknowledge":
            return [enter, "app.lab.example: logged in", enter]
        case _:
            return [enter]


@contextmanager
def away_from_home() -> Generator[Path]:
    """A state folder of our own, and an environment that is the same everywhere."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        os.environ.update(
            BREAKGLASS_STATE=str(state),
            BREAKGLASS_OPERATOR="oncall",
            TERM="xterm-256color",
            COLORTERM="truecolor",
            LC_ALL="C.UTF-8",
            TEXTUAL_ANIMATIONS="none",
        )
        os.environ.pop("NO_COLOR", None)
        yield state


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with away_from_home() as state:
        asyncio.run(walk_and_take())
        asyncio.run(watch_and_take(state))
    with away_from_home() as state:
        record_a_walk(state)


if __name__ == "__main__":
    main()
