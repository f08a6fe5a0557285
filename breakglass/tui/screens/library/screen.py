"""The library screen: find the runbook, see whether it was rehearsed, or go on where a session stopped."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, OptionList, Static

from breakglass.errors import UserError
from breakglass.threads import in_thread
from breakglass.tui.base import CockpitScreen, cockpit
from breakglass.tui.keys import Action, bindings
from breakglass.tui.screens.library.catalogue import CatalogueEntry, Past, read_entries, read_past
from breakglass.tui.screens.library.rows import (
    entry_preview,
    heading,
    runbook_row,
    session_preview,
    session_row,
)
from breakglass.tui.theme import Appearance
from breakglass.tui.widgets.footer import Footer
from breakglass.tui.widgets.inputs import TextLine
from breakglass.tui.widgets.rows import Row, RowList

if TYPE_CHECKING:
    from breakglass.journal.state import State
    from breakglass.runbook.text_search import Index, Match

LONGEST_PASTE = 2000
"""Characters of a pasted text that are searched for."""


def _heading_row(words: str, look: Appearance) -> Row:
    return Row(f"heading:{words}", lambda width: [heading(words, look)], heading=True)


class LibraryScreen(CockpitScreen):
    """Runbooks and unfinished sessions, searched as one types."""

    place = "library"
    CSS_PATH = "library.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (24, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("library")]

    def __init__(self) -> None:
        super().__init__()
        self._entries: tuple[CatalogueEntry, ...] = ()
        self._index: Index | None = None
        self._past = Past()
        self._read_entries = self._read_past = False

    def compose(self) -> ComposeResult:
        yield Static(id="heading", markup=False)
        yield TextLine(placeholder="/ search, or paste a log line", id="search", select_on_focus=False)
        with Horizontal(id="body"):
            yield RowList(id="runbooks", pointer="▌" if cockpit(self).look.unicode else ">")
            with VerticalScroll(id="preview-pane", can_focus=False):
                yield Static(id="preview", markup=False)
        yield Footer()

    def recolour(self) -> None:
        self._show()

    def on_mount(self) -> None:
        self._list.focus()
        self._show()

    def on_screen_resume(self) -> None:
        """Read everything again: a session may have ended since, and a runbook may have been edited.

        It begins when the screen is on the terminal, since the drawing would wait for it. What is asked of
        the application is done after Textual's batch at the start, in which nothing is drawn.
        """
        cockpit(self).call_later(self._read_when_drawn)

    def _read_when_drawn(self) -> None:
        self.refresh()
        self.call_after_refresh(lambda: self.run_worker(self._read(), exclusive=True, group="reading"))

    async def _read(self) -> None:
        self._entries, self._index = await in_thread(read_entries)
        self._read_entries = True
        self._show()
        self._past = await in_thread(self._read_sessions)
        self._read_past = True
        self._show()

    @staticmethod
    def _read_sessions() -> Past:
        from breakglass.journal.folders import state_folder

        return read_past(state_folder())

    # ---------------------------------------------------------------- what is shown
    @property
    def _list(self) -> RowList:
        return self.query_one("#runbooks", RowList)

    @property
    def _search(self) -> Input:
        return self.query_one("#search", Input)

    def _show(self) -> None:
        look = cockpit(self).look
        matches = self._index.search(self._search.value) if self._index is not None else []
        self.query_one("#heading", Static).update(self._heading_line())
        self._list.show([*self._session_rows(matches), *self._runbook_rows(matches)])
        self._show_preview()
        self.query_one(Footer).show(self.available(), look)

    def _heading_line(self) -> Text:
        look = cockpit(self).look
        facts = [f"{len(self._entries)} runbooks" if self._read_entries else "reading runbooks"]
        if not self._read_past:
            facts.append("reading past sessions")
        elif self._past.damaged:
            facts.append(f"{len(self._past.damaged)} journals damaged: breakglass verify")
        words = "   ".join(facts)
        return Text.assemble(
            (" breakglass ", f"bold {look.style('accent')}"), (f" library   {words}", look.style("muted"))
        )

    def _session_rows(self, matches: "Sequence[Match]") -> list[Row]:
        look = cockpit(self).look
        names = {match.runbook.name for match in matches}
        some = [s for s in self._past.unfinished if not self._search.value.strip() or s.runbook in names]
        rows = [Row(f"session:{s.session}", lambda width, s=s: session_row(s, look, width)) for s in some]
        return [_heading_row("UNFINISHED SESSIONS", look), *rows] if rows else []

    def _runbook_rows(self, matches: "Sequence[Match]") -> list[Row]:
        look, past = cockpit(self).look, self._past
        by_runbook = {entry.runbook.name: entry for entry in self._entries if entry.runbook is not None}
        shown = [(by_runbook[match.runbook.name], match) for match in matches]
        typed = self._search.value.strip().lower()
        broken = [
            (entry, None) for entry in self._entries if entry.runbook is None and typed in entry.found.name
        ]
        rows = [
            Row(
                f"runbook:{entry.found.name}",
                lambda width, e=entry, m=match: runbook_row(e, past, m, look, width),
            )
            for entry, match in [*shown, *broken]
        ]
        if not rows and self._read_entries:
            words = (
                "NO MATCH. Esc clears the search." if typed else "NO RUNBOOKS FOUND. Set BREAKGLASS_RUNBOOKS."
            )
            return [_heading_row(words, look)]
        return [_heading_row("RUNBOOKS", look), *rows]

    def _show_preview(self) -> None:
        look = cockpit(self).look
        entry, state = self._chosen_entry(), self._chosen_session()
        shown = Text()
        if entry is not None:
            width = self.query_one("#preview-pane").scrollable_content_region.width
            shown = entry_preview(entry, self._past, look, max(width, 20))
        elif state is not None:
            shown = session_preview(state, look)
        self.query_one("#preview", Static).update(shown)
        self.query_one("#preview-pane").scroll_home(animate=False)

    def _chosen_entry(self) -> CatalogueEntry | None:
        name = self._list.chosen.removeprefix("runbook:")
        return next((entry for entry in self._entries if entry.found.name == name), None)

    def _chosen_session(self) -> "State | None":
        name = self._list.chosen.removeprefix("session:")
        return next((state for state in self._past.unfinished if state.session == name), None)

    def available(self) -> tuple[Action, ...]:
        hidden = set[str]()
        if not self._past.unfinished:
            hidden.add("resume")
        if self.has_class("-wide"):
            hidden.add("swap")
        if self._session_to_report() == "":
            hidden.add("past_report")
        return tuple(action for action in super().available() if action.name not in hidden)

    # ---------------------------------------------------------------- events
    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def on_input_changed(self) -> None:
        """Show what fits, and choose the best of it."""
        self._show()
        best = next((row for row in self._list.names if row.startswith("runbook:")), "")
        if best and self._search.value.strip():
            self._list.choose(best)

    def on_input_submitted(self) -> None:
        self._list.focus()

    def on_option_list_option_highlighted(self) -> None:
        self._show_preview()
        self.query_one(Footer).show(self.available(), cockpit(self).look)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.action_open()

    def on_paste(self, event: events.Paste) -> None:
        """Search for what is pasted, wherever the focus is."""
        self._search.value = " ".join(event.text[:LONGEST_PASTE].split())

    # ---------------------------------------------------------------- actions
    def action_open(self) -> None:
        entry, state = self._chosen_entry(), self._chosen_session()
        if state is not None:
            self._resume(state)
        elif entry is not None and entry.runbook is not None:
            cockpit(self).show_preflight(entry.found)
        elif entry is not None:
            cockpit(self).bell()

    def action_resume(self) -> None:
        state = self._chosen_session() or next(iter(self._past.unfinished), None)
        if state is not None:
            self._resume(state)

    def _resume(self, state: "State") -> None:
        from breakglass.engine.session import Request

        cockpit(self).begin(Request(resume=state.session))

    def action_search(self) -> None:
        self._search.focus()

    def action_swap(self) -> None:
        """On a small terminal, the preview in place of the list, and back."""
        self.toggle_class("-preview")

    def action_past_report(self) -> None:
        self.run_worker(self._report(self._session_to_report()), exclusive=True, group="report")

    def _session_to_report(self) -> str:
        entry, state = self._chosen_entry(), self._chosen_session()
        if state is not None:
            return state.session
        return self._past.latest.get(entry.found.name, "") if entry is not None else ""

    async def _report(self, session: str) -> None:
        from breakglass.tui.screens.report.screen import ReportScreen

        def read_it() -> ReportScreen:
            from breakglass.journal.events import SessionStarted
            from breakglass.journal.folders import state_folder
            from breakglass.journal.sessions import find_session
            from breakglass.journal.state import fold
            from breakglass.journal.store import FILE_NAME, read
            from breakglass.runbook.load import load_runbook

            reading = read(find_session(state_folder(), session).path / FILE_NAME)
            state = fold(reading.records)
            assert state.started is not None and isinstance(state.started.event, SessionStarted)
            runbook = load_runbook(Path(state.started.event.runbook_path))
            return ReportScreen(state, reading.last_hash, runbook)

        if not session:
            return
        try:
            cockpit(self).push_screen(await in_thread(read_it))
        except UserError as error:
            self.notify(str(error), title="The report cannot be read", severity="error", markup=False)

    def action_move_down(self) -> None:
        self._list.action_cursor_down()

    def action_move_up(self) -> None:
        self._list.action_cursor_up()

    def action_top(self) -> None:
        self._list.action_first()

    def action_bottom(self) -> None:
        self._list.action_last()

    def action_scroll_down(self) -> None:
        self.query_one("#preview-pane").scroll_page_down(animate=False)

    def action_scroll_up(self) -> None:
        self.query_one("#preview-pane").scroll_page_up(animate=False)

    def action_back(self) -> None:
        """Out of the preview, out of the search, and then out of the program."""
        if self.has_class("-preview"):
            self.remove_class("-preview")
        elif self._search.value or self._search.has_focus:
            self._search.value = ""
            self._list.focus()
        else:
            super().action_back()
