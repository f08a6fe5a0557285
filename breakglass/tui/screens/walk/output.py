"""The pane under the card: output, timeline or values, drawn one visible line at a time."""

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.events import MouseScrollDown, MouseScrollUp, Resize
from textual.strip import Strip
from textual.widget import Widget

from breakglass.tui.base import cockpit
from breakglass.tui.evidence import Evidence
from breakglass.tui.output_lines import LineSource, ScreenRow, Search, Viewport, spans
from breakglass.tui.theme import Appearance

WHEEL = 3
"""Rows that one step of a mouse wheel moves."""

SIDEWAYS = 16
"""Cells that one press of an arrow moves unwrapped lines."""


class OutputPane(Widget):
    """A title, and lines under it. It asks its source only for what is in view."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.viewport = Viewport()
        self.search: Search | None = None
        self.evidence: Evidence | None = None
        self.heading = "output"
        self.in_front = False
        self._rows: list[ScreenRow] = []

    def show(self, heading: str, source: LineSource, *, follow: bool) -> None:
        """Look at other lines."""
        self.heading, self.evidence = heading, None
        self.viewport.show(source, follow=follow)
        if self.search is not None:
            self.search = Search(self.search.wanted)
        self.poll(force=True)

    def show_evidence(self, evidence: Evidence | None) -> None:
        """Bring the line that decided into view, and mark it."""
        self.evidence = evidence
        if evidence is not None:
            self.viewport.to_part(evidence.line, evidence.text)
        self.poll(force=True)

    def poll(self, *, force: bool = False) -> None:
        """Look whether the lines in view have changed, and draw them if so."""
        rows = self.viewport.rows()
        if force or rows != self._rows:
            self._rows = rows
            self.refresh()

    def on_resize(self, event: Resize) -> None:
        self.viewport.width = max(event.size.width, 1)
        self.viewport.height = max(event.size.height - 1, 1)
        self.poll(force=True)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(WHEEL)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(-WHEEL)

    def scroll_rows(self, rows: int) -> None:
        self.viewport.move(rows)
        self.poll(force=True)

    def title(self, look: Appearance) -> Text:
        """The pane's title line: what it shows, where in it, and how."""
        view = self.viewport
        facts = [self.heading, view.position(), "following" if view.follow else "not following"]
        facts.append("wrap on" if view.wrap else "wrap off")
        if self.evidence is not None:
            facts.insert(1, f"line {self.evidence.line + 1:,} decided")
        if self.search is not None:
            facts.insert(1, self.search.words())
        width = self.size.width
        while len(facts) > 1 and cell_len("   ".join(facts)) > width - 6:
            facts.pop()
        words = f"{look.rule * 2}[ {'   '.join(facts)} ]"
        style = f"bold {look.style('accent')}" if self.in_front else look.style("muted")
        rest = look.rule * max(width - cell_len(words), 0)
        return Text.assemble((words, style), (rest, look.palette.rule), end="")

    def render_line(self, y: int) -> Strip:
        look = cockpit(self).look
        background = Style.parse(f"{look.palette.text} on {look.palette.background}")
        width = self.size.width
        if y == 0:
            text = self.title(look)
        else:
            at = y - 1
            text = Text(self._rows[at].text if at < len(self._rows) else "", end="")
            self._mark_evidence(text, at, look)
            self._mark_matches(text, at, look)
        segments = [
            Segment(segment.text, background + (segment.style or Style()))
            for segment in text.render(cockpit(self).console)
        ]
        return Strip(segments).adjust_cell_length(width, background)

    def _mark_evidence(self, text: Text, at: int, look: Appearance) -> None:
        evidence = self.evidence
        if evidence is None or at >= len(self._rows) or self._rows[at].line != evidence.line:
            return
        text.pad_right(max(self.size.width - cell_len(text.plain), 0))
        text.stylize(look.palette.selected)
        for start, stop in spans(text.plain, evidence.text):
            text.stylize(f"bold reverse {look.style('accent')}", start, stop)

    def _mark_matches(self, text: Text, at: int, look: Appearance) -> None:
        if self.search is None or at >= len(self._rows):
            return
        here = self.search.found[self.search.at] if self.search.at >= 0 and self.search.found else -1
        style = "bold reverse" if self._rows[at].line == here else f"reverse {look.style('suspect')}"
        for start, stop in spans(text.plain, self.search.wanted):
            text.stylize(style, start, stop)
