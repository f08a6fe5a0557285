"""One table of actions: what it binds, what it never binds, and that every screen does what it says."""

from importlib import import_module
from typing import get_args

import pytest
from textual.binding import BindingsMap
from textual.dom import DOMNode

from breakglass.tui.app import Cockpit
from breakglass.tui.dialogs.confirm import ConfirmDialog
from breakglass.tui.dialogs.questions import AskLine, Choose, HostKey, Message
from breakglass.tui.dialogs.searched_list import Entry, SearchedList, matching
from breakglass.tui.keys import ACTIONS, Place, actions_of, bindings
from breakglass.tui.screens.walk.screen import WalkScreen
from breakglass.tui.screens.walk.view import WalkView
from breakglass.tui.theme import Appearance
from breakglass.tui.widgets.footer import footer_line
from breakglass.tui.widgets.inputs import Choices, TextLine

NEVER = {f"ctrl+{letter}" for letter in "basqzijmh"} | {"tab"}
SCREENS = {
    "library": ("breakglass.tui.screens.library.screen", "LibraryScreen"),
    "preflight": ("breakglass.tui.screens.preflight.screen", "PreflightScreen"),
    "walk": ("breakglass.tui.screens.walk.screen", "WalkScreen"),
    "watch": ("breakglass.tui.screens.walk.view", "WalkView"),
    "report": ("breakglass.tui.screens.report.screen", "ReportScreen"),
    "help": ("breakglass.tui.screens.help.screen", "HelpScreen"),
}


def bound(kind: type[DOMNode]) -> set[str]:
    """The keys that a widget or screen binds, with those of its bases."""
    merged: BindingsMap = kind._merged_bindings or BindingsMap()  # pyright: ignore[reportPrivateUsage]
    return set(merged.key_to_bindings)


@pytest.mark.parametrize(
    "kind",
    [
        Cockpit,
        WalkScreen,
        WalkView,
        ConfirmDialog,
        AskLine,
        Choose,
        Message,
        HostKey,
        SearchedList,
        TextLine,
        Choices,
    ],
)
def test_keys_of_terminals_and_multiplexers_are_left_alone(kind: type[DOMNode]) -> None:
    assert not bound(kind) & NEVER - {"ctrl+z"}


def test_control_z_means_what_it_means_everywhere() -> None:
    merged: BindingsMap = Cockpit._merged_bindings or BindingsMap()  # pyright: ignore[reportPrivateUsage]
    assert [each.action for each in merged.key_to_bindings["ctrl+z"]] == ["suspend_process"]
    assert not any("ctrl+z" in bound(kind) for kind in (WalkScreen, ConfirmDialog, TextLine))


@pytest.mark.parametrize("place", get_args(Place))
def test_no_key_means_two_things_on_one_screen(place: Place) -> None:
    keys = [key for action in actions_of(place) for key in action.keys]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("place", get_args(Place))
def test_every_action_is_done_by_its_screen(place: Place) -> None:
    module, name = SCREENS[place]
    screen = getattr(import_module(module), name)
    missing = [each.name for each in actions_of(place) if not hasattr(screen, f"action_{each.name}")]
    assert not missing


@pytest.mark.parametrize("place", get_args(Place))
def test_every_screen_can_be_left_searched_and_explained(place: Place) -> None:
    names = {action.name for action in actions_of(place)}
    assert {"back", "palette", "help"} <= names


def test_no_key_needs_a_function_key_or_alt() -> None:
    keys = {key for action in ACTIONS for key in action.keys}
    assert not {key for key in keys if key.startswith(("f1", "f2", "alt+", "super+", "shift+"))}


def test_bindings_are_the_table() -> None:
    made = {(each.key, each.action) for each in bindings("walk")}
    assert made == {(key, action.name) for action in actions_of("walk") for key in action.keys}


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120, 200])
def test_the_footer_fits_and_always_ends_with_all_and_help(width: int) -> None:
    line = footer_line(actions_of("walk"), width, Appearance())
    assert line.cell_len <= width
    assert line.plain.endswith(": all  ? help")


def test_the_footer_shows_the_most_important_first() -> None:
    assert footer_line(actions_of("walk"), 40, Appearance()).plain.lstrip().startswith("Enter next")


STEPS = [
    Entry("wait", "2", "Wait for 12 pods"),
    Entry("purge", "12", "Purge the volume !! DESTRUCTIVE", "purge Relief"),
    Entry("force", "21", "Force the purge"),
]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", ["wait", "purge", "force"]),
        ("12", ["purge", "wait"]),
        ("purge", ["purge", "force"]),
        ("THE purge", ["purge", "force"]),
        ("relief", ["purge"]),
        ("no such step", []),
    ],
)
def test_a_searched_list_finds_by_every_word_a_number_first(typed: str, found: list[str]) -> None:
    assert [entry.value for entry in matching(STEPS, typed)] == found
