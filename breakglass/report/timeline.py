"""The timeline of a session in words: one line a fact, UTC, in the order of the journal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State
from breakglass.transport.sanitize import visible


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of the timeline. `elapsed` is seconds since the session began."""

    time: datetime
    elapsed: float
    step: str
    text: str
    weight: int
    """2 for decisions, changes and verdicts; 1 for readings; 0 for detail."""


def timeline(state: State, *, least: int = 1) -> list[TimelineEntry]:
    """The session's facts, those of at least this weight."""
    return [entry for entry in _entries(state.timeline) if entry.weight >= least]


def _entries(recorded: Iterable[Recorded]) -> Iterable[TimelineEntry]:
    for each in recorded:
        words = words_of(each.event)
        if words is not None:
            text, weight = words
            yield TimelineEntry(each.time, each.elapsed, getattr(each.event, "step", ""), text, weight)


def offset(elapsed: float) -> str:
    """Seconds since the start as `+MM:SS`."""
    minutes, rest = divmod(int(elapsed), 60)
    return f"+{minutes:02}:{rest:02}"


def state_words(state: e.StepState) -> str:
    """How a step ended, for people: "ok" alone could be read as more than it says."""
    return {"ok": "done", "nothing-to-do": "nothing to do"}.get(state, state)


def agreed_words(event: e.Confirmed) -> str:
    """Whose word it was, how it was given, and whether anything proves that it was a second person's."""
    if event.proof == "signature":
        return f"{event.by} agreed, proven by an SSH signature with the key {event.fingerprint}"
    typed = f"{event.by} confirmed by typing {event.typed!r}"
    return f"{typed}; not proven to be another person" if event.proof == "none" else typed


def words_of(event: e.Event) -> tuple[str, int] | None:
    """An event in words, safe to show, and its weight; None for an event that says nothing by itself."""
    words = _words(event)
    return None if words is None else (visible(words[0]), words[1])


def _words(event: e.Event) -> tuple[str, int] | None:
    match event:
        case e.SessionStarted():
            scenario = f", scenario {event.scenario}" if event.scenario else ""
            where = f"site {event.site}, mode {event.mode}{scenario}"
            return f"{event.operator} began {event.runbook} on {where}", 2
        case e.SessionResumed():
            torn = f"; a torn record of {event.torn} bytes was dropped" if event.torn else ""
            return f"{event.operator} resumed{torn}", 2
        case e.Accepted():
            digests = f"runbook SHA-256 {event.runbook_digest[:12]}, site {event.site_digest[:12]}"
            return f"{event.by} accepted that the {event.what} is not as it was ({digests})", 2
        case e.SessionEnded():
            reason = f": {event.reason}" if event.reason else ""
            return f"ended: {event.result}{reason}", 2
        case e.StepStarted():
            return f"step {event.step}, attempt {event.attempt}", 0
        case e.ActionPrepared():
            if not event.because:
                return None
            return f"{event.risk.upper()} ({event.because}): {event.command}", 1
        case e.NeedRead():
            held = event.means or f"{event.that} holds" if event.holds else f"REFUSED: {event.message}"
            vouched = f", READ ({event.because})" if event.because else ""
            return f"read again {event.need}: {held}{vouched}", 1 if event.holds else 2
        case e.Asked():
            asked = f"asked to {event.question}" if event.question != "decide" else "waiting for a decision"
            return f"{asked}: {event.text}".rstrip(": "), 1 if event.question in ("confirm", "accept") else 0
        case e.Confirmed():
            return agreed_words(event), 2
        case e.Declined():
            return f"{event.by} cancelled; nothing sent", 2
        case e.ActionIntended():
            return f"about to send ({event.risk}) to {event.where}: {event.command}", 2
        case e.ActionFinished():
            return _finished(event)
        case e.VerifyPolled():
            found = event.means or "holds"
            held = found if event.holds else f"not yet ({event.message})" if event.message else "not yet"
            vouched = f", READ ({event.because})" if event.because else ""
            words = f"after {event.elapsed:.0f} s of {event.within:.0f} s: {held}{vouched}"
            return words, 1 if event.because else 0
        case e.Captured():
            return "captured " + ", ".join(event.values), 0
        case e.Judged():
            if event.means:
                return event.means, 1
            if not event.holds:
                return f"NOT AS EXPECTED: {event.message}", 1
            return f"{event.that} holds ({_observed(event) or 'nothing read'})", 1
        case e.StepFinished(state="cancelled"):
            return event.say, 0
        case e.StepFinished():
            words = f"{state_words(event.state)}: {event.say}".rstrip(": ")
            return words, 1 if event.state in ("ok", "skipped", "nothing-to-do") else 2
        case e.Decided():
            goto = f" to {event.goto}" if event.command == "jump" else ""
            reason = f": {event.reason}" if event.reason else ""
            return f"{event.by} chose {event.command}{goto}{reason}", 2 if event.command != "continue" else 0
        case e.Answered():
            note = f" ({event.note})" if event.note else ""
            return f"{event.by} answered {event.value}{note}", 2
        case e.NoteAdded():
            return f"note by {event.by}: {event.text}", 2
        case e.HandedOver():
            return f"{event.by} handed over to {event.to}", 2
        case e.HintShown():
            return f"hint: {event.text}", 1
        case e.Happened():
            what = event.kind if event.kind == event.name else f"{event.kind} {event.name}"
            return f"[simulated] {what}: {event.say}".rstrip(": "), 2 if event.kind == "trap" else 1


def _observed(event: e.Judged) -> str:
    return ", ".join(f"{name} = {value}" for name, value in event.observed.items())


def _finished(event: e.ActionFinished) -> tuple[str, int]:
    facts = [f"{event.seconds:.1f} s"]
    if event.status is not None:
        facts.append(f"status {event.status}")
    if event.exit is not None:
        facts.append(f"exit {event.exit}")
    outcome = {"unknown": "MAY HAVE HAPPENED", "not-sent": "not sent"}.get(event.outcome, event.outcome)
    message = f": {event.message}" if event.message else ""
    return f"{outcome} ({', '.join(facts)}){message}", 2 if event.outcome in ("unknown", "failed") else 0
