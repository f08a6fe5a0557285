"""With nobody at the keyboard a change is confirmed in a rehearsal only, where its script says so."""

from pathlib import Path

import pytest

from breakglass.engine import commands as c
from breakglass.engine.autopilot import Script, answer_for, walk
from breakglass.journal import events as e
from breakglass.journal.state import State
from tests.engine.support import session_of
from tests.engine.test_changes import ANSWERS, DELETE, PURGE

CONFIRM = e.Asked("purge", 1, "confirm", "Delete the pod?", typed="front-1")


def asked(mode: e.Mode, *, confirms: bool) -> c.Command:
    return answer_for(CONFIRM, state_in(mode), Script(confirms=confirms), "operator", {})


def state_in(mode: e.Mode) -> State:
    return State(mode=mode)


def test_a_rehearsal_whose_script_confirms_is_confirmed() -> None:
    assert asked("rehearsal", confirms=True) == c.Confirm("front-1", "operator")


@pytest.mark.parametrize(
    ("mode", "confirms"), [("live", True), ("live", False), ("rehearsal", False), ("dry-run", False)]
)
def test_nothing_else_is_confirmed(mode: e.Mode, confirms: bool) -> None:
    answer = asked(mode, confirms=confirms)
    assert isinstance(answer, c.Stop)
    assert "needs a person: confirm at step purge" in answer.reason


@pytest.mark.parametrize("confirms", [True, False])
async def test_a_live_walk_with_nobody_there_stops_before_its_first_change(
    tmp_path: Path, confirms: bool
) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)
    assert await walk(engine, Script(confirms=confirms), "operator") == "stopped"
    assert DELETE not in far.commands
    assert not [each for each in engine.state.timeline if isinstance(each.event, e.Confirmed)]
