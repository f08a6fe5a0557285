"""The walk's screen. It holds no truth: it draws the session's state and passes commands on.

What it keeps for itself is only how one looks: which step and attempt are in view, what the lower pane shows,
and whether something fills the screen.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, VerticalScroll
from textual.events import Click, Resize, ScreenResume
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from breakglass.session import commands as c
from breakglass.session import events as e
from breakglass.session.state import Attempt, Recorded, State, StepView
from breakglass.tui.actions import Action, actions_of, bindings
from breakglass.tui.base import CockpitScreen, cockpit
from breakglass.tui.confirm import ConfirmDialog
from breakglass.tui.dialogs import AskLine, Choose, Dialog, TextLine
from breakglass.tui.footer import Footer
from breakglass.tui.text import flowed, folded, plain
from breakglass.tui.theme import BANDS
from breakglass.tui.walk.card import LABEL, Subject, card_lines, verdict_lines
from breakglass.tui.walk.contents import Contents, timeline_lines, value_lines
from breakglass.tui.walk.layout import LAYOUTS, STEPS_WIDTH, Layout, card_rows, layout_of
from breakglass.tui.walk.lines import Search, Written
from breakglass.tui.walk.output import SIDEWAYS, OutputPane
from breakglass.tui.walk.source import Walking
from breakglass.tui.walk.steps import step_rows, strip
from breakglass.tui.walk.words import doing, header_chunks, mode_word, next_move, number_of, progress, titled

FRAME = 0.1
"""Seconds between two drawings: events and output that come faster share one."""

STALE = 60.0
"""Seconds after which what was read again before a change is read once more."""

MOST_COPIED = 64 * 1024
"""Characters that are copied at once; terminals drop longer OSC 52 sequences."""

UNKNOWN_CODE = 6

Lower: TypeAlias = Literal["output", "timeline", "values"]


def utc_now() -> datetime:
    return datetime.now(UTC)


class WalkScreen(CockpitScreen):
    """Walks one session. `now` gives the time of day and `speed` how much faster than life a rehearsal
    runs."""

    AUTO_FOCUS = ""
    place = "walk"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("walk")]

    def __init__(
        self,
        walk: Walking,
        *,
        now: Callable[[], datetime] = utc_now,
        speed: float = 1.0,
        read_only: bool = False,
    ) -> None:
        super().__init__()
        self.walk = walk
        self.read_only = read_only
        self._now = now
        self._speed = speed
        self._contents = Contents(walk)
        self._selected: str | None = None
        """The step that is looked at; None follows the walk."""
        self._attempt: int | None = None
        """The attempt that is looked at; None is the last."""
        self._lower: Lower = "output"
        self._output_in_front = False
        self._full = False
        self._layout: Layout = "medium"
        self._message = ""
        self._due = False
        self._showing: object = None
        self._reread = ""
        """A change whose needs are being read again because they had become old."""
        self._step_at: dict[int, str] = {}

    # ---------------------------------------------------------------- putting together
    def compose(self) -> ComposeResult:
        yield Static(id="header", markup=False)
        with Container(id="body"):
            with VerticalScroll(id="steps", can_focus=False):
                yield Static(id="step-rows", markup=False)
            with Container(id="main"):
                yield Static(id="strip", markup=False)
                with VerticalScroll(id="card", can_focus=False):
                    yield Static(id="card-lines", markup=False)
                yield Static(id="move", markup=False)
                yield OutputPane(id="output")
                yield TextLine(id="find", placeholder="search", select_on_focus=False)
        yield Static(id="message", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#find").display = False
        self._unsubscribe = self.walk.subscribe(self._told)
        self.set_interval(FRAME, self._poll)
        self.set_interval(1.0, self._tick)
        self._arrange()
        if self.walk.state.waiting is not None:
            self._attend(self.walk.state.waiting)

    def on_unmount(self) -> None:
        self._unsubscribe()

    def on_screen_resume(self, event: ScreenResume) -> None:
        self.wake()

    def on_resize(self, event: Resize) -> None:
        self._arrange()

    # ---------------------------------------------------------------- hearing of events
    def _told(self, recorded: Recorded, state: State) -> None:
        """Hear of one event; called by the session, on this loop, after it is on record."""
        event = recorded.event
        match event:
            case e.StepStarted():
                self._message = ""
            case e.Asked():
                if not self._went_again(event):
                    self._attend(event)
            case e.VerifyPolled() if event.holds:
                cockpit(self).draw_attention("verified")
            case e.StepFinished() if event.state == "unknown":
                cockpit(self).draw_attention("the outcome is unknown")
            case _:
                pass
        self.call_later(self._close_answered)
        self.wake()

    def _attend(self, asked: e.Asked) -> None:
        cockpit(self).draw_attention(f"needs you: {asked.text or asked.question}")

    def _went_again(self, asked: e.Asked) -> bool:
        """Go on with reading old needs again: the question after going back, then the new one."""
        if self._reread != asked.step:
            return False
        if asked.question == "decide":
            self.call_later(self._send, c.Retry(self.walk.state.operator))
            return True
        self._reread = ""
        if asked.question == "confirm":
            self.call_later(self._open_confirmation)
        return False

    def _close_answered(self) -> None:
        """Close a dialog whose question has been answered in another way."""
        top = self.app.screen
        if isinstance(top, ConfirmDialog) and top.is_attached and self.walk.state.waiting is not top.asked:
            top.dismiss(None)

    # ---------------------------------------------------------------- drawing
    def wake(self) -> None:
        """Draw soon; calls that come before that share one drawing."""
        if not self._due and self.is_attached:
            self._due = True
            self.set_timer(FRAME / 2, self.draw)

    def _tick(self) -> None:
        if self.is_current and self.is_attached:
            self._draw_header()
            self._draw_move()

    def _poll(self) -> None:
        if self.is_current and self._lower == "output":
            self._choose_source()
            self.query_one(OutputPane).poll()

    def _arrange(self) -> None:
        self._layout = layout_of(self.app.size.width, self.app.size.height)
        for layout in LAYOUTS:
            self.set_class(layout == self._layout, f"-{layout}")
        self.draw()

    def draw(self) -> None:
        """Draw everything from the state as it is now."""
        self._due = False
        if not self.is_attached:
            return
        self.set_class(self._full, "-full")
        self.set_class(self._output_in_front, "-output")
        self._draw_header()
        self._draw_steps()
        self._draw_move()
        self._draw_card()
        self._choose_source()
        self._draw_message()
        self.query_one(Footer).show(self.available(), cockpit(self).look)

    @property
    def _width(self) -> int:
        """Cells of the card, without its margins and the gutter of its scroll bar."""
        return self.app.size.width - 3 - (STEPS_WIDTH if self._layout == "wide" else 0)

    def _draw_header(self) -> None:
        state, look = self.walk.state, cockpit(self).look
        band = BANDS[state.mode]
        width = self.app.size.width - 2
        chunks = header_chunks(state, self.walk.runbook, self.walk.site, self._now(), self.walk.journal_fault)
        if self.read_only:
            chunks.insert(0, "READ-ONLY VIEW")
        header = self.query_one("#header", Static)
        header.styles.background, header.styles.color = band.background, band.text
        header.update(Text("\n".join(flowed([mode_word(state), *chunks], width)), "bold"))
        header.set_class(bool(look.palette.name == "high-contrast"), "-lined")

    def _draw_steps(self) -> None:
        look, state = cockpit(self).look, self.walk.state
        if self._layout == "wide":
            rows, self._step_at, at = step_rows(self.walk.runbook, state, self._shown, STEPS_WIDTH - 2, look)
            self.query_one("#step-rows", Static).update(Text("\n").join(rows))
            column = self.query_one("#steps", VerticalScroll)
            column.scroll_to(y=max(at - column.size.height // 2, 0), animate=False)
        else:
            line = strip(self.walk.runbook, state, self._shown, self._width, look)
            self.query_one("#strip", Static).update(line)

    def _draw_card(self) -> None:
        lines = card_lines(self._subject(), self._width, cockpit(self).look)
        self.query_one("#card-lines", Static).update(Text("\n").join(lines))
        card = self.query_one("#card")
        if self._layout in ("wide", "medium") and not self._full:
            above = self.query_one("#header").size.height + self.query_one("#move").size.height
            room = self.app.size.height - above - (3 if self._layout == "medium" else 2)
            card.styles.max_height = card_rows(room, len(lines), 5 if self._layout == "medium" else 10)
        else:
            card.styles.max_height = None

    def _draw_move(self) -> None:
        look, width = cockpit(self).look, self._width
        move = next_move(self.walk.state, self.walk.runbook, self._now(), self._speed)
        words = move.words
        if self._selected is not None and self._selected != self.walk.state.current:
            words = f"you look at {titled(self.walk.runbook, self._selected)}; Enter goes back to the walk. {words}"
        counted = progress(move, width - LABEL)
        style = f"bold {look.style('suspect' if move.urgent else 'accent')}"
        lines = verdict_lines(self._subject(), width, look)
        for at, line in enumerate(folded(f"{words}   {counted}".rstrip(), width - LABEL)):
            lines.append(
                Text.assemble(
                    ("NEXT".ljust(LABEL) if at == 0 else " " * LABEL, f"bold {look.style('muted')}"),
                    (line, style),
                )
            )
        self.query_one("#move", Static).update(Text("\n").join(lines))

    def _draw_message(self) -> None:
        words = self._message
        if self._layout == "linear":
            words = f"{words}  linear: the terminal is smaller than 40x12; Space and b page".strip()
        message = self.query_one("#message", Static)
        message.display = bool(words)
        look = cockpit(self).look
        message.update(
            Text("\n".join(folded(words, self.app.size.width - 2)), f"bold {look.style('suspect')}")
        )

    def say(self, words: str) -> None:
        """Say something in the message line."""
        self._message = plain(words)
        self.draw()

    # ---------------------------------------------------------------- what is in view
    @property
    def _shown(self) -> str:
        return self._selected or self.walk.state.current or self.walk.runbook.steps[0].id

    @property
    def _view(self) -> StepView | None:
        return self.walk.state.steps.get(self._shown)

    @property
    def _shown_attempt(self) -> Attempt | None:
        view = self._view
        if view is None or not view.attempts:
            return None
        if self._attempt is not None:
            return next((each for each in view.attempts if each.number == self._attempt), view.last)
        return view.last

    def _subject(self) -> Subject:
        runbook = self.walk.runbook
        return Subject(
            runbook.step(self._shown),
            number_of(runbook, self._shown),
            len(runbook.steps),
            self.walk.state,
            self._shown_attempt,
        )

    def _choose_source(self) -> None:
        """Give the lower pane its lines, when they are others than before."""
        pane = self.query_one(OutputPane)
        pane.in_front = self._output_in_front or self._full
        state = self.walk.state
        if self._lower != "output":
            key: object = (self._lower, len(state.timeline), id(state.values))
            if key != self._showing:
                again = isinstance(self._showing, tuple) and self._showing[0] == self._lower
                text = timeline_lines(state) if self._lower == "timeline" else value_lines(state)
                follow = self._lower == "timeline" and (pane.viewport.follow or not again)
                if again and not follow:
                    pane.viewport.source = Written(text)
                    pane.poll(force=True)
                else:
                    pane.show(self._lower, Written(text), follow=follow)
                self._showing = key
            return
        attempt = self._shown_attempt
        key, source = self._contents.of(self._shown, attempt)
        if key != self._showing and source is not None:
            view = self._view
            count = len(view.attempts) if view is not None else 0
            number = f" {attempt.number}/{count}" if attempt is not None and count > 1 else ""
            follow = attempt is not None and attempt.state is None
            pane.show(f"output{number}", source, follow=follow)
            self._showing = key

    def available(self) -> tuple[Action, ...]:
        """What makes sense now."""
        state = self.walk.state
        now = doing(state)
        question = state.waiting.question if state.waiting is not None else ""
        hidden: set[str] = set()
        if now not in ("reading", "verifying"):
            hidden.add("cancel_read")
        if question not in ("decide", "continue"):
            hidden.add("rerun")
        if now != "asking":
            hidden |= {"skip", "jump"}
        if now in ("asking", "ended"):
            hidden.add("pause")
        else:
            hidden.add("forward")
        if state.mode != "rehearsal" or not self.walk.runbook.step(self._shown).hint:
            hidden.add("hint")
        if now == "ended":
            hidden |= {"stop_and_call", "skip", "jump", "rerun"}
        if self.read_only:
            hidden |= {
                "forward",
                "cancel_read",
                "rerun",
                "skip",
                "jump",
                "pause",
                "stop_and_call",
                "hint",
                "note",
                "hand_over",
            }
        return tuple(action for action in actions_of("walk") if action.name not in hidden)

    # ---------------------------------------------------------------- commands
    @property
    def _operator(self) -> str:
        return self.walk.state.operator

    def _send(self, command: c.Command) -> bool:
        """Give a command. A refusal is said, and changes nothing."""
        if self.read_only:
            self.say("this is a read-only view; nothing can be decided here")
            return False
        try:
            self.walk.command(command)
        except c.CommandRefusedError as error:
            self.say(str(error))
            return False
        self._message = ""
        self.wake()
        return True

    def _at_the_walk(self) -> bool:
        """Whether the walk's own step is in view. If another was, come back first and decide nothing."""
        if self._selected is None or self._selected == self.walk.state.current:
            self._selected = None
            return True
        self._selected = self._attempt = None
        self.say("back at the walk's own step; nothing was decided")
        return False

    def action_forward(self) -> None:
        if not self._at_the_walk():
            return
        asked = self.walk.state.waiting
        if asked is None or self.read_only:
            self.say(next_move(self.walk.state, self.walk.runbook, self._now(), self._speed).words)
            return
        match asked.question:
            case "confirm":
                self._open_confirmation()
            case "continue":
                self._send(c.Continue(self._operator))
            case "decide":
                self._ask_way(asked)
            case "choose":
                self._choose(asked.text, "", asked.options, lambda name: c.Answer(name, self._operator))
            case "answer":
                self._ask_line(asked.text, asked.pattern, self._answer, secret=asked.secret)
            case "acknowledge":
                words = f"{asked.text}\n\nWrite the reading itself: what you did and what you saw."
                self._ask_line("By hand", words, lambda text: c.Answer(True, self._operator, text))

    def _answer(self, text: str) -> c.Command:
        return c.Answer(text, self._operator)

    def _open_confirmation(self) -> None:
        state = self.walk.state
        asked = state.waiting
        if asked is None or asked.question != "confirm":
            return
        view = state.steps.get(asked.step)
        needs = view.last.needs if view is not None and view.last is not None else ()
        asked_at = max((time for time, _ in needs), default=None)
        if asked_at is not None and (self._now() - asked_at).total_seconds() > STALE:
            self._reread = asked.step
            if self._send(c.Decline(self._operator)):
                self.say(
                    "what must hold was read more than 60 s ago, so it is read again; nothing has been sent"
                )
            return
        self.app.push_screen(ConfirmDialog(self.walk, asked))

    def _ask_way(self, asked: e.Asked) -> None:
        acts = {
            "retry": self.action_rerun,
            "jump": self.action_jump,
            "skip": self.action_skip,
            "stop": self.action_stop_and_call,
        }

        def chosen(name: str | None) -> None:
            if name is not None and name in acts:
                acts[name]()

        self.app.push_screen(Choose("How does the walk go on?", asked.text, asked.options), chosen)

    def _choose(
        self, title: str, words: str, ways: "dict[str, str]", made: Callable[[str], c.Command]
    ) -> None:
        def chosen(name: str | None) -> None:
            if name is not None:
                self._send(made(name))

        self.app.push_screen(Choose(title, words, ways), chosen)

    def _ask_line(
        self, title: str, words: str, made: Callable[[str], c.Command], *, secret: bool = False
    ) -> None:
        def written(text: str | None) -> None:
            if text is not None:
                self._send(made(text))

        self.app.push_screen(AskLine(title, words, secret=secret), written)

    def action_rerun(self) -> None:
        if self._at_the_walk():
            self._attempt = None
            self._send(c.Retry(self._operator))

    def action_skip(self) -> None:
        if self._at_the_walk():
            step = titled(self.walk.runbook, self.walk.state.current)
            self._ask_line(
                f"Leave out {step}",
                "Why? The reason is on record, and the step becomes a deferred item.",
                lambda reason: c.Skip(reason, self._operator),
            )

    def action_jump(self) -> None:
        state = self.walk.state
        ways = {step.id: titled(self.walk.runbook, step.id) for step in self.walk.runbook.steps}

        def chosen(step: str | None) -> None:
            if step is not None:
                self._ask_line(
                    f"Go to {titled(self.walk.runbook, step)}",
                    "Why? What lies between is not done; the reason is on record.",
                    lambda reason: c.Jump(step, reason, self._operator),
                )

        self.app.push_screen(
            Choose("Go on at which step?", "", ways, at=self._selected or state.current), chosen
        )

    def action_note(self) -> None:
        pane = self.query_one(OutputPane)
        if pane.search is not None:
            self._next_match(forward=True)
            return
        self._ask_line("Note", "It is on record with the time.", lambda text: c.Note(text, self._operator))

    def action_stop_and_call(self) -> None:
        self._ask_line(
            "Stop and call",
            "The walk ends here and can be resumed. Nothing is undone. Whom do you call, and why?",
            lambda reason: c.Stop(reason, self._operator),
        )

    def action_pause(self) -> None:
        if self._send(c.Pause(self._operator)):
            self.say("the walk stops before the next step")

    def action_cancel_read(self) -> None:
        self._send(c.CancelRead(self._operator))

    def action_hint(self) -> None:
        self._send(c.Hint(self._operator))

    def action_hand_over(self) -> None:
        self._ask_line(
            "Hand over", "Who takes over at this terminal?", lambda to: c.HandOver(to, self._operator)
        )

    # ---------------------------------------------------------------- leaving
    async def dismiss_dialogs(self) -> None:
        """Close what lies over this screen."""
        while isinstance(self.app.screen, ModalScreen):
            await self.app.pop_screen()

    def action_back(self) -> None:
        pane = self.query_one(OutputPane)
        if pane.search is not None:
            pane.search = None
            pane.poll(force=True)
        elif self._full:
            self._full = False
        elif self._lower != "output":
            self._lower = "output"
        elif self._selected is not None and self._selected != self.walk.state.current:
            self._selected = self._attempt = None
        elif self._output_in_front:
            self._output_in_front = False
        else:
            self._leave()
            return
        self.draw()

    def _leave(self) -> None:
        if self.read_only or self.walk.state.ended is not None:
            cockpit(self).go_back()
            return
        if doing(self.walk.state) in ("changing", "verifying"):
            self._offer_to_detach()
            return
        ways = {"stay": "go on with the walk", "stop": "stop and call; the session can be resumed"}

        def chosen(name: str | None) -> None:
            if name == "stop":
                self.action_stop_and_call()

        self.app.push_screen(Choose("The session is open", "Nothing is lost by stopping here.", ways), chosen)

    def _offer_to_detach(self) -> None:
        ways = {
            "stay": "wait for the outcome; it is recorded within its limit",
            "leave": "leave now; the outcome becomes unknown, and resuming asks you to look first",
        }

        def chosen(name: str | None) -> None:
            if name == "leave":
                cockpit(self).exit(UNKNOWN_CODE)

        words = "A change is under way. It was sent and cannot be called back; leaving does not cancel it."
        self.app.push_screen(Choose("A change is under way", words, ways), chosen)

    def action_interrupt(self) -> None:
        top = self.app.screen
        if isinstance(top, ConfirmDialog):
            top.go_back()
        elif isinstance(top, Dialog):
            top.action_go_back()
        elif doing(self.walk.state) == "reading":
            self.action_cancel_read()
        else:
            self._leave()

    # ---------------------------------------------------------------- looking around
    def _scrolls_output(self) -> bool:
        return self._output_in_front or (self._full and self._lower != "output")

    def _page(self) -> int:
        return max(self.query_one(OutputPane).size.height - 2, 1)

    def _select(self, by: int) -> None:
        steps = [step.id for step in self.walk.runbook.steps]
        at = min(max(steps.index(self._shown) + by, 0), len(steps) - 1)
        self._selected = steps[at] if steps[at] != self.walk.state.current else None
        self._attempt = None
        self.query_one("#card", VerticalScroll).scroll_home(animate=False)
        self.draw()

    def action_next_step(self) -> None:
        if self._scrolls_output():
            self.query_one(OutputPane).scroll_rows(1)
        else:
            self._select(1)

    def action_previous_step(self) -> None:
        if self._scrolls_output():
            self.query_one(OutputPane).scroll_rows(-1)
        else:
            self._select(-1)

    def action_first(self) -> None:
        if self._scrolls_output():
            pane = self.query_one(OutputPane)
            pane.viewport.to_start()
            pane.poll(force=True)
        else:
            self._select(-len(self.walk.runbook.steps))

    def action_last(self) -> None:
        if self._scrolls_output():
            pane = self.query_one(OutputPane)
            pane.viewport.to_end()
            pane.poll(force=True)
        else:
            self._selected = self._attempt = None
            self.draw()

    def action_page_down(self) -> None:
        self._page_by(1)

    def action_page_up(self) -> None:
        self._page_by(-1)

    def _page_by(self, way: int) -> None:
        if self._layout == "linear":
            self.scroll_relative(y=way * max(self.size.height - 2, 1), animate=False)
        elif self._scrolls_output():
            self.query_one(OutputPane).scroll_rows(way * self._page())
        else:
            card = self.query_one("#card", VerticalScroll)
            card.scroll_relative(y=way * max(card.size.height - 1, 1), animate=False)

    def action_left(self) -> None:
        self._sideways(-SIDEWAYS)

    def action_right(self) -> None:
        self._sideways(SIDEWAYS)

    def _sideways(self, cells: int) -> None:
        pane = self.query_one(OutputPane)
        pane.viewport.sideways(cells)
        pane.poll(force=True)

    def action_previous_attempt(self) -> None:
        self._move_attempt(-1)

    def action_next_attempt(self) -> None:
        self._move_attempt(1)

    def _move_attempt(self, by: int) -> None:
        view, attempt = self._view, self._shown_attempt
        if view is None or attempt is None or len(view.attempts) < 2:
            self.say("there is one attempt at this step" if attempt is not None else "not tried yet")
            return
        numbers = [each.number for each in view.attempts]
        at = min(max(numbers.index(attempt.number) + by, 0), len(numbers) - 1)
        self._attempt = numbers[at] if at < len(numbers) - 1 else None
        self.draw()

    def action_output(self) -> None:
        self._output_in_front = not self._output_in_front
        self.draw()

    def action_full(self) -> None:
        self._full = not self._full
        self.draw()

    def action_follow(self) -> None:
        pane = self.query_one(OutputPane)
        pane.viewport.follow = not pane.viewport.follow
        pane.poll(force=True)

    def action_wrap(self) -> None:
        pane = self.query_one(OutputPane)
        pane.viewport.set_wrap(not pane.viewport.wrap)
        pane.poll(force=True)

    def action_timeline(self) -> None:
        self._toggle_lower("timeline")

    def action_values(self) -> None:
        self._toggle_lower("values")

    def _toggle_lower(self, lower: Lower) -> None:
        self._lower = "output" if self._lower == lower else lower
        if self._layout == "narrow":
            self._output_in_front = self._lower != "output"
        self.draw()

    # ---------------------------------------------------------------- search and copy
    def action_find(self) -> None:
        if self._layout == "narrow":
            self._output_in_front = True
            self.draw()
        find = self.query_one("#find", TextLine)
        find.value = ""
        find.display = True
        find.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._end_find()
        if event.value:
            self.query_one(OutputPane).search = Search(event.value)
            self.run_worker(self._search(), name="search", exclusive=True, group="search")

    def key_escape(self) -> None:
        if self.query_one("#find").display:
            self._end_find()

    def _end_find(self) -> None:
        find = self.query_one("#find", TextLine)
        find.display = False
        self.set_focus(None)

    async def _search(self) -> None:
        pane = self.query_one(OutputPane)
        search = pane.search
        if search is None:
            return
        while search.scan(pane.viewport.source):
            await asyncio.sleep(0)
        self._next_match(forward=True)

    def _next_match(self, *, forward: bool) -> None:
        pane = self.query_one(OutputPane)
        if pane.search is None:
            self.say("nothing is searched for; / searches")
            return
        pane.search.scan(pane.viewport.source)
        line = pane.search.go(forward)
        if line is not None:
            pane.viewport.to_line(line)
        pane.poll(force=True)

    def action_previous_match(self) -> None:
        self._next_match(forward=False)

    def action_copy(self) -> None:
        attempt = self._shown_attempt
        if not (self._output_in_front or self._full or self._lower != "output"):
            commands = dict.fromkeys(each.command for each in attempt.prepared) if attempt is not None else {}
            if commands:
                self.app.copy_to_clipboard("\n".join(commands))
                self.say("copied the command through OSC 52; o then y copies the output")
                return
        source = self.query_one(OutputPane).viewport.source
        text, count = "", 0
        while len(text) <= MOST_COPIED and (block := source.lines(count, count + 500)):
            text += "".join(f"{line}\n" for line in block)
            count += len(block)
        self.app.copy_to_clipboard(text[:MOST_COPIED])
        cut = f", cut at {MOST_COPIED:,} characters" if len(text) > MOST_COPIED else ""
        self.say(f"copied {count:,} lines through OSC 52{cut}")

    def action_save(self) -> None:
        attempt = self._shown_attempt
        names = [finish.output for finish in attempt.finished if finish.output] if attempt is not None else []
        if not names:
            self.say("this attempt has no output")
            return
        paths = [str(Path(self.walk.output_folder) / name) for name in names]
        self.app.copy_to_clipboard("\n".join(paths))
        self.say(f"the output is kept in {', '.join(paths)}; the path was copied")

    def on_click(self, event: Click) -> None:
        """Look at the step that was clicked. A click never decides anything."""
        rows = self.query_one("#step-rows")
        if event.widget is rows:
            step = self._step_at.get(
                event.get_content_offset(rows).y if event.get_content_offset(rows) else -1
            )
            if step is not None:
                self._selected = step if step != self.walk.state.current else None
                self._attempt = None
                self.draw()
