"""Plain mode: no full screen, nothing redrawn. Lines come once, choices are numbered, each prompt is asked
once.

For screen readers, bad links and terminals that can do nothing else.
"""

import asyncio
import sys
import termios
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from typing import TextIO

from breakglass.cli.exit_codes import code_of
from breakglass.cli.signals import ending_on_signals
from breakglass.cli.telling import tell, tell_the_end, telling_of_the_disk
from breakglass.engine import commands as c
from breakglass.engine.gateway import Prompts
from breakglass.engine.opening import Request, open_session, operator_name
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State
from breakglass.transport.visible import visible, visible_line

Line = Callable[[str], None]

NEW_LINE = "\n"
UNDER_THE_VALUE = f"\n{'':12}"


async def walk_plain(request: Request) -> int:
    """Walk a session line by line. Returns the exit code."""
    lines = Lines(sys.stdout)
    async with open_session(request, Prompts(secret=lines.ask_secret)) as session:
        engine = session.engine
        asked: asyncio.Queue[e.Asked] = asyncio.Queue()

        def told(recorded: Recorded, state: State) -> None:
            tell(recorded, as_json=False)
            if isinstance(recorded.event, e.Asked):
                asked.put_nowait(recorded.event)
            elif isinstance(recorded.event, e.Confirmed) and state.waiting is not None:
                asked.put_nowait(state.waiting)

        for recorded in engine.state.timeline:
            tell(recorded, as_json=False)
        engine.subscribe(told)
        engine.subscribe(telling_of_the_disk(engine))
        lines.say(f"{engine.state.mode.upper()}  {engine.site.name}  {engine.runbook.name}")
        walking = asyncio.create_task(engine.run())
        answering = asyncio.create_task(_answer_all(engine.command, lambda: engine.state, asked, lines))
        try:
            with ending_on_signals(engine):
                await asyncio.wait({walking, answering}, return_when=asyncio.FIRST_COMPLETED)
                if answering.done():
                    await answering
                await walking
        finally:
            answering.cancel()
            # An interrupted walk lets a change under way come to its end before anything is closed.
            walking.cancel()
            await asyncio.wait({walking})
        code = code_of(session)
        tell_the_end(session, code)
        return code


async def _answer_all(
    command: Callable[[c.Command], None],
    state: Callable[[], State],
    asked: "asyncio.Queue[e.Asked]",
    lines: "Lines",
) -> None:
    while True:
        question = await asked.get()
        while state().waiting is question:
            try:
                command(await or_stop(_answer(question, state(), lines)))
                break
            except CommandRefusedError as error:
                lines.say(f"  {error}")


async def or_stop(answer: Awaitable[c.Command]) -> c.Command:
    """The command that is given, or a stop where nobody can give one any more: the input has ended, or the
    terminal is gone."""
    try:
        return await answer
    except (EOFError, OSError) as error:
        return c.Stop(f"nobody can be asked any more: {error}", operator_name())


async def _answer(asked: e.Asked, state: State, lines: "Lines") -> c.Command:
    by = operator_name()
    match asked.question:
        case "confirm":
            return await answer_confirmation(asked, state, lines, by)
        case "acknowledge":
            lines.say(f"\n  {asked.text}")
            note = await lines.ask("  What did you see or do (empty line: stop)? ")
            return c.Answer(True, by, note) if note else c.Stop("stopped at a manual step", by)
        case "answer":
            ask = lines.ask_unseen if asked.secret else lines.ask
            return c.Answer(await ask(f"  {asked.text} "), by)
        case "choose":
            return c.Answer(await _pick(asked, lines), by)
        case "continue" | "decide":
            return await _way_on(await _pick(asked, lines), lines, by)


async def answer_confirmation(asked: e.Asked, state: State, lines: "Lines", by: str) -> c.Command:
    """Show a change with all that is known of it, and take what is typed."""
    rows = {
        "WILL RUN": asked.command,
        "ON": asked.on or asked.where,
        "EARLIER": asked.earlier,
        "BREAKS": asked.impact,
        "UNDO": asked.undo,
        "SERVER": asked.server_says,
        "THEN": asked.then,
    }
    lines.say(f"\n== {asked.risk.upper()} ==  {state.mode.upper()}  {state.site}")
    for name, value in rows.items():
        if value:
            # A value of several lines must not look as if it were rows of its own.
            lines.say(f"  {name:9} {value.replace(NEW_LINE, UNDER_THE_VALUE)}")
    attempts = state.steps[asked.step].attempts if asked.step in state.steps else ()
    for time, need in attempts[-1].needs if attempts else ():
        seen = visible_line(", ".join(f"{name} = {value}" for name, value in need.observed.items()))
        held = "holds" if need.holds else "DOES NOT HOLD"
        lines.say(f"  NEED      {time.strftime('%H:%M:%SZ')}  {need.that}: {seen or '-'}  {held}")
    person = by
    if state.approvals:
        person = await lines.ask(f"  {state.approvals[0]} has agreed. Name of the second person: ")
    wanted = asked.typed or "Y"
    typed = await lines.ask(f"  Type {wanted} to go on; an empty line goes back, nothing has been sent: ")
    return c.Confirm(typed, person) if typed else c.Decline(by)


async def _pick(asked: e.Asked, lines: "Lines") -> str:
    names = list(asked.options)
    lines.say(f"\n  {asked.text}")
    for number, name in enumerate(names, start=1):
        lines.say(f"  {number}  {name}: {asked.options[name]}")
    while True:
        typed = await lines.ask("  Number: ")
        if typed.isdigit() and 1 <= int(typed) <= len(names):
            return names[int(typed) - 1]
        lines.say(f"  {typed!r} is none of 1 to {len(names)}")


async def _way_on(way: str, lines: "Lines", by: str) -> c.Command:
    match way:
        case "continue":
            return c.Continue(by)
        case "retry":
            return c.Retry(by)
        case "undo":
            return c.Undo(by)
        case "jump":
            return c.Jump(await lines.ask("  Step id: "), "chosen by the operator", by)
        case "skip":
            return c.Skip(await lines.ask("  Why is this step left out? "), by)
        case _:
            return c.Stop(await lines.ask("  Why do you stop here? "), by)


class Lines:
    """Lines from standard input, read in a thread that never keeps the program from ending.

    Prompts and words go to `out`.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

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


def _give(answer: "asyncio.Future[str]", line: str) -> None:
    if not answer.done():
        answer.set_result(line)
