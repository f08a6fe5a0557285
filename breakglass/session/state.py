"""The state of a session as a fold over its events. Everything that a person sees comes from here.

`apply` is pure: the same events give the same state, in the cockpit, in an observer, in a report and on
resume.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeAlias, overload

from breakglass.session import events as e
from breakglass.values import Json


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the journal. `time` is UTC; `elapsed` is seconds since the session's start.

    `elapsed` comes from the monotonic clock, so that a clock that jumps neither reorders nor stretches
    anything.
    """

    sequence: int
    time: datetime
    elapsed: float
    event: e.Event


class Trail(Sequence[Recorded]):
    """An immutable sequence whose successors share one list, so that a long session stays linear to fold."""

    __slots__ = ("_length", "_shared")

    def __init__(self, shared: list[Recorded] | None = None, length: int = 0) -> None:
        self._shared: list[Recorded] = [] if shared is None else shared
        self._length = length

    def plus(self, recorded: Recorded) -> "Trail":
        """This trail and one more. Copies only where another successor was already made."""
        shared = self._shared if len(self._shared) == self._length else self._shared[: self._length]
        shared.append(recorded)
        return Trail(shared, self._length + 1)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Recorded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Recorded]: ...
    def __getitem__(self, index: int | slice) -> Recorded | list[Recorded]:
        if isinstance(index, slice):
            return [self._shared[at] for at in range(*index.indices(self._length))]
        if not -self._length <= index < self._length:
            raise IndexError(index)
        return self._shared[index if index >= 0 else self._length + index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trail) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(self._length)


StepStatus: TypeAlias = Literal[
    "pending", "running", "waiting", "ok", "failed", "unknown", "skipped", "shown"
]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One go at a step: what ran, what came back, how it was judged.

    began and seconds are by the monotonic clock: seconds since the session's start, and the attempt's length.
    """

    number: int
    started: datetime
    began: float = 0.0
    prepared: tuple[e.ActionPrepared, ...] = ()
    needs: tuple[tuple[datetime, e.NeedRead], ...] = ()
    intended: tuple[e.ActionIntended, ...] = ()
    finished: tuple[e.ActionFinished, ...] = ()
    polls: int = 0
    last_poll: e.VerifyPolled | None = None
    captured: Mapping[str, Json] = field(default_factory=dict[str, Json])
    judged: tuple[e.Judged, ...] = ()
    judged_at: datetime | None = None
    state: e.StepState | None = None
    say: str = ""
    ended: datetime | None = None
    seconds: float = 0.0

    @property
    def open_intents(self) -> tuple[e.ActionIntended, ...]:
        """Intents with no recorded outcome: those changes may have happened."""
        done = {finish.item for finish in self.finished}
        return tuple(intent for intent in self.intended if intent.item not in done)


@dataclass(frozen=True, slots=True)
class StepView:
    """All that happened to one step."""

    id: str
    attempts: tuple[Attempt, ...] = ()
    status: StepStatus = "pending"
    skip_reason: str = ""

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None


@dataclass(frozen=True, slots=True)
class State:
    """The whole session. `values` are the captured values in scope; `waiting` is the question now open, if
    any."""

    started: Recorded | None = None
    session: str = ""
    runbook: str = ""
    title: str = ""
    site: str = ""
    production: bool = True
    mode: e.Mode = "live"
    operator: str = ""
    scenario: str = ""
    inputs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    values: Mapping[str, Json] = field(default_factory=dict[str, Json])
    steps: Mapping[str, StepView] = field(default_factory=dict[str, StepView])
    order: tuple[str, ...] = ()
    """Steps in the order in which they were first reached."""
    current: str = ""
    following: str = ""
    """The step that the walk goes to next; empty when a person must decide or the walk is over."""
    waiting: e.Asked | None = None
    approvals: tuple[str, ...] = ()
    """Who has given their word for the change now asked about."""
    verdicts: Mapping[str, e.Triaged] = field(default_factory=dict[str, e.Triaged])
    notes: tuple[Recorded, ...] = ()
    happened: tuple[Recorded, ...] = ()
    hints: int = 0
    refusals: int = 0
    """How many times a need or a guard refused a change."""
    paused: bool = False
    ended: e.SessionEnded | None = None
    last: Recorded | None = None
    timeline: "Trail" = field(default_factory=lambda: Trail())

    @property
    def failed(self) -> int:
        return sum(1 for step in self.steps.values() if step.status == "failed")

    @property
    def unknown(self) -> int:
        return sum(1 for step in self.steps.values() if step.status == "unknown")


EMPTY = State()


def fold(recorded: Iterable[Recorded]) -> State:
    """The state after these events."""
    state, events = EMPTY, list(recorded)
    for each in events:
        state = _after(state, each)
    return replace(state, last=events[-1] if events else None, timeline=Trail(events, len(events)))


def apply(state: State, recorded: Recorded) -> State:
    """The state after one more event."""
    return replace(_after(state, recorded), last=recorded, timeline=state.timeline.plus(recorded))


def _after(state: State, recorded: Recorded) -> State:
    """What an event changes, apart from being the last one."""
    event = recorded.event
    match event:
        case e.SessionStarted():
            return replace(
                state,
                started=recorded,
                session=event.session,
                runbook=event.runbook,
                title=event.title,
                site=event.site,
                production=event.production,
                mode=event.mode,
                operator=event.operator,
                scenario=event.scenario,
                inputs=event.inputs,
            )
        case e.SessionResumed():
            return replace(_reopened(state), operator=event.operator, ended=None, paused=False)
        case e.SessionEnded():
            return replace(state, ended=event, waiting=None, approvals=(), following="")
        case e.StepStarted():
            attempt = Attempt(number=event.attempt, started=recorded.time, began=recorded.elapsed)
            view = state.steps.get(event.step, StepView(event.step))
            view = replace(view, attempts=(*view.attempts, attempt), status="running", skip_reason="")
            order = state.order if event.step in state.order else (*state.order, event.step)
            return replace(
                state,
                steps={**state.steps, event.step: view},
                order=order,
                current=event.step,
                following="",
                waiting=None,
                approvals=(),
            )
        case e.Asked():
            state = (
                _with_status(state, event.step, "waiting")
                if event.question not in ("decide", "continue")
                else state
            )
            return replace(state, waiting=event, approvals=())
        case e.Confirmed():
            approvals = (*state.approvals, event.by)
            if state.waiting is not None and len(approvals) < state.waiting.approvals:
                return replace(state, approvals=approvals)
            return _with_status(replace(state, waiting=None, approvals=approvals), event.step, "running")
        case e.Declined():
            return replace(state, waiting=None, approvals=())
        case e.Decided():
            state = replace(state, waiting=None, paused=event.command == "pause")
            if event.command == "skip" and event.step in state.steps:
                skipped = replace(state.steps[event.step], status="skipped", skip_reason=event.reason)
                state = replace(state, steps={**state.steps, event.step: skipped})
            return replace(state, following=event.goto or state.following)
        case e.Answered():
            return _with_status(replace(state, waiting=None), event.step, "running")
        case e.Captured():
            state = replace(state, values={**state.values, **event.values})
            return _with_attempt(
                state, event.step, lambda a: replace(a, captured={**a.captured, **event.values})
            )
        case e.ActionPrepared():
            return _with_attempt(state, event.step, lambda a: replace(a, prepared=(*a.prepared, event)))
        case e.NeedRead():
            refusals = state.refusals + (0 if event.holds else 1)
            return _with_attempt(
                replace(state, refusals=refusals),
                event.step,
                lambda a: replace(a, needs=(*a.needs, (recorded.time, event))),
            )
        case e.ActionIntended():
            return _with_attempt(state, event.step, lambda a: replace(a, intended=(*a.intended, event)))
        case e.ActionFinished():
            return _with_attempt(state, event.step, lambda a: replace(a, finished=(*a.finished, event)))
        case e.VerifyPolled():
            return _with_attempt(state, event.step, lambda a: replace(a, polls=a.polls + 1, last_poll=event))
        case e.Judged():
            return _with_attempt(
                state,
                event.step,
                lambda a: replace(a, judged=(*a.judged, event), judged_at=recorded.time),
            )
        case e.StepFinished():
            return _finished(state, recorded, event)
        case e.NoteAdded():
            return replace(state, notes=(*state.notes, recorded))
        case e.HandedOver():
            return replace(state, operator=event.to)
        case e.HintShown():
            return replace(state, hints=state.hints + 1)
        case e.Triaged():
            return replace(state, verdicts={**state.verdicts, event.step: event})
        case e.Happened():
            return replace(state, happened=(*state.happened, recorded))


def _finished(state: State, recorded: Recorded, event: e.StepFinished) -> State:
    view = state.steps.get(event.step, StepView(event.step))
    attempts = view.attempts
    if attempts:
        last = attempts[-1]
        seconds = recorded.elapsed - last.began
        done = replace(last, state=event.state, say=event.say, ended=recorded.time, seconds=seconds)
        attempts = (*attempts[:-1], done)
    reason = event.say if event.state == "skipped" else ""
    view = replace(view, attempts=attempts, status=event.state, skip_reason=reason)
    order = state.order if event.step in state.order else (*state.order, event.step)
    return replace(
        state,
        steps={**state.steps, event.step: view},
        order=order,
        current=event.step,
        following=event.goto,
        waiting=None,
        approvals=(),
    )


def _reopened(state: State) -> State:
    """A step that was cut short is unknown where a change was sent or may have been, verified or not, and
    pending otherwise."""
    steps = dict(state.steps)
    for name, view in state.steps.items():
        if view.status in ("running", "waiting") and view.last is not None:
            steps[name] = replace(view, status="unknown" if view.last.intended else "pending")
    return replace(state, steps=steps, waiting=None, approvals=())


def _with_status(state: State, step: str, status: StepStatus) -> State:
    view = state.steps.get(step)
    if view is None:
        return state
    return replace(state, steps={**state.steps, step: replace(view, status=status)})


def _with_attempt(state: State, step: str, change: Callable[[Attempt], Attempt]) -> State:
    view = state.steps.get(step)
    if view is None or not view.attempts:
        return state
    view = replace(view, attempts=(*view.attempts[:-1], change(view.attempts[-1])))
    return replace(state, steps={**state.steps, step: view})
