"""The card of one step: why, what runs and where, expected beside observed, and what is said about it.

Made as lines of text for a width. Nothing is cut: what is too wide wraps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from breakglass.journal import events as e
from breakglass.journal.state import Attempt, State, StepView
from breakglass.runbook.actions import reaches_outside
from breakglass.runbook.assessed import vouched_words
from breakglass.runbook.command_text import command_of
from breakglass.runbook.steps import Step
from breakglass.runbook.template import meant, render_known
from breakglass.transport.output import shortened
from breakglass.tui.theme import Appearance
from breakglass.tui.walk_text import verdict
from breakglass.tui.widgets.text import (
    columns,
    flowed,
    folded,
    labelled,
    plain,
    seconds,
    shown_value,
    shown_values,
    size,
)
from breakglass.values import Scope

LABEL = 9
"""Cells of the column of labels."""

STACKED_BELOW = 64
"""Cells below which expected stands over observed."""

IF_NOT = "not the cause: rerun, jump, skip with a reason, or stop and call"


@dataclass(frozen=True, slots=True)
class Subject:
    """One step as the card shows it: the runbook's text, and one attempt at it, if there was any."""

    step: Step
    number: int
    total: int
    state: State
    attempt: Attempt | None = None

    @property
    def view(self) -> StepView | None:
        return self.state.steps.get(self.step.id)

    @property
    def scope(self) -> Scope:
        """The values that are known by now, for what is said before the step has been read."""
        return {**self.state.values, "inputs": dict(self.state.inputs)}

    @property
    def before(self) -> Scope:
        """The same without what the step itself has found: what is expected is said without it."""
        return {name: value for name, value in self.scope.items() if name not in self.step.capture}

    @property
    def asked(self) -> e.Asked | None:
        """The question now open about this step."""
        waiting = self.state.waiting
        return waiting if waiting is not None and waiting.step == self.step.id else None


def card_lines(subject: Subject, width: int, look: Appearance) -> list[Text]:
    """The whole card."""
    lines = [*_title(subject, width, look), *_action(subject, width, look)]
    needs, judgement = list(_needs(subject, width, look)), list(_judgement(subject, width, look))
    sent = subject.attempt is not None and bool(subject.attempt.intended)
    sections = (
        list(_hint(subject, width, look)),
        list(_question(subject, width, look)),
        judgement if sent else needs,
        needs if sent else judgement,
        list(_facts(subject, width, look)),
    )
    for section in sections:
        if section:
            lines += [_rule(width, look), *section]
    return lines


def verdict_lines(subject: Subject, width: int, look: Appearance) -> list[Text]:
    """The verdict in words, with its glyph."""
    state, words = verdict(subject.view, subject.attempt)
    style = f"bold {look.mark_style(state)}" if state not in ("pending", "skipped") else look.style("muted")
    return labelled(
        "VERDICT",
        f"{look.mark(state)} {words}",
        width,
        indent=LABEL,
        style=style,
        label_style=_label_style(look),
    )


def _label_style(look: Appearance) -> str:
    return f"bold {look.style('muted')}"


def _rule(width: int, look: Appearance) -> Text:
    return Text(look.rule * width, look.palette.rule)


def _labelled(label: str, value: str, width: int, look: Appearance, style: str = "") -> list[Text]:
    return labelled(label, value, width, indent=LABEL, style=style, label_style=_label_style(look))


def _title(subject: Subject, width: int, look: Appearance) -> Iterator[Text]:
    step = subject.step
    risk = step.risk.word.upper()
    limit = f"limit {seconds(step.timeout)}" if reaches_outside(step.action) else ""
    attempts = len(subject.view.attempts) if subject.view is not None else 0
    attempt = f"attempt {subject.attempt.number} of {attempts}" if subject.attempt and attempts > 1 else ""
    facts = "   ".join(part for part in (attempt, risk if limit else "", limit) if part)
    tone = {"READ": "muted", "PROBE": "suspect", "CHANGE": "suspect", "DESTRUCTIVE": "failed"}[risk]
    title = plain(f"{subject.number}  {step.title}")
    if len(title) + len(facts) + 3 <= width:
        blank = " " * (width - len(title) - len(facts))
        yield Text.assemble((title, "bold"), blank, (facts, f"bold {look.style(tone)}"))  # type: ignore[arg-type]
        return
    for line in folded(title, width):
        yield Text(line, "bold")
    for line in folded(facts, width):
        yield Text(line, f"bold {look.style(tone)}")  # type: ignore[arg-type]


def _action(subject: Subject, width: int, look: Appearance) -> Iterator[Text]:
    step, attempt = subject.step, subject.attempt
    if step.why:
        yield from _labelled("WHY", step.why, width, look)
    prepared = attempt.prepared if attempt is not None else ()
    commands = list(dict.fromkeys(each.command for each in prepared))
    if not commands and attempt is not None and attempt.last_poll is not None:
        commands = [attempt.last_poll.command]
    if not commands and reaches_outside(step.action):
        commands = [command_of(step)]
    for at, command in enumerate(without_repeats(commands)):
        yield from _labelled("RUN" if at == 0 else "", command, width, look, "bold")
    for at, words in enumerate(_vouched(subject)):
        yield from _labelled("RISK" if at == 0 else "", words, width, look, look.style("suspect"))
    for at, where in enumerate(dict.fromkeys(each.where for each in prepared)):
        yield from _labelled("AS" if at == 0 else "", where, width, look)


def _vouched(subject: Subject) -> list[str]:
    """What runs as less than its words are known for, and by whose word: as it ran, or else as it will."""
    attempt = subject.attempt
    if attempt is None or not attempt.prepared:
        return vouched_words(subject.step)
    ran = [f"{each.risk.upper()} ({each.because})" for each in attempt.prepared if each.because]
    return list(dict.fromkeys([*ran, *vouched_words(subject.step)]))


def without_repeats(commands: Sequence[str]) -> list[str]:
    """Commands of several lines, the first whole, of the others what differs from it. Nothing is lost."""
    if not commands:
        return []
    first, *others = commands
    known = first.split("\n")
    rest = ["\n".join(line for line in each.split("\n") if line not in known) for each in others]
    return [first, *(f"also with {each}" if "\n" in first else each for each in rest)]


def _hint(subject: Subject, width: int, look: Appearance) -> Iterator[Text]:
    shown = (event.text for event in subject.state.hints if event.step == subject.step.id)
    for hint in dict.fromkeys(shown):
        yield from _labelled("HINT", hint, width, look, look.style("suspect"))


def _question(subject: Subject, width: int, look: Appearance) -> Iterator[Text]:
    asked = subject.asked
    if asked is None:
        return
    if asked.question == "acknowledge":
        yield from _labelled("DO", asked.text, width, look, "bold")
    elif asked.question == "answer":
        yield from _labelled("ASKED", asked.text, width, look, "bold")
        wanted = " ".join(part for part in (asked.value_type, asked.pattern) if part)
        if wanted:
            yield from _labelled("FORM", wanted, width, look)
    elif asked.question == "choose":
        for at, (name, words) in enumerate(asked.options.items()):
            yield from _labelled("WAYS" if at == 0 else "", f"{name}: {words}", width, look)


def _needs(subject: Subject, width: int, look: Appearance) -> Iterator[Text]:
    """What was read again, in short where it holds; the confirmation shows all of it."""
    attempt = subject.attempt
    if attempt is None or not attempt.needs:
        return
    latest = {(need.need, need.that): (time, need) for time, need in attempt.needs}
    label = "NEEDS"
    for time, need in latest.values():
        name = need.that if need.need in ("guard", "uid") else need.need
        words = f"{look.mark('ok')} {plain(need.means or f'{name}: holds')}, read again {time:%H:%M:%S}Z"
        if not need.holds:
            then = f" (it was: {shown_values(need.before)})" if need.before else ""
            words = (
                f"{look.mark('failed')} {plain(name)}: DOES NOT HOLD, read again {time:%H:%M:%S}Z: "
                f"{plain(need.message)} {shown_values(need.observed)}{then}"
            )
        yield from _labelled(label, words, width, look, "" if need.holds else f"bold {look.style('failed')}")
        label = ""


def _judgement(subject: Subject, width: int, look: Appearance) -> Iterator[Text]:
    expected = _expected(subject)
    observed = list(_observed(subject, look))
    if not expected and not observed:
        return
    attempt = subject.attempt
    when = f"{attempt.judged_at:%H:%M:%S}Z" if attempt is not None and attempt.judged_at else ""
    label = _label_style(look)
    if width < STACKED_BELOW:
        yield Text("EXPECTED", label)
        for each in expected:
            yield from (Text(f"  {line}") for line in folded(each, width - 2))
        yield Text(f"OBSERVED  {when}".rstrip(), label)
        for text, style in observed:
            yield from (Text(f"  {line}", style) for line in folded(text, width - 2))
    else:
        half = (width - 3) // 2
        left = [Text("EXPECTED", label)]
        right = [Text(f"OBSERVED  {when}".rstrip(), label)]
        for at in range(max(len(expected), len(observed))):
            one = [Text(line) for line in folded(expected[at], half)] if at < len(expected) else []
            two: list[Text] = []
            if at < len(observed):
                text, style = observed[at]
                two = [Text(line, style) for line in folded(text, width - 3 - half)]
            rows = max(len(one), len(two))
            left += one + [Text()] * (rows - len(one))
            right += two + [Text()] * (rows - len(two))
        yield from columns(left, right, half, look.bar, look.palette.rule)
    yield from _if_not(subject, width, look)


def _expected(subject: Subject) -> list[str]:
    step, scope = subject.step, subject.before
    expected = [plain(meant(each.means, each.that, scope)) for each in step.expect]
    for signal in (step.wait, step.verify):
        if signal is not None:
            held = f", and holds for {seconds(signal.soak)}" if signal.soak else ""
            words = meant(signal.means, signal.until, scope)
            expected.append(plain(f"{words}, within {seconds(signal.within)}{held}"))
    return expected


def _observed(subject: Subject, look: Appearance) -> Iterator[tuple[str, str]]:
    attempt = subject.attempt
    if attempt is None:
        return
    for judged in attempt.judged:
        mark = "ok" if judged.holds else "failed"
        seen = shown_values(judged.observed) or "nothing read"
        words = plain(judged.means) or f"{seen}: holds"
        if not judged.holds:
            words = plain(judged.message)
            # Without words of its own the runbook has named the condition alone: the values say the rest.
            words = f"{seen}: DOES NOT HOLD" if words.startswith("expected ") else words
        yield f"{look.mark(mark)} {words}", f"bold {look.mark_style(mark)}"
    poll = attempt.last_poll
    if poll is not None:
        mark = "ok" if poll.holds else "waiting" if attempt.state is None else "failed"
        seen = shown_values(poll.observed) or "nothing read"
        words = plain(poll.means) or f"{seen}: holds"
        if not poll.holds:
            words = f"{'not yet' if attempt.state is None else 'NOT SO'}: {plain(poll.message) or seen}"
        yield f"{look.mark(mark)} {words} ({seconds(poll.elapsed)})", f"bold {look.mark_style(mark)}"


def _if_not(subject: Subject, width: int, look: Appearance) -> Iterator[Text]:
    attempt = subject.attempt
    if attempt is not None and (attempt.state is not None or not all(each.holds for each in attempt.judged)):
        return
    if subject.step.unknown is not None or subject.step.verify is not None:
        unknown = (
            render_known(subject.step.unknown, subject.scope) if subject.step.unknown is not None else ""
        )
        words = (
            f"stop and call. Outcome unknown: {unknown}"
            if unknown
            else "stop and call; look before trying again"
        )
        yield from _labelled("IF NOT", words, width, look, look.style("muted"))
        return
    conditions = (*subject.step.expect, *((subject.step.wait,) if subject.step.wait is not None else ()))
    said = [render_known(each.otherwise, subject.scope) for each in conditions if each.otherwise is not None]
    yield from _labelled("IF NOT", " / ".join(said) if said else IF_NOT, width, look, look.style("muted"))


def _facts(subject: Subject, width: int, look: Appearance) -> Iterator[Text]:
    attempt = subject.attempt
    if attempt is None:
        return
    told = {} if attempt.state == "ok" else {finished_words(each): each for each in attempt.finished}
    for words, finish in told.items():
        style = look.style("unknown" if finish.outcome == "unknown" else "plain")
        yield from _labelled("ANSWER", words, width, look, style)
    if attempt.captured:
        room = width - LABEL
        values = [
            shortened(f"{plain(name)} = {shown_value(value)}", room)
            for name, value in attempt.captured.items()
        ]
        for at, words in enumerate(flowed(values, room, gap="   ")):
            yield from _labelled("VALUES" if at == 0 else "", words, width, look, look.style("muted"))


def finished_words(finish: e.ActionFinished) -> str:
    """What came back from one request, in one line."""
    outcome = {"unknown": "MAY HAVE HAPPENED", "not-sent": "not sent"}.get(finish.outcome, finish.outcome)
    answered = finish.status is not None or finish.exit is not None
    facts = [] if answered and outcome in ("succeeded", "failed") else [outcome]
    if finish.status is not None:
        facts.append(f"status {finish.status}")
    if finish.exit is not None:
        facts.append(f"exit {finish.exit}")
    facts += [f"took {seconds(finish.seconds)}", size(finish.output_bytes)]
    if finish.message:
        facts.append(plain(finish.message))
    return "   ".join(facts)
