"""What a person may tell the engine. The cockpit, the headless walk and the plain mode all speak through
these."""

from dataclasses import dataclass
from typing import TypeAlias

from breakglass.journal import events as e
from breakglass.values import Json


@dataclass(frozen=True, slots=True)
class Confirm:
    """A word for the change now asked about. `typed` must equal the asked text exactly; `by` is who gives
    it."""

    typed: str
    by: str


@dataclass(frozen=True, slots=True)
class Sign:
    """A second person's word: the SSH signature over the asked text, as it was pasted. Who gave it is found
    out from the signature; it is checked by a program of its own, so it goes to `Engine.sign`."""

    signature: str


@dataclass(frozen=True, slots=True)
class Decline:
    """Go back: nothing sent."""

    by: str


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on from a pause or from the end of a phase."""

    by: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Run the step again. A change that may have come about is verified first, and asked about only where it
    was not done."""

    by: str


@dataclass(frozen=True, slots=True)
class Jump:
    goto: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave the current step out. The reason is recorded and the step becomes a deferred item."""

    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Undo:
    """Go to the step that puts the current one back. It asks like any other change."""

    by: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The value for `ask`, the option's name for `choose`, or the word for `manual`."""

    value: Json
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop before the next step. What is running is not touched."""

    by: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop and call: end the walk here. It can be resumed."""

    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class CancelRead:
    """Cancel the running read. A change is never cancelled."""

    by: str


@dataclass(frozen=True, slots=True)
class Hint:
    """Show the step's hint; it is counted in the review."""

    by: str


@dataclass(frozen=True, slots=True)
class HandOver:
    to: str
    by: str


def suggested_words(asked: e.Asked) -> str:
    """The reason on record of a jump to where the runbook suggests."""
    return f"as the runbook suggests: {asked.text}".removesuffix(": ")


Command: TypeAlias = (
    Confirm
    | Decline
    | Continue
    | Retry
    | Jump
    | Skip
    | Undo
    | Answer
    | Note
    | Pause
    | Stop
    | CancelRead
    | Hint
    | HandOver
)
