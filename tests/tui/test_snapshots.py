"""Pictures of the walk and of the confirmation: three sizes, three themes, each mode.

Every time in them is an event's. After a change that is meant, look at each picture and then run
`pytest tests/tui/test_snapshots.py --snapshot-update`.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from breakglass.journal import events as e
from breakglass.tui.dialogs.confirm import ConfirmDialog
from breakglass.tui.screens.walk.view import WalkView
from tests.tui.support import POD, Stage, ToldSession, asked_to_purge, before_the_purge, staged, walking

Compare = Callable[..., bool]
SIZES = [(120, 40), (80, 24), (60, 20)]
THEMES = ["dark", "light", "high-contrast"]
MODES: list[e.Mode] = ["live", "dry-run", "rehearsal"]


def settled(*keys: str) -> Callable[[Pilot[int]], Awaitable[None]]:
    """Draw what the keys changed, so that the picture does not depend on a timer."""

    async def run(pilot: Pilot[int]) -> None:
        await pilot.press(*keys)
        await pilot.pause()
        if isinstance(pilot.app.screen, WalkView):
            pilot.app.screen.draw()
        await pilot.pause()

    return run


class Asking(Stage):
    """The confirmation over the walk, its deaf time over."""

    def __init__(self, session: ToldSession, theme: str) -> None:
        super().__init__(lambda: walking(session), theme)
        self.session = session

    def on_mount(self) -> None:
        assert self.session.state.waiting is not None
        self.push_screen(ConfirmDialog(self.session, self.session.state.waiting, quiet=0.0))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_walk(snap_compare: Compare, tmp_path: Path, size: tuple[int, int], theme: str) -> None:
    app = staged(before_the_purge(tmp_path), theme)
    assert snap_compare(app, terminal_size=size, run_before=settled())


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_confirmation(snap_compare: Compare, tmp_path: Path, size: tuple[int, int], theme: str) -> None:
    app = Asking(asked_to_purge(tmp_path), theme)
    assert snap_compare(app, terminal_size=size, run_before=settled(*POD[:4]))


@pytest.mark.parametrize("mode", MODES)
def test_band_of_each_mode(snap_compare: Compare, tmp_path: Path, mode: e.Mode) -> None:
    app = staged(before_the_purge(tmp_path, mode=mode))
    assert snap_compare(app, terminal_size=(80, 24), run_before=settled())


def test_smallest_terminals(snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(staged(before_the_purge(tmp_path)), terminal_size=(36, 10), run_before=settled())


def test_forty_columns(snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(staged(before_the_purge(tmp_path)), terminal_size=(40, 15), run_before=settled())


def test_ways_on(snap_compare: Compare, tmp_path: Path) -> None:
    session = before_the_purge(tmp_path)
    assert snap_compare(staged(session), terminal_size=(80, 24), run_before=settled("J"))


def test_timeline(snap_compare: Compare, tmp_path: Path) -> None:
    session = before_the_purge(tmp_path)
    assert snap_compare(staged(session), terminal_size=(80, 24), run_before=settled("t"))


def test_without_colour(snap_compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    session = before_the_purge(tmp_path)
    assert snap_compare(staged(session), terminal_size=(80, 24), run_before=settled())
