"""The facts that a session is made of. The journal is the ordered list of these; everything seen is a fold
over it.

Each event is a frozen dataclass whose fields are JSON. An event says what *happened*: a decision taken, a
request about to be sent, an outcome. Nothing here is computed from anything else here; that is `state.py`.
"""

from dataclasses import asdict, dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from breakglass.values import Json

Mode: TypeAlias = Literal["live", "dry-run", "rehearsal"]
StepState: TypeAlias = Literal["ok", "failed", "unknown", "cancelled", "skipped", "shown", "nothing-to-do"]
"""`nothing-to-do`: a change over a list that was empty, so that no word was asked and nothing was sent."""
Outcome: TypeAlias = Literal["succeeded", "failed", "unknown", "not-sent"]
Question: TypeAlias = Literal["confirm", "accept", "decide", "answer", "choose", "acknowledge", "continue"]
"""`accept`: on resuming, that the runbook or the site is not as it was; `command` is what has changed."""
Proof: TypeAlias = Literal["", "none", "signature"]
"""What shows that a word after the first is a second person's: nothing but another name, or a signature. The
first word has none of them."""
EndResult: TypeAlias = Literal["recovered", "not-this-incident", "escalate", "completed", "stopped"]

Name: TypeAlias = Annotated[str, "name"]
"""A name by which the program finds something again: a step, a session, a file, a person. The runbook, the
site or the program wrote it. Only these fields, and closed sets of words, are recorded without being searched
for secrets."""


@dataclass(frozen=True, slots=True)
class SessionStarted:
    type: ClassVar[str] = "session.started"
    session: Name
    runbook: Name
    title: str
    severity: str
    runbook_path: Name
    runbook_digest: Name
    site: Name
    site_path: Name
    production: bool
    mode: Mode
    operator: Name
    inputs: dict[str, Json]
    version: str
    host: str
    pid: int
    scenario: Name = ""
    incident_began: str = ""
    """UTC, ISO 8601: when the alert fired, where the operator said so; otherwise empty and the start
    counts."""
    site_digest: Name = ""
    """SHA-256 of the site's file and of where it leads; empty where no file is the site."""
    headless: bool = False
    """Walked by the program itself, as a scenario says, and by no person."""


@dataclass(frozen=True, slots=True)
class SessionResumed:
    type: ClassVar[str] = "session.resumed"
    operator: Name
    host: str
    pid: int
    torn: int
    """Bytes of a torn last record that were dropped."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The operator's word, on resuming, for a runbook or a site that is not as it was. From here on the
    session holds to these."""

    type: ClassVar[str] = "accepted"
    by: Name
    what: str
    runbook_digest: Name
    site_digest: Name
    site: Name
    production: bool


@dataclass(frozen=True, slots=True)
class SessionEnded:
    type: ClassVar[str] = "session.ended"
    result: EndResult
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """The walk reached a step, or tries it again. `command` is exactly what will run, for reads and
    changes alike."""

    type: ClassVar[str] = "step.started"
    step: Name
    attempt: int


@dataclass(frozen=True, slots=True)
class ActionPrepared:
    """The step's action is rendered. `where` names cluster, host or endpoint with its address and
    identity."""

    type: ClassVar[str] = "action.prepared"
    step: Name
    attempt: int
    kind: Name
    command: str
    where: str
    risk: Name
    timeout: float
    item: int = 0
    items: int = 1
    because: str = ""
    """By whose word it counts as less than its words are known for, and why; empty for all others."""


@dataclass(frozen=True, slots=True)
class NeedRead:
    """An earlier observation, or a guard, read again at the moment of acting."""

    type: ClassVar[str] = "need.read"
    step: Name
    attempt: int
    need: Name
    that: str
    holds: bool
    observed: dict[str, Json]
    before: dict[str, Json] = field(default_factory=dict[str, Json])
    message: str = ""
    because: str = ""
    """By whose word the command counts as a read, where its words are not known."""
    means: str = ""
    """What was found, as one would say it; empty where it does not hold."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The walk waits for a person. Which fields are filled depends on `question`."""

    type: ClassVar[str] = "asked"
    step: Name
    attempt: int
    question: Question
    text: str = ""
    command: str = ""
    where: str = ""
    on: str = ""
    """The object a change acts on: kind, name, uid, node, age."""
    each: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """Of a change over a list, every request that one word covers: its `command` and `where`."""
    risk: Name = ""
    impact: str = ""
    undo: str = ""
    server_says: str = ""
    then: str = ""
    earlier: str = ""
    """What is known of an earlier attempt at the same change, where one may have come about."""
    typed: Name = ""
    """The text to type; empty where one key answers."""
    approvals: int = 1
    sign: str = ""
    """Where every word after the first is an SSH signature: the text that is signed."""
    options: dict[str, str] = field(default_factory=dict[str, str])
    """Ways on: name to explanation."""
    suggests: Name = ""
    """The step that the runbook offers where one did not come out as expected."""
    value_type: Name = ""
    pattern: Name = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One person's word for one change. It is used up by the change that follows it."""

    type: ClassVar[str] = "confirmed"
    step: Name
    attempt: int
    by: Name
    """Who; with a signature, the principal of the site's signers."""
    typed: Name
    proof: Proof = ""
    fingerprint: Name = ""
    """The key that signed, as SHA256:…"""
    signature: Name = ""
    """The armoured SSH signature over the text that was asked."""


@dataclass(frozen=True, slots=True)
class Declined:
    type: ClassVar[str] = "declined"
    step: Name
    attempt: int
    by: Name


@dataclass(frozen=True, slots=True)
class ActionIntended:
    """A request that may change something is about to be sent. On disk before it is sent."""

    type: ClassVar[str] = "action.intended"
    step: Name
    attempt: int
    command: str
    where: str
    risk: Name
    item: int = 0


@dataclass(frozen=True, slots=True)
class ActionFinished:
    """What is known of the request. `output` is the name of a file in the session's output folder."""

    type: ClassVar[str] = "action.finished"
    step: Name
    attempt: int
    outcome: Outcome
    seconds: float
    item: int = 0
    exit: int | None = None
    status: int | None = None
    fault: Name = ""
    message: str = ""
    output: Name = ""
    output_bytes: int = 0
    output_lines: int = 0
    head: str = ""
    tail: str = ""


@dataclass(frozen=True, slots=True)
class VerifyPolled:
    """One look at the signal that shows a change is done, or that a wait is over."""

    type: ClassVar[str] = "verify.polled"
    step: Name
    attempt: int
    command: str
    holds: bool
    elapsed: float
    within: float
    observed: dict[str, Json] = field(default_factory=dict[str, Json])
    message: str = ""
    because: str = ""
    """By whose word the command counts as a read, where its words are not known."""
    means: str = ""
    """What was found, as one would say it; empty where it does not hold."""
    held: float = 0.0
    """Seconds for which it has held by now."""
    soak: float = 0.0
    """Seconds for which it must hold."""


@dataclass(frozen=True, slots=True)
class Captured:
    type: ClassVar[str] = "captured"
    step: Name
    attempt: int
    values: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Judged:
    """An expectation held against what was seen. `observed` holds the values of the names it uses."""

    type: ClassVar[str] = "judged"
    step: Name
    attempt: int
    that: str
    holds: bool
    observed: dict[str, Json]
    message: str = ""
    means: str = ""
    """What was found, as one would say it; empty where it does not hold."""


@dataclass(frozen=True, slots=True)
class StepFinished:
    type: ClassVar[str] = "step.finished"
    step: Name
    attempt: int
    state: StepState
    say: str = ""
    goto: Name = ""
    """The step that follows; empty at the end of the walk or when a person decides."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What the operator chose when the walk could not go on by itself."""

    type: ClassVar[str] = "decided"
    step: Name
    command: Literal["retry", "jump", "skip", "continue", "stop", "pause"]
    by: Name
    reason: str = ""
    goto: Name = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The operator's value for `ask` and `choose`, or word for `manual`. A secret's value is not in it."""

    type: ClassVar[str] = "answered"
    step: Name
    attempt: int
    value: Json
    by: Name
    note: str = ""


@dataclass(frozen=True, slots=True)
class NoteAdded:
    type: ClassVar[str] = "note.added"
    step: Name
    text: str
    by: Name


@dataclass(frozen=True, slots=True)
class HandedOver:
    type: ClassVar[str] = "handed-over"
    by: Name
    to: Name


@dataclass(frozen=True, slots=True)
class HintShown:
    type: ClassVar[str] = "hint.shown"
    step: Name
    text: str


@dataclass(frozen=True, slots=True)
class Happened:
    """Something happened in the simulated world of a rehearsal."""

    type: ClassVar[str] = "world.happened"
    kind: Literal["rule", "trap", "recovered", "change"]
    name: str
    say: str


Event: TypeAlias = (
    SessionStarted
    | SessionResumed
    | Accepted
    | SessionEnded
    | StepStarted
    | ActionPrepared
    | NeedRead
    | Asked
    | Confirmed
    | Declined
    | ActionIntended
    | ActionFinished
    | VerifyPolled
    | Captured
    | Judged
    | StepFinished
    | Decided
    | Answered
    | NoteAdded
    | HandedOver
    | HintShown
    | Happened
)

DURABLE: tuple[type[Event], ...] = (
    SessionStarted,
    SessionResumed,
    Accepted,
    SessionEnded,
    Confirmed,
    ActionIntended,
    ActionFinished,
    Decided,
    Answered,
    StepFinished,
    NoteAdded,
    HandedOver,
)
"""Decisions, intents and outcomes: on disk, not only in the kernel's cache, before anyone is told."""

_BY_TYPE: dict[str, type[Event]] = {kind.type: kind for kind in Event.__args__}


def encode(event: Event) -> dict[str, Json]:
    """The event's fields as JSON, without its type."""
    return asdict(event)


def decode(type_: str, data: dict[str, Json]) -> Event:
    """The event from its type and fields. Raises ValueError for a type or a field that this version does
    not know."""
    kind = _BY_TYPE.get(type_)
    if kind is None:
        raise ValueError(f"unknown event type {type_!r}")
    try:
        return kind(**data)  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(f"event {type_}: {error}") from error
