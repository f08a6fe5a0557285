"""Every action and its keys, once. Key bindings, footer, help, palette and the README are made from this
table.

An action's name is the name of the method that does it: `rerun` is `action_rerun` of its screen. Keys are
printable or are ones that every terminal sends the same (Enter, Esc, arrows, paging); ^B ^A ^S ^Q ^Z ^I ^J ^M
and ^H belong to multiplexers, job control and the terminal itself, and are never bound here. ^Z stops the
program, as everywhere.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from textual.binding import Binding

Place: TypeAlias = Literal["library", "preflight", "walk", "watch", "report", "help"]
EVERYWHERE: tuple[Place, ...] = ("library", "preflight", "walk", "watch", "report", "help")
LOOKING: tuple[Place, ...] = ("walk", "watch")
"""The walk, and the same view of somebody else's walk, where nothing can be decided."""

WRITTEN: Mapping[str, str] = {
    "enter": "Enter",
    "escape": "Esc",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "space": "Space",
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "ctrl+c": "^C",
}
"""Textual's names of keys as people write them; a key that is not here is written as it is."""


class Action(NamedTuple):
    """Something that a person can do on some screens.

    `label` is the footer's word for it and `help` one sentence. `rank` orders the footer, lowest first; 0
    keeps it out of the footer. An action with no key is in the palette alone.
    """

    name: str
    keys: tuple[str, ...]
    label: str
    help: str
    places: tuple[Place, ...]
    rank: int = 0

    @property
    def key(self) -> str:
        """The first key as it is written; empty where there is none."""
        return written(self.keys[0]) if self.keys else ""

    @property
    def all_keys(self) -> str:
        return " ".join(written(key) for key in self.keys)


def written(key: str) -> str:
    """A key as people write it."""
    return WRITTEN.get(key, key)


ACTIONS: tuple[Action, ...] = (
    # ------------------------------------------------------------------ the walk
    Action(
        "forward",
        ("enter",),
        "next",
        "Do what the NEXT line says. Never confirms a change.",
        ("walk",),
        1,
    ),
    Action(
        "cancel_read",
        ("x",),
        "cancel read",
        "Cancel the running read. A change is never cancelled.",
        ("walk",),
        2,
    ),
    Action(
        "rerun",
        ("r",),
        "rerun",
        "Run this step again. A change with an unknown outcome is looked at first.",
        ("walk",),
        3,
    ),
    Action(
        "skip",
        ("s",),
        "skip",
        "Skip this step, with a reason. It becomes a deferred item.",
        ("walk",),
        5,
    ),
    Action("jump", ("J",), "jump", "Jump to another step.", ("walk",), 6),
    Action(
        "undo",
        ("U",),
        "undo",
        "Go to the step that puts this change back. It asks for its own confirmation.",
        ("walk",),
        6,
    ),
    Action(
        "note",
        ("n",),
        "note",
        "Add a note to the record. In a search: the next match.",
        ("walk",),
        7,
    ),
    Action(
        "stop_and_call",
        ("S",),
        "stop&call",
        "Stop here and call for help. Nothing is undone.",
        ("walk",),
        4,
    ),
    Action("pause", ("p",), "pause", "Pause before the next step. What is running continues.", ("walk",), 8),
    Action(
        "previous_step", ("k", "up"), "up", "View the previous step; in the output, one line up.", LOOKING
    ),
    Action("next_step", ("j", "down"), "down", "View the next step; in the output, one line down.", LOOKING),
    Action("first", ("g", "home"), "first", "The first step, or the top of the output.", LOOKING),
    Action("last", ("G", "end"), "last", "The current step, or the end of the output.", LOOKING),
    Action(
        "page_down", ("space", "pagedown"), "page down", "One page down in the card or the output.", LOOKING
    ),
    Action("page_up", ("b", "pageup"), "page up", "One page up in the card or the output.", LOOKING),
    Action("left", ("left",), "left", "Move unwrapped output to the left.", LOOKING),
    Action("right", ("right",), "right", "Move unwrapped output to the right.", LOOKING),
    Action("previous_attempt", ("left_square_bracket",), "attempt", "The previous attempt.", LOOKING),
    Action("next_attempt", ("right_square_bracket",), "attempt", "The next attempt.", LOOKING),
    Action(
        "output",
        ("o",),
        "output",
        "Move between the card and the output; on a small terminal, swap them.",
        LOOKING,
        9,
    ),
    Action("full", ("f",), "full", "The output, or the card, on the whole screen, and back.", LOOKING, 11),
    Action("follow", ("F",), "follow", "Stay at the end of the output as it grows.", LOOKING),
    Action("wrap", ("w",), "wrap", "Wrap long lines of output, or not.", LOOKING),
    Action(
        "timeline",
        ("t",),
        "timeline",
        "The session's timeline in place of the output, and back.",
        LOOKING,
        12,
    ),
    Action(
        "values",
        ("v",),
        "values",
        "The step's conditions and all captured values in place of the output, and back.",
        LOOKING,
    ),
    Action(
        "findings",
        ("i",),
        "findings",
        "What was found so far, a sentence a step, in place of the output, and back.",
        LOOKING,
        13,
    ),
    Action(
        "map",
        ("m",),
        "all steps",
        "All steps of the runbook in place of the path taken and what lies ahead, and back.",
        LOOKING,
    ),
    Action("find", ("slash",), "find", "Search in the output.", LOOKING, 10),
    Action("next_match", ("n",), "next match", "Next match of the search.", ("watch",)),
    Action("previous_match", ("N",), "previous match", "Previous match of the search.", LOOKING),
    Action(
        "copy",
        ("y",),
        "copy",
        "Copy the command, or the output that is in view, through OSC 52.",
        LOOKING,
        14,
    ),
    Action(
        "status",
        ("u",),
        "status",
        "Copy a status message for the channel: what was found, changed and is open.",
        LOOKING,
    ),
    Action("save", (), "save output", "Show where the output is saved, and copy that path.", LOOKING),
    Action(
        "hint", ("H",), "hint", "Show the step's hint. Rehearsals only; hints are counted.", ("walk",), 15
    ),
    Action(
        "hand_over", ("O",), "hand over", "Hand the session to somebody else at this terminal.", ("walk",)
    ),
    Action(
        "interrupt",
        ("ctrl+c",),
        "cancel",
        "Cancel the read. During a change, say what is under way and offer to detach.",
        ("walk",),
    ),
    # ------------------------------------------------------------------ library
    Action("open", ("enter",), "open", "Open the runbook, or resume the session.", ("library",), 1),
    Action(
        "search",
        ("slash",),
        "search",
        "Search names, titles, symptoms and alerts. A pasted log line works too.",
        ("library",),
        2,
    ),
    Action(
        "resume",
        ("r",),
        "resume",
        "Resume the selected session, or the newest unfinished one.",
        ("library",),
        3,
    ),
    Action(
        "past_report",
        ("p",),
        "report",
        "The report of the selected session, or of the runbook's newest.",
        ("library",),
        4,
    ),
    Action(
        "swap",
        ("o",),
        "preview",
        "On a small terminal, the preview in place of the list, and back.",
        ("library",),
        5,
    ),
    # ------------------------------------------------------------------ preflight
    Action(
        "choose",
        ("enter",),
        "choose",
        "Select this mode or scenario, move to the next field, or begin.",
        ("preflight",),
        1,
    ),
    # ------------------------------------------------------------------ report
    Action("next_view", ("t", "right"), "next view", "Draft, timeline, follow-ups, review.", ("report",), 1),
    Action("previous_view", ("left",), "previous view", "The previous view.", ("report",)),
    Action(
        "save_report", ("s",), "save", "Write the draft to a file, which must not exist yet.", ("report",), 2
    ),
    Action("copy_report", ("y",), "copy", "Copy what this view shows, through OSC 52.", ("report",), 3),
    Action("edit", ("e",), "edit", "Open the draft in $VISUAL or $EDITOR.", ("report",), 4),
    # ------------------------------------------------------------------ library, preflight, report, help
    Action("top", ("g", "home"), "top", "The first line.", ("library", "preflight", "report", "help")),
    Action("bottom", ("G", "end"), "bottom", "The last line.", ("library", "preflight", "report", "help")),
    Action(
        "scroll_down",
        ("space", "pagedown"),
        "page down",
        "One page down; in the library, in the preview.",
        ("library", "preflight", "report", "help"),
    ),
    Action(
        "scroll_up",
        ("b", "pageup"),
        "page up",
        "One page up; in the library, in the preview.",
        ("library", "preflight", "report", "help"),
    ),
    Action("move_down", ("j", "down"), "down", "One line down.", ("library", "preflight", "report", "help")),
    Action("move_up", ("k", "up"), "up", "One line up.", ("library", "preflight", "report", "help")),
    # ------------------------------------------------------------------ themes, and what is everywhere
    Action("theme_dark", (), "dark theme", "Light text on dark.", EVERYWHERE),
    Action("theme_light", (), "light theme", "Dark text on white.", EVERYWHERE),
    Action("theme_high_contrast", (), "high-contrast theme", "White on black, lines in white.", EVERYWHERE),
    Action("back", ("q", "escape"), "back", "Go back. Asks first when something is open.", EVERYWHERE, 16),
    Action("palette", ("colon",), "all", "Find any action of this screen by part of its name.", EVERYWHERE),
    Action("help", ("question_mark",), "help", "Every key of this screen.", EVERYWHERE),
)


def actions_of(place: Place) -> tuple[Action, ...]:
    """The actions of a screen, in the table's order."""
    return tuple(action for action in ACTIONS if place in action.places)


def bindings(place: Place) -> list[Binding]:
    """The key bindings of a screen."""
    return [
        Binding(key, action.name, action.label, show=False)
        for action in actions_of(place)
        for key in action.keys
    ]


def by_rank(actions: Iterable[Action]) -> list[Action]:
    """Those that the footer shows, most important first."""
    return sorted((action for action in actions if action.rank), key=lambda action: action.rank)
