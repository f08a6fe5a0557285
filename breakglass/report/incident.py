"""A session told as an incident: the few rows that a person would write, and the moments that count.

Findings are told in groups where there are many of them. What was sent, what failed and what somebody decided
always has a row of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from breakglass.journal import events as e
from breakglass.journal.state import Attempt, Recorded, State, StepView
from breakglass.report.ending import RESULTS, duration, outcome
from breakglass.report.findings import deciding_steps, finding_of
from breakglass.report.timeline import words_of
from breakglass.runbook.model import Runbook
from breakglass.transport.sanitize import visible_line

MOST_ROWS = 12
"""How many rows a timeline for people has, as long as only findings have to make room."""

TOLD_TOGETHER = 3
"""How many findings a row names; the others are counted."""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One row of the timeline. `elapsed` is seconds since the walk began, None for what came before it."""

    time: datetime
    elapsed: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Moments:
    """When an incident came how far, as far as the record knows, and what showed it."""

    alerted: datetime | None
    began: datetime
    found: datetime | None = None
    found_by: str = ""
    mitigated: datetime | None = None
    mitigated_by: str = ""
    verified: datetime | None = None
    verified_by: str = ""
    changes: int = 0
    """How many changes are done and verified; which of them helped only a person can say."""


@dataclass(frozen=True, slots=True)
class _Finding:
    text: str
    decides: int


@dataclass(frozen=True, slots=True)
class _RowGroup:
    """Something that happened, as `text`; or findings that stand together."""

    time: datetime
    elapsed: float | None
    phase: str = ""
    text: str = ""
    findings: tuple[_Finding, ...] = ()


def rows(state: State, runbook: Runbook) -> list[IncidentRow]:
    """The timeline that people read: at most MOST_ROWS, unless more than that was sent or decided."""
    groups = _joined(list(_groups(state, runbook)))
    return [IncidentRow(group.time, group.elapsed, visible_line(_text(group))) for group in groups]


def moments(state: State, runbook: Runbook) -> Moments | None:
    """The moments of a session; None where it never began."""
    started = state.started
    if started is None or not isinstance(started.event, e.SessionStarted):
        return None
    titles = {step.id: step.title for step in runbook.steps}
    sent = next((each.time for each in state.timeline if isinstance(each.event, e.ActionIntended)), None)
    findings = [(each.time, text) for each, _, text in _answers(state).values()]
    before = [each for each in findings if sent is None or each[0] < sent]
    done = [
        (each.time, titles.get(view.id, view.id))
        for each, view, attempt in _finished(state)
        if view.verified_by(attempt) is attempt and attempt.intended
    ]
    found = before[-1] if before and (sent is not None or state.ended is not None) else (None, "")
    mitigated = done[-1] if done else (None, "")
    recovered = state.last is not None and state.ended is not None and state.ended.result == "recovered"
    verified = (
        (state.last.time, outcome(state, runbook)) if state.last is not None and recovered else (None, "")
    )
    return Moments(_alerted(started.event), started.time, *found, *mitigated, *verified, len(done))


def causes(state: State, runbook: Runbook) -> list[str]:
    """What was found before the first change: the answers that decided, or else all of them."""
    deciding = deciding_steps(state, runbook)
    sent = next((each.sequence for each in state.timeline if isinstance(each.event, e.ActionIntended)), None)
    found = [
        (step, text)
        for sequence, (_, step, text) in _answers(state).items()
        if sent is None or sequence < sent
    ]
    decided = [text for step, text in found if step in deciding]
    return list(dict.fromkeys(decided or [text for _, text in found]))


def _alerted(event: e.SessionStarted) -> datetime | None:
    try:
        return datetime.fromisoformat(event.incident_began)
    except ValueError:
        return None


def _finished(state: State) -> Iterator[tuple[Recorded, StepView, Attempt]]:
    """Each attempt at the moment when it ended."""
    for each in state.timeline:
        if isinstance(each.event, e.StepFinished):
            view = state.steps[each.event.step]
            attempt = next((one for one in view.attempts if one.number == each.event.attempt), None)
            if attempt is not None:
                yield each, view, attempt


def _answers(state: State) -> dict[int, tuple[Recorded, str, str]]:
    """What was found and by which step, by the sequence of the event with which it ended. What a person
    answered, and what was changed, is none."""
    asked = {
        (one.event.step, one.event.attempt) for one in state.timeline if isinstance(one.event, e.Answered)
    }
    return {
        each.sequence: (each, view.id, visible_line(text))
        for each, view, attempt in _finished(state)
        if attempt.state in ("ok", "nothing-to-do") and not attempt.intended
        if (view.id, attempt.number) not in asked and (text := finding_of(attempt))
    }


# ------------------------------------------------------------------------------- what happened, in order
def _groups(state: State, runbook: Runbook) -> Iterator[_RowGroup]:
    steps = {step.id: step for step in runbook.steps}
    titles = {step.id: step.title for step in runbook.steps}
    deciding = deciding_steps(state, runbook)
    ends = {(view.id, attempt.number): (each, view, attempt) for each, view, attempt in _finished(state)}
    answers = _answers(state)
    told: set[tuple[str, int]] = set()
    for each in state.timeline:
        event = each.event
        text = _person(event, titles)
        match event:
            case e.SessionStarted():
                if (alerted := _alerted(event)) is not None:
                    yield _RowGroup(alerted, None, text=f"The alert fired, as {event.operator} said")
                text = f"{event.operator} began the walk on {event.site}"
            case e.SessionEnded():
                text = outcome(state, runbook) if event is state.ended else RESULTS[event.result]
            case e.ActionIntended() if (event.step, event.attempt) not in told:
                told.add((event.step, event.attempt))
                text = _change(state, event, titles, ends.get((event.step, event.attempt)))
            case e.StepFinished():
                view_and_attempt = ends.get((event.step, event.attempt))
                if view_and_attempt is None or (event.step, event.attempt) in told:
                    continue
                _, view, attempt = view_and_attempt
                if each.sequence in answers:
                    _, _, answer = answers[each.sequence]
                    step = steps.get(event.step)
                    found = _Finding(answer, deciding.get(event.step, 0))
                    phase = step.phase if step is not None else ""
                    yield _RowGroup(each.time, each.elapsed, phase, findings=(found,))
                elif event.state in ("failed", "unknown") and attempt is not _failed_again(view, attempt):
                    text = _failure(view, attempt, titles.get(event.step, event.step))
            case _:
                pass
        if text:
            yield _RowGroup(each.time, each.elapsed, text=text)


def _person(event: e.Event, titles: dict[str, str]) -> str:
    """What somebody decided, said or answered; empty for everything else."""
    match event:
        case e.SessionResumed() | e.Accepted() | e.HandedOver():
            words = words_of(event)
            return words[0] if words is not None else ""
        case e.Decided(command="skip"):
            return f"{event.by} skipped “{titles.get(event.step, event.step)}”: {event.reason}"
        case e.Decided(command="jump"):
            reason = f": {event.reason}" if event.reason else ""
            return f"{event.by} jumped to “{titles.get(event.goto, event.goto)}”{reason}"
        case e.Answered():
            title, note = titles.get(event.step, event.step), f": {event.note}" if event.note else ""
            if event.value is True:
                return f"{event.by} did “{title}”{note}"
            return f"{event.by} answered “{title}” with {event.value}{note}"
        case e.NoteAdded():
            return f"{event.by} noted: {event.text}"
        case e.Declined():
            return f"{event.by} cancelled “{titles.get(event.step, event.step)}”; nothing sent"
        case e.Happened(kind="trap"):
            return f"[simulated] trap {event.name}: {event.say}"
        case _:
            return ""


def _change(
    state: State,
    event: e.ActionIntended,
    titles: dict[str, str],
    end: tuple[Recorded, StepView, Attempt] | None,
) -> str:
    """What was sent by whose word, and what its verification showed."""
    title = titles.get(event.step, event.step)
    if end is None:
        return f"{state.operator} sent “{title}”. MAY HAVE HAPPENED: no outcome is on record"
    _, _, attempt = end
    by = " and ".join(dict.fromkeys(each.by for each in attempt.confirmed)) or state.operator
    several = f" ({len(attempt.intended)} changes)" if len(attempt.intended) > 1 else ""
    return f"{by} sent “{title}”{several}. {_shown(attempt)}"


def _shown(attempt: Attempt) -> str:
    poll = attempt.last_poll
    if attempt.state == "ok" and poll is not None and poll.holds:
        return f"Verified after {duration(poll.elapsed)}" + (f": {poll.means}" if poll.means else "")
    if attempt.state == "unknown":
        return f"MAY HAVE HAPPENED: {attempt.say}"
    if attempt.state == "failed":
        return f"Failed: {attempt.say}"
    return {"ok": "No automatic check"}.get(attempt.state or "", "It did not end")


def _failed_again(view: StepView, attempt: Attempt) -> Attempt | None:
    """The attempt itself, where the next one failed in the same way: one row tells of both."""
    following = next((each for each in view.attempts if each.number == attempt.number + 1), None)
    same = following is not None and (following.state, following.say) == (attempt.state, attempt.say)
    return attempt if same and following is not None and not following.intended else None


def _failure(view: StepView, attempt: Attempt, title: str) -> str:
    times = 1
    for earlier in reversed(view.attempts[: view.attempts.index(attempt)]):
        if (earlier.state, earlier.say) != (attempt.state, attempt.say) or earlier.intended:
            break
        times += 1
    again = f" ({times} times)" if times > 1 else ""
    words = "failed" if attempt.state == "failed" else "unknown"
    return f"{title}: {words}{again}: {attempt.say}"


# ------------------------------------------------------------------------------- few enough to read
def _joined(groups: list[_RowGroup]) -> list[_RowGroup]:
    """The same, until there are few enough: neighbouring findings in one group, within a phase first and the
    smallest first; and then findings in the row of what followed from them."""
    while len(groups) > MOST_ROWS:
        pairs = [
            (one.phase != other.phase, len(one.findings) + len(other.findings), at)
            for at, (one, other) in enumerate(pairwise(groups))
            if one.findings and other.findings and not one.text and not other.text
        ]
        if not pairs:
            break
        _, _, at = min(pairs)
        one, other = groups[at : at + 2]
        both = (*one.findings, *other.findings)
        groups[at : at + 2] = [_RowGroup(one.time, one.elapsed, other.phase, findings=both)]
    while len(groups) > MOST_ROWS:
        led = [
            (len(one.findings), at)
            for at, (one, other) in enumerate(pairwise(groups))
            if one.findings and not one.text and not other.findings
        ]
        if not led:
            break
        _, at = min(led)
        groups[at : at + 2] = [replace(groups[at + 1], findings=groups[at].findings)]
    return groups


def _text(group: _RowGroup) -> str:
    """Findings that decided before others, and of both the latest, in the order in which they came."""
    if not group.findings:
        return group.text
    numbered = list(enumerate(group.findings))
    chosen = sorted(numbered, key=lambda each: (-each[1].decides, -each[0]))[:TOLD_TOGETHER]
    words = ". ".join(found.text.rstrip(".") for _, found in sorted(chosen, key=lambda each: each[0]))
    more = len(group.findings) - len(chosen)
    told = f"{words} (and {more} more {'check' if more == 1 else 'checks'})" if more else words
    return f"{told}. {group.text}" if group.text else told
