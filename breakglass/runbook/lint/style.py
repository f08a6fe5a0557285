"""Advice on what a person under stress can follow. All of these are warnings."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from breakglass.runbook.steps import Step
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


def style_problems(steps: Sequence[Step]) -> list[Problem]:
    """Phases that are too long to keep in mind, and steps that do two things."""
    problems = list(_long_phases(steps))
    for step in steps:
        problems += _two_verbs(step)
    return problems


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
