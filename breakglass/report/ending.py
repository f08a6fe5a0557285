"""How a walk stands or ended, in the few lines that others need; and the message for the channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from breakglass.journal import events as e
from breakglass.journal.state import Attempt, State, StepView
from breakglass.report.findings import findings
from breakglass.report.timeline import state_words
from breakglass.runbook.model import Runbook
from breakglass.runbook.template import render_known
from breakglass.transport.sanitize import visible_line

NEWEST_FINDINGS = 5
"""How many findings a status message has."""

RESULTS: dict[e.EndResult, str] = {
    "recovered": "Recovered",
    "not-this-incident": "Not this incident",
    "escalate": "Escalate",
    "completed": "Walk complete",
    "stopped": "Stopped",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """Each part is a sentence or a list of them. `complete`: it ended, and nobody stopped it."""

    complete: bool
    outcome: str
    lasted: str
    changed: tuple[str, ...]
    still_open: tuple[str, ...]
    tell: tuple[str, ...]


def ending_of(state: State, runbook: Runbook) -> Ending:
    """What a session came to, from its state alone."""
    return Ending(
        complete=state.ended is not None and state.ended.result != "stopped",
        outcome=outcome(state, runbook),
        lasted=_lasted(state),
        changed=tuple(_changed(state)),
        still_open=tuple(_still_open(state, runbook)),
        tell=tuple(each for each in (runbook.owner, *runbook.affected) if each),
    )


def status_message(state: State, runbook: Runbook, now: datetime) -> str:
    """A message for the incident's channel: a few lines of plain text, each safe to show."""
    started = state.started
    since = f"{started.time:%H:%M}Z" if started is not None else "not begun"
    site = f"{state.site}{' (prod)' if state.production else ''}"
    rehearsed = "" if state.mode == "live" else f"{state.mode.upper()}, nothing real is touched. "
    ending = ending_of(state, runbook)
    found = [each.text for each in findings(state)][-NEWEST_FINDINGS:]
    lines = [
        f"{rehearsed}{runbook.severity.upper()} {site}: {runbook.title}",
        f"Status {now:%H:%M}Z: {ending.outcome if state.ended is not None else _stands(state, runbook)}",
        f"Since {since}, {ending.lasted}. On it: {state.operator}",
        *_listed("Found", found),
        *_listed("Changed", ending.changed or ("nothing so far" if state.ended is None else "nothing",)),
        *_listed("Still open", ending.still_open if state.ended is not None else ()),
    ]
    return "\n".join(visible_line(line) for line in lines)


def _listed(title: str, texts: Sequence[str]) -> list[str]:
    """One text beside its title, several below it, and nothing for none."""
    if len(texts) < 2:
        return [f"{title}: {text}" for text in texts]
    return [f"{title}:", *(f"- {text}" for text in texts)]


def _stands(state: State, runbook: Runbook) -> str:
    """Where an open walk stands."""
    at = {step.id: step.title for step in runbook.steps}.get(state.current, "before the first step")
    waits = "waiting for a decision at" if state.waiting is not None else "at"
    return f"{waits} {at!r}"


def outcome(state: State, runbook: Runbook) -> str:
    """What it came to, in a sentence."""
    ended = state.ended
    if ended is None:
        return "Not ended"
    last = {step.id: step for step in runbook.steps}.get(state.current)
    if ended.result == "stopped" or last is None or last.ends is None:
        return f"{RESULTS[ended.result]}: {ended.reason}" if ended.reason else RESULTS[ended.result]
    return f"{RESULTS[ended.result]}: {last.title}"


def _lasted(state: State) -> str:
    if state.started is None or state.last is None:
        return "0 s"
    return duration(state.last.elapsed - state.started.elapsed)


def duration(seconds: float) -> str:
    """`3 min 15 s`, and hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{value} {unit}" for value, unit in parts if value) or "0 s"


def _changed(state: State) -> list[str]:
    return [
        f"{intent.command} as {intent.where}: {came_out(view, attempt, intent)}"
        for view in state.steps.values()
        for attempt in view.attempts
        for intent in attempt.intended
    ]


def came_out(view: StepView, attempt: Attempt, intent: e.ActionIntended) -> str:
    """What is known of a change. What its verification showed, in any attempt, comes first."""
    sent = next((each.outcome for each in attempt.finished if each.item == intent.item), "unknown")
    words = {"unknown": "MAY HAVE HAPPENED", "not-sent": "not sent"}.get(sent, sent)
    verified = view.verified_by(attempt) if sent != "not-sent" else None
    if verified is attempt:
        return "done and verified"
    if verified is not None:
        number = verified.number
        again = f"{words}; sent again, done and verified in attempt {number}"
        return again if verified.intended else f"done, as verified in attempt {number}"
    ended = state_words(attempt.state) if attempt.state else "open"
    return f"{words}; step {ended}"


def _still_open(state: State, runbook: Runbook) -> list[str]:
    """What nobody has settled: unknown outcomes, failed and skipped steps, and what to do afterwards."""
    steps = {step.id: step for step in runbook.steps}
    scope = {**state.values, "inputs": dict(state.inputs)}
    still: list[str] = []
    later: list[str] = []
    for view in state.steps.values():
        step = steps.get(view.id)
        title = step.title if step is not None else view.id
        if view.status == "unknown":
            still.append(f"{title}: MAY HAVE HAPPENED")
        elif view.status == "failed":
            still.append(f"{title}: failed")
        elif view.left_out:
            still.append(f"{title}: skipped, {view.skip_reason}")
        elif view.status == "ok" and step is not None and step.followup is not None:
            later.append(render_known(step.followup, scope))
    return [*still, *later]
