"""One whole evening by keyboard alone: library, preflight, walk, stop, report, and back."""

from pathlib import Path

import pytest

from breakglass.cli.session_exit_code import code_of
from breakglass.journal.folders import all_sessions
from breakglass.journal.state import fold
from breakglass.journal.store import FILE_NAME, read
from breakglass.tui.app import Cockpit
from breakglass.tui.screens.library.screen import LibraryScreen
from breakglass.tui.screens.report.screen import ReportScreen
from breakglass.tui.screens.walk.screen import WalkScreen
from tests.tui.past_support import seen
from tests.tui.support import flat

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("BREAKGLASS_STATE", str(folder))
    monkeypatch.setenv("BREAKGLASS_OPERATOR", "oncall")
    monkeypatch.setattr("breakglass.runbook.library.folders", lambda: [Path("runbooks")])
    return folder


async def test_from_a_pasted_symptom_to_the_report_of_a_rehearsal_that_was_stopped(state: Path) -> None:
    app = Cockpit(code_of)
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "outpost-shm-purge")
        await pilot.press("slash", *"no space left", "enter", "enter")
        await seen(app, pilot, "begin the rehearsal of recorded-incident")
        await pilot.press("G", "enter")
        await seen(app, pilot, "chose the way")
        assert isinstance(app.screen, WalkScreen)
        await pilot.press("S")
        await seen(app, pilot, "Whom do you call")
        await pilot.press(*"second line", "enter")
        await seen(app, pilot, "After-action review")
        assert isinstance(app.screen, ReportScreen)
        await pilot.press("q")
        await seen(app, pilot, "stopped")
        assert isinstance(app.screen, LibraryScreen)
        assert "UNFINISHED" not in flat(app)
    [session] = all_sessions(state)
    past = fold(read(session.path / FILE_NAME).records)
    assert past.ended is not None
    assert (past.ended.result, past.ended.reason) == ("stopped", "second line")
