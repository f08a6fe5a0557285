"""The engine: walks a runbook step by step, decides where to go next, and stops for a person where it must.

It knows nothing of any screen. Everything that it does is an event on record; everything that it is told
is a command. Resuming is the same walk from the state that the journal folds to.
"""

from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Literal, TypeAlias

from breakglass.engine import commands as c
from breakglass.engine import drift
from breakglass.engine.change import ChangeOutcome, Changer, seen_of
from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway
from breakglass.engine.prepare import Preparer, text_or_reason, words_of
from breakglass.engine.presence import FindOthers, OthersPresent
from breakglass.engine.prompts import JournalWriter
from breakglass.engine.read import NOTHING_SEEN, ActionEnd, Reader, ResultValue
from breakglass.engine.scope import Scopes, answer_value
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import Attempt, Observer, State
from breakglass.policy.risk import Risk
from breakglass.runbook.actions import AskAction, ChooseAction, ChooseOption, ManualAction
from breakglass.runbook.assessed import assessed_on
from breakglass.runbook.expression import EvaluationError, holds
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.runbook.ways import answer_decides
from breakglass.site.model import Site
from breakglass.site.redaction import MARK, SHORTEST_SECRET
from breakglass.transport.output import Recorder
from breakglass.values import Json
from breakglass.yamlio.shape_base import meant

Pace: TypeAlias = Literal["look", "never"]
"""Where the walk stops by itself: where there is something to look at (an answer that chose the way, a
command that hung, the end of a phase), or only where a person must decide."""

AVAILABLE_DECISIONS = {
    "retry": "rerun this step",
    "jump": "jump to another step",
    "skip": "skip this step, with a reason",
    "stop": "stop and call; the session can be resumed",
}
TOO_SHORT = (
    f"the answer has fewer than {SHORTEST_SECRET} characters: it is not recorded, but output that repeats it "
    "will show it"
)
ACCEPT = "accept"
"""What is typed to accept a runbook or a site that is not as it was."""
CANCELLED = "Cancelled. Nothing sent."
STOP_REHEARSING = "stop and call; the simulated world ends with it"


@dataclass(frozen=True, slots=True)
class Go:
    """Visit this step next."""

    step: str


@dataclass(frozen=True, slots=True)
class End:
    """The walk is over."""

    result: e.EndResult
    reason: str = ""


NextStep: TypeAlias = Go | End

GOES_ROUND = End("completed", "a dry run: nothing was changed, so it would go round again from here")


class Engine:
    """One session's walk. `run` it once; speak to it with `command`."""

    def __init__(
        self,
        runbook: Runbook,
        site: Site,
        writer: JournalWriter,
        gateway: Gateway,
        clock: Clock,
        pace: Pace,
        find_others: FindOthers | None = None,
        changed: drift.Drift | None = None,
    ) -> None:
        """`find_others` says who else is in this runbook on this site, where somebody can know. `changed` is,
        on resuming, what is not as the session held to."""
        self.runbook = runbook = assessed_on(runbook, site.says)
        self.site = site
        self.writer = writer
        self.writer.hint_for = self._hint
        self.writer.redactor = gateway.secrets.redactor
        self._gateway = gateway
        preparer = Preparer(gateway, clock)
        self._reader = Reader(self.writer, preparer, runbook)
        self._changer = Changer(self.writer, preparer, self._reader)
        self._find_others = find_others
        self.changed = changed
        self._pace: Pace = pace
        self._phase: str | None = None
        self._steps = {step.id: step for step in runbook.steps}
        self._following = {step.id: after.id for step, after in pairwise(runbook.steps)}

    @property
    def state(self) -> State:
        return self.writer.state

    @property
    def live(self) -> Recorder | None:
        """The output of the request now running, or of the last one."""
        return self._gateway.live

    @property
    def output_folder(self) -> Path:
        return self.writer.journal.path.parent / "output"

    @property
    def journal_fault(self) -> str:
        """Why the journal cannot be written now; empty when it can."""
        return self.writer.fault

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        return self.writer.subscribe(observer)

    def command(self, command: c.Command) -> Future[None]:
        """Take a command. Returns what is done once the command's own record is there. Raises
        CommandRefusedError when it does not apply now, with what would."""
        if isinstance(command, c.Jump) and command.goto not in self._steps:
            raise CommandRefusedError(f"there is no step {command.goto!r}{meant(command.goto, self._steps)}")
        return self.writer.command(command)

    async def sign(self, command: c.Sign) -> None:
        """Take a second person's signature. Raises CommandRefusedError when it does not hold."""
        await self.writer.sign(command, self.site.signers)

    async def run(self) -> e.EndResult:
        """Walk until the runbook ends, a person stops it, or it is cancelled."""
        next_step: NextStep = (
            await self._accept_drift() or await self._warn_of_others() or await self._first_step()
        )
        while isinstance(next_step, Go):
            next_step = await self._visit(self._steps[next_step.step])
        await self.writer.record(e.SessionEnded(next_step.result, next_step.reason))
        return next_step.result

    async def close(self) -> None:
        """Close every connection and let go of the journal."""
        await self._gateway.close()
        await self.writer.close()

    async def _accept_drift(self) -> NextStep | None:
        """Where the runbook or the site is not what the session held to, have that accepted before anything
        is reached. None goes on."""
        changed = self.changed
        if changed is None:
            return None
        at = self.state.current or self.runbook.steps[0].id
        asked = e.Asked(
            at,
            0,
            "accept",
            text=f"the {changed.what} is not as it was",
            command=changed.shown,
            where=str(self.site.path),
            typed=ACCEPT,
            impact="What was read and captured so far was read there. The same names may lead elsewhere now.",
            then="resume; every confirmation is asked again",
        )
        command = await self.writer.ask(asked)
        if isinstance(command, c.Confirm):
            now = changed.now
            digests = (now.runbook_digest, now.site_digest)
            site = self.site
            await self.writer.record(
                e.Accepted(command.by, changed.what, *digests, site.name, site.production)
            )
            return None
        why = command.reason if isinstance(command, c.Stop) else "not accepted"
        return await self._stopped(c.Stop(f"{asked.text}: {why}", command.by))

    async def _warn_of_others(self) -> NextStep | None:
        """Warn where others are in the same runbook on the same site. None goes on, beside them."""
        arrival = await self._find_others() if self._find_others is not None else OthersPresent()
        at = self.runbook.step(self.state.current) if self.state.current else self.runbook.steps[0]
        for note in arrival.notes:
            await self.writer.record(e.NoteAdded(at.id, note, "breakglass"))
        if not arrival.others:
            return None
        here = f"{self.runbook.name} on {self.site.name}"
        text = f"somebody else is in {here}: {'; '.join(arrival.others)}. Speak to them first"
        options = {"continue": "continue beside them", "stop": self._available_decisions()["stop"]}
        command = await self.writer.ask(e.Asked(at.id, 0, "continue", text=text, options=options))
        if isinstance(command, c.Continue):
            await self.writer.record(
                e.Decided(at.id, "continue", command.by, f"beside {len(arrival.others)}")
            )
            return None
        return await self._decided(at, command)

    async def _first_step(self) -> NextStep:
        """Where to begin: the first step, or where the journal leaves off."""
        state = self.state
        if not state.current:
            return Go(self.runbook.steps[0].id)
        step = self.runbook.step(state.current)
        view = state.steps[step.id]
        self._phase = step.phase
        last = view.last
        if view.status == "unknown" and last is not None and last.state is None:
            words = text_or_reason(step.unknown, self._reader.scopes())
            say = f"the program ended while this was under way: it may have happened. {words}".strip()
            await self.writer.record(e.StepFinished(step.id, last.number, "unknown", say))
            return await self._decide(step, say)
        if state.following:
            return Go(state.following) if state.following != "done" else End("completed")
        if view.status in ("failed", "unknown", "cancelled"):
            return await self._decide(step, last.say if last else "")
        if view.status == "skipped":
            return self._after(step)
        return Go(step.id)

    async def _visit(self, step: Step) -> NextStep:
        halted = await self._halt_before(step)
        if halted is not None:
            return halted
        self._phase = step.phase
        scope = self._reader.scopes()
        try:
            if step.when is not None and not holds(step.when, scope.real):
                next_step = self._after(step)
                await self._finish(step, 0, "skipped", f"does not apply: {step.when.source}", next_step)
                return next_step
        except EvaluationError as error:
            return await self._failed(step, 0, "failed", str(error))
        attempt = self._attempts(step) + 1
        await self.writer.record(e.StepStarted(step.id, attempt))
        match step.action:
            case None:
                return await self._concluded(step, attempt, ActionEnd(NOTHING_SEEN), scope)
            case ManualAction() | AskAction() | ChooseAction():
                return await self._asked(step, attempt, scope)
            case _:
                pass
        if step.risk is Risk.READ:
            seen = await self._reader.step(step, attempt, scope)
            return await self._concluded(step, attempt, seen, scope)
        return await self._change(step, attempt, scope)

    async def _halt_before(self, step: Step) -> NextStep | None:
        """Wait at a pause, at the end of a phase, and where there is something to look at. None goes on with
        the step."""
        if self.writer.stop_wanted is not None:
            return await self._stopped(self.writer.stop_wanted)
        last = self._last_word()
        jumped = isinstance(last, e.Decided) and last.command == "jump"
        looks = self._pace == "look" and not jumped
        new_phase = looks and self._phase is not None and step.phase != self._phase
        found = self._to_look_at(last) if looks and isinstance(last, e.StepFinished) else ""
        if not (self.writer.pause_wanted or new_phase or found):
            return None
        paused, self.writer.pause_wanted = self.writer.pause_wanted, False
        ends = f"end of {self._phase or 'phase'}" if new_phase else ""
        text = "paused" if paused else "; ".join(part for part in (found, ends) if part)
        onward = (
            f"next phase, {step.phase}: {step.title}"
            if new_phase and step.phase
            else f"continue: {step.title}"
        )
        here = self.state.current
        back = self._ways_back(self._steps[here]) if here else {}
        options = {"continue": onward, **self._available_decisions(), **back}
        asked = e.Asked(self.state.current, 0, "continue", text=text, options=options)
        command = await self.writer.ask(asked)
        if isinstance(command, c.Continue):
            await self.writer.record(e.Decided(self.state.current, "continue", command.by, goto=step.id))
            return None
        if isinstance(command, c.Skip):
            await self.writer.record(e.Decided(step.id, "skip", command.by, command.reason))
            next_step = self._after(step)
            await self._finish(step, 0, "skipped", command.reason, next_step)
            return next_step
        return await self._decided(self.runbook.step(self.state.current), command)

    def _last_word(self) -> e.StepFinished | e.Decided | None:
        """What brought the walk to where it is: the end of a step, or a person who chose the way."""
        for recorded in reversed(self.state.timeline):
            match recorded.event:
                case e.Decided(command="stop"):
                    continue
                case (e.StepFinished() | e.Decided()) as word:
                    return word
                case _:
                    pass
        return None

    def _to_look_at(self, ended: e.StepFinished) -> str:
        """What a step that has ended gives to look at before the walk goes on, in words; else nothing."""
        last = self.state.steps[ended.step].last
        if ended.state != "ok" or last is None:
            return ""
        if any(finish.fault == "timeout" for finish in last.finished):
            return "no answer within the limit"
        return "this answer chose the way" if answer_decides(self._steps[ended.step], self.state.mode) else ""

    async def _change(self, step: Step, attempt: int, scope: Scopes) -> NextStep:
        if self.state.mode == "dry-run":
            shown = await self._changer.show(step, attempt, scope)
            if shown.state == "shown" and shows_it_again(self.state, step.id):
                await self._finish(step, attempt, shown.state, shown.say, GOES_ROUND)
                return GOES_ROUND
            return await self._settled(step, attempt, shown, scope)
        earlier = self.state.steps[step.id].unsettled
        if earlier is not None:
            looked = await self._changer.look_again(step, attempt, scope, earlier)
            if looked is not None:
                return await self._settled(step, attempt, looked, scope)
        changed = await self._changer.step(step, attempt, scope, earlier)
        if changed.state == "nothing-to-do" and earlier is not None:
            # Whatever the list holds now, what was sent before may have been done.
            changed = ChangeOutcome("unknown", f"an earlier attempt may have happened; now {changed.say}")
        return await self._settled(step, attempt, changed, scope)

    async def _settled(self, step: Step, attempt: int, changed: ChangeOutcome, scope: Scopes) -> NextStep:
        if changed.command is not None:
            return await self._declined(step, attempt, changed.command)
        if changed.state != "ok":
            if changed.state in ("shown", "nothing-to-do"):
                next_step = self._next(step)
                await self._finish(step, attempt, changed.state, changed.say, next_step)
                return self._ends(step) or next_step
            return await self._failed(step, attempt, changed.state, changed.say)
        if changed.look is None:
            next_step = self._next(step)
            await self._finish(step, attempt, "ok", changed.say, next_step)
            return self._ends(step) or next_step
        return await self._concluded(step, attempt, seen_of(changed), scope, changed.say)

    async def _declined(self, step: Step, attempt: int, command: c.Command) -> NextStep:
        await self.writer.record(e.Declined(step.id, attempt, command.by))
        if isinstance(command, c.Decline):
            return await self._failed(step, attempt, "cancelled", CANCELLED)
        await self._finish(step, attempt, "cancelled", CANCELLED, None)
        return await self._decided(step, command)

    async def _asked(self, step: Step, attempt: int, scope: Scopes) -> NextStep:
        try:
            asked, options = _question(step, attempt, scope)
        except EvaluationError as error:
            return await self._failed(step, attempt, "failed", str(error))
        command = await self.writer.ask(asked)
        if not isinstance(command, c.Answer):
            await self._finish(step, attempt, "cancelled", "Not answered.", None)
            return await self._decided(step, command)
        kept: Json = "«not kept»" if asked.secret else command.value
        too_short = False
        if asked.secret:
            too_short = not self._gateway.secrets.redactor.add_value(command.value)
        await self.writer.record(e.Answered(step.id, attempt, kept, command.by, command.note))
        if too_short:
            await self.writer.record(e.NoteAdded(step.id, TOO_SHORT, "breakglass"))
        choice = asked.question == "choose"
        value = answer_value(command.value, command.note, choice=choice)
        shown = answer_value(MARK, command.note, choice=choice) if asked.secret else value
        seen = ActionEnd(ResultValue(value, shown))
        chosen = options.get(str(command.value)) if asked.question == "choose" else None
        if chosen is not None and chosen.goto is not None:
            wrong = await self._reader.capture(step, attempt, seen.within(scope), step.capture)
            if wrong:
                return await self._failed(step, attempt, "failed", wrong)
            next_step = _goto(chosen.goto)
            await self._finish(step, attempt, "ok", f"chosen: {chosen.name}", next_step)
            return next_step
        return await self._concluded(step, attempt, seen, scope)

    async def _concluded(
        self, step: Step, attempt: int, seen: ActionEnd, scope: Scopes, say: str = ""
    ) -> NextStep:
        """Capture, judge, and choose the way on, after an action that reached its end."""
        if self.writer.stop_wanted is not None and seen.fault:
            await self._finish(step, attempt, "failed", seen.fault, None)
            return await self._stopped(self.writer.stop_wanted)
        if seen.fault:
            return await self._failed(step, attempt, "failed", seen.fault)
        wrong = await self._reader.capture(step, attempt, seen.within(scope), step.capture)
        if wrong:
            return await self._failed(step, attempt, "failed", wrong)
        inner = seen.within(self._reader.scopes())
        judgement = await self._reader.judge(step, attempt, inner)
        if not judgement.holds:
            return await self._failed(step, attempt, "failed", judgement.say)
        try:
            next_step, said = self._chosen(step, inner)
        except EvaluationError as error:
            return await self._failed(step, attempt, "failed", str(error))
        words = "; ".join(part for part in (say, said) if part)
        await self._finish(step, attempt, "ok", words, next_step)
        return self._ends(step) or next_step

    def _chosen(self, step: Step, scope: Scopes) -> tuple[NextStep, str]:
        for each in step.next:
            if each.when is None or holds(each.when, scope.real):
                return _goto(each.goto), text_or_reason(each.say, scope)
        return self._after(step), ""

    def _next(self, step: Step) -> NextStep:
        """The way on from a step that has no result: conditions that need one do not hold."""
        scope = self._reader.scopes().real
        for each in step.next:
            try:
                if each.when is None or holds(each.when, scope):
                    return _goto(each.goto)
            except EvaluationError:
                continue
        return self._after(step)

    async def _failed(self, step: Step, attempt: int, state: e.StepState, say: str) -> NextStep:
        await self._finish(step, attempt, state, say, None)
        return await self._decide(step, say)

    async def _decide(self, step: Step, say: str) -> NextStep:
        options = self._available_decisions()
        view = self.state.steps.get(step.id)
        suggests = _suggested(step, view.last if view is not None else None)
        if suggests:
            options = {"suggested": f"go to: {self._steps[suggests].title}", **options}
        options |= self._ways_back(step)
        asked = e.Asked(step.id, self._attempts(step), "decide", text=say, options=options, suggests=suggests)
        return await self._decided(step, await self.writer.ask(asked))

    def _ways_back(self, step: Step) -> dict[str, str]:
        """How to put back what a step may have changed, where another step does it; that one asks again."""
        view = self.state.steps.get(step.id)
        sent = view is not None and any(each.may_have_acted for each in view.attempts)
        if step.undo is None or step.undo.step is None or not sent:
            return {}
        return {"undo": f"put it back: {text_or_reason(step.undo.say, self._reader.scopes())}"}

    def _available_decisions(self) -> dict[str, str]:
        """What a person may decide; a rehearsal's world is not there any more to be resumed in."""
        return (
            {**AVAILABLE_DECISIONS, "stop": STOP_REHEARSING}
            if self.state.scenario
            else dict(AVAILABLE_DECISIONS)
        )

    async def _decided(self, step: Step, command: c.Command) -> NextStep:
        match command:
            case c.Retry():
                await self.writer.record(e.Decided(step.id, "retry", command.by, goto=step.id))
                return Go(step.id)
            case c.Jump():
                await self.writer.record(e.Decided(step.id, "jump", command.by, command.reason, command.goto))
                return Go(command.goto)
            case c.Undo() if step.undo is not None and step.undo.step is not None:
                await self.writer.record(
                    e.Decided(step.id, "jump", command.by, "to put it back", step.undo.step)
                )
                return Go(step.undo.step)
            case c.Skip():
                next_step = self._after(step)
                goto = next_step.step if isinstance(next_step, Go) else "done"
                await self.writer.record(e.Decided(step.id, "skip", command.by, command.reason, goto))
                return next_step
            case c.Stop():
                return await self._stopped(command)
            case _:
                raise AssertionError(f"{command} is not a choice here")

    async def _stopped(self, command: c.Stop) -> End:
        self.writer.stop_wanted = None
        await self.writer.record(e.Decided(self.state.current, "stop", command.by, command.reason))
        return End("stopped", command.reason)

    async def _finish(
        self, step: Step, attempt: int, state: e.StepState, say: str, next_step: NextStep | None
    ) -> None:
        goto = "" if next_step is None else next_step.step if isinstance(next_step, Go) else "done"
        await self.writer.record(e.StepFinished(step.id, attempt, state, say, goto))

    def _after(self, step: Step) -> NextStep:
        following = self._following.get(step.id)
        return Go(following) if following is not None else End("completed")

    def _ends(self, step: Step) -> End | None:
        if step.ends == "recovered" and self.state.mode == "dry-run":
            return End("completed", "a dry run: nothing was changed")
        return End(step.ends, step.title) if step.ends is not None else None

    def _attempts(self, step: Step) -> int:
        view = self.state.steps.get(step.id)
        return len(view.attempts) if view is not None else 0

    def _hint(self, step_id: str) -> str:
        return next((step.hint or "" for step in self.runbook.steps if step.id == step_id), "")


def shows_it_again(state: State, step: str) -> bool:
    """Whether a dry run has come back by itself to a change that it has shown as it is: nothing was done, so
    from there it would go round for ever."""
    attempts = state.steps[step].attempts
    if len(attempts) < 2 or attempts[-2].state != "shown":
        return False
    now, before = ([each.command for each in attempt.prepared] for attempt in attempts[:-3:-1])
    since = takewhile(lambda each: each.elapsed > attempts[-2].began, reversed(state.timeline))
    return now == before and not any(isinstance(each.event, e.Decided | e.Answered) for each in since)


def _suggested(step: Step, attempt: Attempt | None) -> str:
    """The step that the runbook offers after what did not hold in an attempt; empty where it names none."""
    if attempt is None or attempt.state != "failed":
        return ""
    failing = next((each.that for each in attempt.judged if not each.holds), None)
    if failing is not None:
        return next((each.suggest for each in step.expect if each.that.source == failing), None) or ""
    waited = step.wait is not None and attempt.last_poll is not None and not attempt.last_poll.holds
    return (step.wait.suggest if step.wait is not None and waited else None) or ""


def _goto(goto: str) -> NextStep:
    return End("completed") if goto == "done" else Go(goto)


def _question(step: Step, attempt: int, scope: Scopes) -> tuple[e.Asked, dict[str, ChooseOption]]:
    """The question of a step that a person answers. Raises EvaluationError for a value that is missing."""
    match step.action:
        case ManualAction(instructions=instructions):
            return e.Asked(step.id, attempt, "acknowledge", text=words_of(instructions, scope)), {}
        case ChooseAction(options=options):
            open_ways = {
                each.name: each for each in options if each.when is None or holds(each.when, scope.real)
            }
            explained = {name: text_or_reason(each.say, scope) for name, each in open_ways.items()}
            return e.Asked(step.id, attempt, "choose", text=step.title, options=explained), open_ways
        case AskAction() as ask:
            asked = e.Asked(
                step.id,
                attempt,
                "answer",
                text=words_of(ask.prompt, scope),
                value_type=ask.type,
                pattern=ask.pattern or "",
                secret=ask.secret,
            )
            return asked, {}
        case _:
            raise AssertionError(f"step {step.id} asks nothing")
