"""Going on where a session stopped or was cut short, at any event."""

import asyncio
from pathlib import Path

import pytest

from breakglass.engine import commands as c
from breakglass.journal import events as e
from breakglass.journal.state import fold
from breakglass.journal.store import FILE_NAME, open_journal, read
from breakglass.runbook.load import load_runbook
from tests.engine.support import FarSide, confirm, engine_on, events_of, resumed, session_of, walk
from tests.engine.test_changes import ANSWERS, DELETE, PURGE


async def test_a_stopped_session_goes_on_at_the_step_where_it_stopped(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, PURGE, ANSWERS)
    await walk(engine, c.Stop("somebody calls", "operator"))
    far = FarSide(ANSWERS)
    state = await walk(resumed(engine, far), c.Retry("operator"), confirm)
    assert far.commands.count(DELETE) == 1
    assert state.ended == e.SessionEnded("completed")


async def test_values_that_were_captured_are_there_after_resuming(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, PURGE, ANSWERS)
    await walk(engine, c.Stop("somebody calls", "operator"))
    again = resumed(engine, FarSide(ANSWERS))
    assert again.state.values == {"pod": "web-1", "uid": "u-1", "used": 100}


async def test_a_confirmation_given_before_the_crash_is_not_used_after_it(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, PURGE, ANSWERS)

    walking = asyncio.ensure_future(walk(engine, confirm))

    def told(recorded: object, _: object) -> None:
        if isinstance(getattr(recorded, "event", None), e.Confirmed):
            walking.cancel()

    engine.subscribe(told)
    with pytest.raises(asyncio.CancelledError):
        await walking
    far = FarSide(ANSWERS)
    again = resumed(engine, far)
    state = await walk(again, c.Decline("operator"))
    assert DELETE not in far.commands
    assert len(events_of(state, e.Confirmed)) == 1


async def _whole_walk(folder: Path) -> bytes:
    engine, _ = session_of(folder, PURGE, ANSWERS)
    await walk(engine, confirm)
    engine.writer.journal.close()
    return (folder / "session" / FILE_NAME).read_bytes()


async def test_cut_after_any_record_the_walk_goes_on_and_repeats_no_change_without_asking(
    tmp_path: Path,
) -> None:
    (tmp_path / "whole").mkdir()
    lines = (await _whole_walk(tmp_path / "whole")).splitlines(keepends=True)
    for kept in range(1, len(lines)):
        session = tmp_path / f"cut-{kept}"
        (session / "output").mkdir(parents=True)
        (session / FILE_NAME).write_bytes(b"".join(lines[:kept]))
        before = fold(read(session / FILE_NAME).records)
        sent_before = any(isinstance(r.event, e.ActionIntended) for r in before.timeline)
        far = FarSide(ANSWERS)
        engine = engine_on(session, load_runbook(tmp_path / "whole" / "runbook.yaml"), far)
        await engine.writer.record(e.SessionResumed("operator", "test", 2, 0))
        state = await walk(engine)
        engine.writer.journal.close()
        assert DELETE not in far.commands, f"sent without a word after record {kept}"
        if sent_before and before.steps["purge"].last and before.steps["purge"].last.state is None:
            assert state.steps["purge"].status == "unknown", f"record {kept}"
        assert [r.event for r in state.timeline][:kept] == [r.event for r in before.timeline]


async def test_a_torn_record_is_said_when_the_session_goes_on(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, PURGE, ANSWERS)
    await walk(engine, c.Stop("somebody calls", "operator"))
    engine.writer.journal.close()
    path = tmp_path / "session" / FILE_NAME
    path.write_bytes(path.read_bytes()[:-9])
    journal = open_journal(tmp_path / "session")
    assert journal.torn > 0
    journal.close()
