"""What was typed before a question could be read is thrown away, up to the moment when the answer counts."""

import asyncio
import os
import pty
import select
import sys
import termios
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import pytest

from breakglass.cli import terminal_input
from breakglass.cli.terminal_input import TerminalInput
from breakglass.report.confirmation import QUIET


@dataclass
class Person:
    """Who types on a terminal, at moments that are counted by the looks at the clock."""

    keyboard: int
    screen: int
    now: float = 0.0
    typed: dict[int, str] = field(default_factory=dict[int, str])
    """What is typed at which look, counted from 0."""
    looks: int = 0
    step: float = QUIET
    """Seconds from one look to the next."""

    def types(self, text: str) -> None:
        """Type, and wait until the terminal has it."""
        os.write(self.keyboard, text.encode())
        assert select.select([self.screen], [], [], 30)[0]

    def clock(self) -> float:
        if text := self.typed.get(self.looks):
            self.types(text)
        self.looks += 1
        self.now += self.step
        return self.now


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Generator[Person]:
    keyboard, screen = pty.openpty()
    made = Person(keyboard, screen)
    monkeypatch.setattr(terminal_input, "monotonic", made.clock)
    with os.fdopen(screen, "r", closefd=False) as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        yield made
    os.close(keyboard)
    os.close(screen)


def left(person: Person) -> str:
    """What a reader of the terminal would be given at once."""
    found = b""
    while select.select([person.screen], [], [], 0)[0]:
        found += os.read(person.screen, 4096)
    return found.decode()


@pytest.mark.parametrize("ahead", ["Y\n", "Y\nY\n", "app@lab\n" * 40])
async def test_what_was_typed_before_the_question_is_thrown_away(person: Person, ahead: str) -> None:
    person.types(ahead)
    await TerminalInput(StringIO()).quiet()
    assert left(person) == ""


async def test_what_is_typed_after_the_last_look_and_before_the_answer_counts_is_thrown_away(
    person: Person,
) -> None:
    person.typed = {1: "Y\n"}
    await TerminalInput(StringIO()).quiet()
    assert person.looks == 2, "it was the last look"
    assert left(person) == ""


async def test_each_key_makes_the_wait_begin_again(person: Person) -> None:
    person.step = QUIET / 2 + 0.01
    person.typed = {1: "Y", 3: "Y", 5: "\n"}
    await TerminalInput(StringIO()).quiet()
    # Two looks to begin with, two for each key, and the last one, when nothing came for long enough.
    assert person.looks == 9
    assert left(person) == ""


async def test_the_terminal_is_as_it_was_and_takes_the_answer(person: Person) -> None:
    before = termios.tcgetattr(person.screen)
    await TerminalInput(StringIO()).quiet()
    assert termios.tcgetattr(person.screen) == before
    answer = asyncio.create_task(TerminalInput(StringIO()).ask("> "))
    os.write(person.keyboard, b"app@lab\n")
    assert await answer == "app@lab"


async def test_meanwhile_nothing_that_is_typed_is_shown(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[int] = []
    clock = person.clock

    def looking() -> float:
        shown.append(termios.tcgetattr(person.screen)[3] & (termios.ECHO | termios.ICANON))
        return clock()

    monkeypatch.setattr(terminal_input, "monotonic", looking)
    await TerminalInput(StringIO()).quiet()
    assert shown and not any(shown)


async def test_a_terminal_that_is_gone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(OSError, match="ioctl"):
            await TerminalInput(StringIO()).quiet()


class Out(StringIO):
    """What is written, and how much of it has been put on the screen."""

    seen = ""

    def flush(self) -> None:
        self.seen = self.getvalue()


async def test_a_prompt_is_seen_before_the_answer_and_the_answer_stands_beside_it(person: Person) -> None:
    out = Out()
    asking = asyncio.create_task(TerminalInput(out).ask("Number: \x1b"))
    await asyncio.sleep(0)
    assert out.seen == "Number: \\x1b"
    os.write(person.keyboard, b" 1 \n")
    assert await asking == " 1 "
    TerminalInput(out).say("taken\x07")
    assert out.seen == "Number: \\x1btaken\\x07\n"


async def test_an_answer_that_never_comes_keeps_no_program_from_ending(person: Person) -> None:
    before = set(threading.enumerate())
    asking = asyncio.create_task(TerminalInput(StringIO()).ask("? "))
    await asyncio.sleep(0)
    reading = set(threading.enumerate()) - before
    assert reading and all(each.daemon for each in reading)
    os.write(person.keyboard, b"x\n")
    await asking


async def test_what_is_asked_unseen_is_not_shown_and_the_terminal_is_then_as_it_was(person: Person) -> None:
    before = termios.tcgetattr(person.screen)
    out = Out()
    asking = asyncio.create_task(TerminalInput(out).ask_unseen("Password: "))
    await asyncio.sleep(0)
    echo = termios.tcgetattr(person.screen)[3] & termios.ECHO
    os.write(person.keyboard, b"hunter2\n")
    assert (await asking, echo) == ("hunter2", 0)
    assert termios.tcgetattr(person.screen) == before
    assert out.seen == "Password: \n"


async def test_the_end_of_the_input_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(EOFError, match="the input has ended"):
            await TerminalInput(StringIO()).ask("? ")
        assert await TerminalInput(StringIO()).ask_secret("? ") == ""


@pytest.mark.parametrize("ends", [0, 1, 2])
def test_a_person_is_there_only_where_nothing_stands_between(
    person: Person, monkeypatch: pytest.MonkeyPatch, ends: int
) -> None:
    with open(person.screen, "w", closefd=False) as screen, Path(os.devnull).open("w+") as pipe:
        streams = [screen, screen, screen]
        monkeypatch.setattr(sys, "stdin", streams[0])
        monkeypatch.setattr(sys, "stdout", streams[1])
        assert TerminalInput(screen).at_a_terminal
        streams[ends] = pipe
        monkeypatch.setattr(sys, "stdin", streams[0])
        monkeypatch.setattr(sys, "stdout", streams[1])
        assert not TerminalInput(streams[2]).at_a_terminal
