"""What a walk has found: one sentence for each question that was answered, oldest first."""

from dataclasses import dataclass
from datetime import datetime

from breakglass.journal import events as e
from breakglass.journal.state import Attempt, State
from breakglass.transport.sanitize import visible_line


@dataclass(frozen=True, slots=True)
class WalkFinding:
    """One answer. `state` is how its step ended; `step` is its id."""

    time: datetime
    step: str
    state: e.StepState
    text: str


def findings(state: State) -> list[WalkFinding]:
    """The answers of each step's last attempt, by the time at which they were there."""
    found: list[WalkFinding] = []
    for view in state.steps.values():
        last = view.last
        if last is None or last.ended is None or last.state is None or view.status == "skipped":
            continue
        text = finding_of(last)
        if text:
            found.append(WalkFinding(last.ended, view.id, last.state, visible_line(text)))
    return sorted(found, key=lambda each: each.time)


def finding_of(attempt: Attempt) -> str:
    """What an attempt answered, in a sentence; empty where it answered nothing."""
    if attempt.state in ("failed", "unknown"):
        return attempt.say
    poll = attempt.last_poll
    meant = [judged.means for judged in attempt.judged if judged.means]
    if poll is not None and poll.means:
        meant.append(poll.means)
    return ". ".join(meant) or (attempt.say if attempt.state == "ok" else "")
