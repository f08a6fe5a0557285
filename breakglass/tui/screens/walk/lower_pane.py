"""The lower half: the output of the attempt in view, the timeline, the captured values, or the findings; and
its search."""

import asyncio
from collections.abc import Hashable
from typing import Literal, TypeAlias

from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Input

from breakglass.journal.state import Attempt, State, StepView
from breakglass.runbook.steps import Step
from breakglass.tui.evidence import find_evidence
from breakglass.tui.output_lines import FixedLines, Search
from breakglass.tui.screens.walk.contents import Contents, finding_lines, timeline_lines, value_lines
from breakglass.tui.screens.walk.output import OutputPane
from breakglass.tui.session_view import SessionView
from breakglass.tui.widgets.inputs import TextLine

Content: TypeAlias = Literal["output", "timeline", "values", "findings"]

BLOCK = 500
"""Lines that are read at a time for copying."""


class LowerPane(Container):
    """One pane for four kinds of lines, with one search, one wrap and one way of moving."""

    def __init__(self, walk: SessionView) -> None:
        super().__init__(id="lower")
        self.content: Content = "output"
        self._contents = Contents(walk)
        self._wrap: dict[Content, bool] = {
            "output": False,
            "timeline": True,
            "values": True,
            "findings": True,
        }
        self._key: Hashable = None
        self._shown: Content = "output"
        self._evidence_of: Hashable = None
        """The attempt whose evidence was brought into view; after that one looks around as one likes."""

    def compose(self) -> ComposeResult:
        yield OutputPane(id="output")
        yield TextLine(id="find", placeholder="search", select_on_focus=False)

    def on_mount(self) -> None:
        self.query_one("#find").display = False

    @property
    def pane(self) -> OutputPane:
        return self.query_one(OutputPane)

    @property
    def searching(self) -> bool:
        return self.pane.search is not None

    # ---------------------------------------------------------------- what it shows
    def toggle(self, content: Content) -> None:
        """Show this, or the output again."""
        self.content = "output" if self.content == content else content

    def update_from(self, state: State, step: Step, view: StepView | None, attempt: Attempt | None) -> None:
        """Take the lines of the attempt in view, or those of the session, where they have changed."""
        if self.content == "output":
            self._update_output(step.id, view, attempt)
            self._update_evidence(step, attempt)
        else:
            self._update_written(state, step.id, attempt)
        self.pane.poll()

    def _update_evidence(self, step: Step, attempt: Attempt | None) -> None:
        """Once an attempt has been judged and its output is shown, go to the line that decided."""
        shows = self._shown == "output" and self._key == self._contents.of(step.id, attempt)[0]
        if attempt is None or attempt.state is None or not shows or self._evidence_of == self._key:
            return
        self._evidence_of = self._key
        self.pane.show_evidence(find_evidence(step, attempt, self.pane.viewport.source))

    def _update_output(self, step: str, view: StepView | None, attempt: Attempt | None) -> None:
        key, source = self._contents.of(step, attempt)
        if source is None or key == self._key:
            return
        count = len(view.attempts) if view is not None else 0
        number = f" {attempt.number}/{count}" if attempt is not None and count > 1 else ""
        self._take_wrap("output")
        self._evidence_of = None
        self.pane.show(f"output{number}", source, follow=attempt is not None and attempt.state is None)
        self._key, self._shown = key, "output"

    def _update_written(self, state: State, step: str, attempt: Attempt | None) -> None:
        key = (self.content, len(state.timeline), step, attempt.number if attempt is not None else 0)
        if key == self._key:
            return
        lines = FixedLines(self._written(state, attempt))
        if self._shown == self.content:
            self.pane.viewport.source = lines
        else:
            self._take_wrap(self.content)
            self.pane.show(self.content, lines, follow=self.content in ("timeline", "findings"))
        self._key, self._shown = key, self.content

    def _written(self, state: State, attempt: Attempt | None) -> list[str]:
        match self.content:
            case "timeline":
                return timeline_lines(state)
            case "findings":
                return finding_lines(state)
            case _:
                return value_lines(state, attempt)

    def wrap_output(self) -> None:
        """Wrap the output from now on, where there is no room to move sideways."""
        self._wrap["output"] = True
        if self._shown == "output":
            self.pane.viewport.set_wrap(True)

    def _take_wrap(self, content: Content) -> None:
        """Wrap as this content was wrapped when it was last in view."""
        viewport = self.pane.viewport
        self._wrap[self._shown] = viewport.wrap
        viewport.set_wrap(self._wrap[content])

    def text(self, limit: int) -> tuple[str, int, bool]:
        """What it shows, up to a number of characters: the text, its lines, and whether it was cut."""
        source = self.pane.viewport.source
        text, count = "", 0
        while len(text) <= limit and (block := source.lines(count, count + BLOCK)):
            text += "".join(f"{line}\n" for line in block)
            count += len(block)
        return text[:limit], count, len(text) > limit

    # ---------------------------------------------------------------- searching
    def find(self) -> None:
        """Ask what to search for."""
        find = self.query_one("#find", TextLine)
        find.value = ""
        find.display = True
        find.focus()

    def end_find(self) -> bool:
        """Put the line to type in away. Returns whether it was there."""
        find = self.query_one("#find", TextLine)
        there = bool(find.display)
        find.display = False
        self.screen.set_focus(None)
        return there

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.end_find()
        if event.value:
            self.pane.search = Search(event.value)
            self.run_worker(self._scan(), name="search", group="search", exclusive=True)

    async def _scan(self) -> None:
        search = self.pane.search
        more = search is not None
        while search is not None and more:
            more = search.scan(self.pane.viewport.source)
            await asyncio.sleep(0)
        self.next_match(forward=True)

    def next_match(self, *, forward: bool) -> None:
        """Go to the next match, or to the one before."""
        search = self.pane.search
        if search is None:
            return
        search.scan(self.pane.viewport.source)
        line = search.go(forward)
        if line is not None:
            self.pane.viewport.to_line(line)
        self.pane.poll(force=True)

    def end_search(self) -> None:
        self.pane.search = None
        self.pane.poll(force=True)
