"""The help of a screen as styled lines, from the one table of actions."""

from collections.abc import Sequence

from rich.text import Text

from breakglass.tui.keys import EVERYWHERE, Action, Place, actions_of
from breakglass.tui.theme import BANDS, Appearance
from breakglass.tui.widgets.text import folded, padded

MARK_WORDS = {
    "ok": "as expected, or done and verified",
    "suspect": "looks like the incident",
    "failed": "not as expected, or not reached",
    "unknown": "a change may have happened",
    "running": "under way",
    "waiting": "waiting for you",
    "cancelled": "not confirmed; nothing was sent",
    "skipped": "skipped, with a reason",
    "shown": "shown, not sent (a dry run)",
    "nothing-to-do": "a change over an empty list: nothing sent",
    "pending": "not reached yet",
}
MODE_WORDS = {
    "live": "a real site; every change needs your confirmation",
    "dry-run": "a real site; reads only, nothing is changed",
    "rehearsal": "a simulated incident on this machine",
}


def help_lines(place: Place, width: int, look: Appearance) -> list[Text]:
    """Every action of a place with its keys, those of all places last, then marks and modes."""
    own = [action for action in actions_of(place) if action.places != EVERYWHERE]
    shared = [action for action in actions_of(place) if action.places == EVERYWHERE]
    lines = [*_actions(f"KEYS OF THE {place.upper()}", own, width, look), Text()]
    lines += [*_actions("EVERYWHERE", shared, width, look), Text(), _title("MARKS", look)]
    for name, words in MARK_WORDS.items():
        mark = (padded(look.mark(name), 6), look.mark_style(name))
        lines.append(Text.assemble("  ", mark, padded(name, 14), words))
    lines += [Text(), _title("MODES", look)]
    for mode, words in MODE_WORDS.items():
        band = BANDS[mode]
        blank = " " * (10 - len(band.word))
        lines.append(Text.assemble("  ", (f" {band.word} ", band.style), blank, words))
    return lines


def _title(words: str, look: Appearance) -> Text:
    return Text(words, f"bold {look.style('accent')}")


def _actions(title: str, actions: Sequence[Action], width: int, look: Appearance) -> list[Text]:
    keys = max((len(action.all_keys) for action in actions), default=0) + 2
    labels = max((len(action.label) for action in actions), default=0) + 2
    beside = 2 + keys + labels
    lines = [_title(title, look)]
    for action in actions:
        key = (padded(action.all_keys or ":", keys), f"bold {look.style('accent')}")
        if width - beside >= 30:
            first, *rest = folded(action.help, width - beside)
            lines.append(Text.assemble("  ", key, padded(action.label, labels), (first, look.style("muted"))))
            lines += [Text(" " * beside + line, look.style("muted")) for line in rest]
        else:
            lines.append(Text.assemble("  ", key, action.label))
            lines += [Text(f"    {line}", look.style("muted")) for line in folded(action.help, width - 4)]
    return lines
