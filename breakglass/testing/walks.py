"""A scenario walked headless: the right walk, a trap on purpose, or a dry run; and what is wrong with it.

The walk goes through `open_session`, the real transports and the real servers of the rehearsal, as
`breakglass rehearse RUNBOOK SCENARIO --auto` does.
"""

import asyncio
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from breakglass.engine import commands as c
from breakglass.engine.autopilot import Script, answer_for
from breakglass.engine.clock import Clock
from breakglass.engine.expected import steps_begun, unexpected
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.opening import open_session
from breakglass.engine.session import Request, Session
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.policy.kubectl.parse import understood
from breakglass.policy.risk import Risk
from breakglass.rehearsal.load import load_scenario
from breakglass.rehearsal.rehearsal import Rehearsal
from breakglass.rehearsal.scenario import Scenario
from breakglass.rehearsal.traps import (
    AnswerMove,
    ChooseMove,
    HttpMove,
    InputMove,
    JumpMove,
    KubectlMove,
    LocalMove,
    SshMove,
    Timed,
    Trap,
    WorldMove,
)
from breakglass.report.review import Review, review
from breakglass.runbook.actions import AskAction, ChooseAction, ManualAction
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.transport.base import HttpRequest, KubectlRequest, LocalRequest, SshRequest
from breakglass.transport.base import Request as Sent
from breakglass.values import Json

OPERATOR = "operator"
FAST = 400.0
"""Simulated seconds in a real one. A soak of 20 minutes takes 3 seconds."""
STANDING_STILL = 0.01
"""Simulated seconds in a real one: the world does nothing by itself while a dry run is held against it."""
MOVE_TIMEOUT = 10.0
"""Real seconds that a command in another terminal gets."""


@dataclass(frozen=True, slots=True)
class Walked:
    """How a walk ended, and what became of the world."""

    result: e.EndResult
    state: State
    runbook: Runbook
    recovered: bool
    touched: tuple[str, ...]
    """Every change that a client made, as its event's text."""
    traps: tuple[str, ...]
    faults: tuple[str, ...]
    """What is wrong with the scenario itself; empty for a sound one."""
    differs: tuple[str, ...]
    """What the scenario expects of the right walk and this one did not do, in words."""
    before: Json
    after: Json

    @property
    def reached(self) -> set[str]:
        """The steps that were begun."""
        return steps_begun(self.state)

    @property
    def review(self) -> Review:
        return review(self.state, self.runbook)

    def said(self, step: str) -> str:
        """What a step's last attempt said."""
        view = self.state.steps.get(step)
        return view.last.say if view is not None and view.last is not None else ""


def walked_to_its_end(session: Session, world: Rehearsal, before: Json) -> Walked:
    """What became of a walk that has ended, and of its world."""
    state = session.engine.state
    assert state.ended is not None
    return Walked(
        result=state.ended.result,
        state=state,
        runbook=session.engine.runbook,
        recovered=world.recovered(),
        touched=tuple(world.touched),
        traps=tuple(world.traps_met()),
        faults=tuple(world.faults),
        differs=tuple(unexpected(session)),
        before=before,
        after=world.snapshot(),
    )


async def walk_scenario(
    runbook: Path,
    scenario: Path,
    folder: Path,
    *,
    trap: str | None = None,
    mode: e.Mode = "rehearsal",
    speed: float = FAST,
) -> Walked:
    """Walk a scenario as its script says, or, with `trap`, into that one on purpose.

    folder: for the record and the world, empty; meanwhile it is the state folder of this process. A trap that
    the review must name ends the walk once it is met. Raises KeyError for a trap that the scenario lacks.
    """
    loaded = load_scenario(scenario)
    taken = {each.name: each for each in loaded.traps}[trap] if trap is not None else None
    request = Request(
        mode=mode,
        runbook=runbook,
        scenario=scenario,
        inputs=_inputs(loaded, taken),
        speed=speed,
        pace="never",
    )
    with _state_in(folder / "state"):
        async with open_session(request) as session:
            world = session.rehearsal
            assert world is not None
            before = world.snapshot()
            await _WalkWithMoves(session, _script(loaded, taken), taken, folder).run()
            return walked_to_its_end(session, world, before)


def preload() -> None:
    """Import what a session imports at its first request: at a test's speed no request can wait for it."""
    for module in ("client.rest", "config.kube_config"):
        import_module(f"kubernetes.aio.{module}")


@contextmanager
def _state_in(folder: Path) -> Generator[None]:
    """Let sessions of this process be recorded in a folder of their own."""
    before = os.environ.get("BREAKGLASS_STATE")
    folder.mkdir(mode=0o700)
    os.environ["BREAKGLASS_STATE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["BREAKGLASS_STATE"]
        else:
            os.environ["BREAKGLASS_STATE"] = before


def wrong_in_right_walk(walked: Walked) -> list[str]:
    """In what a walk is not the right one of its scenario."""
    found = [*walked.differs, *(f"it stepped into the trap {name}" for name in walked.traps)]
    return _with_the_end(found, walked)


def _with_the_end(found: list[str], walked: Walked) -> list[str]:
    """What is wrong, and where the walk ended, for whoever looks for the cause."""
    last = walked.state.current
    return [*found, f"it ended at step {last}: {walked.said(last) or 'nothing was said'}"] if found else []


def wrong_in_trap(walked: Walked, trap: Trap) -> list[str]:
    """In what a trap that was taken on purpose was not caught: by the step named, or by the review."""
    found = [f"the scenario itself is wrong: {fault}" for fault in walked.faults]
    if trap.caught == "review":
        if not any(each.startswith(f"{trap.name}: ") for each in walked.review.traps):
            found.append("the moves under `take` do not lead into it, so the review says nothing of it")
        return _with_the_end(found, walked)
    if trap.name in walked.traps:
        found.append("no guard held it back: it was stepped into")
    view = walked.state.steps.get(trap.refused_at or "")
    status = view.status if view is not None else "never begun"
    if status != "failed":
        found.append(f"step {trap.refused_at} should have refused it, and is {status}")
    elif not any(
        each.startswith(f"{trap.refused_at}: ") for each in (*walked.review.refusals, *walked.review.failures)
    ):
        found.append(f"the review does not say that step {trap.refused_at} refused it")
    return _with_the_end(found, walked)


def wrong_in_dry_run(walked: Walked) -> list[str]:
    """What a dry run did besides reading and asking the API server beforehand."""
    found = [f"the scenario itself is wrong: {fault}" for fault in walked.faults]
    found += [f"it changed something: {change}" for change in walked.touched]
    found += [f"it stepped into the trap {name}" for name in walked.traps]
    if walked.after != walked.before:
        found.append(f"the world is not as it was: {', '.join(_changed(walked.before, walked.after))}")
    return found


def _changed(before: Json, after: Json, place: str = "") -> list[str]:
    """Where two worlds differ, as paths."""
    if before == after:
        return []
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [place]
    names = [*before, *(name for name in after if name not in before)]
    return [
        path
        for name in names
        for path in _changed(before.get(name), after.get(name), f"{place}.{name}".strip("."))
    ]


def _inputs(scenario: Scenario, trap: Trap | None) -> dict[str, str]:
    wrong = {each.move.name: each.move.value for each in _moves(trap) if isinstance(each.move, InputMove)}
    return {name: str(value) for name, value in {**scenario.walk.inputs, **wrong}.items()}


def _script(scenario: Scenario, trap: Trap | None) -> Script:
    walk = scenario.walk
    script = Script(choose=walk.choose, ask=walk.ask, manual=walk.manual, on_failure=walk.on_failure)
    for timed in _moves(trap):
        if isinstance(timed.move, ChooseMove):
            script = replace(script, choose={**script.choose, timed.move.step: timed.move.option})
        elif isinstance(timed.move, AnswerMove):
            script = replace(script, ask={**script.ask, timed.move.step: timed.move.value})
    return script


def _moves(trap: Trap | None) -> tuple[Timed, ...]:
    return trap.take if trap is not None else ()


def asks(step: Step) -> bool:
    """Whether the walk waits for a person at this step."""
    if isinstance(step.action, ManualAction | AskAction | ChooseAction):
        return True
    return step.action is not None and step.risk is not Risk.READ


class _WalkWithMoves:
    """One headless walk, with somebody beside it who makes a trap's moves."""

    def __init__(self, session: Session, script: Script, trap: Trap | None, folder: Path) -> None:
        self._engine = session.engine
        assert session.rehearsal is not None
        self._world = session.rehearsal
        self._script = script
        self._met = trap.name if trap is not None and trap.caught == "review" else ""
        self._left = list(_moves(trap))
        self._halts = {
            each.at
            for each in self._left
            if each.at is not None and not asks(self._engine.runbook.step(each.at))
        }
        self._stopped = False
        self._questions: asyncio.Queue[e.Asked] = asyncio.Queue()
        self._beside = Gateway(self._engine.site, folder / "beside", Clock(), Prompts())

    async def run(self) -> e.EndResult:
        unsubscribe = self._engine.subscribe(lambda recorded, state: self._heard(recorded.event, state))
        try:
            await self._make_moves(None)
            walking = asyncio.create_task(self._engine.run())
            answering = asyncio.create_task(self._answer())
            await asyncio.wait((walking, answering), return_when=asyncio.FIRST_COMPLETED)
            if not walking.done():
                walking.cancel()
                await answering
            answering.cancel()
            return await walking
        finally:
            unsubscribe()
            await self._beside.close()

    def _heard(self, event: e.Event, state: State) -> None:
        match event:
            case e.Asked():
                self._questions.put_nowait(event)
            case e.Confirmed() if state.waiting is not None:
                self._questions.put_nowait(state.waiting)
            case e.StepFinished() if event.goto in self._halts:
                # A step that only reads asks nothing; the walk must stand still while the move is made.
                self._halts.discard(event.goto)
                self._engine.command(c.Pause(OPERATOR))
            case e.Happened() if event.kind == "trap" and event.name == self._met:
                asyncio.get_running_loop().call_soon(self._stop)
            case _:
                pass

    def _stop(self) -> None:
        if self._engine.state.ended is None:
            self._stopped = True
            self._engine.command(c.Stop("the trap was met", OPERATOR))

    async def _answer(self) -> None:
        tried: dict[str, int] = {}
        while True:
            asked = await self._questions.get()
            at = self._engine.state.following if asked.question == "continue" else asked.step
            jump = await self._make_moves(at)
            if self._stopped or self._engine.state.waiting is not asked:
                continue
            if jump is not None:
                self._engine.command(c.Jump(jump, "by mistake", OPERATOR))
            else:
                self._engine.command(answer_for(asked, self._engine.state, self._script, OPERATOR, tried))

    async def _make_moves(self, at: str | None) -> str | None:
        """Make the moves that are due at a step, each once. Gives the step that one of them jumps to."""
        jump: str | None = None
        due = [each for each in self._left if each.at == at]
        self._left = [each for each in self._left if each.at != at]
        for timed in due:
            match timed.move:
                case JumpMove(step=step):
                    jump = step
                case WorldMove() as move:
                    self._world.move(move)
                case KubectlMove() | SshMove() | LocalMove() | HttpMove() as move:
                    await self._beside.send(self._sent(move))
                case ChooseMove() | AnswerMove() | InputMove():
                    pass  # the script has them
        return jump

    def _sent(self, move: KubectlMove | SshMove | LocalMove | HttpMove) -> Sent:
        match move:
            case KubectlMove(argv=argv, cluster=cluster):
                name = cluster or next(iter(self._engine.site.clusters))
                return KubectlRequest(name, understood(argv), MOVE_TIMEOUT)
            case SshMove(host=host, command=command):
                return SshRequest(host, ("sh", "-c", command), MOVE_TIMEOUT)
            case LocalMove(command=command):
                return LocalRequest(("sh", "-c", command), MOVE_TIMEOUT, (), (), shell=True)
            case HttpMove():
                body = json.dumps(move.json).encode() if move.json is not None else None
                headers = {**move.headers, **({"Content-Type": "application/json"} if body else {})}
                return HttpRequest(
                    move.method, move.endpoint, MOVE_TIMEOUT, path=move.path, headers=headers, body=body
                )
