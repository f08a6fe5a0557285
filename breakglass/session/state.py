"""The state of a session as a fold over its events. Everything that a person sees comes from here.

`apply` is pure: the same events give the same state, in the cockpit, in an observer, in a report and on resume.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeAlias

from breakglass.session import events as e
from breakglass.values import Json


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the journal. `time` is UTC; `elapsed` is seconds since the session's start.

    `elapsed` comes from the monotonic clock, so that a clock that jumps neither reorders nor stretches anything.
    """

    sequence: int
    time: datetime
    elapsed: float
    event: e.Event


StepStatus: TypeAlias = Literal["pending", "running", "waiting", "ok", "failed", "unknown", "skipped", "shown"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One go at a step: what ran, what came back, how it was judged."""

    number: int
    started: datetime
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
    """The whole session. `values` are the captured values in scope; `waiting` is the question now open, if any."""

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
    timeline: tuple[Recorded, ...] = ()

    @property
    def failed(self) -> int:
        return sum(1 for step in self.steps.values() if step.status == "failed")

    @property
    def unknown(self) -> int:
        return sum(1 for step in self.steps.values() if step.status == "unknown")


EMPTY = State()


def fold(recorded: Iterable[Recorded]) -> State:
    """The state after these events."""
    state = EMPTY
    for each in recorded:
        state = apply(state, each)
    return state
