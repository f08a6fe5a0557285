"""The headless walk: answers the engine's questions from a scenario's script, or stops where a person is
needed.

Only a rehearsal is walked by it to the end. On a real site it answers nothing: there is no yes without a
person.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from breakglass.engine import commands as c
from breakglass.engine.walk import Engine
from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State
from breakglass.values import Json

SECOND_PERSON = "second operator"
MOST_CHOICES = 20
"""Answers to the same `choose` step, after which a walk goes in circles."""


@dataclass(frozen=True, slots=True)
class Script:
    """What the headless operator says, by step id. `on_failure` is `skip`, `stop`, `retry` or `jump STEP`."""

    choose: Mapping[str, str] = field(default_factory=dict[str, str])
    ask: Mapping[str, Json] = field(default_factory=dict[str, Json])
    manual: Mapping[str, str] = field(default_factory=dict[str, str])
    on_failure: Mapping[str, str] = field(default_factory=dict[str, str])
    confirms: bool = True
    """Whether changes are confirmed; only ever true in a rehearsal."""


async def walk(engine: Engine, script: Script, operator: str) -> e.EndResult:
    """Walk a session to its end with nobody at the keyboard."""
    loop = asyncio.get_running_loop()
    tried: dict[str, int] = {}

    def answer(recorded: Recorded, state: State) -> None:
        if isinstance(recorded.event, e.Asked):
            loop.call_soon(reply, recorded.event)
        elif isinstance(recorded.event, e.Confirmed) and state.waiting is not None:
            loop.call_soon(reply, state.waiting)

    def reply(asked: e.Asked) -> None:
        if engine.state.waiting is not asked:
            return
        engine.command(answer_for(asked, engine.state, script, operator, tried))

    unsubscribe = engine.subscribe(answer)
    try:
        return await engine.run()
    finally:
        unsubscribe()


def answer_for(
    asked: e.Asked, state: State, script: Script, operator: str, tried: dict[str, int]
) -> c.Command:
    """The scripted answer to a question; where the script has none, a stop that says so."""
    stop = c.Stop(f"needs a person: {asked.question} at step {asked.step}", operator)
    match asked.question:
        case "continue":
            return c.Continue(operator)
        case "confirm":
            if not script.confirms or state.mode == "live":
                return stop
            by = SECOND_PERSON if operator in state.approvals else operator
            return c.Confirm(asked.typed or "Y", by)
        case "accept":
            return c.Stop(f"needs a person: {asked.text}. Resume it in a terminal", operator)
        case "choose":
            chosen = script.choose.get(asked.step)
            tried[asked.step] = tried.get(asked.step, 0) + 1
            if tried[asked.step] > MOST_CHOICES:
                why = f"step {asked.step} was answered {MOST_CHOICES} times; the walk goes in circles"
                return c.Stop(why, operator)
            return c.Answer(chosen, operator) if chosen in asked.options else stop
        case "answer":
            return c.Answer(script.ask[asked.step], operator) if asked.step in script.ask else stop
        case "acknowledge":
            said = script.manual.get(asked.step)
            return c.Answer(True, operator, said) if said is not None else stop
        case "decide":
            return _decision(asked, script, operator, tried)


def _decision(asked: e.Asked, script: Script, operator: str, tried: dict[str, int]) -> c.Command:
    way, _, target = script.on_failure.get(asked.step, "stop").partition(" ")
    tried[asked.step] = tried.get(asked.step, 0) + 1
    if way == "skip":
        return c.Skip("as the scenario says", operator)
    if way == "jump":
        return c.Jump(target, "as the scenario says", operator)
    if way == "retry" and tried[asked.step] <= 1:
        return c.Retry(operator)
    return c.Stop(f"step {asked.step} failed: {asked.text}", operator)
