"""The line of an output that decided: where what a step's conditions look for stands in what came back.

A condition looks for words of its own (`contains`, `matches`), or for values that were read. The words say
more.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from breakglass.journal.state import Attempt
from breakglass.regex import Pattern, compile_pattern
from breakglass.runbook.expression import Expression
from breakglass.runbook.steps import Step
from breakglass.tui.output_lines import LineSource
from breakglass.values import Json

MOST_LINES = 5_000
"""Lines that are looked through."""

BLOCK = 500

SHORTEST_VALUE = 2
"""Characters of a value below which it would be found everywhere."""

_LOOKS_FOR = re.compile(
    r"""\.(contains|startsWith|endsWith|matches|first)\(\s*(?P<quote>['"])(?P<text>[^\\'"]+)(?P=quote)"""
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A line, from 0, and the part of it that was looked for."""

    line: int
    text: str


def find_evidence(step: Step, attempt: Attempt, source: LineSource) -> Evidence | None:
    """The first line that holds what the step's conditions look for; else the one with most of the values
    that they read."""
    best: tuple[int, Evidence] | None = None
    patterns, values = tuple(_patterns(step)), tuple(_values(attempt))
    for number, line in _lines(source):
        match = next((found for pattern in patterns if (found := _first(pattern, line))), "")
        if match:
            return Evidence(number, match)
        there = [value for value in values if _stands_in(value, line)]
        if there and (best is None or len(there) > best[0]):
            best = len(there), Evidence(number, there[0])
    return best[1] if best is not None else None


def _lines(source: LineSource) -> Iterator[tuple[int, str]]:
    number = 0
    while number < MOST_LINES and (block := source.lines(number, number + BLOCK)):
        yield from enumerate(block, start=number)
        number += len(block)


def _patterns(step: Step) -> Iterator[Pattern]:
    """What the step's conditions and captures look for in a text."""
    for expression in _expressions(step):
        for found in _LOOKS_FOR.finditer(expression.source):
            literal = found.group(1) in ("contains", "startsWith", "endsWith")
            with suppress(ValueError):
                yield compile_pattern(re.escape(found["text"]) if literal else found["text"])


def _expressions(step: Step) -> Iterable[Expression]:
    yield from (each.that for each in step.expect)
    yield from (each.when for each in step.next if each.when is not None)
    yield from (signal.until for signal in (step.wait, step.verify) if signal is not None)
    yield from step.capture.values()


def _first(pattern: Pattern, line: str) -> str:
    return next(pattern.all(line), "")


def _values(attempt: Attempt) -> Iterator[str]:
    """The values that were read, as they would stand in an output; what decided comes first."""
    judged = [value for each in attempt.judged for value in each.observed.values()]
    polled = list(attempt.last_poll.observed.values()) if attempt.last_poll is not None else []
    for value in (*judged, *polled, *attempt.captured.values()):
        yield from _shown(value)


def _shown(value: Json) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return
    text = str(value)
    if len(text) >= SHORTEST_VALUE and "\n" not in text:
        yield text


def _stands_in(value: str, line: str) -> bool:
    """Whether a value stands in a line, and is not a part of a longer word or number."""
    return value in line and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", line) is not None
