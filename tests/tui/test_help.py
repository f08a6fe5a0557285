"""Help shows every key of a screen, and has them from the table of actions alone."""

import gc
from pathlib import Path
from typing import get_args

import pytest
from rich.text import Text
from textual.strip import Strip
from textual.widgets import Static

from breakglass.tui.app import Cockpit
from breakglass.tui.keys import Place, actions_of
from breakglass.tui.screens.help.lines import MARK_WORDS, MODE_WORDS, help_lines
from breakglass.tui.screens.help.screen import HelpScreen
from breakglass.tui.theme import BANDS, MARKS, PALETTES, Appearance, Palette
from tests.tui.past_support import SIZES, seen, state, when_seen
from tests.tui.support import flat

__all__ = ["state"]


class Help(Cockpit):
    """The cockpit with one help on it."""

    def __init__(self, of: Place) -> None:
        super().__init__(lambda session: 0)
        self.unicode = True
        self.of: Place = of

    def first_screen(self) -> HelpScreen:
        return HelpScreen(self.of)


@pytest.mark.parametrize("place", get_args(Place))
@pytest.mark.parametrize("width", [36, 56, 116])
def test_every_action_is_there_with_its_keys_and_its_sentence(place: Place, width: int) -> None:
    text = " ".join(" ".join(line.plain for line in help_lines(place, width, Appearance())).split())
    for action in actions_of(place):
        assert action.all_keys in text
        assert action.label in text
        assert action.help in text


def test_every_mark_and_every_mode_is_explained() -> None:
    assert MARK_WORDS.keys() == MARKS.keys()
    assert MODE_WORDS.keys() == BANDS.keys()


async def test_it_opens_over_any_screen_and_closes_again(state: Path) -> None:
    app = Cockpit(lambda session: 0)
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "outpost-shm-purge")
        await pilot.press("question_mark")
        await seen(app, pilot, "KEYS OF THE LIBRARY")
        await pilot.press("question_mark")
        await seen(app, pilot, "RUNBOOKS")


async def test_what_was_painted_is_let_go_of_when_it_closes(state: Path) -> None:
    app = Cockpit(lambda session: 0)

    def kept(kind: type[object]) -> int:
        gc.collect()
        return sum(isinstance(each, kind) for each in gc.get_objects())

    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "outpost-shm-purge")

        async def look_at_help() -> int:
            await pilot.press("question_mark")
            await seen(app, pilot, "KEYS OF THE LIBRARY")
            await pilot.press("question_mark")
            await seen(app, pilot, "RUNBOOKS")
            return kept(Strip)

        painted = [await look_at_help() for _ in range(5)]
        assert kept(HelpScreen) <= 1
        assert painted[-1] - painted[0] < 24, "lines of the screen"


async def test_a_theme_that_is_chosen_over_it_is_also_that_of_the_screen_below(state: Path) -> None:
    app = Cockpit(lambda session: 0)

    def drawn_in(palette: Palette) -> list[bool]:
        return [
            any(
                palette.accent in str(each.content.spans)
                for each in screen.query(Static)
                if isinstance(each.content, Text)
            )
            for screen in app.screen_stack
        ]

    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "outpost-shm-purge")
        await pilot.press("question_mark")
        await seen(app, pilot, "KEYS OF THE LIBRARY")
        assert (drawn_in(PALETTES["dark"]), drawn_in(PALETTES["light"])) == ([True, True], [False, False])
        app.theme = "light"
        await pilot.pause()
        assert (drawn_in(PALETTES["dark"]), drawn_in(PALETTES["light"])) == ([False, False], [True, True])


async def test_it_scrolls_by_keyboard(state: Path) -> None:
    app = Help("walk")
    async with app.run_test(size=(60, 20)) as pilot:
        await seen(app, pilot, "KEYS OF THE WALK")
        await pilot.press("G")
        await seen(app, pilot, "a simulated incident on this machine")
        await pilot.press("g", "space", "b", "j", "k")
        await seen(app, pilot, "KEYS OF THE WALK")


async def test_ascii_marks_are_explained_where_the_terminal_has_no_others(state: Path) -> None:
    app = Help("walk")
    app.unicode = False
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "KEYS OF THE WALK")
        await pilot.press("G")
        await seen(app, pilot, "[XX] failed")
        assert "✗" not in flat(app)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_help_looks_as_it_was_accepted(state: Path, size: tuple[int, int], snap_compare: object) -> None:
    assert callable(snap_compare)
    assert snap_compare(Help("report"), terminal_size=size, run_before=when_seen("KEYS OF THE REPORT"))
