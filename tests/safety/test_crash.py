"""Killed at any moment: nothing acknowledged is missing, nothing is done twice without a second word."""

import itertools
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.safety.crash_support import SHIPPED, Figures, check, endure, enduring, walkers
from tests.safety.walker import POINTS, Death

SHORT, LONG = 10, 75
"""Kills of each runbook's walks: in the suite, and in `make soak`."""
A_WALK = 10
"""Kills of one walk."""
AROUND_A_CHANGE = (
    *("action.intended", "action.finished", "confirmed", "need.read", "step.finished", "asked"),
    *("verify.polled", "captured"),
)


def around_changes(chance: random.Random) -> Iterator[Death]:
    """Around each record of a change, at each point of its writing, and here and there."""
    yield Death(kind="action.intended", point="synced")
    while True:
        for point in ("before", "half", "written", "synced"):
            for kind in AROUND_A_CHANGE:
                yield Death(kind=kind, point=point)
                yield Death(record=chance.randint(2, 30), point=chance.choice(POINTS))
                yield Death(after=chance.uniform(0.1, 1.5))


def anywhere(chance: random.Random) -> Iterator[Death]:
    """At any moment, and now and then just when a change has been sent or is about to be."""
    while True:
        yield Death(after=chance.uniform(0.05, 4.0))
        yield Death(after=chance.uniform(0.05, 2.0))
        yield Death(kind=chance.choice(AROUND_A_CHANGE), point=chance.choice(POINTS))


@pytest.mark.parametrize("runbook", SHIPPED)
async def test_a_walk_that_is_killed_again_and_again_loses_nothing_and_repeats_nothing(
    runbook: str, tmp_path: Path, soak: bool
) -> None:
    figures = Figures()
    wanted = LONG if soak else SHORT
    mortal = anywhere(random.Random()) if soak else around_changes(random.Random(runbook))
    async with walkers(tmp_path) as program:
        for number in itertools.count():
            async with enduring(runbook, tmp_path / str(number)) as endured:
                await endure(endured, program, mortal, min(A_WALK, wanted - figures.kills), figures)
            check(endured, figures)
            if figures.kills >= wanted:
                break
    sys.stdout.write(f"\n{runbook}: {figures}\n")
    assert figures.kills == wanted
    assert figures.acknowledged
