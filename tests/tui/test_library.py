"""The library: find a runbook, see whether it was rehearsed, go on where a session stopped."""

import threading
from pathlib import Path

import pytest
from textual import events

from breakglass.engine.session import Request
from breakglass.runbook.library import Found
from breakglass.tui.app import Cockpit
from breakglass.tui.screens.library.catalogue import read_past
from breakglass.tui.widgets.rows import RowList
from tests.tui.past_support import (
    REHEARSAL,
    RUNBOOKS,
    SIZES,
    STOPPED,
    rehearsed,
    seen,
    started,
    state,
    stopped,
    when_seen,
    write,
)
from tests.tui.support import flat, words

__all__ = ["state"]


class Library(Cockpit):
    """The cockpit, which notes what it was asked to open."""

    def __init__(self) -> None:
        super().__init__(lambda session: 0)
        self.unicode = True
        self.begun: list[Request] = []
        self.opened: list[Found] = []

    def begin(self, request: Request) -> None:
        self.begun.append(request)

    def show_preflight(self, found: Found) -> None:
        self.opened.append(found)


def chosen(app: Library) -> str:
    return app.screen.query_one(RowList).chosen


async def test_runbooks_show_severity_owner_and_how_the_last_rehearsal_went(state: Path) -> None:
    rehearsed(state)
    app = Library()
    async with app.run_test(size=(100, 40)) as pilot:
        await seen(app, pilot, "rehearsed 2026-01-15 ✓ recovered")
        assert "sev2 outpost-shm-purge" in flat(app)
        assert "owner platform" in flat(app)
        assert "never rehearsed" in flat(app)


async def test_a_broken_runbook_is_shown_with_its_first_problem(state: Path) -> None:
    app = Library()
    async with app.run_test(size=(100, 40)) as pilot:
        await seen(app, pilot, "half-written")
        await pilot.press("G")
        await seen(app, pilot, "half-written cannot be used")
        assert "tests/tui/runbooks/half-written/runbook.yaml:" in flat(app)
        await pilot.press("enter")
        assert app.opened == []


async def test_unfinished_sessions_come_first_and_one_key_resumes(state: Path) -> None:
    stopped(state)
    app = Library()
    async with app.run_test(size=(100, 40)) as pilot:
        await seen(app, pilot, "UNFINISHED SESSIONS")
        text = flat(app)
        assert text.index("UNFINISHED SESSIONS") < text.index("RUNBOOKS")
        assert "a change may have happened, at step pod" in text
        await pilot.press("r")
        assert app.begun == [Request(resume=STOPPED)]


async def test_enter_on_an_unfinished_session_resumes_it(state: Path) -> None:
    stopped(state)
    app = Library()
    async with app.run_test(size=(100, 40)) as pilot:
        await seen(app, pilot, "UNFINISHED SESSIONS")
        await pilot.press("g", "enter")
        assert app.begun == [Request(resume=STOPPED)]


async def test_enter_opens_the_chosen_runbook(state: Path) -> None:
    app = Library()
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "vault-raft-recovery")
        await pilot.press("j", "enter")
        assert [found.name for found in app.opened] == ["vault-raft-recovery"]


async def test_typing_narrows_and_enter_goes_back_to_the_list(state: Path) -> None:
    app = Library()
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "vault-raft-recovery")
        await pilot.press("slash", *"vault", "enter", "enter")
        assert [found.name for found in app.opened] == ["vault-raft-recovery"]
        assert "outpost-shm-purge" not in flat(app)


async def test_a_pasted_line_of_a_log_finds_its_runbook_wherever_the_focus_is(state: Path) -> None:
    app = Library()
    async with app.run_test(size=(100, 24)) as pilot:
        await seen(app, pilot, "vault-raft-recovery")
        app.post_message(events.Paste("E0115 raft: msgpack decode error [pos 0]\nat line 7\n"))
        await seen(app, pilot, "symptom: msgpack decode error")
        assert chosen(app) == "runbook:vault-raft-recovery"


async def test_escape_leaves_the_search_and_then_the_program(state: Path) -> None:
    app = Library()
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "vault-raft-recovery")
        await pilot.press("slash", *"nowhere")
        await seen(app, pilot, "NO MATCH")
        await pilot.press("escape")
        await seen(app, pilot, "vault-raft-recovery")
        assert app.return_value is None
        await pilot.press("escape")
        await pilot.pause()
    assert app.return_value == 0


async def test_keys_are_text_while_one_searches(state: Path) -> None:
    app = Library()
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "vault-raft-recovery")
        await pilot.press("slash", "q", "r", "question_mark")
        assert "qr?" in flat(app)
        assert app.begun == []


async def test_the_library_can_be_used_while_past_sessions_are_still_read(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def slowly(root: Path) -> object:
        gate.wait(30)
        return read_past(root)

    monkeypatch.setattr("breakglass.tui.screens.library.screen.read_past", slowly)
    rehearsed(state)
    app = Library()
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "vault-raft-recovery")
        assert "reading past sessions" in flat(app)
        await pilot.press("j", "enter")
        assert [found.name for found in app.opened] == ["vault-raft-recovery"]
        gate.set()
        await seen(app, pilot, "recovered")


async def test_a_damaged_journal_is_counted_and_hides_nothing_else(state: Path) -> None:
    rehearsed(state)
    folder = stopped(state)
    path = folder.path / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"called", b"hauled"))
    app = Library()
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "1 journals damaged: breakglass verify")
        assert "recovered" in flat(app)


async def test_a_rehearsal_counts_as_recovered_only_when_its_world_says_so(state: Path) -> None:
    from breakglass.journal import events as e

    write(state, REHEARSAL, started(REHEARSAL, "rehearsal"), e.SessionEnded("recovered"))
    assert read_past(state).rehearsed["outpost-shm-purge"].result == "not recovered"


async def test_the_report_of_a_past_session_opens_with_one_key(state: Path) -> None:
    rehearsed(state)
    app = Library()
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "recovered")
        await pilot.press("p")
        await seen(app, pilot, "After-action review")
        await pilot.press("q")
        await seen(app, pilot, "RUNBOOKS")


async def test_the_choice_stays_when_the_terminal_changes_its_size(state: Path) -> None:
    app = Library()
    async with app.run_test(size=(120, 40)) as pilot:
        await seen(app, pilot, "vault-raft-recovery")
        await pilot.press("j")
        for width, height in ((60, 20), (40, 12), (120, 40)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            assert chosen(app) == "runbook:vault-raft-recovery"


async def test_on_a_small_terminal_one_key_swaps_list_and_preview(state: Path) -> None:
    app = Library()
    async with app.run_test(size=(60, 20)) as pilot:
        await seen(app, pilot, "outpost-shm-purge")
        assert "SYMPTOMS" not in words(app)
        await pilot.press("o")
        await seen(app, pilot, "SYMPTOMS")
        await pilot.press("q")
        await seen(app, pilot, "RUNBOOKS")


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_library_looks_as_it_was_accepted(
    state: Path, size: tuple[int, int], snap_compare: object
) -> None:
    rehearsed(state)
    stopped(state)
    assert callable(snap_compare)
    assert snap_compare(Library(), terminal_size=size, run_before=when_seen("rehearsed 2026-01-15", "j"))


@pytest.mark.parametrize("theme", ["light", "high-contrast"])
def test_the_library_in_each_theme(state: Path, theme: str, snap_compare: object) -> None:
    rehearsed(state)
    stopped(state)
    app = Library()
    app.theme = theme
    assert callable(snap_compare)
    assert snap_compare(app, terminal_size=(80, 24), run_before=when_seen("rehearsed 2026-01-15", "j"))


@pytest.fixture
def twice(state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runbooks of one name."""
    folders = [RUNBOOKS, RUNBOOKS.with_name("more_runbooks")]
    monkeypatch.setattr("breakglass.runbook.library.folders", lambda: folders)
    return state


async def test_two_runbooks_of_one_name_are_an_error_that_names_both_and_neither_opens(twice: Path) -> None:
    app = Library()
    async with app.run_test(size=(120, 40)) as pilot:
        await seen(app, pilot, "outpost-shm-purge cannot be used")
        text = flat(app)
        assert "two runbooks are called 'outpost-shm-purge'" in text
        for folder in ("runbooks", "more_runbooks"):
            assert f"tests/tui/{folder}/outpost-shm-purge/runbook.yaml" in text.replace(" ", "")
        assert "breakglass lint" not in text
        assert app.screen.query_one(RowList).names.count("runbook:outpost-shm-purge") == 1
        app.screen.query_one(RowList).choose("runbook:outpost-shm-purge")
        await pilot.press("enter")
        assert app.opened == []


async def test_a_runbook_that_did_not_ship_says_where_it_comes_from(state: Path) -> None:
    app = Library()
    async with app.run_test(size=(120, 40)) as pilot:
        await seen(app, pilot, "from tests/tui/runbooks:")
        assert flat(app).count("from tests/tui/runbooks") > 1


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_two_of_one_name_look_as_it_was_accepted(
    twice: Path, size: tuple[int, int], snap_compare: object
) -> None:
    assert callable(snap_compare)
    assert snap_compare(Library(), terminal_size=size, run_before=when_seen("two runbooks are called", "g"))
