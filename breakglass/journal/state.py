"""The state of a session as a fold over its events. Everything that a person sees comes from here.

`apply` is pure: the same events give the same state, in the cockpit, in an observer, in a report and on
resume. `fold` gives what applying one event after the other would. It changes one state of its own in place,
which nobody has seen yet: a copy for each of 100,000 events would be most of the time of a resume.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Literal, TypeAlias, overload

from breakglass.journal import events as e
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

    def __iter__(self) -> Iterator[Recorded]:
        return islice(self._shared, self._length)

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
    "pending",
    "running",
    "waiting",
    "ok",
    "failed",
    "unknown",
    "cancelled",
    "skipped",
    "shown",
    "nothing-to-do",
]

DEFINITE_REFUSALS = frozenset({"forbidden", "not-found", "conflict", "rejected", "authentication"})
"""Faults with which the far side says that it did nothing."""


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
    confirmed: tuple[e.Confirmed, ...] = ()
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

    @property
    def may_have_acted(self) -> bool:
        """Whether something was sent that the far side has not refused."""
        harmless = {
            finish.item
            for finish in self.finished
            if finish.outcome == "not-sent"
            or (finish.outcome == "failed" and finish.fault in DEFINITE_REFUSALS)
        }
        return any(intent.item not in harmless for intent in self.intended)


@dataclass(frozen=True, slots=True)
class StepView:
    """All that happened to one step."""

    id: str
    attempts: tuple[Attempt, ...] = ()
    status: StepStatus = "pending"
    skip_reason: str = ""
    settled: int = 0
    """How many attempts are settled: a later one was verified, or a person left the step out."""

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def left_out(self) -> bool:
        """Whether a person skipped it; a step that did not apply was left out by the runbook itself."""
        return self.status == "skipped" and not self.skip_reason.startswith("does not apply")

    @property
    def unsettled(self) -> Attempt | None:
        """The last attempt whose change may have come about, and of which nothing has shown that it did."""
        acted = (each for each in reversed(self.attempts[self.settled :]) if each.may_have_acted)
        return next(acted, None)

    def verified_by(self, attempt: Attempt) -> Attempt | None:
        """The attempt, this or a later one, whose verification shows that this one's change was done."""
        later = (each for each in self.attempts if each.number >= attempt.number and each.state == "ok")
        found = next(later, None) if attempt.may_have_acted else None
        return found if found is not None and found.last_poll is not None and found.last_poll.holds else None


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
    runbook_digest: str = ""
    site_digest: str = ""
    """What the session holds to: as it began, or as it was accepted last."""
    inputs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    values: Mapping[str, Json] = field(default_factory=dict[str, Json])
    steps: Mapping[str, StepView] = field(default_factory=dict[str, StepView])
    """In the order in which they were first reached."""
    current: str = ""
    following: str = ""
    """The step that the walk goes to next; empty when a person must decide or the walk is over."""
    waiting: e.Asked | None = None
    approvals: tuple[str, ...] = ()
    """Who has given their word for the change now asked about."""
    notes: tuple[Recorded, ...] = ()
    happened: tuple[Recorded, ...] = ()
    hints: tuple[e.HintShown, ...] = ()
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

Observer: TypeAlias = Callable[[Recorded, State], None]
"""Is told of each event after it is on record, with the state that it leads to."""


def fold(recorded: Iterable[Recorded]) -> State:
    """The state after these events."""
    state, events = State(), list(recorded)
    for each in events:
        _take(state, each)
    _set(state, last=events[-1] if events else None, timeline=Trail(events, len(events)))
    return state


def apply(state: State, recorded: Recorded) -> State:
    """The state after one more event."""
    after = _apart(state, getattr(recorded.event, "step", ""))
    _take(after, recorded)
    _set(after, last=recorded, timeline=state.timeline.plus(recorded))
    return after


def _set(whole: State | StepView | Attempt, **fields: object) -> None:
    """Change in place what only this module has seen so far; to all others it is frozen."""
    for name, value in fields.items():
        object.__setattr__(whole, name, value)


def _apart(state: State, step: str) -> State:
    """A copy that shares nothing with the state of what an event at this step may change in place."""
    view = state.steps.get(step)
    if view is None:
        return replace(state)
    attempts = (*view.attempts[:-1], *(replace(last) for last in view.attempts[-1:]))
    return replace(state, steps={**state.steps, step: replace(view, attempts=attempts)})


def _take(state: State, recorded: Recorded) -> None:
    """Change the state by an event, in place: itself, and of its steps that of the event with its last
    attempt. What else it holds is only ever exchanged."""
    event = recorded.event
    match event:
        case e.VerifyPolled():
            if last := _last(state, event.step):
                _set(last, polls=last.polls + 1, last_poll=event)
        case e.ActionPrepared():
            if last := _last(state, event.step):
                _set(last, prepared=(*last.prepared, event))
        case e.ActionIntended():
            if last := _last(state, event.step):
                _set(last, intended=(*last.intended, event))
        case e.ActionFinished():
            if last := _last(state, event.step):
                _set(last, finished=(*last.finished, event))
        case e.Judged():
            if last := _last(state, event.step):
                _set(last, judged=(*last.judged, event), judged_at=recorded.time)
        case e.Captured():
            _set(state, values={**state.values, **event.values})
            if last := _last(state, event.step):
                _set(last, captured={**last.captured, **event.values})
        case e.NeedRead():
            _set(state, refusals=state.refusals + (0 if event.holds else 1))
            if last := _last(state, event.step):
                _set(last, needs=(*last.needs, (recorded.time, event)))
        case e.StepStarted():
            attempt = Attempt(number=event.attempt, started=recorded.time, began=recorded.elapsed)
            view = _reached(state, event.step)
            _set(view, attempts=(*view.attempts, attempt), status="running", skip_reason="")
            _set(state, current=event.step, following="", waiting=None, approvals=())
        case e.StepFinished():
            view = _reached(state, event.step)
            if view.last is not None:
                seconds = recorded.elapsed - view.last.began
                _set(view.last, state=event.state, say=event.say, ended=recorded.time, seconds=seconds)
            _set(view, status=_status_after(view, event.state))
            _set(view, skip_reason=event.say if event.state == "skipped" else "")
            if event.state == "ok":
                _set(view, settled=len(view.attempts))
            _set(state, current=event.step, following=event.goto, waiting=None, approvals=())
        case e.SessionStarted():
            _set(
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
                runbook_digest=event.runbook_digest,
                site_digest=event.site_digest,
            )
        case e.SessionResumed():
            _reopen(state)
            _set(state, operator=event.operator, ended=None, paused=False)
        case e.Accepted():
            _set(
                state,
                waiting=None,
                runbook_digest=event.runbook_digest,
                site_digest=event.site_digest,
                site=event.site,
                production=event.production,
            )
        case e.SessionEnded():
            _set(state, ended=event, waiting=None, approvals=(), following="")
        case e.Asked():
            if event.question not in ("decide", "continue", "accept"):
                _set_status(state, event.step, "waiting")
            _set(state, waiting=event, approvals=())
        case e.Confirmed():
            _set(state, approvals=(*state.approvals, event.by))
            if last := _last(state, event.step):
                _set(last, confirmed=(*last.confirmed, event))
            if state.waiting is None or len(state.approvals) >= state.waiting.approvals:
                _set(state, waiting=None)
                _set_status(state, event.step, "running")
        case e.Declined():
            _set(state, waiting=None, approvals=())
        case e.Decided():
            if event.command == "skip" and event.step in state.steps:
                view = state.steps[event.step]
                _set(view, status="skipped", skip_reason=event.reason, settled=len(view.attempts))
            following = event.goto or state.following
            _set(state, waiting=None, paused=event.command == "pause", following=following)
        case e.Answered():
            _set(state, waiting=None)
            _set_status(state, event.step, "running")
        case e.NoteAdded():
            _set(state, notes=(*state.notes, recorded))
        case e.HandedOver():
            _set(state, operator=event.to)
        case e.HintShown():
            _set(state, hints=(*state.hints, event))
        case e.Happened():
            _set(state, happened=(*state.happened, recorded))


def _last(state: State, step: str) -> Attempt | None:
    """The last attempt at a step, where there is one."""
    view = state.steps.get(step)
    return view.last if view is not None else None


def _reached(state: State, step: str) -> StepView:
    """A step of the walk, which may come to it for the first time."""
    view = state.steps.get(step)
    if view is None:
        view = StepView(step)
        _set(state, steps={**state.steps, step: view})
    return view


def _set_status(state: State, step: str, status: StepStatus) -> None:
    view = state.steps.get(step)
    if view is not None:
        _set(view, status=status)


def _status_after(view: StepView, state: e.StepState) -> StepStatus:
    """A step's status when an attempt has ended. One that sent nothing says nothing about an earlier one."""
    sent_nothing = view.last is None or not view.last.intended
    earlier = view.unsettled if state in ("failed", "cancelled") and sent_nothing else None
    return state if earlier is None else earlier.state or "unknown"


def _reopen(state: State) -> None:
    """A step that was cut short is unknown where a change was sent or may have been, verified or not, and
    pending otherwise."""
    steps = dict(state.steps)
    for name, view in state.steps.items():
        if view.status in ("running", "waiting") and view.last is not None:
            unsettled = view.unsettled
            known = not view.last.intended and (unsettled is None or unsettled.state == "failed")
            steps[name] = replace(view, status="pending" if known else "unknown")
    _set(state, steps=steps, waiting=None, approvals=())
