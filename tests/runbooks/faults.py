"""Every command of a shipped runbook's walk against a far side that fails it, as `breakglass test` does it,
in all the ways that are known."""

import os
from pathlib import Path

import pytest

from breakglass.testing import replay
from breakglass.testing.replay import Injection, Recording
from breakglass.testing.walks import FAST
from tests.runbooks.support import check_right_walk, runbook_path, scenario_path


def _forget(descriptor: int) -> None:
    """What is on the disk is another test's matter."""


async def record_walk(runbook: str, scenario: str | Path, folder: Path, speed: float = FAST) -> Recording:
    """Take a scenario's right walk, hold it to what the scenario expects, and keep what comes back."""
    recording = await replay.record_walk(
        runbook_path(runbook), scenario_path(runbook, scenario), folder, speed
    )
    check_right_walk(recording.walked)
    return recording


async def check_injection(recording: Recording, injection: Injection, folder: Path) -> None:
    """Take the walk up where one command fails: the step says so, and nothing is changed on a guess."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", _forget)
        tried = await replay.try_failure(recording, injection, folder)
    assert tried.came, f"{injection}: the walk never came there"
    assert not tried.wrong, tried.wrong
