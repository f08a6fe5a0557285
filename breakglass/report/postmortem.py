"""The post-mortem draft: what the record knows is filled in, what only people know is asked for.

It is written to be pasted into a wiki. What a reader of the wiki wants comes first; each record and each
value stands folded below it.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from breakglass.journal import events as e
from breakglass.journal.state import Attempt, State, StepView
from breakglass.report.document import (
    Block,
    Code,
    Fold,
    Heading,
    Line,
    Paragraph,
    Prompt,
    Span,
    points,
    table,
)
from breakglass.report.ending import came_out, duration, ending_of
from breakglass.report.incident import Moments, causes, moments, rows
from breakglass.report.timeline import agreed_words, offset, timeline
from breakglass.runbook.model import Runbook
from breakglass.runbook.template import render_known

CHANGED = "What was changed"
OPEN_ITEMS = "Open items"
NOTES = "Notes"

MOST_DECIDING = 8
"""How many findings the draft names as what the cause rests on; all of them are below it."""


def post_mortem(
    state: State, runbook: Runbook, last_hash: str, review: tuple[Block, ...] = ()
) -> tuple[Block, ...]:
    """The draft. `last_hash` pins the journal; `review` is a rehearsal's after-action review."""
    when = moments(state, runbook)
    if when is None:
        return (Paragraph(("Nothing was recorded.",)),)
    return (
        Heading(1, title_of(runbook)),
        Paragraph((_status(state),)),
        _facts(state, runbook, when),
        *_summary(state, runbook),
        *_impact(when),
        *_durations(when),
        *_timeline(state, runbook),
        *_changes(state),
        *_cause(state, runbook),
        *_detection(runbook),
        *_open_items(state, runbook),
        *_lessons(state),
        *review,
        *_evidence(state, last_hash),
    )


def title_of(runbook: Runbook) -> str:
    return f"Post-mortem: {runbook.title}"


def file_name(state: State, runbook: Runbook) -> str:
    """`<date>-<slug>.md`, the slug of at most five words."""
    day = state.started.time.strftime("%Y-%m-%d") if state.started else "undated"
    words = re.findall(r"[a-z0-9]+", runbook.title.lower())
    return f"{day}-{'-'.join(words[:5])}.md"


def _status(state: State) -> str:
    mode = {
        "live": "",
        "dry-run": " This was a dry run: nothing was changed.",
        "rehearsal": " This was a rehearsal: nothing real was touched.",
    }[state.mode]
    return f"Draft from the record of the walk. What says “to be written” only a person knows.{mode}"


def _facts(state: State, runbook: Runbook, when: Moments) -> Block:
    site = f"simulated, scenario {state.scenario}" if state.scenario else state.site
    people = dict.fromkeys([_operator(state), state.operator])
    rows: dict[str, Span | Line] = {
        "Date": f"{when.began:%Y-%m-%d}",
        "Severity": runbook.severity.upper(),
        "Status": ending_of(state, runbook).outcome,
        "Services": ", ".join(runbook.affected) or Prompt(),
        "Site": site,
        "On call": ", ".join(people),
        "Runbook": state.runbook,
        "Ticket": Prompt(),
    }
    return table(("Fact", "Value"), *rows.items())


def _operator(state: State) -> str:
    """Who began."""
    started = state.started.event if state.started is not None else None
    return started.operator if isinstance(started, e.SessionStarted) else state.operator


def _summary(state: State, runbook: Runbook) -> Iterator[Block]:
    yield Heading(2, "Summary")
    yield Paragraph((f"{runbook.summary} {_sentence(ending_of(state, runbook).outcome)}",))
    yield Paragraph((Prompt("two sentences for who was not there: what broke, and what ended it"),))


def _impact(when: Moments) -> Iterator[Block]:
    lasted: Line = (Prompt("from the first sign until it worked again"),)
    if when.alerted is not None and when.mitigated is not None:
        lasted = (f"{_between(when.alerted, when.mitigated)} from the alert to the mitigation",)
    yield Heading(2, "Impact")
    yield points(
        ("What users saw: ", Prompt("who could not do what, and how did it look to them")),
        ("How many: ", Prompt("users, requests or jobs that failed, from the graphs")),
        ("How long: ", *lasted),
        ("Data lost: ", Prompt()),
    )


def _durations(when: Moments) -> Iterator[Block]:
    """Each moment with its time and what shows it; from the alert on, or else from when the walk began."""
    since = when.alerted or when.began
    detected: tuple[Span | Line, ...] = (
        (f"{when.alerted:%H:%M:%S}", _after(since, when.alerted), "the alert fired")
        if when.alerted is not None
        else (
            (f"by {when.began:%H:%M:%S}",),
            "",
            ("when the walk began; ", Prompt("when the alert fired or somebody told")),
        )
    )
    done: Line = (f"{when.mitigated_by}: done and verified",)
    if when.changes > 1:
        done = (
            f"{when.mitigated_by}: the last of {when.changes} changes to be verified; ",
            Prompt("which helped"),
        )
    known: tuple[tuple[str, datetime | None, Line], ...] = (
        ("Found", when.found, (f"the last check before the first change: {when.found_by}",)),
        ("Mitigated", when.mitigated, done),
        ("Verified", when.verified, (when.verified_by,)),
    )
    yield Heading(2, "Durations")
    yield table(
        ("Moment", "UTC", "After the alert" if when.alerted is not None else "After the start", "Shown by"),
        ("First sign", Prompt(), "", Prompt("where the graphs or logs first show it")),
        ("Detected", *detected),
        *((name, *_moment(since, at, shown)) for name, at, shown in known),
    )


def _moment(since: datetime, at: datetime | None, shown: Line) -> tuple[Span | Line, ...]:
    return (
        (f"{at:%H:%M:%S}", _after(since, at), shown) if at is not None else ("not in this walk", "", Prompt())
    )


def _after(since: datetime, at: datetime) -> str:
    return _between(since, at) if at != since else ""


def _between(one: datetime, other: datetime) -> str:
    """As `duration` says it; clocks that were set back in between give none."""
    return duration(max((other - one).total_seconds(), 0.0))


def _timeline(state: State, runbook: Runbook) -> Iterator[Block]:
    yield Heading(2, "Timeline")
    yield table(
        ("UTC", "What happened"),
        *((f"{row.time:%H:%M:%S}", row.text) for row in rows(state, runbook)),
    )


def _changes(state: State) -> Iterator[Block]:
    lines = [
        _change(view, attempt, each.event)
        for each in state.timeline
        if isinstance(each.event, e.ActionIntended)
        for view in [state.steps[each.event.step]]
        for attempt in view.attempts
        if attempt.number == each.event.attempt
    ]
    yield Heading(2, CHANGED)
    if lines:
        yield points(*lines)
    else:
        dry = "Nothing: this was a dry run."
        yield Paragraph((dry if state.mode == "dry-run" else "Nothing was changed.",))


def _change(view: StepView, attempt: Attempt, intent: e.ActionIntended) -> Line:
    verified = view.verified_by(attempt)
    poll = verified.last_poll if verified is not None else None
    result = came_out(view, attempt, intent)
    if poll is not None:
        result += f" after {duration(poll.elapsed)}" + (f": {poll.means}" if poll.means else "")
    words = [agreed_words(each) for each in attempt.confirmed] if len(attempt.confirmed) > 1 else []
    return (Code(intent.command), f" on {'; '.join([f'{intent.where}: {result}', *words])}")


def _cause(state: State, runbook: Runbook) -> Iterator[Block]:
    decided = causes(state, runbook)
    yield Heading(2, "Cause")
    yield points(
        (Prompt("why did it happen"),),
        (Prompt("why was that possible; ask until the answer is something that can be changed"),),
        numbered=True,
    )
    if decided:
        yield Paragraph(("What the walk found before anything was changed:",))
        yield points(*decided[-MOST_DECIDING:])


def _detection(runbook: Runbook) -> Iterator[Block]:
    yield Heading(2, "Detection")
    lines: list[Line] = [("How it was noticed: ", Prompt())]
    lines += [(f"Alert {alert}: ", Prompt("did it fire, when, and who got it")) for alert in runbook.alerts]
    yield points(*lines, ("What should have told sooner: ", Prompt()))


def _open_items(state: State, runbook: Runbook) -> Iterator[Block]:
    """What nobody has settled, what the runbook wants done afterwards, and what the team adds."""
    scope = {**state.values, "inputs": dict(state.inputs)}
    done = {name for name, view in state.steps.items() if view.status == "ok"}
    later = [
        render_known(step.followup, scope)
        for step in runbook.steps
        if step.followup is not None and step.id in done
    ]
    unsettled = [each for each in ending_of(state, runbook).still_open if each not in later]
    items = [*(("Settle", each) for each in unsettled), *(("Prevent recurrence", each) for each in later)]
    blank: tuple[Span, Span] = (Prompt(), Prompt())
    yield Heading(2, OPEN_ITEMS)
    yield table(
        ("Kind", "What", "Owner", "Due"),
        *((kind, what, *blank) for kind, what in items),
        *((kind, Prompt(), *blank) for kind in ("Limit the damage", "Notice sooner", "Recover faster")),
    )


def _lessons(state: State) -> Iterator[Block]:
    yield Heading(2, "Lessons")
    yield points(
        ("What went well: ", Prompt()),
        ("What went badly: ", Prompt()),
        ("Where we were lucky: ", Prompt()),
        ("What the runbook should say differently: ", Prompt()),
    )
    notes = [
        f"{each.time:%H:%M:%S} {each.event.by}: {each.event.text}"
        for each in state.notes
        if isinstance(each.event, e.NoteAdded)
    ]
    if notes:
        yield Heading(2, NOTES)
        yield points(*notes)


def _evidence(state: State, last_hash: str) -> Iterator[Block]:
    records = timeline(state)
    read = [
        (f"{view.id}: ", *_judged(judged))
        for view in state.steps.values()
        for attempt in view.attempts[-1:]
        for judged in attempt.judged
    ]
    yield Heading(2, "Evidence")
    yield Fold(
        f"Every record that says something ({len(records)} of {len(state.timeline)})",
        (
            table(
                ("UTC", "T+", "Step", "What"),
                *((f"{each.time:%H:%M:%S}", offset(each.elapsed), each.step, each.text) for each in records),
            ),
        ),
    )
    if read:
        yield Fold(f"What each check read ({len(read)})", (points(*read),))
    yield Paragraph(
        (
            "Session ",
            Code(state.session),
            f", {len(state.timeline)} records. Hash of the last record: ",
            Code(last_hash),
        )
    )


def _judged(judged: e.Judged) -> Line:
    seen = ", ".join(f"{key} = {value}" for key, value in judged.observed.items())
    found = judged.means or judged.message
    held = "held" if judged.holds else "did not hold"
    return (f"{found} · " if found else "", Code(judged.that), f" {held} ({seen})")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
