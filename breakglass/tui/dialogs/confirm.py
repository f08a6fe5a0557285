"""The confirmation of a change: everything that counts, in one order, then one explicit word.

A change takes the key `Y`; a destructive one takes the typed name and then Enter. Nothing else confirms: not
Enter alone, not the key that opened the dialog, not a key that is held or was typed ahead, not pasting, not
the mouse, not a resize, not time. And no word counts before everything has been on the screen once.

Not every terminal says that a text was pasted: tmux and screen may hand it on as keys. So the key that
confirms counts only by itself: Enter not before the whole text has been on the screen for a moment, `Y` with
no other key around it.

Where a second person signs, pasting is how the signature comes in, and nothing else does.
"""

import asyncio
import sys
import termios
from asyncio import Future
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import ClassVar, Literal, TypeAlias

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.events import Key, Paste, Resize
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Static

from breakglass.engine import commands as c
from breakglass.engine.signature import END, LARGEST_SIGNATURE, SIGN_WITH
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.report.confirmation import QUIET
from breakglass.report.position import position_of
from breakglass.runbook.ways import Ways
from breakglass.tui.base import cockpit
from breakglass.tui.dialogs.confirm_lines import confirmation_lines, match_words
from breakglass.tui.session_view import SessionView
from breakglass.tui.theme import BANDS
from breakglass.tui.walk_text import site_words
from breakglass.tui.widgets.text import flowed, folded, plain

MOMENT = 0.3
"""Seconds that a whole text stands on the screen before Enter sends it, and that `Y` stands after another
key. A hand that types the text and Enter takes longer; a paste never does."""

ALONE = 0.15
"""Seconds after `Y` in which another key shows that both were pasted."""

LONGEST_TYPED = 200
ONE_KEY = "Y"
COPY = "y"
"""Copies the text to sign. No signature begins with it."""
NOTHING_SENT = "Nothing sent."
PASTED = f"Pasted text does not confirm. Type it. {NOTHING_SENT}"
TOO_SOON = f"Enter came too soon after the text: read it, then press Enter again. {NOTHING_SENT}"
NOT_ALONE = f"{ONE_KEY} came together with other keys, as pasted text does. Press it alone. {NOTHING_SENT}"
LINE_FEED = "ctrl+j"
"""How a line end arrives that was pasted as it is, without brackets."""
SCROLLING = ("down", "up", "pagedown", "pageup")

Stage: TypeAlias = Literal["word", "name", "sign"]


class ConfirmDialog(ModalScreen[None], inherit_bindings=False):
    """Asks for one word for one change. Leaves when the question is no longer open."""

    ALLOW_SELECT = False
    CSS_PATH = Path(__file__).with_name("confirm.tcss")
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self,
        walk: SessionView,
        asked: e.Asked,
        *,
        quiet: float = QUIET,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__()
        self._walk = walk
        self.asked = asked
        self._quiet = quiet
        self._clock = clock
        self._deaf_until = clock() + quiet
        self._stage: Stage = "word"
        self._typed = ""
        self._first_key = self._last_key = 0.0
        """When the text was begun, and when the last key before this one was pressed."""
        self._pending: Timer | None = None
        """Runs after `Y`, until it is known to stand alone."""
        self._checking = False
        """Whether a signature is being checked."""
        self._approver = ""
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
        self.watch(self.query_one("#confirm-body"), "scroll_y", self._draw_more)

    def _begin(self) -> None:
        """Start asking one person, deaf at first."""
        self._typed = self._hint = ""
        self._stage = self._first_stage()
        self._approver = self._walk.state.operator if self._stage == "word" else ""
        self.set_class(self._stage == "sign", "-signing")
        self._deaf_until = max(self._deaf_until, self._clock() + self._quiet)
        self.set_timer(self._quiet, self._draw_ask)
        self._draw()

    def _first_stage(self) -> Stage:
        if not self._walk.state.approvals:
            return "word"
        return "sign" if self.asked.sign else "name"

    def on_resize(self, event: Resize) -> None:
        self._draw(event.size.width)

    def _draw(self, width: int = 0) -> None:
        width = (width or cockpit(self).size.width) - 3
        if width < 10:
            return
        look, state = cockpit(self).look, self._walk.state
        band = BANDS[state.mode]
        walk = self._walk
        at = position_of(walk.state, walk.runbook, Ways(walk.runbook.steps, walk.state.mode)).words[0]
        chunks = [
            band.word,
            site_words(state),
            self.asked.risk.upper(),
            at,
            plain(self.asked.text),
        ]
        banner = self.query_one("#confirm-band", Static)
        banner.styles.background, banner.styles.color = band.background, band.text
        banner.update(Text("\n".join(flowed(chunks, width, "   ")), "bold"))
        if self._stage == "sign":
            # As it is, with nothing around it, so that it can be copied off the screen.
            facts = [Text(line) for each in self.asked.sign.split("\n") for line in folded(each, width + 2)]
        else:
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
        if self._stage == "sign":
            lines += [Text(line) for line in folded(self._pasted_words(), width)]
        elif self._stage == "name" or self.asked.typed:
            shown = f"> {plain(self._typed)}_"
            stood = self._clock() - self._last_key >= MOMENT
            does = "accepts it" if self.asked.question == "accept" else "sends it"
            match = ""
            if self._stage == "word":
                match = match_words(self._typed, self.asked.typed, stood=stood, does=does)
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
            return ("Waiting for all keys to be released",)
        back = "Esc = go back, nothing sent"
        agreed = f"{plain(', '.join(self._walk.state.approvals))} has agreed."
        if self._stage == "sign":
            sign = (
                f"Second person, sign this text ({COPY} copies it):  {SIGN_WITH}",
                "Then paste the signature",
            )
            return agreed, *sign, back
        if self._stage == "name":
            return agreed, "Second person: type your name, then Enter", back
        who = f"{plain(self._approver)}: " if self.asked.approvals > 1 else ""
        if self.asked.typed:
            return f"{who}To run it, type  {plain(self.asked.typed)}", back
        return f"{who}To run it, press  {ONE_KEY}", back

    def _pasted_words(self) -> str:
        if self._checking:
            return "> checking the signature"
        lines = len(self._typed.splitlines())
        if lines or self._deaf:
            return f"> {lines} lines pasted; it ends with {END}" if lines else ">"
        return "> nothing is pasted yet"

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
        self._take(event, pressed)
        if event.key not in SCROLLING:
            self._last_key = pressed
        if self.is_attached:
            self._draw_ask()

    def _take(self, event: Key, pressed: float) -> None:
        if event.key in SCROLLING:
            self._scroll(event.key)
        elif event.key == "escape":
            self.go_back()
        elif self._pending is not None:
            self._forget_pending()
            self._hint = NOT_ALONE
        elif self._checking:
            return
        elif event.key == "backspace":
            self._typed = "" if self._stage == "sign" else self._typed[:-1]
        elif event.key == "ctrl+u":
            self._typed = ""
        elif event.key == "enter":
            self._enter(pressed)
        elif event.key == LINE_FEED and self._stage == "sign":
            self._collect("\n")
        elif event.character is not None and event.is_printable:
            self._character(event.character, pressed)

    def _scroll(self, key: str) -> None:
        body = self.query_one("#confirm-body", VerticalScroll)
        match key:
            case "down":
                body.scroll_relative(y=1, animate=False)
            case "up":
                body.scroll_relative(y=-1, animate=False)
            case "pagedown":
                body.scroll_page_down(animate=False)
            case _:
                body.scroll_page_up(animate=False)

    def _character(self, character: str, pressed: float) -> None:
        if self._stage == "sign":
            self._collect(character)
        elif self._stage == "name" or self.asked.typed:
            self._first_key = self._first_key if self._typed else pressed
            self._typed = (self._typed + character)[:LONGEST_TYPED]
            if self._typed == self.asked.typed:
                self.set_timer(MOMENT, self._draw_ask)
        elif character != ONE_KEY:
            self._hint = f"Only {ONE_KEY} confirms. Nothing sent."
        elif pressed - self._last_key < MOMENT:
            self._hint = NOT_ALONE
        else:
            self._pending = self.set_timer(ALONE, self._send_alone)

    def _enter(self, pressed: float) -> None:
        if self._stage == "sign":
            self._collect("\n")
        elif self._stage == "name":
            if self._typed.strip():
                self._approver, self._typed, self._stage = self._typed.strip(), "", "word"
        elif not self.asked.typed:
            self._hint = f"Enter does not confirm; only {ONE_KEY} does. Nothing sent."
        elif self._typed != self.asked.typed:
            self._hint = "No match. Nothing sent."
        elif pressed - self._first_key < MOMENT:
            self._typed, self._hint = "", PASTED
        elif pressed - self._last_key < MOMENT:
            self._hint = TOO_SOON
            self.set_timer(MOMENT, self._draw_ask)
        else:
            self._send(self._typed)

    def on_paste(self, event: Paste) -> None:
        event.stop()
        event.prevent_default()
        self._forget_pending()
        if self._stage != "sign":
            self._hint = f"Pasting is refused. Type it. {NOTHING_SENT}"
        elif self._deaf or self._checking:
            self._hint = f"Paste not accepted. Paste it again. {NOTHING_SENT}"
        else:
            self._collect(event.text)
        self._draw_ask()

    # ---------------------------------------------------------------- the word
    def _send_alone(self) -> None:
        self._pending = None
        self._send(ONE_KEY)
        if self.is_attached:
            self._draw_ask()

    def _forget_pending(self) -> None:
        if self._pending is not None:
            self._pending.stop()
            self._pending = None

    def _send(self, typed: str) -> None:
        if not self._seen:
            self._hint = "Read to the end first: Down, PgDn. Nothing sent."
            return
        try:
            on_record = self._walk.command(c.Confirm(typed, self._approver))
        except CommandRefusedError as error:
            self._hint = plain(str(error))
            self._typed = ""
            self._stage = self._first_stage()
            return
        self._checking = True
        self.run_worker(self._once_on_record(on_record))

    async def _once_on_record(self, word: Future[None]) -> None:
        await asyncio.shield(word)
        self._checking = False
        self._taken()

    def _taken(self) -> None:
        """Go on to the next person, or leave."""
        if self._walk.state.waiting is self.asked:
            self._begin()
        elif self.is_current:
            self.dismiss(None)

    def go_back(self) -> None:
        """Leave, and tell the session that nothing is to be sent."""
        self._forget_pending()
        try:
            self._walk.command(c.Decline(self._walk.state.operator))
        except CommandRefusedError as error:
            self._hint = plain(str(error))
            return
        self.dismiss(None)

    # ---------------------------------------------------------------- the signature
    def _collect(self, text: str) -> None:
        """Take a part of the signature; some terminals hand it on key by key."""
        if not self._typed and text == COPY:
            cockpit(self).copy_to_clipboard(f"{self.asked.sign}\n")
            self._hint = "copied through OSC 52"
            return
        self._typed = (self._typed + text.replace("\r", "\n")).lstrip()[:LARGEST_SIGNATURE]
        if END in self._typed:
            pasted, self._typed, self._checking = self._typed, "", True
            self.run_worker(self._check(pasted))

    async def _check(self, pasted: str) -> None:
        try:
            await self._walk.sign(c.Sign(pasted))
        except CommandRefusedError as error:
            self._hint = plain(str(error))
        else:
            self._taken()
        finally:
            self._checking = False
        if self.is_attached:
            self._draw_ask()


def _flush_terminal_input() -> None:
    """Throw away what was typed and not read yet."""
    try:
        termios.tcflush(sys.__stdin__.fileno() if sys.__stdin__ else 0, termios.TCIFLUSH)
    except (OSError, ValueError, termios.error):
        return
