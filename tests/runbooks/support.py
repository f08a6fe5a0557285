"""A runbook's scenarios walked headless: the right walk, each trap on purpose, and the dry run.

The walk goes through `open_session`, the real transports and the real servers of the rehearsal, as
`breakglass rehearse RUNBOOK SCENARIO --auto` does.
"""

import asyncio
import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from breakglass.engine import commands as c
from breakglass.engine.autopilot import Script, answer_for
from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.opening import open_session
from breakglass.engine.session import Request, Session
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.policy.kubectl.parse import understood
from breakglass.policy.risk import Risk
from breakglass.rehearsal.load import load_scenario
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
from breakglass.report.markdown import markdown, unescaped
from breakglass.report.review import review, review_blocks
from breakglass.runbook.actions import AskAction, ChooseAction, ManualAction
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.transport.base import HttpRequest, KubectlRequest, LocalRequest, SshRequest
from breakglass.transport.base import Request as Sent
from breakglass.values import Json
from tests.support.arrived import arrivals

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
OPERATOR = "operator"
FAST = 400.0
"""Simulated seconds in a real one. A soak of 20 minutes takes 3 seconds."""
MOVE_TIMEOUT = 10.0
"""Real seconds that a command in another terminal gets."""

# A session reads the package in at its first request, and at this speed the request may not wait for it.
for _module in ("client.rest", "config.kube_config"):
    importlib.import_module(f"kubernetes.aio.{_module}")


@dataclass(frozen=True, slots=True)
class Walked:
    """How a walk ended, and what became of the world."""

    result: e.EndResult
    state: State
    runbook: Runbook
    recovered: bool
    touched: tuple[str, ...]
    """Every change that a client made, as its event's text."""
    changes: tuple[str, ...]
    """Every request that arrived and was neither a read nor a server-side dry run."""
    traps: tuple[str, ...]
    faults: tuple[str, ...]
    """What is wrong with the scenario itself; empty for a sound one."""
    before: Json
    after: Json

    @property
    def reached(self) -> set[str]:
        """The steps that were begun."""
        return {each.event.step for each in self.state.timeline if isinstance(each.event, e.StepStarted)}

    @property
    def review(self) -> str:
        drafted = markdown(review_blocks(review(self.state, self.runbook), None))
        return "\n".join(map(unescaped, drafted.split("\n")))

    def said(self, step: str) -> str:
        """What a step's last attempt said."""
        view = self.state.steps.get(step)
        return view.last.say if view is not None and view.last is not None else ""


def scenario_paths(runbook: str) -> list[Path]:
    """Every scenario that ships with a runbook."""
    return sorted((RUNBOOKS / runbook / "scenarios").glob("*.yaml"))


def traps_of(runbook: str) -> Iterator[tuple[str, str]]:
    """Every trap of every scenario, as the names of both."""
    for path in scenario_paths(runbook):
        for trap in load_scenario(path).traps:
            yield path.stem, trap.name


async def walk_scenario(
    runbook: str,
    scenario: str | Path,
    folder: Path,
    *,
    trap: str | None = None,
    mode: e.Mode = "rehearsal",
    speed: float = FAST,
) -> Walked:
    """Walk a scenario as its script says, or, with `trap`, into that one on purpose.

    scenario: one that ships with the runbook, by its name, or any, by its file. A trap that the review must
    name ends the walk once it is met.
    """
    shipped = RUNBOOKS / runbook / "scenarios"
    path = scenario if isinstance(scenario, Path) else shipped / f"{scenario}.yaml"
    loaded = load_scenario(path)
    taken = next((each for each in loaded.traps if each.name == trap), None)
    assert (taken is None) == (trap is None), f"{scenario} has no trap {trap!r}"
    state_folder = folder / "state"
    state_folder.mkdir(mode=0o700)
    request = Request(
        mode=mode,
        runbook=RUNBOOKS / runbook / "runbook.yaml",
        scenario=path,
        inputs=_inputs(loaded, taken),
        speed=speed,
        pace="never",
    )
    with pytest.MonkeyPatch.context() as patch, arrivals() as arrived:
        patch.setenv("BREAKGLASS_STATE", str(state_folder))
        async with open_session(request) as session:
            world = session.rehearsal
            assert world is not None
            before = world.snapshot()
            result = await _Walk(session, _script(loaded, taken), taken, folder).run()
            return Walked(
                result=result,
                state=session.engine.state,
                runbook=session.engine.runbook,
                recovered=world.recovered(),
                touched=tuple(world.touched),
                changes=tuple(arrived.changes(world.site.hosts, session.engine.runbook)),
                traps=tuple(world.traps_met()),
                faults=tuple(world.faults),
                before=before,
                after=world.snapshot(),
            )


def check_right_walk(walked: Walked, scenario: Scenario) -> None:
    """The walk came to what the scenario expects, met no trap, and left the world as it should be."""
    told = f"{walked.state.current}: {walked.said(walked.state.current)}"
    assert walked.faults == ()
    assert walked.result == scenario.expect.result, told
    assert walked.recovered, told
    assert walked.traps == ()
    assert set(scenario.expect.reaches) <= walked.reached
    assert not set(scenario.expect.never) & walked.reached


def check_trap(walked: Walked, trap: Trap) -> None:
    """A trap that was taken on purpose was refused by the step named, or is in the review with its lesson."""
    assert walked.faults == ()
    if trap.caught == "review":
        assert trap.name in walked.traps
        assert f"- {trap.name}: " in walked.review
        return
    assert trap.name not in walked.traps
    assert trap.refused_at is not None
    view = walked.state.steps[trap.refused_at]
    assert view.status == "failed", (trap.refused_at, view.status)
    assert f"- {trap.refused_at}: " in walked.review, "the review names what refused"


def check_dry_run(walked: Walked) -> None:
    """A dry run sent nothing but reads and server-side dry runs, and left the world exactly as it was."""
    assert walked.faults == ()
    assert walked.changes == ()
    assert walked.touched == ()
    assert walked.traps == ()
    assert walked.after == walked.before


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


class _Walk:
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
