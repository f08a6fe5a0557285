"""A program that is told to end, or whose terminal goes, in the middle of a change: the outcome is on record.

The program runs as it does for an operator, in a terminal of its own or without one; the change is a request
that a server of the test answers when the test says so.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from breakglass.journal import events as e
from breakglass.journal.folders import all_sessions
from breakglass.journal.state import fold
from breakglass.journal.store import FILE_NAME, read
from tests.safety.terminals import (
    PATIENT,
    PROGRAM,
    ROOT,
    Change,
    Terminal,
    change,
    heeding_interrupts,
    terminal,
)

MEANWHILE = 0.3
"""Seconds between the harm and the answer, so that there is something to be waited for."""


async def until_it_arrives(made: Change, press: Callable[[], None]) -> None:
    """Press what confirms the change, as often as it takes: a dialog that has just opened takes no keys."""
    while not made.arrived.is_set():
        press()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(made.arrived.wait(), 1.0)


def key_for(said: str) -> str:
    """The key that the cockpit waits for: what opens the confirmation, or what is the word."""
    return "Y" if "To run it" in said else "\r"


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
    # An interrupt that comes between the record of what is about to be sent and its sending, sends nothing.
    allowed = ("succeeded", "not-sent") if harm == "SIGINT" else ("succeeded",)
    (finished,) = attempt.finished
    assert finished.outcome in allowed
    if harm == "SIGINT":
        assert session.ended is None
        assert code == 130
    else:
        assert session.ended is not None
        assert session.ended.result == "stopped"
        # Unknown, unless its first look has verified it already.
        assert code == (5 if session.steps["purge"].status == "ok" else 6)
