"""The terminal as lines: what is said on it, and what a person types, each waited for once and never keeping
the program from ending."""

import asyncio
import os
import sys
import termios
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TextIO

from breakglass.report.confirmation import QUIET
from breakglass.transport.sanitize import visible


def on_a_terminal() -> bool:
    """Whether a person types what comes in, and sees what goes out."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def is_dumb() -> bool:
    """Whether the terminal says that it can only put one line after another, as Emacs' shell and some serial
    consoles do."""
    return os.environ.get("TERM") == "dumb"


class TerminalInput:
    """Lines from standard input, read in a thread that never keeps the program from ending.

    Prompts and words go to `out`.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    @property
    def at_a_terminal(self) -> bool:
        """Whether a person types and sees what is asked, and no pipe or file stands between."""
        return on_a_terminal() and self._out.isatty()

    async def quiet(self) -> None:
        """Throw away what was typed before the question could be read, until no key has come for QUIET
        seconds. Raises OSError where the terminal is gone."""
        with _deaf(sys.stdin.fileno()) as terminal:
            until = monotonic() + QUIET
            while monotonic() < until:
                await asyncio.sleep(0.05)
                if os.read(terminal, 4096):
                    until = monotonic() + QUIET

    def say(self, text: str) -> None:
        print(visible(text), file=self._out, flush=True)

    async def ask_secret(self, prompt: str) -> str:
        """What is typed, unseen, or nothing where nobody can type any more."""
        try:
            return await self.ask_unseen(prompt)
        except (EOFError, OSError):
            return ""

    async def ask_unseen(self, prompt: str) -> str:
        """What is typed, which the terminal does not show. Raises what `ask` raises."""
        with _unseen():
            typed = await self.ask(prompt)
        self.say("")
        return typed

    async def ask(self, prompt: str) -> str:
        """What is typed. Raises EOFError at the end of the input, OSError where the terminal is gone."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def read() -> None:
            try:
                line = sys.stdin.readline()
            except OSError:
                line = ""
            with suppress(RuntimeError):  # the program is ending, and nobody waits for it
                loop.call_soon_threadsafe(_give, answer, line)

        print(visible(prompt), end="", file=self._out, flush=True)
        threading.Thread(target=read, daemon=True).start()
        line = await answer
        if not line:
            raise EOFError("the input has ended")
        return line.rstrip("\n")


@contextmanager
def _unseen() -> Generator[None]:
    """Let the terminal not show what is typed meanwhile. Where there is none, nothing is shown anyway."""
    try:
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
    except (OSError, ValueError, termios.error):
        yield
        return
    silent = [*before]
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextmanager
def _deaf(terminal: int) -> Generator[int]:
    """Let the terminal give each key as it comes, unseen, and never make a reader wait; at the end, throw
    away what was not read. Raises OSError where the terminal is gone."""
    try:
        before = termios.tcgetattr(terminal)
        control = [*before[6]]
        control[termios.VMIN] = control[termios.VTIME] = 0
        local = before[3] & ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(terminal, termios.TCSAFLUSH, [*before[:3], local, *before[4:6], control])
        try:
            yield terminal
        finally:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
    except termios.error as error:
        raise OSError(*error.args) from error


def _give(answer: "asyncio.Future[str]", line: str) -> None:
    if not answer.done():
        answer.set_result(line)
