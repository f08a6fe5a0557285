"""Plain mode: no full screen, nothing redrawn. Lines come once, choices are numbered, each prompt is asked
once.

For screen readers, bad links and terminals that can do nothing else.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from breakglass.cli.session_exit_code import code_of
from breakglass.cli.signals import ending_on_signals
from breakglass.cli.terminal_input import TerminalInput
from breakglass.cli.walk_output import runbook_words, tell, tell_the_end, telling_of_the_disk
from breakglass.engine import commands as c
from breakglass.engine.gateway import Prompts
from breakglass.engine.opening import open_session
from breakglass.engine.session import Request, operator_name
from breakglass.engine.signature import END, LARGEST_SIGNATURE, SIGN_WITH
from breakglass.engine.walk import Engine
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State
from breakglass.report.confirmation import what_and_where
from breakglass.report.position import ahead_words, position_of
from breakglass.runbook.assessed import vouched_steps
from breakglass.runbook.model import Runbook
from breakglass.runbook.ways import Ways
from breakglass.transport.sanitize import visible_line

Given: TypeAlias = c.Command | c.Sign
"""What a person gives: a command, or a signature, which is checked first."""

NEW_LINE = "\n"
MOST_OUTPUT = 12
LONGEST_LINE = 500
"""Lines of an output that are said, and characters of each; the record has all."""

UNDER_THE_VALUE = f"\n{'':12}"


async def walk_plain(request: Request) -> int:
    """Walk a session line by line. Returns the exit code."""
    lines = TerminalInput(sys.stdout)
    async with open_session(request, Prompts(secret=lines.ask_secret, tell=lines.say)) as session:
        engine = session.engine
        for recorded in engine.state.timeline:
            tell(recorded, as_json=False)
        engine.subscribe(lambda recorded, _: tell_step(recorded.event, engine.runbook, lines))
        engine.subscribe(lambda recorded, _: tell(recorded, as_json=False))
        engine.subscribe(telling_of_the_disk(engine))
        lines.say(f"{engine.state.mode.upper()}  {engine.site.name}  {engine.runbook.name}")
        lines.say(runbook_words(session))
        for words in vouched_steps(engine.runbook):
            lines.say(f"  vouched for, not checked: {words}")
        ways = Ways(engine.runbook.steps, engine.state.mode)

        async def answer(asked: e.Asked) -> Given:
            if asked.question in ("continue", "decide", "choose"):
                lines.say(f"\n  {_position_words(engine, ways)}")
            return await _answer(asked, engine.state, lines)

        answering = answer_questions(engine, lines, answer)
        walking = asyncio.create_task(engine.run())
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


def _position_words(engine: Engine, ways: Ways) -> str:
    """Where the walk is, and what lies ahead."""
    position = position_of(engine.state, engine.runbook, ways)
    ahead = ahead_words(position, engine.runbook)
    return visible_line(f"{', '.join(position.words)}{f'. Ahead: {ahead}' if ahead else ''}")


def tell_step(event: e.Event, runbook: Runbook, lines: TerminalInput) -> None:
    """What a step is and why, when the walk comes to it; what runs, and what comes back. Nothing of a later
    step."""
    match event:
        case e.StepStarted():
            number, step = next(
                (each for each in enumerate(runbook.steps, start=1) if each[1].id == event.step), (0, None)
            )
            if step is not None:
                again = f", attempt {event.attempt}" if event.attempt > 1 else ""
                lines.say(f"\n{number}  {visible_line(step.title)}  [{step.risk.word}{again}]")
                if step.why:
                    lines.say(f"  {'WHY':9} {visible_line(step.why)}")
        case e.ActionPrepared():
            lines.say(f"  {'RUN':9} {event.command.replace(NEW_LINE, UNDER_THE_VALUE)}")
            lines.say(f"  {'AS':9} {visible_line(event.where)}")
        case e.ActionFinished(head=head) if head:
            shown = [visible_line(line) for line in head.split(NEW_LINE)[:MOST_OUTPUT]]
            for at, line in enumerate(shown):
                lines.say(f"  {'OUTPUT' if at == 0 else '':9} {line[:LONGEST_LINE]}")
            if event.output_lines > len(shown):
                lines.say(f"  {'':9} {len(shown)} of {event.output_lines} lines; all of them are on record")
        case _:
            pass


def answer_questions(
    engine: Engine, lines: TerminalInput, answer: Callable[[e.Asked], Awaitable[Given]]
) -> asyncio.Task[None]:
    """Answer what the walk asks from here on, and what it asks again for a second person's word.

    The walk is stopped where nobody can be asked any more: the input has ended, or the terminal is gone.
    The task never ends by itself.
    """
    asked: asyncio.Queue[e.Asked] = asyncio.Queue()

    def told(recorded: Recorded, state: State) -> None:
        if isinstance(recorded.event, e.Asked):
            asked.put_nowait(recorded.event)
        elif isinstance(recorded.event, e.Confirmed) and state.waiting is not None:
            asked.put_nowait(state.waiting)

    async def give(question: e.Asked) -> None:
        try:
            command = await answer(question)
        except (EOFError, OSError) as error:
            command = c.Stop(f"nobody can be asked any more: {error}", operator_name())
        if isinstance(command, c.Sign):
            await engine.sign(command)
        else:
            engine.command(command)

    async def answer_all() -> None:
        while True:
            question = await asked.get()
            while engine.state.waiting is question:
                try:
                    await give(question)
                    break
                except CommandRefusedError as error:
                    lines.say(f"  {error}")

    engine.subscribe(told)
    return asyncio.create_task(answer_all())


async def _answer(asked: e.Asked, state: State, lines: TerminalInput) -> Given:
    by = operator_name()
    match asked.question:
        case "confirm" | "accept":
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
            return await _decision(await _pick(asked, lines), asked, lines, by)


NEEDS_A_PERSON = (
    "needs a person at a terminal: a change cannot be confirmed from a pipe or a file, so nothing was sent. "
    "Run this in a terminal, with input and output left as they are"
)


async def answer_confirmation(asked: e.Asked, state: State, lines: TerminalInput, by: str) -> Given:
    """Show a change with all that is known of it, and take the word of whoever is at the terminal."""
    _show_change(asked, state, lines)
    if not lines.at_a_terminal:
        return c.Stop(NEEDS_A_PERSON, by)
    if state.approvals and asked.sign:
        return await _signature(asked, state, lines, by)
    await lines.quiet()
    person = by
    if state.approvals:
        lines.say(
            f"  {', '.join(state.approvals)} has agreed. A second person must, and nothing proves the name."
        )
        person = await lines.ask("  Name of the second person (empty line: go back): ")
        if not person.strip():
            return c.Decline(by)
    wanted = asked.typed or "Y"
    typed = await lines.ask(f"  Type {wanted} to go on (empty line: go back, nothing sent): ")
    return c.Confirm(typed, person) if typed else c.Decline(by)


def _show_change(asked: e.Asked, state: State, lines: TerminalInput) -> None:
    rows = [
        *what_and_where(asked),
        ("EARLIER", asked.earlier),
        ("BREAKS", asked.impact),
        ("UNDO", asked.undo),
        ("SERVER", asked.server_says),
        ("THEN", asked.then),
    ]
    title = asked.risk.upper() if asked.question == "confirm" else asked.text
    lines.say(f"\n== {title} ==  {state.mode.upper()}  {state.site}")
    for name, value in rows:
        if value:
            # A value of several lines must not look as if it were rows of its own.
            lines.say(f"  {name:9} {value.replace(NEW_LINE, UNDER_THE_VALUE)}")
    attempts = state.steps[asked.step].attempts if asked.step in state.steps else ()
    for time, need in attempts[-1].needs if attempts else ():
        seen = ", ".join(f"{name} = {value}" for name, value in need.observed.items())
        found = need.means or f"{need.that}: {seen or '-'}  holds"
        words = found if need.holds else f"DOES NOT HOLD: {need.message or need.that} ({seen or '-'})"
        words += f", READ ({need.because})" if need.because else ""
        lines.say(f"  NEED      {time.strftime('%H:%M:%SZ')}  {visible_line(words)}")


async def _signature(asked: e.Asked, state: State, lines: TerminalInput, by: str) -> Given:
    """Show what a second person signs, and take the signature as it is pasted."""
    agreed = ", ".join(state.approvals)
    lines.say(f"\n  {agreed} has agreed. A second person signs this text, on any machine:\n\n{asked.sign}\n")
    lines.say(f"  {SIGN_WITH}")
    await lines.quiet()
    pasted = await lines.ask("  Paste the signature (empty line: go back, nothing sent): ")
    if not pasted.strip():
        return c.Decline(by)
    while END not in pasted and len(pasted) < LARGEST_SIGNATURE:
        pasted += f"\n{await lines.ask('')}"
    return c.Sign(pasted)


async def _pick(asked: e.Asked, lines: TerminalInput) -> str:
    names = list(asked.options)
    lines.say(f"\n  {asked.text}")
    for number, name in enumerate(names, start=1):
        explained = asked.options[name].removeprefix(f"{name}: ")
        lines.say(f"  {number}  {name}: {explained}")
    while True:
        typed = await lines.ask("  Number: ")
        if typed.isdigit() and 1 <= int(typed) <= len(names):
            return names[int(typed) - 1]
        wrong = f"{typed!r} is none of 1 to {len(names)}"
        if not lines.at_a_terminal:
            raise EOFError(wrong)  # what comes from a pipe does not get better by asking again
        lines.say(f"  {wrong}")


async def _decision(way: str, asked: e.Asked, lines: TerminalInput, by: str) -> c.Command:
    match way:
        case "suggested":
            return c.Jump(asked.suggests, c.suggested_words(asked), by)
        case "continue":
            return c.Continue(by)
        case "retry":
            return c.Retry(by)
        case "undo":
            return c.Undo(by)
        case "jump":
            return c.Jump(await lines.ask("  Step id: "), "chosen by the operator", by)
        case "skip":
            return c.Skip(await lines.ask("  Why skip this step? "), by)
        case _:
            return c.Stop(await lines.ask("  Why stop here? "), by)
