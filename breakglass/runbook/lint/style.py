"""Advice on what a person under stress can follow. All of these are warnings."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from breakglass.runbook.expression import Expression
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.runbook.template import Template
from breakglass.yamlio.position import Problem

MOST_STEPS_IN_A_PHASE = 9

VERBS = frozenset(
    (
        *("add", "apply", "approve", "ask", "back", "check", "clean", "clear", "close", "compare", "confirm"),
        *("copy", "cordon", "count", "create", "delete", "deploy", "disable", "drain", "enable", "evict"),
        *("fail", "find", "fix", "force", "get", "kill", "list", "lock", "look", "make", "mount", "move"),
        *("note", "open", "patch", "pause", "power", "press", "promote", "pull", "purge", "push", "read"),
        *("rebuild", "reboot", "record", "reload", "remove", "rename", "replace", "report", "reset"),
        *("restart", "restore", "resume", "retry", "rotate", "run", "save", "scale", "seal", "send", "set"),
        *("show", "shut", "start", "stop", "switch", "tell", "test", "trigger", "uncordon", "unlock"),
        *("unmount", "unseal", "update", "upgrade", "verify", "wait", "watch", "wipe", "write"),
    )
)
_SECOND_VERB = re.compile(r"(?:\band\b|\bthen\b|&|;)\s+(?:then\s+)?([a-z]+)", re.IGNORECASE)


_CODE = re.compile(r"==|!=|&&|\|\||\b(?:size|has)\(|\.(?:exists|all|filter|map)\(|\bresults?\.")
"""What only an expression looks like."""


def style_problems(runbook: Runbook) -> list[Problem]:
    """Phases that are too long to keep in mind, steps that do two things, and conditions without words."""
    problems = list(_long_phases(runbook.steps))
    for step in runbook.steps:
        problems += _two_verbs(step)
        for what, condition, means in _conditions(step):
            problems += _meaning(f"step {step.id}: {what}", condition, means)
    for check in runbook.triage:
        for verdict, condition in check.verdicts.items():
            problems += _meaning(f"triage {check.step}: {verdict}", condition.that, condition.means)
    return problems


def _conditions(step: Step) -> Iterator[tuple[str, Expression, Template | None]]:
    """Every condition of a step that a person is shown: the key, the condition, and its words."""
    yield from (("expect", each.that, each.means) for each in step.expect)
    yield from (("guards", each.that, each.means) for each in step.guards)
    if step.wait is not None:
        yield "wait", step.wait.until, step.wait.means
    if step.verify is not None:
        yield "verify", step.verify.until, step.verify.means


def _meaning(where: str, condition: Expression, means: Template | None) -> Iterator[Problem]:
    if means is None:
        message = f"{where} says nothing to people; add `means`: what has been found when it holds"
        yield Problem(condition.position, message, warning=True)
    elif any(isinstance(part, str) and _CODE.search(part) for part in means.parts):
        message = f"{where}: `means` is for people: say it in words, not as an expression"
        yield Problem(means.position, message, warning=True)


def _long_phases(steps: Sequence[Step]) -> Iterator[Problem]:
    for phase, group in groupby(steps, key=lambda step: step.phase):
        members = list(group)
        if len(members) > MOST_STEPS_IN_A_PHASE:
            name = f"phase {phase!r} has" if phase else "without a `phase`,"
            words = f"{name} {len(members)} steps"
            message = f"{words} in a row; above {MOST_STEPS_IN_A_PHASE} a person loses the thread"
            yield Problem(members[MOST_STEPS_IN_A_PHASE].position, message, warning=True)


def _two_verbs(step: Step) -> Iterator[Problem]:
    title = step.title
    first = title.split(maxsplit=1)[0].lower() if title else ""
    second = _SECOND_VERB.search(title)
    if second is not None and first in VERBS and second[1].lower() in VERBS:
        message = f"{title!r} does two things, {first} and {second[1].lower()}; make two steps of it"
        yield Problem(step.at("title"), message, warning=True)
