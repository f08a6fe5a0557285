"""Plain mode: no full screen, nothing redrawn. Lines come once, choices are numbered, each prompt is asked
once.

For screen readers, bad links and terminals that can do nothing else.
"""

import asyncio
import sys
import threading
from collections.abc import Callable

from breakglass.cli.walking import code_of, tell, tell_the_end
from breakglass.session import commands as c
from breakglass.session import events as e
from breakglass.session.opening import Request, open_session, operator_name
from breakglass.session.outside import Prompts
from breakglass.session.state import Recorded, State

Line = Callable[[str], None]


async def walk_plain(request: Request) -> int:
    """Walk a session line by line. Returns the exit code."""
    lines = _Lines()
    async with open_session(request, Prompts(secret=lines.ask)) as session:
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
        print(f"{request.mode.upper()}  {engine.site.name}  {engine.runbook.name}", flush=True)
        walking = asyncio.create_task(engine.run())
        answering = asyncio.create_task(_answer_all(engine.command, lambda: engine.state, asked, lines))
        done, _ = await asyncio.wait({walking, answering}, return_when=asyncio.FIRST_COMPLETED)
        if answering in done:
            await answering
        await walking
        answering.cancel()
        code = code_of(session)
        tell_the_end(session, code)
        return code


async def _answer_all(
    command: Callable[[c.Command], None],
    state: Callable[[], State],
    asked: "asyncio.Queue[e.Asked]",
    lines: "_Lines",
) -> None:
    while True:
        question = await asked.get()
        while state().waiting is question:
            try:
                command(await _answer(question, state(), lines))
            except c.CommandRefusedError as error:
                print(f"  {error}", flush=True)


async def _answer(asked: e.Asked, state: State, lines: "_Lines") -> c.Command:
    by = operator_name()
    match asked.question:
        case "confirm":
            return await _confirm(asked, state, lines, by)
        case "acknowledge":
            print(f"\n  {asked.text}", flush=True)
            note = await lines.ask("  What did you see or do (empty line: stop)? ")
            return c.Answer(True, by, note) if note else c.Stop("stopped at a manual step", by)
        case "answer":
            return c.Answer(await lines.ask(f"  {asked.text} "), by)
        case "choose":
            return c.Answer(await _pick(asked, lines), by)
        case "continue" | "decide":
            return await _way_on(await _pick(asked, lines), lines, by)


async def _confirm(asked: e.Asked, state: State, lines: "_Lines", by: str) -> c.Command:
    rows = {
        "WILL RUN": asked.command,
        "ON": asked.on or asked.where,
        "BREAKS": asked.impact,
        "UNDO": asked.undo,
        "SERVER": asked.server_says,
        "THEN": asked.then,
    }
    print(f"\n== {asked.risk.upper()} ==  {state.mode.upper()}  {state.site}", flush=True)
    for name, value in rows.items():
        if value:
            print(f"  {name:9} {value}", flush=True)
    person = by
    if state.approvals:
        person = await lines.ask(f"  {state.approvals[0]} has agreed. Name of the second person: ")
    wanted = asked.typed or "Y"
    typed = await lines.ask(f"  Type {wanted} to go on; an empty line goes back, nothing has been sent: ")
    return c.Confirm(typed, person) if typed else c.Decline(by)


async def _pick(asked: e.Asked, lines: "_Lines") -> str:
    names = list(asked.options)
    print(f"\n  {asked.text}", flush=True)
    for number, name in enumerate(names, start=1):
        print(f"  {number}  {name}: {asked.options[name]}", flush=True)
    while True:
        typed = await lines.ask("  Number: ")
        if typed.isdigit() and 1 <= int(typed) <= len(names):
            return names[int(typed) - 1]
        print(f"  {typed!r} is none of 1 to {len(names)}", flush=True)


async def _way_on(way: str, lines: "_Lines", by: str) -> c.Command:
    match way:
        case "continue":
            return c.Continue(by)
        case "retry":
            return c.Retry(by)
        case "jump":
            return c.Jump(await lines.ask("  Step id: "), "chosen by the operator", by)
        case "skip":
            return c.Skip(await lines.ask("  Why is this step left out? "), by)
        case _:
            return c.Stop(await lines.ask("  Why do you stop here? "), by)


class _Lines:
    """Lines from standard input, read in a thread that never keeps the program from ending."""

    async def ask(self, prompt: str) -> str:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def read() -> None:
            line = sys.stdin.readline()
            loop.call_soon_threadsafe(_give, answer, line)

        print(prompt, end="", flush=True)
        threading.Thread(target=read, daemon=True).start()
        line = await answer
        if not line:
            raise KeyboardInterrupt
        return line.rstrip("\n")


def _give(answer: "asyncio.Future[str]", line: str) -> None:
    if not answer.done():
        answer.set_result(line)
