"""The view of a walk: everything that is drawn, and every way to look around. It decides nothing.

It holds no truth: it draws the session's state. What it keeps for itself is only how one looks: which step
and attempt are in view, what is in front, and whether something fills the screen. A second person who
watches gets this view; who walks gets `WalkScreen`, which adds the decisions.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, VerticalScroll
from textual.events import Click, Resize, ScreenResume
from textual.widgets import Static

from breakglass.journal.state import Attempt, Recorded, State, StepView
from breakglass.report.ending import ending_of, status_message
from breakglass.report.findings import findings
from breakglass.report.paste import pasted
from breakglass.report.position import WalkPosition, position_of
from breakglass.runbook.ways import Ways
from breakglass.tui.base import CockpitScreen, cockpit
from breakglass.tui.keys import Action, actions_of, bindings
from breakglass.tui.screens.walk.card import LABEL, Subject, card_lines, verdict_lines
from breakglass.tui.screens.walk.end_card import end_lines
from breakglass.tui.screens.walk.findings import finding_lines, one_finding, values_beside
from breakglass.tui.screens.walk.layout import (
    FINDINGS_WIDTH,
    LAYOUTS,
    STEPS_WIDTH,
    Layout,
    card_rows,
    has_third_column,
    layout_of,
)
from breakglass.tui.screens.walk.lower_pane import Content, LowerPane
from breakglass.tui.screens.walk.output import SIDEWAYS
from breakglass.tui.screens.walk.steps import step_rows, strip
from breakglass.tui.session_view import SessionView
from breakglass.tui.theme import BANDS
from breakglass.tui.walk_text import (
    Move,
    header_chunks,
    mode_word,
    next_move,
    number_of,
    progress,
    runbook_words,
    titled,
)
from breakglass.tui.widgets.footer import Footer
from breakglass.tui.widgets.text import flowed, folded, plain

FRAME = 0.1
"""Seconds between two drawings: events and output that come faster share one."""

MOST_COPIED = 64 * 1024
"""Characters that are copied at once; terminals drop longer OSC 52 sequences."""

NEW_LINE = "\n"

MOST_ROWS_BELOW_STEPS = 13

LEAST_OUTPUT = {"wide": 10, "medium": 5}
"""Rows that the output keeps under a long card."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class WalkView(CockpitScreen):
    """Shows one session. `now` gives the time of day, `speed` how much faster than life a rehearsal runs."""

    AUTO_FOCUS = ""
    CSS_PATH = Path(__file__).with_name("walk.tcss")
    place = "watch"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("watch")]

    def __init__(
        self, walk: SessionView, *, now: Callable[[], datetime] = utc_now, speed: float = 1.0
    ) -> None:
        super().__init__()
        self.walk = walk
        self._now = now
        self._speed = speed
        self._origin = runbook_words(walk.state)
        self._selected: str | None = None
        """The step that is looked at; None follows the walk."""
        self._attempt: int | None = None
        """The attempt that is looked at; None is the last."""
        self._output_in_front = False
        self._full = False
        self._layout: Layout = "medium"
        self._third_column = False
        self._ways: Ways | None = None
        self._whole = False
        """Whether all steps of the runbook are listed, and not those of this branch."""
        self._message = ""
        self._due = False
        self._step_at: dict[int, str] = {}
        self._unsubscribe: Callable[[], None] = lambda: None

    # ---------------------------------------------------------------- putting together
    def compose(self) -> ComposeResult:
        yield Static(id="header", markup=False)
        with Container(id="walk-body"):
            with Container(id="side"):
                with VerticalScroll(id="steps", can_focus=False):
                    yield Static(id="step-rows", markup=False)
                yield Static(id="side-findings", markup=False)
            with Container(id="main"):
                yield Static(id="strip", markup=False)
                yield Static(id="newest-finding", markup=False)
                with VerticalScroll(id="card", can_focus=False):
                    yield Static(id="card-lines", markup=False)
                yield Static(id="move", markup=False)
                yield LowerPane(self.walk)
            yield Static(id="aside", markup=False)
        yield Static(id="message", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self._unsubscribe = self.walk.subscribe(self.hear)
        self.set_interval(FRAME, self._poll)
        self.set_interval(1.0, self._tick)
        self._arrange()

    def recolour(self) -> None:
        self.draw()

    def on_unmount(self) -> None:
        self._unsubscribe()

    def on_screen_resume(self, event: ScreenResume) -> None:
        self.wake()

    def on_resize(self, event: Resize) -> None:
        self._arrange()

    # ---------------------------------------------------------------- drawing
    def hear(self, recorded: Recorded, state: State) -> None:
        """Hear of one event; called by the session, on this loop, after it is on record."""
        self.wake()

    def wake(self) -> None:
        """Draw soon; calls that come before that share one drawing."""
        if not self._due and self.is_attached:
            self._due = True
            self.set_timer(FRAME, self.draw)

    def _tick(self) -> None:
        """Move the clocks."""
        if self.is_current and self.is_attached:
            self._draw_header()
            self._draw_move()

    def _poll(self) -> None:
        if self.is_current and self.is_attached:
            self._draw_lower()

    def _arrange(self) -> None:
        self._layout = layout_of(cockpit(self).size.width, cockpit(self).size.height)
        for layout in LAYOUTS:
            self.set_class(layout == self._layout, f"-{layout}")
        self._third_column = has_third_column(self._layout, cockpit(self).size.width)
        self.set_class(self._third_column, "-widest")
        if self._layout == "linear":
            self.lower.wrap_output()
        self.draw()
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw everything from the state as it is now."""
        self._due = False
        if not self.is_attached:
            return
        self.set_class(self._full, "-full")
        self.set_class(self._output_in_front, "-output")
        self._draw_header()
        self._draw_steps()
        self._draw_findings()
        self._draw_move()
        self._draw_card()
        self._draw_lower()
        self._draw_message()
        self.query_one(Footer).show(self.available(), cockpit(self).look)

    @property
    def _width(self) -> int:
        """Cells of the card, without its margins and the gutter of its scroll bar."""
        beside = STEPS_WIDTH if self._layout == "wide" else 0
        beside += FINDINGS_WIDTH if self._third_column else 0
        return cockpit(self).size.width - 3 - beside

    @property
    def lower(self) -> LowerPane:
        return self.query_one(LowerPane)

    def header(self) -> list[str]:
        """The header's pieces."""
        walk = self.walk
        terse = self._layout in ("narrow", "linear")
        words = header_chunks(
            walk.state,
            walk.runbook,
            walk.site,
            self._now(),
            walk.journal_fault,
            position=self.position,
            origin=self._origin,
            terse=terse,
        )
        return [mode_word(walk.state), "READ-ONLY VIEW", *words]

    def move_words(self) -> Move:
        """The next move, or what is waited for."""
        return next_move(self.walk.state, self.walk.runbook, self._now(), self._speed)

    def _draw_header(self) -> None:
        band = BANDS[self.walk.state.mode]
        header = self.query_one("#header", Static)
        header.styles.background, header.styles.color = band.background, band.text
        header.update(Text("\n".join(flowed(self.header(), cockpit(self).size.width - 2)), "bold"))

    def _draw_steps(self) -> None:
        look, state = cockpit(self).look, self.walk.state
        if self._layout != "wide":
            line = strip(self.walk.runbook, state, self.shown, self._width, look, self._listed)
            self.query_one("#strip", Static).update(line)
            return
        rows, self._step_at, at = step_rows(
            self.walk.runbook, state, self.shown, STEPS_WIDTH - 2, look, self._listed
        )
        self.query_one("#step-rows", Static).update(Text("\n").join(rows))
        column = self.query_one("#steps", VerticalScroll)
        column.scroll_to(y=max(at - column.size.height // 2, 0), animate=False)

    def _draw_findings(self) -> None:
        """Where there is a third column, all that fits, and the values; below the steps, the newest; else the
        last one of another step than that in view."""
        look, found = cockpit(self).look, findings(self.walk.state)
        others = [each for each in found if each.step != self.shown]
        side = self.query_one("#side-findings", Static)
        newest = self.query_one("#newest-finding", Static)
        side.display = self._layout == "wide" and not self._third_column and bool(found)
        newest.display = self._layout == "medium" and bool(others) and not self._full
        if self._third_column:
            aside = self.query_one("#aside", Static)
            lines = finding_lines(found, FINDINGS_WIDTH - 2, look, max(aside.size.height * 2 // 3, 2))
            lines += [Text(), *values_beside(self.walk.state.values, FINDINGS_WIDTH - 2, look)]
            aside.update(Text("\n").join(lines))
        elif side.display:
            lines = finding_lines(found, STEPS_WIDTH - 2, look, MOST_ROWS_BELOW_STEPS)
            side.update(Text("\n").join(lines))
        elif newest.display:
            line = Text.assemble(("FOUND".ljust(LABEL), f"bold {look.style('muted')}"))
            line.append_text(one_finding(others[-1], 1000, look)[0])
            newest.update(line)

    def _draw_card(self) -> None:
        look = cockpit(self).look
        lines = card_lines(self._subject(), self._width, look)
        if self.walk.state.ended is not None and not self.elsewhere:
            ending = ending_of(self.walk.state, self.walk.runbook)
            rule = Text(look.rule * self._width, look.palette.rule)
            lines = [*end_lines(ending, self._width, look), rule, *lines]
        self.query_one("#card-lines", Static).update(Text("\n").join(lines))
        card = self.query_one("#card")
        if self._layout not in LEAST_OUTPUT or self._full:
            card.styles.max_height = None
            return
        above = self.query_one("#header").size.height + self.query_one("#move").size.height
        rest = 1 + (self._layout == "medium") + bool(self.query_one("#newest-finding").display)
        room = cockpit(self).size.height - above - rest
        card.styles.max_height = card_rows(room, len(lines), LEAST_OUTPUT[self._layout])

    def _draw_move(self) -> None:
        look, width = cockpit(self).look, self._width
        move = self.move_words()
        words = move.words
        if self.elsewhere:
            words = f"Viewing step {titled(self.walk.runbook, self.shown)}. Enter returns to the current step"
        words = f"{words}   {progress(move, width - LABEL)}".rstrip()
        label = f"bold {look.style('muted')}"
        style = f"bold {look.style('suspect' if move.urgent else 'accent')}"
        lines = verdict_lines(self._subject(), width, look)
        for at, line in enumerate(folded(words, width - LABEL)):
            lines.append(Text.assemble((("" if at else "NEXT").ljust(LABEL), label), (line, style)))
        self.query_one("#move", Static).update(Text("\n").join(lines))

    def _draw_lower(self) -> None:
        lower = self.lower
        lower.pane.in_front = self._scrolls_output()
        step = self.walk.runbook.step(self.shown)
        lower.update_from(self.walk.state, step, self._view, self.shown_attempt)

    def _draw_message(self) -> None:
        words = self._message
        if self._layout == "linear":
            words = f"{words}  linear: the terminal is smaller than 40x12; Space and b page".strip()
        message = self.query_one("#message", Static)
        message.display = bool(words)
        style = f"bold {cockpit(self).look.style('suspect')}"
        message.update(Text("\n".join(folded(words, cockpit(self).size.width - 2)), style))

    def say(self, words: str) -> None:
        """Say something in the message line."""
        self._message = plain(words)
        self.draw()

    def available(self) -> tuple[Action, ...]:
        return actions_of(self.place)

    # ---------------------------------------------------------------- what is in view
    @property
    def shown(self) -> str:
        """The step in view."""
        return self._selected or self.walk.state.current or self.walk.runbook.steps[0].id

    @property
    def position(self) -> WalkPosition:
        """Where the walk is: the path taken, and what lies ahead."""
        if self._ways is None:
            self._ways = Ways(self.walk.runbook.steps, self.walk.state.mode)
        return position_of(self.walk.state, self.walk.runbook, self._ways)

    @property
    def _listed(self) -> WalkPosition | None:
        """The branch that is listed; None where all steps are."""
        return None if self._whole else self.position

    @property
    def elsewhere(self) -> bool:
        """Whether another step than the walk's own is in view."""
        return self._selected is not None and self._selected != self.walk.state.current

    @property
    def _view(self) -> StepView | None:
        return self.walk.state.steps.get(self.shown)

    @property
    def shown_attempt(self) -> Attempt | None:
        """The attempt in view."""
        view = self._view
        if view is None:
            return None
        return next((each for each in view.attempts if each.number == self._attempt), view.last)

    def _subject(self) -> Subject:
        runbook = self.walk.runbook
        number = number_of(runbook, self.shown)
        return Subject(
            runbook.step(self.shown), number, len(runbook.steps), self.walk.state, self.shown_attempt
        )

    def to_the_walk(self) -> bool:
        """Bring the walk's own step into view. Returns whether another one was."""
        elsewhere = self.elsewhere
        self._selected = None
        if elsewhere:
            self._attempt = None
        return elsewhere

    def look_at(self, step: str) -> None:
        """Bring a step into view, its last attempt from the top."""
        self._selected = step if step != self.walk.state.current else None
        self._attempt = None
        self.query_one("#card", VerticalScroll).scroll_home(animate=False)
        self.draw()

    # ---------------------------------------------------------------- looking around
    def _scrolls_output(self) -> bool:
        return self._output_in_front or (self._full and self.lower.content != "output")

    def _select(self, by: int) -> None:
        listed = self._listed
        steps = [step.id for step in self.walk.runbook.steps] if listed is None else list(listed.listed)
        if self.shown not in steps:
            steps.append(self.shown)
        self.look_at(steps[min(max(steps.index(self.shown) + by, 0), len(steps) - 1)])

    def action_next_step(self) -> None:
        if self._scrolls_output():
            self.lower.pane.scroll_rows(1)
        else:
            self._select(1)

    def action_previous_step(self) -> None:
        if self._scrolls_output():
            self.lower.pane.scroll_rows(-1)
        else:
            self._select(-1)

    def action_first(self) -> None:
        if self._scrolls_output():
            self.lower.pane.viewport.to_start()
            self.lower.pane.poll(force=True)
        else:
            self._select(-len(self.walk.runbook.steps))

    def action_last(self) -> None:
        if self._scrolls_output():
            self.lower.pane.viewport.to_end()
            self.lower.pane.poll(force=True)
        else:
            self.to_the_walk()
            self.draw()

    def action_map(self) -> None:
        self._whole = not self._whole
        listed = "all steps of the runbook" if self._whole else "the path taken and what lies ahead"
        self.say(f"Listing {listed}")

    def action_page_down(self) -> None:
        self._page(1)

    def action_page_up(self) -> None:
        self._page(-1)

    def _page(self, way: int) -> None:
        if self._layout == "linear":
            self.scroll_relative(y=way * max(self.size.height - 2, 1), animate=False)
        elif self._scrolls_output():
            self.lower.pane.scroll_rows(way * max(self.lower.pane.size.height - 2, 1))
        else:
            card = self.query_one("#card", VerticalScroll)
            card.scroll_relative(y=way * max(card.size.height - 1, 1), animate=False)

    def action_left(self) -> None:
        self._sideways(-SIDEWAYS)

    def action_right(self) -> None:
        self._sideways(SIDEWAYS)

    def _sideways(self, cells: int) -> None:
        self.lower.pane.viewport.sideways(cells)
        self.lower.pane.poll(force=True)

    def action_previous_attempt(self) -> None:
        self._move_attempt(-1)

    def action_next_attempt(self) -> None:
        self._move_attempt(1)

    def _move_attempt(self, by: int) -> None:
        view, attempt = self._view, self.shown_attempt
        if view is None or attempt is None or len(view.attempts) < 2:
            self.say("not tried yet" if attempt is None else "only one attempt at this step")
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
        viewport = self.lower.pane.viewport
        viewport.follow = not viewport.follow
        self.lower.pane.poll(force=True)

    def action_wrap(self) -> None:
        viewport = self.lower.pane.viewport
        viewport.set_wrap(not viewport.wrap)
        self.lower.pane.poll(force=True)

    def action_timeline(self) -> None:
        self._toggle("timeline")

    def action_values(self) -> None:
        self._toggle("values")

    def action_findings(self) -> None:
        self._toggle("findings")

    def _toggle(self, content: Content) -> None:
        self.lower.toggle(content)
        if self._layout == "narrow" or self._full:
            self._output_in_front = self.lower.content != "output"
        self.draw()

    # ---------------------------------------------------------------- search and copy
    def action_find(self) -> None:
        if self._layout == "narrow":
            self._output_in_front = True
            self.draw()
        self.lower.find()

    def action_next_match(self) -> None:
        self._match(forward=True)

    def action_previous_match(self) -> None:
        self._match(forward=False)

    def _match(self, *, forward: bool) -> None:
        if self.lower.searching:
            self.lower.next_match(forward=forward)
        else:
            self.say("no search; / starts one")

    def action_copy(self) -> None:
        """Copy the command; or, when the lower pane is in front, what it shows."""
        attempt = self.shown_attempt
        commands = self._pasted(attempt) if attempt is not None else {}
        if commands and not self._scrolls_output() and self.lower.content == "output":
            cockpit(self).copy_to_clipboard("\n".join(commands))
            self.say("command copied as a shell takes it (OSC 52); o then y copies the output")
            return
        text, count, cut = self.lower.text(MOST_COPIED)
        cockpit(self).copy_to_clipboard(text)
        ending = f", cut at {MOST_COPIED:,} characters" if cut else ""
        self.say(f"copied {count:,} lines through OSC 52{ending}")

    def _pasted(self, attempt: Attempt) -> dict[str, None]:
        """The attempt's commands for a shell, each once."""
        step = next((step for step in self.walk.runbook.steps if step.id == self.shown), None)
        fed = getattr(step.action, "stdin", None) is not None if step is not None else False
        return dict.fromkeys(pasted(each, stdin=fed) for each in attempt.prepared)

    def action_status(self) -> None:
        """Copy a message for the incident's channel."""
        message = status_message(self.walk.state, self.walk.runbook, self._now())
        cockpit(self).copy_to_clipboard(message)
        self.say(f"copied a status message of {message.count(NEW_LINE) + 1} lines (OSC 52)")

    def action_save(self) -> None:
        attempt = self.shown_attempt
        names = [finish.output for finish in attempt.finished if finish.output] if attempt is not None else []
        paths = [str(self.walk.output_folder / name) for name in names]
        if paths:
            cockpit(self).copy_to_clipboard("\n".join(paths))
        self.say(f"kept in {', '.join(paths)}; the path is copied" if paths else "there is no output here")

    # ---------------------------------------------------------------- back
    def action_forward(self) -> None:
        self.to_the_walk()
        self.draw()

    def action_back(self) -> None:
        if self._put_away():
            self.draw()
        else:
            cockpit(self).go_back()

    def _put_away(self) -> bool:
        """Put away what lies over the plain view, the last thing first. Returns whether there was any."""
        if self.lower.end_find():
            return True
        if self.lower.searching:
            self.lower.end_search()
        elif self._full:
            self._full = False
        elif self.lower.content != "output":
            self.lower.toggle("output")
            self._output_in_front = self._output_in_front and self._layout != "narrow"
        elif self._output_in_front:
            self._output_in_front = False
        else:
            return self.to_the_walk()
        return True

    def on_click(self, event: Click) -> None:
        """Look at the step that was clicked. A click never decides anything."""
        at = event.get_content_offset(self.query_one("#step-rows"))
        step = self._step_at.get(at.y) if at is not None else None
        if step is not None:
            self.look_at(step)
