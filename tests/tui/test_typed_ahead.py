"""What was typed before the confirmation was on the screen is thrown away by the terminal itself, before the
first key is read."""

import array
import fcntl
import os
import select
import sys
import termios
import tty
from pathlib import Path

import pytest

from tests.tui.support import asked_to_purge
from tests.tui.test_confirm import ConfirmStage


async def test_the_keys_that_the_terminal_still_holds_are_thrown_away_when_the_dialog_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyboard, terminal = os.openpty()
    tty.setraw(terminal)
    with os.fdopen(terminal, "rb", buffering=0) as stdin:
        monkeypatch.setattr(sys, "__stdin__", stdin)
        stage = ConfirmStage(asked_to_purge(tmp_path))
        async with stage.run_test() as pilot:
            os.write(keyboard, b"typed ahead")
            # The kernel hands it from one end to the other in its own time.
            readable, _, _ = select.select([terminal], [], [], 10.0)
            assert readable
            assert held_by(terminal) > 0
            await stage.ask(pilot)
            assert held_by(terminal) == 0
            await pilot.press("escape")
    os.close(keyboard)


def held_by(terminal: int) -> int:
    """How many bytes a reader of the terminal would get at once."""
    waiting = array.array("i", [0])
    fcntl.ioctl(terminal, termios.FIONREAD, waiting)
    return waiting[0]
