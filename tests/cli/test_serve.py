"""Serving: a browser on this machine sees what a watcher sees, and can change nothing."""

import asyncio
import os
import re
import shutil
import signal
import socket
import string
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from breakglass.cli.main import main
from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder
from breakglass.journal.sessions import find_session
from breakglass.journal.state import fold
from breakglass.journal.store import open_journal, read
from tests.runbooks.support import RUNBOOKS

ENOUGH = 60.0
"""Seconds after which something that should happen will not."""

TITLE = "Purge a full /dev/shm in the SSO outpost"
KEYS = sorted(set(string.printable) - set("qQ/?:"))
"""Each key by itself. What leaves the view and what opens something over it comes after them."""

STRANGE: list[object] = [["confirm", "x7k2p"], ["command", {"type": "confirm"}], ["focus"], "stdin", {}]

NEW = "20991231T235959Z-outpost-shm-purge-ffff"


@pytest.fixture(scope="module")
def headless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with what a headless rehearsal has left."""
    folder = tmp_path_factory.mktemp("headless") / "state"
    words = ["-m", "breakglass.cli.main", "rehearse", "outpost-shm-purge", "healthy-outpost", "--auto"]
    environment = {
        **os.environ,
        "BREAKGLASS_STATE": str(folder),
        "BREAKGLASS_RUNBOOKS": str(RUNBOOKS),
        "BREAKGLASS_OPERATOR": "oncall",
    }
    subprocess.run([sys.executable, *words], env=environment, check=True, capture_output=True, timeout=ENOUGH)
    return folder


@pytest.fixture
def state(tmp_path: Path, headless: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    shutil.copytree(headless, folder)
    monkeypatch.setenv("BREAKGLASS_STATE", str(folder))
    monkeypatch.setenv("PYTHONUTF8", "1")
    return folder


@pytest.fixture
def rehearsed(state: Path) -> SessionFolder:
    return find_session(state, "last")


def asking(state: Path, past: SessionFolder) -> SessionFolder:
    """A session that somebody walks, and that waits for a word before it destroys something."""
    first = read(past.path / "journal.jsonl").records[0].event
    assert isinstance(first, e.SessionStarted)
    folder = SessionFolder(state / "sessions" / NEW)
    folder.output.mkdir(parents=True)
    journal = open_journal(folder.path, create=True)
    journal.append(first)
    journal.append(e.StepStarted("purge", 1))
    journal.append(e.Asked("purge", 1, "confirm", text="the pod", options={"x7k2p": ""}))
    journal.close()
    return folder


@dataclass(frozen=True, slots=True)
class Served:
    address: str
    program: asyncio.subprocess.Process
    browser: ClientSession

    def view(self, size: str = "") -> "AbstractAsyncContextManager[ClientWebSocketResponse]":
        return self.browser.ws_connect(f"{self.address}ws{size}")


@asynccontextmanager
async def serving(session: str) -> AsyncGenerator[Served]:
    """A running `breakglass serve`, the address that it prints, and something like a browser."""
    words = ["-m", "breakglass.cli.main", "serve", session]
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=pipe)
    assert program.stdout is not None
    try:
        async with asyncio.timeout(ENOUGH):
            said = (await program.stdout.readline()).decode()
            address = (await program.stdout.readline()).decode().strip()
        assert "read-only" in said
        async with ClientSession() as browser:
            yield Served(address, program, browser)
    finally:
        if program.returncode is None:
            program.send_signal(signal.SIGINT)
        async with asyncio.timeout(ENOUGH):
            await program.wait()


async def shown(view: ClientWebSocketResponse, *wanted: str) -> str:
    """What came until all of the wanted words had come, without the terminal's control sequences."""
    came, text = b"", ""
    with suppress(TimeoutError):
        async with asyncio.timeout(ENOUGH):
            async for message in view:
                came += message.data if message.type is WSMsgType.BINARY else b""
                text = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", came.decode(errors="replace")).split())
                if all(each in text for each in wanted):
                    return text
    raise AssertionError(f"{wanted} did not come; what came: {text[-3000:]}")


async def closed(view: ClientWebSocketResponse) -> None:
    async with asyncio.timeout(ENOUGH):
        async for _ in view:
            pass


def descendants(process: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [each for child in found for each in (int(child), *descendants(int(child)))]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


async def test_the_page_and_the_view_show_the_session(rehearsed: SessionFolder) -> None:
    async with serving("last") as served:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{22}/", served.address)
        page = await (await served.browser.get(served.address)).text()
        assert f"{TITLE} · {rehearsed.name}" in page
        async with served.view("?width=120&height=40") as view:
            await shown(view, "READ-ONLY VIEW", "outpost-shm-purge", "walk has ended")


WIDE, NARROW = "(m lists all)", "✓1 ✓3"
"""What only a wide view shows of the steps, and what only a narrow one does."""


@pytest.mark.parametrize(
    ("size", "steps"),
    [
        ("?width=120&height=40", WIDE),
        ("?width=80&height=24", NARROW),
        ("?width=0&height=x", NARROW),
        ("", NARROW),
    ],
)
async def test_the_view_begins_with_the_size_of_its_page(state: Path, size: str, steps: str) -> None:
    async with serving("last") as served, served.view(size) as view:
        assert (WIDE in await shown(view, steps)) == (steps == WIDE)


async def test_the_view_follows_the_size_of_its_page(state: Path) -> None:
    async with serving("last") as served, served.view() as view:
        await shown(view, NARROW)
        await view.send_json(["resize", {"width": 120, "height": 40}])
        await shown(view, WIDE)


async def test_the_page_needs_nothing_from_another_place(state: Path) -> None:
    async with serving("last") as served:
        page = await (await served.browser.get(served.address)).text()
        assert not re.search(r"https?://", page)
        wanted = re.findall(r'(?:href|src)="(?!data:)([^"]+)"', page)
        assert wanted == ["static/css/xterm.css", "static/js/textual.js"]
        for each in wanted:
            answer = await served.browser.get(served.address + each)
            assert answer.status == 200
            assert not re.search(rb"@import|url\(https?:|fonts\.googleapis", await answer.read())


async def test_without_the_word_of_the_address_nothing_is_shown(state: Path) -> None:
    async with serving("last") as served:
        door = served.address.rsplit("/", 2)[0]
        for path in ("/", "/ws", "/static/js/textual.js", "/x/", "/x/ws"):
            assert (await served.browser.get(door + path)).status == 404


async def test_nothing_that_a_browser_sends_decides_anything(state: Path, rehearsed: SessionFolder) -> None:
    folder = asking(state, rehearsed)
    before = contents(state)
    async with serving(NEW) as served, served.view() as view:
        await shown(view, "READ-ONLY VIEW", "The walker is gone")
        for key in (*KEYS, "x7k2p@rehearsal\r", "\x1b[200~x7k2p\r\x1b[201~", "?"):
            await view.send_json(["stdin", key])
        await shown(view, "breakglass help")
        for other in STRANGE:
            await view.send_json(other)
        await view.send_json(["stdin", "q:"])
        await shown(view, "What do you want to do?")
        await view.send_json(["stdin", "confirm\r"])
        await view.send_json(["stdin", "\x03"])
        await closed(view)
    assert contents(state) == before
    assert fold(read(folder.path / "journal.jsonl").records).waiting is not None


async def test_a_view_that_has_ended_closes_its_page(state: Path) -> None:
    async with serving("last") as served, served.view() as view:
        await shown(view, "READ-ONLY VIEW")
        await view.send_json(["stdin", "q"])
        await closed(view)


async def test_a_view_that_was_killed_closes_its_page(state: Path) -> None:
    async with serving("last") as served, served.view() as view:
        await shown(view, "READ-ONLY VIEW")
        for process in descendants(served.program.pid):
            os.kill(process, signal.SIGKILL)
        await closed(view)


async def test_told_to_end_it_ends_with_its_views(state: Path) -> None:
    async with serving("last") as served, served.view() as view:
        await shown(view, "READ-ONLY VIEW")
        served.program.send_signal(signal.SIGTERM)
        await closed(view)
        async with asyncio.timeout(ENOUGH):
            assert await served.program.wait() == ExitCode.DONE


@pytest.mark.parametrize("host", ["0.0.0.0", "::1", "localhost", "127.0.0.2", ""])
def test_another_address_is_refused(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "last", "--host", host]) == ExitCode.USAGE
    assert "on 127.0.0.1 only" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_what_is_no_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "last", f"--port={port}"])
    assert ended.value.code == ExitCode.USAGE
    assert "is no port" in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(rehearsed: SessionFolder, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["serve", "last", "--port", str(other.getsockname()[1])]) == ExitCode.USAGE
    assert "without --port, a free one is taken" in capsys.readouterr().err


def test_without_the_extra_it_says_how_to_get_it(
    rehearsed: SessionFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "breakglass.cli.serve_page", raising=False)
    monkeypatch.setitem(sys.modules, "textual_serve", None)
    assert main(["serve", "last"]) == ExitCode.USAGE
    told = capsys.readouterr()
    assert (told.out, "pip install 'breakglass[serve]'" in told.err) == ("", True)


def test_a_session_that_is_not_there_is_said(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "20260101"]) == ExitCode.USAGE
    assert "no session is called '20260101'" in capsys.readouterr().err
