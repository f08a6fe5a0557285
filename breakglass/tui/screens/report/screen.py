"""The report screen: four views of one session's record, and the ways to take it along."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.widgets import Input, Static

from breakglass.errors import UserError
from breakglass.journal.folders import state_folder
from breakglass.journal.sessions import find_session
from breakglass.journal.state import State
from breakglass.report.past import report_of
from breakglass.report.postmortem import CHANGED, NOTES, OPEN_ITEMS, file_name
from breakglass.report.review import REVIEW
from breakglass.report.timeline import timeline
from breakglass.runbook.model import Runbook
from breakglass.threads import in_thread
from breakglass.tui.base import cockpit
from breakglass.tui.keys import bindings
from breakglass.tui.screens.report.lines import draft_lines, sections, timeline_lines
from breakglass.tui.theme import BANDS
from breakglass.tui.widgets.footer import Footer
from breakglass.tui.widgets.inputs import TextLine
from breakglass.tui.widgets.page import Page, PageScreen
from breakglass.tui.widgets.text import flowed, plain

FOLLOW_UPS = (CHANGED, OPEN_ITEMS, NOTES)
ROOM_FOR_THE_NAME = 90
"""Cells from which on the heading has the session's name; the draft ends with it in any case."""

DRAFT_NAME = "post-mortem.md"
"""The file in the session's folder that an editor opens when the draft was not saved elsewhere."""


class ReportScreen(PageScreen):
    """One session's report. The session is over, or it was cut short; nothing here changes its record."""

    AUTO_FOCUS = ""
    place = "report"
    CSS_PATH = "report.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("report")]

    def __init__(self, state: State, last_hash: str, runbook: Runbook) -> None:
        """last_hash: the one of the journal's last record."""
        super().__init__()
        self._state = state
        self._last_hash = last_hash
        self._runbook = runbook
        self._draft = ""
        self._views = ["draft", "timeline", "follow-ups", *(["review"] if state.mode == "rehearsal" else [])]
        self._view = "review" if state.mode == "rehearsal" and state.ended is not None else "draft"
        self._file: Path | None = None
        self._drawn_for = 0

    def compose(self) -> ComposeResult:
        yield Static(id="heading", markup=False)
        with Page():
            yield Static(id="lines", markup=False)
        yield Static(id="said", markup=False)
        yield TextLine(id="file", placeholder="file", select_on_focus=False)
        yield Footer()

    def recolour(self) -> None:
        self._show()

    def on_mount(self) -> None:
        self.run_worker(self._read(), exclusive=True, group="reading")

    async def _read(self) -> None:
        self._draft = await in_thread(lambda: report_of(self._state, self._last_hash, self._runbook))
        self._show()

    def on_resize(self) -> None:
        self._show()

    # ---------------------------------------------------------------- what is shown
    def _show(self) -> None:
        width = self.page_width
        if not width:
            return
        self.query_one("#heading", Static).update(self._heading(self.size.width - 2))
        self.query_one("#lines", Static).update(Text("\n").join(self._lines(width)))
        self.query_one(Footer).show(self.available(), cockpit(self).look)

    def _heading(self, width: int) -> Text:
        look = cockpit(self).look
        band = BANDS[self._state.mode]
        result = self._state.ended.result if self._state.ended else "unfinished"
        facts = [
            f" {band.word} ",
            *([plain(self._state.site)] if self._state.mode != "rehearsal" else []),
            plain(self._state.runbook),
            result,
            *([self._state.session] if width >= ROOM_FOR_THE_NAME else []),
        ]
        views = [f"[{name}]" if name == self._view else f" {name} " for name in self._views]
        lines = Text("\n".join([*flowed(facts, width), *flowed(views, width, gap=" ")]), look.style("muted"))
        lines.highlight_words([f" {band.word} "], band.style)
        lines.highlight_words([f"[{self._view}]"], f"bold {look.style('accent')}")
        return lines

    def _lines(self, width: int) -> list[Text]:
        look = cockpit(self).look
        if self._view == "timeline":
            return timeline_lines(timeline(self._state, least=0), width, look)
        if not self._draft:
            words = "reading the record"
            return [Text(words, look.style("muted"))]
        return draft_lines(self._text(), width, look)

    def _text(self) -> str:
        """What this view shows, as it is copied."""
        if self._view == "timeline":
            return "\n".join(
                f"{entry.time:%H:%M:%S}  {entry.step:20} {entry.text}"
                for entry in timeline(self._state, least=0)
            )
        if self._view == "draft":
            return self._draft
        return sections(self._draft, FOLLOW_UPS if self._view == "follow-ups" else (REVIEW,))

    def _say(self, words: str) -> None:
        self.query_one("#said", Static).update(Text(plain(words)))
        self.set_class(bool(words), "-said")

    # ---------------------------------------------------------------- actions
    def action_next_view(self) -> None:
        self._turn(1)

    def action_previous_view(self) -> None:
        self._turn(-1)

    def _turn(self, by: int) -> None:
        self._view = self._views[(self._views.index(self._view) + by) % len(self._views)]
        self.page.scroll_home(animate=False)
        self._show()

    def action_copy_report(self) -> None:
        text = self._text()
        cockpit(self).copy_to_clipboard(text)
        self._say(f"sent {len(text.splitlines())} lines to the terminal's clipboard (OSC 52)")

    def action_save_report(self) -> None:
        """Ask for the file's name. Enter writes, Esc leaves it."""
        if not self._draft:
            self._say("nothing to save yet")
            return
        field = self.query_one("#file", Input)
        field.value = str(self._file or file_name(self._state, self._runbook))
        self._say("Save as (Enter saves, Esc cancels):")
        self.add_class("-saving")
        field.focus()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        text = self._draft
        if not event.value.strip():
            self._say("Type a file name. Nothing written.")
            return

        def write() -> Path:
            path = Path(event.value).expanduser().absolute()
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            return path

        try:
            self._file = await in_thread(write)
        except FileExistsError:
            self._say(f"{event.value} already exists. Choose another name")
        except OSError as error:
            self._say(f"{event.value} cannot be written: {error.strerror}; choose another name")
        else:
            self._close_field()
            self._say(f"saved {self._file}")

    def _close_field(self) -> None:
        self.remove_class("-saving")
        self.set_focus(None)

    async def action_edit(self) -> None:
        """Open the saved file, else a draft in the session's folder, which is written once."""
        if not self._draft:
            self._say("nothing to edit yet")
            return
        try:
            path = self._file or await in_thread(self._draft_in_session)
            self._run_editor(path)
        except SuspendNotSupported:
            self._say("This terminal cannot open an editor. Save the draft instead")
        except (OSError, UserError) as error:
            self._say(f"the editor did not open: {error}")
        else:
            self._file = path
            self._say(f"the draft is {path}")

    def _draft_in_session(self) -> Path:
        path = find_session(state_folder(), self._state.session).path / DRAFT_NAME
        if not path.exists():
            with path.open("x", encoding="utf-8") as file:
                file.write(self._draft)
        return path

    def _run_editor(self, path: Path) -> None:
        command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
        with cockpit(self).suspend():
            subprocess.run([*command, str(path)], check=False)

    def action_back(self) -> None:
        """Out of the file's name, and then out of the report."""
        if self.has_class("-saving"):
            self._close_field()
            self._say("not saved")
        else:
            super().action_back()
