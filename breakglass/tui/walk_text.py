"""What the walk's screen says, computed from the session's state alone. No widget, no colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from breakglass.journal import events as e
from breakglass.journal.state import Attempt, State, StepView
from breakglass.policy.risk import Risk
from breakglass.report.position import WalkPosition
from breakglass.runbook.library import origin_words
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.site.model import Site
from breakglass.tui.theme import BANDS
from breakglass.tui.widgets.text import clock, plain, seconds

Doing: TypeAlias = Literal["ended", "asking", "reading", "changing", "verifying", "moving"]

ENDED = {
    "recovered": "recovered",
    "not-this-incident": "not this incident",
    "escalate": "escalate: call",
    "completed": "walk complete",
    "stopped": "stopped, can be resumed",
}
STATE_WORDS = {
    "ok": "as expected",
    "failed": "failed",
    "unknown": "outcome unknown",
    "cancelled": "cancelled",
    "skipped": "skipped",
    "shown": "shown, not sent",
    "nothing-to-do": "nothing to do",
    "running": "running",
    "waiting": "waiting for you",
    "pending": "not reached yet",
}


def doing(state: State) -> Doing:
    """What the walk does now."""
    if state.ended is not None:
        return "ended"
    if state.waiting is not None:
        return "asking"
    view = state.steps.get(state.current)
    last = view.last if view is not None else None
    if last is None or last.state is not None:
        return "moving"
    if last.open_intents:
        return "changing"
    return "verifying" if last.intended else "reading"


def state_words(state: State) -> str:
    """The session's state in a few words."""
    now = doing(state)
    if state.ended is not None:
        # The world of a rehearsal is gone: there is nothing to resume.
        rehearsed = state.scenario and state.ended.result == "stopped"
        return "stopped" if rehearsed else ENDED[state.ended.result]
    if now == "asking":
        return "NEEDS YOU"
    return {"changing": "CHANGE UNDER WAY", "verifying": "verifying", "reading": "reading"}.get(
        now, "paused" if state.paused else "ready"
    )


def began(state: State) -> datetime | None:
    """When the incident's clock starts: at the alert where somebody said so, else with the session."""
    if state.started is None or not isinstance(state.started.event, e.SessionStarted):
        return None
    told = state.started.event.incident_began
    try:
        return datetime.fromisoformat(told) if told else state.started.time
    except ValueError:
        return state.started.time


def header_chunks(
    state: State,
    runbook: Runbook,
    site: Site,
    now: datetime,
    fault: str = "",
    *,
    position: WalkPosition | None = None,
    origin: str = "",
    terse: bool = False,
) -> list[str]:
    """The header's pieces, the most important first. The mode's word stands before them.

    `origin` says where the runbook comes from. `terse` leaves out what is counted and is none.
    """
    counts = {"failed": state.failed, "unknown": state.unknown, "notes": len(state.notes)}
    start = began(state)
    end = state.timeline[-1].time if state.ended is not None else now
    chunks = [
        site_words(state),
        plain(state.runbook),
        *(position.words if position is not None else [f"{len(runbook.steps)} steps"]),
        f"T+{clock((end - start).total_seconds())}" if start is not None else "T+00:00",
        f"{now:%H:%M:%S}Z",
        state_words(state),
        *(f"{name} {count}" for name, count in counts.items() if count or not terse),
        *([plain(origin)] if origin else []),
    ]
    reached = [*site.clusters.values(), *site.endpoints.values()]
    insecure = [each.name for each in reached if not each.verify_tls]
    if insecure:
        chunks.append(plain(f"TLS NOT VERIFIED: {', '.join(insecure)}"))
    if fault:
        chunks.append(plain(f"JOURNAL CANNOT BE WRITTEN, no change will be sent: {fault}"))
    return chunks


def runbook_words(state: State) -> str:
    """Where the runbook comes from; empty for a session whose runbook is in no file. Looks at the disk."""
    started = state.started.event if state.started is not None else None
    path = started.runbook_path if isinstance(started, e.SessionStarted) else ""
    return f"runbook {origin_words(Path(path))}" if path else ""


def site_words(state: State) -> str:
    """The site, and whether it is production or which simulated incident it is."""
    kind = state.scenario or ("prod" if state.production else "")
    return plain(f"{state.site} ({kind})" if kind else state.site)


def mode_word(state: State) -> str:
    return BANDS[state.mode].word


def number_of(runbook: Runbook, step_id: str) -> int:
    """A step's number, from 1; 0 when it is none of the runbook's."""
    return next((at for at, step in enumerate(runbook.steps, start=1) if step.id == step_id), 0)


def titled(runbook: Runbook, step_id: str) -> str:
    """A step as `4 Delete the outpost pod`, with its risk where it is more than a read."""
    number = number_of(runbook, step_id)
    if not number:
        return plain(step_id)
    step = runbook.steps[number - 1]
    return plain(f"{number} {step.title}{risk_words(step)}")


def risk_words(step: Step) -> str:
    """What stands behind a step's title so that nobody walks into a change unawares."""
    return {Risk.DESTRUCTIVE: " !! DESTRUCTIVE", Risk.CHANGE: " ! CHANGE", Risk.PROBE: " ! PROBE"}.get(
        step.risk, ""
    )


def verdict(view: StepView | None, attempt: Attempt | None) -> tuple[str, str]:
    """A step's state and what to say about it. With no attempt there is only what the step itself says."""
    if view is None:
        return "pending", STATE_WORDS["pending"]
    if view.status == "skipped" and (attempt is None or attempt is view.last):
        return "skipped", plain(f"skipped: {view.skip_reason}")
    status = (attempt.state or view.status) if attempt is not None else view.status
    say = plain(attempt.say) if attempt is not None else ""
    words = STATE_WORDS[status]
    if attempt is not None and status in ("failed", "unknown", "cancelled"):
        verified, earlier = view.verified_by(attempt), view.unsettled
        if verified is not None:
            return "ok", f"done, as verified in attempt {verified.number}"
        if status != "unknown" and attempt is view.last and view.status == "unknown" and earlier is not None:
            return "unknown", f"attempt {earlier.number} may have happened. {say}"
    if status == "cancelled":
        return status, say
    if status == "ok" and attempt is not None and not attempt.judged and attempt.last_poll is None:
        return status, say or "done"
    if status in ("ok", "failed", "unknown", "shown", "nothing-to-do") and say:
        return status, f"{words}: {say}"
    return status, words


@dataclass(frozen=True, slots=True)
class Move:
    """The next move in words. `limit` is set while something runs: then `spent` seconds of it are gone."""

    words: str
    spent: float = 0.0
    limit: float = 0.0
    urgent: bool = False


def next_move(state: State, runbook: Runbook, now: datetime, speed: float = 1.0) -> Move:
    """The one thing to do now, or what is waited for and for how long."""
    match doing(state):
        case "ended":
            return Move("Enter  open the report")
        case "asking":
            assert state.waiting is not None
            return Move(asking_words(state.waiting, runbook), urgent=True)
        case "changing":
            return _changing(state, now, speed)
        case "verifying":
            return _verifying(state, now, speed)
        case "reading":
            return _reading(state, now, speed)
        case "moving":
            following = state.following
            return Move(f"then: {titled(runbook, following)}" if following else "one moment")


def asking_words(asked: e.Asked, runbook: Runbook) -> str:
    """How an open question is answered."""
    match asked.question:
        case "confirm":
            approvals = f", {asked.approvals} people must agree" if asked.approvals > 1 else ""
            return plain(f"Enter  review and confirm: {asked.text}{approvals}. Nothing sent.")
        case "accept":
            return plain(f"Enter  review what has changed: {asked.text}. Nothing sent.")
        case "decide":
            ways = "r  rerun   J  jump   s  skip   S  stop and call"
            if not asked.suggests:
                return f"{ways}   Enter  explain"
            return f"Enter  suggested: {titled(runbook, asked.suggests)}   {ways}"
        case "continue":
            return plain(f"Enter  {asked.options.get('continue', 'go on')}   ({asked.text})")
        case "choose":
            return f"Enter  choose one of {len(asked.options)}: {plain(', '.join(asked.options))}"
        case "answer":
            return plain(f"Enter  answer: {asked.text}")
        case "acknowledge":
            return "Enter  say what you did and what you saw"


def _since(state: State, kinds: tuple[type[e.Event], ...], now: datetime) -> float:
    for recorded in reversed(state.timeline):
        if isinstance(recorded.event, kinds):
            return max((now - recorded.time).total_seconds(), 0.0)
    return 0.0


def _last(state: State) -> Attempt | None:
    view = state.steps.get(state.current)
    return view.last if view is not None else None


def _changing(state: State, now: datetime, speed: float) -> Move:
    last = _last(state)
    limit = last.prepared[-1].timeout if last is not None and last.prepared else 0.0
    spent = _since(state, (e.ActionIntended,), now) * speed
    return Move("Sent. Waiting for the result", spent, limit)


def _verifying(state: State, now: datetime, speed: float) -> Move:
    last = _last(state)
    poll = last.last_poll if last is not None else None
    if poll is None:
        return Move("Sent. Verifying", _since(state, (e.ActionFinished,), now) * speed, 0.0)
    words = "Verified; holding" if poll.holds else f"Verifying: not yet. {plain(poll.message)}".rstrip()
    return Move(words, *_polling(state, poll, now, speed))


def _polling(state: State, poll: e.VerifyPolled, now: datetime, speed: float) -> tuple[float, float]:
    """How long it has held, and must hold; or, while it does not, how long it was looked for, and may be."""
    since_poll = _since(state, (e.VerifyPolled,), now) * speed
    spent, limit = (poll.held, poll.soak) if poll.holds else (poll.elapsed, poll.within)
    return min(spent + since_poll, limit), limit


def _reading(state: State, now: datetime, speed: float) -> Move:
    last = _last(state)
    poll = last.last_poll if last is not None else None
    if poll is not None:
        words = "Holding" if poll.holds else f"Not yet. {plain(poll.message)}".rstrip()
        return Move(f"{words}   x  stops waiting", *_polling(state, poll, now, speed))
    if last is None or not last.prepared:
        return Move("Preparing", _since(state, (e.StepStarted,), now) * speed, 0.0)
    if last.needs or last.prepared[-1].risk != "read":
        spent = _since(state, (e.NeedRead, e.ActionPrepared, e.Confirmed), now) * speed
        return Move("Reading the preconditions again   x  cancels", spent, 0.0)
    spent = _since(state, (e.ActionPrepared,), now) * speed
    return Move("Reading   x  cancels", spent, last.prepared[-1].timeout)


def progress(move: Move, width: int) -> str:
    """Elapsed and limit, with a bar where there is room: `3.2 s of 10 s [####------]`. Empty below a
    second."""
    if move.spent < 1.0 or (move.urgent and not move.limit):
        return ""
    if not move.limit:
        return seconds(move.spent)
    words = f"{seconds(move.spent)} of {seconds(move.limit)}"
    room = min(width - len(words) - 3, 20)
    if room < 5:
        return words
    done = min(int(room * move.spent / move.limit), room)
    return f"{words} [{'#' * done}{'-' * (room - done)}]"


def strip_window(count: int, at: int, room: int, widths: Sequence[int]) -> range:
    """Which of `count` pieces to show around piece `at` in `room` cells."""
    if not count:
        return range(0)
    start = stop = at
    stop += 1
    used = widths[at]
    while True:
        right = stop < count and used + widths[stop] <= room
        if right:
            used += widths[stop]
            stop += 1
        left = start > 0 and used + widths[start - 1] <= room
        if left:
            start -= 1
            used += widths[start]
        if not (left or right):
            return range(start, stop)
