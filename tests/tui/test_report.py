"""The report: four views of one record, taken along by saving, copying or editing."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder
from breakglass.journal.state import fold
from breakglass.journal.store import FILE_NAME, read
from breakglass.report.markdown import cell
from breakglass.report.timeline import timeline
from breakglass.runbook.load import load_runbook
from breakglass.tui.app import Cockpit
from breakglass.tui.screens.report.lines import draft_lines, sections, timeline_lines
from breakglass.tui.screens.report.screen import ReportScreen
from breakglass.tui.theme import Appearance
from tests.tui.past_support import OUTPOST, ROOT, SIZES, rehearsed, seen, state, stopped, when_seen
from tests.tui.support import flat

__all__ = ["state"]

NAME = "2026-01-15-purge-a-full-dev-shm.md"


class Report(Cockpit):
    """The cockpit with one report on it. Handing the terminal over is only noted."""

    def __init__(self, folder: SessionFolder) -> None:
        super().__init__(lambda session: 0)
        self.unicode = True
        reading = read(folder.path / FILE_NAME)
        self.past, self.last_hash = fold(reading.records), reading.last_hash
        self.suspended = 0

    def first_screen(self) -> ReportScreen:
        return ReportScreen(self.past, self.last_hash, load_runbook(ROOT / OUTPOST.path))

    @contextmanager
    def suspend(self) -> Generator[None]:
        self.suspended += 1
        yield


async def test_a_rehearsal_opens_on_its_review_and_anything_else_on_the_draft(state: Path) -> None:
    app = Report(rehearsed(state))
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "After-action review")
        assert "time to recovery" in flat(app)
    app = Report(stopped(state))
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "Post-mortem: Purge a full /dev/shm")
        assert "review" not in flat(app)


async def test_one_key_turns_through_the_views(state: Path) -> None:
    app = Report(rehearsed(state))
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "[review]")
        for view in ("draft", "timeline", "follow-ups", "review"):
            await pilot.press("t")
            await seen(app, pilot, f"[{view}]")
        await pilot.press("left")
        await seen(app, pilot, "[follow-ups]")


async def test_follow_ups_say_what_may_have_happened(state: Path) -> None:
    app = Report(stopped(state))
    async with app.run_test(size=(100, 40)) as pilot:
        await seen(app, pilot, "Post-mortem")
        await pilot.press("t", "t")
        await seen(app, pilot, "MAY HAVE HAPPENED")


async def test_links_and_control_characters_of_the_record_stay_plain_text(state: Path) -> None:
    app = Report(rehearsed(state))
    async with app.run_test(size=(120, 40)) as pilot:
        await seen(app, pilot, "[review]")
        await pilot.press("t", "t", "t")
        await seen(app, pilot, r"see [the runbook](http://example.org/x) \x1b[31m")


async def test_saving_writes_the_draft_once(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Report(rehearsed(state))
    monkeypatch.chdir(state)
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "[review]")
        await pilot.press("s")
        await seen(app, pilot, NAME)
        await pilot.press("enter")
        await seen(app, pilot, f"saved {state / NAME}"[:60])
    assert (state / NAME).read_text().startswith("# Post-mortem: Purge a full /dev/shm")


async def test_saving_never_overwrites(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Report(rehearsed(state))
    monkeypatch.chdir(state)
    (state / NAME).write_text("finished by hand")
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "[review]")
        await pilot.press("s", "enter")
        await seen(app, pilot, "already exists. Choose another name")
        await pilot.press("ctrl+u", *"b.md", "enter")
        await seen(app, pilot, "saved")
    assert (state / NAME).read_text() == "finished by hand"
    assert (state / "b.md").is_file()


async def test_escape_leaves_the_file_unwritten(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Report(rehearsed(state))
    monkeypatch.chdir(state)
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "[review]")
        await pilot.press("s", "escape")
        await seen(app, pilot, "not saved")
        await pilot.press("t")
        await seen(app, pilot, "[draft]")
    assert not (state / NAME).exists()


async def test_copying_hands_over_what_the_view_shows(state: Path) -> None:
    app = Report(rehearsed(state))
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "[review]")
        await pilot.press("y")
        await seen(app, pilot, "sent")
        assert app.clipboard.startswith("## After-action review")
        assert "# Post-mortem" not in app.clipboard


async def test_the_editor_gets_a_draft_in_the_session_folder_and_keeps_what_it_wrote(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = rehearsed(state)
    editor = state / "editor"
    editor.write_text('#!/bin/sh\necho "$1: edited" >> "$2"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", f"{editor} once")
    app = Report(folder)
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "[review]")
        await pilot.press("e")
        await seen(app, pilot, "the draft is")
        await pilot.press("e")
        await pilot.pause()
    written = (folder.path / "post-mortem.md").read_text()
    assert written.startswith("# Post-mortem")
    assert (written.count("once: edited"), app.suspended) == (2, 2)


async def test_an_editor_that_is_not_there_is_said(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "no-such-editor")
    app = Report(rehearsed(state))
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "[review]")
        await pilot.press("e")
        await seen(app, pilot, "the editor did not open")


async def test_the_draft_is_of_what_was_read_though_the_journal_is_damaged_since(state: Path) -> None:
    folder = stopped(state)
    app = Report(folder)
    (folder.path / FILE_NAME).write_text("broken\n")
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "Stopped: called the second line")
        await pilot.press("t")
        await seen(app, pilot, "ended: stopped")


# -------------------------------------------------------------------- lines
DRAFT = """# Title
## One

| UTC | what |
|---|---|
| 14:00 | a \\| b |

## Two

- a point that is long enough to be wrapped somewhere
"""


def flowing(text: str, width: int) -> list[str]:
    return [line.plain for line in draft_lines(text, width, Appearance())]


def test_only_the_wanted_sections_are_kept() -> None:
    assert sections(DRAFT, ["Two"]).startswith("## Two")
    assert "Two" not in sections(DRAFT, ["One"])


def test_tables_become_columns_and_a_cell_keeps_its_bar() -> None:
    assert "14:00  a | b" in flowing(DRAFT, 60)
    assert not any(line.startswith("|") for line in flowing(DRAFT, 60))


@given(st.text(max_size=300), st.integers(8, 120))
def test_no_text_is_wider_than_the_page(text: str, width: int) -> None:
    assert all(cell_len(line) <= width for line in flowing(text, width))


@given(st.lists(st.text(alphabet="ab |\\界", max_size=30), min_size=1, max_size=5), st.integers(10, 120))
def test_no_cell_of_a_table_is_lost(cells: list[str], width: int) -> None:
    row = "| " + " | ".join(cell(each) for each in cells) + " |"
    wanted, shown = Counter("".join(cells)), Counter("".join(flowing(row, width)))
    assert [(shown[each], each) for each in "ab|界"] == [(wanted[each], each) for each in "ab|界"]


@given(st.lists(st.text(alphabet="ab 界", max_size=30), min_size=1, max_size=5), st.integers(10, 120))
def test_no_row_of_a_table_is_wider_than_the_page(cells: list[str], width: int) -> None:
    row = "| " + " | ".join(cells) + " |"
    assert all(cell_len(line) <= width for line in flowing(row, width))


@pytest.mark.parametrize("width", [20, 60, 120])
def test_the_timeline_wraps_and_leaves_nothing_out(width: int, tmp_path: Path) -> None:
    from tests.tui.support import begun

    session = begun(tmp_path)
    session.tell(e.NoteAdded("pod", "word " * 40 + "end", "oncall"))
    lines = [line.plain for line in timeline_lines(timeline(session.state), width, Appearance())]
    assert " ".join(lines).count("word") == 40
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_report_looks_as_it_was_accepted(
    state: Path, size: tuple[int, int], snap_compare: object
) -> None:
    app = Report(rehearsed(state))
    assert callable(snap_compare)
    assert snap_compare(
        app, terminal_size=size, run_before=when_seen("[review]", "t", "t", then="[timeline]")
    )


@pytest.mark.parametrize("theme", ["light", "high-contrast"])
def test_the_report_in_each_theme(state: Path, theme: str, snap_compare: object) -> None:
    app = Report(rehearsed(state))
    app.theme = theme
    assert callable(snap_compare)
    assert snap_compare(app, terminal_size=(80, 24), run_before=when_seen("[review]"))
