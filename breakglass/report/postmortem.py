"""The post-mortem draft: what the record knows is filled in, what only people know is asked for.

The shape is the one that the environment's own post-mortems have: impact, timeline, root cause as a chain,
contributing factors, detection gaps, prevention by priority, lessons, follow-ups.
"""

import re

from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State
from breakglass.report.ending import came_out, duration
from breakglass.report.timeline import agreed_words, timeline
from breakglass.runbook.model import Runbook
from breakglass.runbook.template import render_known

TO_FILL = "_to be written_"

_MARKUP = re.compile(
    r"[`*\[\]<&~]|\\(?=[!-/:-@\[-`{-~])|(?<!\w)_|_(?!\w)"  # emphasis, code, links, HTML, escapes
    r"|(?<=:)//|(?<=www)\."  # what becomes a link by itself
)
"""What would be more than a character in Markdown."""

_ESCAPED = re.compile(
    r"(?P<code>(?<!`)(?P<fence>`+)(?!`).+?(?<!`)(?P=fence)(?!`))"  # in which a backslash is one
    r"|\\(?P<mark>[!-/:-@\[-`{-~])"
)


def post_mortem(state: State, runbook: Runbook, last_hash: str, review: str = "") -> str:
    """The draft as Markdown. `last_hash` pins the journal; `review` is a rehearsal's after-action review."""
    started = state.started
    if started is None:
        return "Nothing was recorded.\n"
    ended = state.last or started
    parts = [
        f"# Post-mortem: {runbook.title}",
        "",
        _header(state, runbook, started, ended),
        "## Summary",
        "",
        runbook.summary,
        "",
        _impact(runbook),
        _timeline(state),
        _changes(state),
        _causes(state),
        _deferred(state),
        _prevention(runbook, state),
        _lessons(state),
    ]
    parts += [
        review,
        "## Evidence",
        "",
        f"Session `{state.session}`, {len(state.timeline)} records. Hash of the last record:",
        "",
        f"    {last_hash}",
        "",
    ]
    return "\n".join(parts)


def file_name(state: State, runbook: Runbook) -> str:
    """`<date>-<slug>.md`, the slug of at most five words."""
    day = state.started.time.strftime("%Y-%m-%d") if state.started else "undated"
    words = re.findall(r"[a-z0-9]+", runbook.title.lower())
    return f"{day}-{'-'.join(words[:5])}.md"


def _header(state: State, runbook: Runbook, started: Recorded, ended: Recorded) -> str:
    lasted = duration(ended.elapsed - started.elapsed)
    result = state.ended.result if state.ended else "unfinished"
    rows = {
        "Date": started.time.strftime("%Y-%m-%d"),
        "Duration": f"{lasted} ({_clock(started)} to {_clock(ended)} UTC)",
        "Severity": runbook.severity.upper(),
        "Affected": cell(", ".join(runbook.affected)) or TO_FILL,
        "Issue": TO_FILL,
        "Status": f"draft; the walk {_result_words(result)}",
        "Site and mode": cell(f"{state.site}, {state.mode}"),
        "Operator": cell(state.operator),
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items()), ""])


def _result_words(result: str) -> str:
    return {
        "recovered": "ended with the incident recovered",
        "not-this-incident": "found that this was not the incident",
        "escalate": "ended in a call for help",
        "completed": "reached the end of the runbook",
        "stopped": "was stopped by a person",
    }.get(result, "has not ended")


def _impact(runbook: Runbook) -> str:
    rows = ["User-facing", "Blast radius", "Duration", "Data loss", "Monitoring gap"]
    return "\n".join(["## Impact", "", *(f"- {row}: {TO_FILL}" for row in rows), ""])


def _timeline(state: State) -> str:
    lines = ["## Timeline", "", "| UTC | T+ | step | what |", "|---|---|---|---|"]
    for entry in timeline(state):
        moment = entry.time.strftime("%H:%M:%S")
        lines.append(f"| {moment} | {offset(entry.elapsed)} | {entry.step} | {cell(entry.text)} |")
    return "\n".join([*lines, ""])


def _changes(state: State) -> str:
    lines = ["## What was changed", ""]
    for view in state.steps.values():
        for attempt in view.attempts:
            for intent in attempt.intended:
                result = came_out(view, attempt, intent)
                lines.append(f"- {code(intent.command)} on {inline(intent.where)}: {result}")
            if attempt.intended and len(attempt.confirmed) > 1:
                lines += [f"  - {inline(agreed_words(each))}" for each in attempt.confirmed]
    if len(lines) == 2:
        lines.append("Nothing was changed." if state.mode != "dry-run" else "Nothing: this was a dry run.")
    return "\n".join([*lines, ""])


def _causes(state: State) -> str:
    lines = ["## Root cause", "", f"1. {TO_FILL}", "", "What was observed:", ""]
    for name, view in state.steps.items():
        last = view.last
        for judged in last.judged if last else ():
            seen = ", ".join(f"{key} = {value}" for key, value in judged.observed.items())
            held = "held" if judged.holds else "did not hold"
            evidence = f"{code(judged.that)} {held} ({inline(seen)})"
            found = judged.means or judged.message
            lines.append(f"- {name}: {inline(found)} · {evidence}" if found else f"- {name}: {evidence}")
    return "\n".join([*lines, "", "## Contributing factors", "", f"- {TO_FILL}", ""])


def _deferred(state: State) -> str:
    skipped = [f"- {name}: {inline(view.skip_reason)}" for name, view in state.steps.items() if view.left_out]
    gaps = ["## Detection gaps", "", "| gap | impact | fix |", "|---|---|---|", f"| {TO_FILL} | | |", ""]
    return "\n".join([*gaps, "## Deferred items", "", *(skipped or ["None."]), ""])


def _prevention(runbook: Runbook, state: State) -> str:
    lines = ["## Prevention", "", "| priority | action | type | details | status |", "|---|---|---|---|---|"]
    done = {name for name, view in state.steps.items() if view.status == "ok"}
    scope = {**state.values, "inputs": dict(state.inputs)}
    for step in runbook.steps:
        if step.followup is not None and step.id in done:
            action = cell(render_known(step.followup, scope))
            lines.append(f"| P0 prevent recurrence | {action} | Config | from step {step.id} | open |")
    for priority in ("P0 prevent recurrence", "P1 blast radius", "P2 detection", "P3 resilience"):
        lines.append(f"| {priority} | {TO_FILL} | | | |")
    return "\n".join([*lines, ""])


def _lessons(state: State) -> str:
    notes = [
        f"- {inline(each.event.text)} ({inline(each.event.by)}, {_clock(each)})"
        for each in state.notes
        if isinstance(each.event, e.NoteAdded)
    ]
    return "\n".join(
        ["## Lessons", "", f"- {TO_FILL}", "", "## Notes and follow-up log", "", *(notes or ["None."]), ""]
    )


def inline(text: str) -> str:
    """Text from outside in a line of Markdown: it stays on that line, and every character of it is shown."""
    return _MARKUP.sub(r"\\\g<0>", text).replace("\n", " ⏎ ")


def cell(text: str) -> str:
    """The same inside a table, with no cell border of its own."""
    return inline(text).replace("|", "\\|")


def unescaped(line: str) -> str:
    """A line as it reads where Markdown is drawn: without the escapes of `inline` and `cell`."""
    return _ESCAPED.sub(lambda found: found["code"] or found["mark"], line)


def code(text: str) -> str:
    """Text as code, in more backticks than follow each other in it."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    blank = " " if "`" in text else ""
    return f"{fence}{blank}{text}{blank}{fence}".replace("\n", " ⏎ ")


def offset(elapsed: float) -> str:
    """Seconds since the start as `+MM:SS`."""
    minutes, rest = divmod(int(elapsed), 60)
    return f"+{minutes:02}:{rest:02}"


def _clock(recorded: Recorded) -> str:
    return recorded.time.strftime("%H:%M:%S")
