"""What a walk has found: one sentence for each question that was answered, oldest first."""

from dataclasses import dataclass
from datetime import datetime

from breakglass.journal import events as e
from breakglass.journal.state import Attempt, State
from breakglass.runbook.model import Runbook
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


def deciding_steps(state: State, runbook: Runbook) -> dict[str, int]:
    """The steps whose answers decided: 2 for one that chose the way, 1 for one that a change rested on."""
    deciding: dict[str, int] = {}
    for step in runbook.steps:
        attempts = state.steps[step.id].attempts if step.id in state.steps else ()
        if any(attempt.intended for attempt in attempts):
            deciding |= {need: 1 for need in step.needs if need not in deciding}
        if any(way.say for way in step.next) and any(each.state == "ok" and each.say for each in attempts):
            deciding[step.id] = 2
    return deciding
