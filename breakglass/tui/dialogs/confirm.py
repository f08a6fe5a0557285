"""The confirmation of a change: everything that counts, in one order, then one explicit word.

A change takes the key `Y`; a destructive one takes the typed name and then Enter. Nothing else confirms: not
Enter alone, not the key that opened the dialog, not a key that is held or was typed ahead, not pasting, not
the mouse, not a resize, not time. And no word counts before everything has been on the screen once.
"""

import sys
import termios
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.events import Key, Paste, Resize
from textual.screen import ModalScreen
from textual.widgets import Static

from breakglass.engine import commands as c
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.tui.base import cockpit
from breakglass.tui.theme import BANDS, Look
from breakglass.tui.walking import Walking
from breakglass.tui.widgets.text import flowed, folded, labelled, plain, shown_values
from breakglass.tui.words import number_of, site_words

QUIET = 0.6
"""Seconds without any key before the first one counts. A key that is held or typed ahead starts them anew."""

LABEL = 10
LONGEST_TYPED = 200
ONE_KEY = "Y"


def confirmation_lines(asked: e.Asked, state: State, width: int, look: Look) -> list[Text]:
    """What is about to be done, in the order in which it is read."""
    lines: list[Text] = []

    def row(label: str, value: str, style: str = "") -> None:
        lines.extend(
            labelled(
                label, value, width, indent=LABEL, style=style, label_style=f"bold {look.style('muted')}"
            )
        )

    for at, command in enumerate(asked.command.split("\n")):
        row("WILL RUN" if at == 0 else "", command, "bold")
    row("ON", "\n".join(flowed((asked.on or asked.where).split("   "), width - LABEL, "   ")))
    if asked.on and asked.where:
        row("AS", asked.where)
    if asked.earlier:
        row("EARLIER", asked.earlier, f"bold {look.style('unknown')}")
    row("BREAKS", asked.impact or "the runbook does not say")
    row("UNDO", asked.undo or "NONE", f"bold {look.style('failed')}" if asked.undo in ("", "NONE") else "")
    lines += _needs(asked, state, width, look)
    refused = "refused" in asked.server_says
    row(
        "SERVER",
        asked.server_says or "cannot be asked beforehand",
        f"bold {look.style('failed')}" if refused else "",
    )
    row("THEN", asked.then or "nothing verifies this; look yourself")
    if asked.approvals > 1:
        agreed = ", ".join(state.approvals) or "nobody yet"
        row("AGREED", f"{agreed}; {asked.approvals} people must")
    return lines


def _needs(asked: e.Asked, state: State, width: int, look: Look) -> list[Text]:
    view = state.steps.get(asked.step)
    needs = view.last.needs if view is not None and view.last is not None else ()
    label = f"bold {look.style('muted')}"
    if not needs:
        return labelled("NEEDS", "the runbook names none", width, indent=LABEL, label_style=label)
    read = f"re-read {max(time for time, _ in needs):%H:%M:%S}Z"
    lines = labelled("NEEDS", read, width, indent=LABEL, label_style=label)
    for _, need in needs:
        held = "" if need.holds else f"  DOES NOT HOLD: {plain(need.message)}"
        mark = look.mark("ok" if need.holds else "failed")
        named = f"{plain(need.need)}: " if need.need not in ("guard", "uid") else ""
        words = f"{named}{plain(need.that)}   {shown_values(need.observed)}{held}"
        style = look.mark_style("ok") if need.holds else f"bold {look.style('failed')}"
        indent = cell_len(mark) + 3
        lines += labelled(f"  {mark}", words, width, indent=indent, style=style, label_style=style)
    return lines


def match_words(typed: str, wanted: str) -> str:
    """How far the typed text is from the wanted one."""
    if not typed:
        return ""
    if typed == wanted:
        return "matches. Enter  sends it"
    if wanted.startswith(typed):
        return f"no match yet ({len(typed)} of {len(wanted)})"
    at = next(
        (at for at, (one, two) in enumerate(zip(typed, wanted, strict=False)) if one != two), len(wanted)
    )
    return f"no match: differs from character {at + 1} on"


class ConfirmDialog(ModalScreen[None], inherit_bindings=False):
    """Asks for one word for one change. Leaves when the question is no longer open."""

    ALLOW_SELECT = False
    CSS_PATH = Path(__file__).with_name("confirm.tcss")
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self, walk: Walking, asked: e.Asked, *, quiet: float = QUIET, clock: Callable[[], float] = monotonic
    ) -> None:
        super().__init__()
        self._walk = walk
        self.asked = asked
        self._quiet = quiet
        self._clock = clock
        self._deaf_until = clock() + quiet
        self._typed = ""
        self._approver = ""
        self._naming = False
        self._hint = ""
        self._lines = 0
        self._seen = False
        """Whether all of it has been on the screen; until then no word counts."""

    # ---------------------------------------------------------------- drawing
    def compose(self) -> ComposeResult:
        yield Static(id="confirm-band", markup=False)
        with VerticalScroll(id="confirm-body", can_focus=False):
            yield Static(id="confirm-facts", markup=False)
        yield Static(id="confirm-more", markup=False)
        yield Static(id="confirm-ask", markup=False)

    def on_mount(self) -> None:
        _flush_terminal_input()
        self._begin()
        self.watch(self.query_one("#confirm-body"), "scroll_y", self._draw_more, init=False)

    def _begin(self) -> None:
        """Start asking one person, deaf at first."""
        self._typed = self._hint = ""
        self._naming = bool(self._walk.state.approvals)
        self._approver = "" if self._naming else self._walk.state.operator
        self._deaf_until = max(self._deaf_until, self._clock() + self._quiet)
        self.set_timer(self._quiet, self._draw_ask)
        self._draw()

    def on_resize(self, event: Resize) -> None:
        self._draw(event.size.width)

    def _draw(self, width: int = 0) -> None:
        width = (width or cockpit(self).size.width) - 3
        if width < 10:
            return
        look, state = cockpit(self).look, self._walk.state
        band = BANDS[state.mode]
        number, total = number_of(self._walk.runbook, self.asked.step), len(self._walk.runbook.steps)
        chunks = [
            band.word,
            site_words(state),
            self.asked.risk.upper(),
            f"step {number} of {total}",
            plain(self.asked.text),
        ]
        banner = self.query_one("#confirm-band", Static)
        banner.styles.background, banner.styles.color = band.background, band.text
        banner.update(Text("\n".join(flowed(chunks, width, "   ")), "bold"))
        facts = confirmation_lines(self.asked, state, width, look)
        self._lines = len(facts)
        self.query_one("#confirm-facts", Static).update(Text("\n").join(facts))
        self._draw_ask()
        self.call_after_refresh(self._draw_more)

    def _draw_more(self) -> None:
        body = self.query_one("#confirm-body")
        below = int(body.max_scroll_y - body.scroll_y)
        if 0 < self._lines <= body.scroll_y + body.size.height:
            self._seen = True
        more = self.query_one("#confirm-more", Static)
        more.display = body.max_scroll_y > 0
        words = f"{below} more lines below: Down, PgDn" if below > 0 else "the end; Up, PgUp go back"
        look = cockpit(self).look
        more.update(Text(f"{look.rule * 2} {words}", f"bold {look.style('suspect')}"))

    def _draw_ask(self) -> None:
        if not self.is_attached:
            return
        look = cockpit(self).look
        width = cockpit(self).size.width - 2
        lines: list[Text] = []
        lines += [Text(line, "bold") for line in flowed(self._instruction(), width, "   ")]
        if self._naming or self.asked.typed:
            shown = f"> {plain(self._typed)}_"
            match = "" if self._naming else match_words(self._typed, self.asked.typed)
            gap = width - cell_len(shown) - cell_len(match)
            style = look.style("ok") if match.startswith("matches") else look.style("suspect")
            if gap >= 1:
                lines.append(Text.assemble((shown, "bold"), " " * gap, (match, style)))
            else:
                lines += [*(Text(each, "bold") for each in folded(shown, width)), Text(match, style)]
        for line in folded(self._hint, width) if self._hint else []:
            lines.append(Text(line, f"bold {look.style('suspect')}"))
        self.query_one("#confirm-ask", Static).update(Text("\n").join(lines))

    def _instruction(self) -> tuple[str, ...]:
        if self._deaf:
            return ("keys are not taken yet; let go of all of them",)
        back = "Esc = go back, nothing has been sent"
        if self._naming:
            first = plain(self._walk.state.approvals[0])
            return f"{first} has agreed.", "Second person, type your name and Enter", back
        who = f"{plain(self._approver)}: " if self.asked.approvals > 1 else ""
        if self.asked.typed:
            return f"{who}To do it, type  {plain(self.asked.typed)}", back
        return f"{who}To do it, press  {ONE_KEY}", back

    # ---------------------------------------------------------------- keys
    @property
    def _deaf(self) -> bool:
        return self._clock() < self._deaf_until

    def on_key(self, event: Key) -> None:
        event.stop()
        event.prevent_default()
        pressed = self._clock() - max(monotonic() - event.time, 0.0)
        if pressed < self._deaf_until:
            self._deaf_until = max(self._deaf_until, pressed + self._quiet)
            self.set_timer(self._quiet, self._draw_ask)
            return
        self._hint = ""
        self._take(event)
        if self.is_attached:
            self._draw_ask()

    def _take(self, event: Key) -> None:
        body = self.query_one("#confirm-body", VerticalScroll)
        match event.key:
            case "escape":
                self.go_back()
            case "down":
                body.scroll_relative(y=1, animate=False)
            case "up":
                body.scroll_relative(y=-1, animate=False)
            case "pagedown":
                body.scroll_page_down(animate=False)
            case "pageup":
                body.scroll_page_up(animate=False)
            case "backspace":
                self._typed = self._typed[:-1]
            case "ctrl+u":
                self._typed = ""
            case "enter":
                self._enter()
            case _ if event.character is not None and event.is_printable:
                self._character(event.character)
            case _:
                pass

    def _character(self, character: str) -> None:
        if self._naming or self.asked.typed:
            self._typed = (self._typed + character)[:LONGEST_TYPED]
        elif character == ONE_KEY:
            self._send(ONE_KEY)
        else:
            self._hint = f"only {ONE_KEY} does it; nothing has been sent"

    def _enter(self) -> None:
        if self._naming:
            if self._typed.strip():
                self._approver, self._typed, self._naming = self._typed.strip(), "", False
            return
        if not self.asked.typed:
            self._hint = f"Enter does not confirm; only {ONE_KEY} does. Nothing has been sent"
        elif self._typed == self.asked.typed:
            self._send(self._typed)
        else:
            self._hint = "that is not it; nothing has been sent"

    def on_paste(self, event: Paste) -> None:
        event.stop()
        event.prevent_default()
        self._hint = "pasting is refused; type it. Nothing has been sent"
        self._draw_ask()

    # ---------------------------------------------------------------- the word
    def _send(self, typed: str) -> None:
        if not self._seen:
            self._hint = "read to the end first: Down, PgDn. Nothing has been sent"
            return
        try:
            self._walk.command(c.Confirm(typed, self._approver))
        except CommandRefusedError as error:
            self._hint = plain(str(error))
            self._typed = ""
            self._naming = bool(self._walk.state.approvals)
            return
        if self._walk.state.waiting is self.asked:
            self._begin()
        else:
            self.dismiss(None)

    def go_back(self) -> None:
        """Leave, and tell the session that nothing is to be sent."""
        try:
            self._walk.command(c.Decline(self._walk.state.operator))
        except CommandRefusedError as error:
            self._hint = plain(str(error))
            return
        self.dismiss(None)


def _flush_terminal_input() -> None:
    """Throw away what was typed and not read yet."""
    try:
        termios.tcflush(sys.__stdin__.fileno() if sys.__stdin__ else 0, termios.TCIFLUSH)
    except (OSError, ValueError, termios.error):
        return
