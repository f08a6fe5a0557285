"""The walk's screen by keyboard alone: every question, every way on, every way to look around."""

from datetime import timedelta
from pathlib import Path

import pytest

from breakglass.engine import commands as c
from breakglass.journal import events as e
from breakglass.runbook.library import all_runbooks
from breakglass.tui.dialogs.confirm import ConfirmDialog
from breakglass.tui.dialogs.questions import AskLine, Choose
from breakglass.tui.dialogs.searched_list import SearchedList
from breakglass.tui.output_lines import FixedLines
from breakglass.tui.screens.walk.screen import STALE, WalkScreen
from breakglass.tui.screens.walk.view import WalkView
from breakglass.tui.walk_text import header_chunks, next_move
from tests.tui.support import (
    AS,
    DELETE,
    POD,
    Stage,
    ToldSession,
    asked_to_purge,
    before_the_purge,
    begun,
    confirmation,
    diagnosed,
    drawn,
    flat,
    read,
    staged,
    words,
)

SIZES = [(120, 40), (80, 24), (60, 20), (40, 15), (36, 10)]
WAYS = {
    "retry": "rerun this step",
    "jump": "jump to another step",
    "skip": "skip this step, with a reason",
    "stop": "stop and call; the session can be resumed",
}


def failed_at_shm(folder: Path) -> ToldSession:
    """Where /dev/shm turned out not to be full, and a person must decide."""
    session = begun(folder)
    read(session, "shm", f"kubectl exec -n authentik {POD} -- df -k /dev/shm", AS, exit=0)
    say = "/dev/shm is at 12 %, so this is not the cause."
    session.tell(
        e.Judged("shm", 1, "used >= 95", False, {"used": 12}, say),
        e.StepFinished("shm", 1, "failed", say),
        e.Asked("shm", 1, "decide", text=say, options=WAYS),
    )
    return session


def changing(folder: Path) -> ToldSession:
    """In the middle of the change: sent, and no answer yet."""
    session = asked_to_purge(folder)
    session.tell(
        e.Confirmed("purge", 1, "oncall", POD), e.ActionIntended("purge", 1, DELETE, AS, "destructive")
    )
    return session


def reading(folder: Path) -> ToldSession:
    session = begun(folder)
    session.tell(
        e.StepStarted("pod", 1), e.ActionPrepared("pod", 1, "kubectl", "kubectl get", AS, "read", 15.0)
    )
    return session


# -------------------------------------------------------------------- one card
async def test_the_card_says_why_what_where_expected_observed_verdict_and_next(tmp_path: Path) -> None:
    app = staged(before_the_purge(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        text = await drawn(app, pilot)
        for part in (
            "WHY A full tmpfs makes every session save fail.",
            f"RUN kubectl exec -n authentik {POD} -- df -k /dev/shm",
            f"AS {AS}",
            "EXPECTED",
            "/dev/shm is full │",
            "OBSERVED 14:01:00Z",
            "✓ /dev/shm is full (100 %)",
            "VERDICT ✓ as expected",
            "NEXT Enter next phase, Purge: Delete the outpost pod",
        ):
            assert part in text
        assert "shm 65536 65536 0 100% /dev/shm" in text


async def test_the_card_says_by_whose_word_a_command_ran_that_is_not_known_to_read(tmp_path: Path) -> None:
    session = begun(tmp_path)
    word = "by the author's word: It only looks."
    session.tell(
        e.StepStarted("pod", 1),
        e.ActionPrepared("pod", 1, "ssh", "peek /tmp/x", "pve (10.0.20.1)", "read", 10.0, because=word),
    )
    app = staged(session)
    async with app.run_test(size=(120, 40)) as pilot:
        assert f"RISK READ ({word})" in await drawn(app, pilot)


async def test_if_not_is_named_before_the_step_has_run(tmp_path: Path) -> None:
    app = staged(begun(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        assert "IF NOT Expected one outpost pod." in await drawn(app, pilot)


async def test_a_failed_expectation_is_said_in_words_with_a_glyph(tmp_path: Path) -> None:
    app = staged(failed_at_shm(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        text = await drawn(app, pilot)
        assert "✗ /dev/shm is at 12 %, so this is not" in text
        await pilot.press("v")
        assert "DOES NOT HOLD: used >= 95 used = 12" in await drawn(app, pilot)
        assert "VERDICT ✗ failed: /dev/shm is at 12 %, so this is not the cause." in text
        assert "failed 1 unknown 0" in text


async def test_an_unknown_outcome_is_never_drawn_as_failure(tmp_path: Path) -> None:
    session = changing(tmp_path)
    session.tell(
        e.ActionFinished("purge", 1, "unknown", 2.0, message="connection lost"),
        e.StepFinished("purge", 1, "unknown", "may have happened: connection lost. Look first."),
        e.Asked("purge", 1, "decide", options=WAYS),
    )
    app = staged(session)
    async with app.run_test(size=(120, 40)) as pilot:
        text = await drawn(app, pilot)
        assert "VERDICT ◆ outcome unknown: may have happened: connection lost. Look first." in text
        assert "ANSWER MAY HAVE HAPPENED" in text
        assert "failed 0 unknown 1" in text


@pytest.mark.parametrize("size", SIZES[:4])
async def test_mode_site_verdict_next_and_command_are_whole_at_every_size(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = staged(before_the_purge(tmp_path))
    async with app.run_test(size=size) as pilot:
        text = "".join((await drawn(app, pilot)).split())
        parts = ("LIVE", "main (prod)", "outpost-shm-purge", "as expected", "next phase, Purge: Delete")
        for part in (*parts, "runbook from /runbooks"):
            assert "".join(part.split()) in text


async def test_the_header_of_a_shipped_runbook_says_so(tmp_path: Path) -> None:
    (shipped,) = (each.path for each in all_runbooks() if each.name == "outpost-shm-purge")
    app = staged(begun(tmp_path, runbook_path=str(shipped.resolve())))
    async with app.run_test(size=(80, 24)) as pilot:
        assert "runbook shipped" in await drawn(app, pilot)


async def test_a_terminal_below_40x12_is_linear_and_says_so(tmp_path: Path) -> None:
    app = staged(before_the_purge(tmp_path))
    async with app.run_test(size=(36, 10)) as pilot:
        assert "linear" in await drawn(app, pilot)
        seen = words(app)
        for _ in range(12):
            await pilot.press("space")
            await pilot.pause()
            seen += words(app)
        assert "VERDICT" in seen
        assert "100%/dev/shm" in "".join(seen.split())


async def test_resizing_at_any_moment_keeps_the_step_and_decides_nothing(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path)
    app = staged(session)
    async with app.run_test(size=(120, 40)) as pilot:
        for size in [*SIZES, *reversed(SIZES)]:
            await pilot.resize_terminal(*size)
            assert "LIVE" in await drawn(app, pilot)
        assert "Delete the outpost pod" in flat(app)
        assert not session.commands


async def test_values_and_commands_are_plain_text(tmp_path: Path) -> None:
    session = begun(tmp_path)
    read(session, "pod", "kubectl get [red]x[/] \x1b[2J", AS, exit=0)
    session.tell(e.Captured("pod", 1, {"pod": "[link=x]\x9d52;c;\x07"}))
    app = staged(session)
    async with app.run_test(size=(120, 40)) as pilot:
        text = await drawn(app, pilot)
        assert "kubectl get [red]x[/] \\x1b[2J" in text
        assert "[link=x]\\x9d52;c;\\x07" in text


async def test_ascii_terminals_get_ascii(tmp_path: Path) -> None:
    session = before_the_purge(tmp_path)
    app = Stage(lambda: WalkScreen(session, now=lambda: session.now), unicode=False)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await drawn(app, pilot)
        assert "[ok] /dev/shm is full (100 %)" in text
        lines = words(app).splitlines()
        assert all(line.isascii() for line in lines), [line for line in lines if not line.isascii()]


# -------------------------------------------------------------------- answering
async def test_enter_goes_on_at_the_end_of_a_phase(tmp_path: Path) -> None:
    session = before_the_purge(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        assert session.commands == [c.Continue("oncall")]


async def test_enter_opens_the_confirmation_and_sends_nothing(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        assert isinstance(app.screen, ConfirmDialog)
        assert not session.commands


async def test_no_key_on_the_walk_confirms_a_change(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, typed="")
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        for code in range(33, 127):
            await pilot.press(chr(code))
            while app.screen is not app.screen_stack[0]:
                app.pop_screen()
                await pilot.pause()
        assert not [each for each in session.commands if isinstance(each, c.Confirm)]


async def test_old_needs_are_read_again_before_the_dialog_opens(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path)

    def answer(command: c.Command) -> None:
        if isinstance(command, c.Decline):
            session.tell(
                e.Declined("purge", 1, "oncall"),
                e.StepFinished("purge", 1, "failed", "you went back. Nothing sent"),
                e.Asked("purge", 1, "decide", options=WAYS),
            )
        elif isinstance(command, c.Retry):
            session.tell(
                e.Decided("purge", "retry", "oncall", goto="purge"),
                e.StepStarted("purge", 2),
                e.NeedRead("purge", 2, "shm", "used >= 95", True, {"used": 100}),
                confirmation(),
            )

    session.answers = answer
    late = {"now": session.now + timedelta(seconds=STALE + 5)}
    app = Stage(lambda: WalkScreen(session, now=lambda: late["now"]))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        late["now"] = session.now
        await pilot.pause()
        await pilot.pause()
        assert session.commands == [c.Decline("oncall"), c.Retry("oncall")]
        assert isinstance(app.screen, ConfirmDialog)
        assert "re-read" in flat(app)


@pytest.mark.parametrize(
    ("keys", "command"),
    [
        (["r"], c.Retry("oncall")),
        (["s", *"no", "space", *"need", "enter"], c.Skip("no need", "oncall")),
        (["S", *"call", "enter"], c.Stop("call", "oncall")),
        (["J", "down", "enter", *"why", "enter"], c.Jump("purge", "why", "oncall")),
        (["J", *"5", "enter", *"why", "enter"], c.Jump("login", "why", "oncall")),
        (["J", *"fix", "space", *"size", "enter", *"why", "enter"], c.Jump("which", "why", "oncall")),
        (["enter", "enter"], c.Retry("oncall")),
        (["enter", "3", "enter", *"no", "enter"], c.Skip("no", "oncall")),
        (["n", *"odd", "enter"], c.Note("odd", "oncall")),
        (["O", *"deputy", "enter"], c.HandOver("deputy", "oncall")),
    ],
)
async def test_every_way_on_from_a_failed_step(tmp_path: Path, keys: list[str], command: c.Command) -> None:
    session = failed_at_shm(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        assert session.commands == [command]


async def test_the_way_back_is_taken_where_it_is_offered(tmp_path: Path) -> None:
    session = failed_at_shm(tmp_path)
    session.tell(e.Asked("shm", 1, "decide", options={**WAYS, "undo": "put it back: Scale it up."}))
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter", "5", "enter")
        await pilot.pause()
        assert session.commands == [c.Undo("oncall")]


@pytest.mark.parametrize("key", ["s", "S", "J", "n", "O", "enter"])
async def test_escape_leaves_every_dialog_without_a_decision(tmp_path: Path, key: str) -> None:
    session = failed_at_shm(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        assert isinstance(app.screen, AskLine | Choose | SearchedList)
        await pilot.press("escape")
        assert isinstance(app.screen, WalkScreen)
        assert not session.commands


async def test_an_empty_reason_is_not_taken(tmp_path: Path) -> None:
    session = failed_at_shm(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s", "enter", "space", "enter")
        assert isinstance(app.screen, AskLine)
        assert not session.commands


async def test_a_choice_is_made_from_explained_ways(tmp_path: Path) -> None:
    session = begun(tmp_path)
    session.tell(
        e.StepStarted("which", 1),
        e.Asked(
            "which", 1, "choose", text="Fix it now?", options={"later": "A follow-up.", "now": "A size."}
        ),
    )
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "later: A follow-up." in await drawn(app, pilot)
        await pilot.press("enter", "j", "enter")
        assert session.commands == [c.Answer("now", "oncall")]


async def test_a_manual_step_asks_for_the_reading(tmp_path: Path) -> None:
    session = begun(tmp_path)
    session.tell(e.StepStarted("login", 1), e.Asked("login", 1, "acknowledge", text="Log in once."))
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "DO Log in once." in await drawn(app, pilot)
        await pilot.press("enter", "enter")
        assert not session.commands
        await pilot.press(*"seen", "enter")
        assert session.commands == [c.Answer(True, "oncall", "seen")]


@pytest.mark.parametrize("key", ["J", "s"])
async def test_a_step_is_neither_left_out_nor_jumped_from_while_something_runs(
    tmp_path: Path, key: str
) -> None:
    app = staged(reading(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        assert isinstance(app.screen, WalkScreen)
        assert "Running. p pauses" in await drawn(app, pilot)


async def test_a_secret_answer_is_not_shown(tmp_path: Path) -> None:
    session = begun(tmp_path)
    session.tell(e.StepStarted("login", 1), e.Asked("login", 1, "answer", text="Unseal key", secret=True))
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter", *"hunter2")
        assert "hunter2" not in words(app)
        await pilot.press("enter")
        assert session.commands == [c.Answer("hunter2", "oncall")]


async def test_a_refusal_is_said_and_changes_nothing(tmp_path: Path) -> None:
    session = before_the_purge(tmp_path)
    session.refuse = "the walk already waits for you"
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("p")
        assert "the walk already waits for you" in await drawn(app, pilot)


async def test_a_hint_is_asked_for_and_then_stands_on_the_card(tmp_path: Path) -> None:
    session = before_the_purge(tmp_path, mode="rehearsal")
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("H")
        assert session.commands == [c.Hint("oncall")]
        session.tell(e.HintShown("shm", "What does a session need on disk?"))
        assert "HINT What does a session need on disk?" in await drawn(app, pilot)


# -------------------------------------------------------------------- looking elsewhere
async def test_looking_at_another_step_decides_nothing(tmp_path: Path) -> None:
    session = failed_at_shm(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("m", "k")
        assert "Viewing step 1 Find the outpost pod" in await drawn(app, pilot)
        await pilot.press("r")
        assert not session.commands
        assert "Back at the current step" in await drawn(app, pilot)
        await pilot.press("r")
        assert session.commands == [c.Retry("oncall")]


async def test_first_last_and_the_way_back(tmp_path: Path) -> None:
    app = staged(before_the_purge(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = app.screen
        assert isinstance(screen, WalkView)
        await pilot.press("g")
        assert screen.shown == "pod"
        await pilot.press("G")
        assert screen.shown == "shm"
        await pilot.press("j", "down", "down", "down")
        assert screen.shown == "login"
        await pilot.press("enter")
        assert screen.shown == "shm"


async def test_a_click_on_a_step_looks_at_it_and_decides_nothing(tmp_path: Path) -> None:
    session = failed_at_shm(tmp_path)
    app = staged(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await drawn(app, pilot)
        row = next(at for at, line in enumerate(words(app).splitlines()) if "Delete the outpost" in line[:34])
        await pilot.click(offset=(12, row))
        assert isinstance(app.screen, WalkView)
        assert app.screen.shown == "purge"
        assert not session.commands


async def test_attempts_are_looked_at_one_by_one(tmp_path: Path) -> None:
    session = failed_at_shm(tmp_path)
    session.tell(e.Decided("shm", "retry", "oncall", goto="shm"), e.StepStarted("shm", 2))
    session.tell(e.ActionPrepared("shm", 2, "kubectl", "kubectl exec again", AS, "read", 10.0))
    app = staged(session)
    async with app.run_test(size=(120, 40)) as pilot:
        assert "RUN kubectl exec again" in await drawn(app, pilot)
        await pilot.press("left_square_bracket")
        text = await drawn(app, pilot)
        assert "attempt 1 of 2" in text
        assert "✗ /dev/shm is at 12 %" in text
        await pilot.press("right_square_bracket")
        assert "attempt 2 of 2" in await drawn(app, pilot)


async def test_timeline_and_values_take_the_place_of_the_output(tmp_path: Path) -> None:
    app = staged(before_the_purge(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("t")
        assert "oncall began outpost-shm-purge" in await drawn(app, pilot)
        await pilot.press("v")
        assert f"pod = {POD}" in await drawn(app, pilot)
        await pilot.press("escape")
        assert "100% /dev/shm" in await drawn(app, pilot)


# -------------------------------------------------------------------- output
def flooded(folder: Path, count: int = 3000) -> ToldSession:
    session = reading(folder)
    session.live = FixedLines([f"line {number}" for number in range(count)])
    return session


async def test_live_output_is_followed_until_somebody_scrolls_up(tmp_path: Path) -> None:
    session = flooded(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "line 2999" in await drawn(app, pilot)
        await pilot.press("o", "k")
        before = await drawn(app, pilot)
        assert "not following" in before
        await pilot.press("G")
        assert "line 2999" in await drawn(app, pilot)


async def test_output_is_searched_and_matches_are_gone_through(tmp_path: Path) -> None:
    app = staged(flooded(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"line 77", "enter")
        await app.workers.wait_for_complete()  # pyright: ignore[reportUnknownMemberType]
        assert "1 of 11" in await drawn(app, pilot)
        await pilot.press("n")
        assert "2 of 11" in await drawn(app, pilot)
        await pilot.press("N", "N")
        assert "11 of 11" in await drawn(app, pilot)
        await pilot.press("escape")
        assert "of 11" not in await drawn(app, pilot)


async def test_output_fills_the_screen_and_comes_back(tmp_path: Path) -> None:
    app = staged(flooded(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o", "f")
        full = await drawn(app, pilot)
        assert full.count("line ") >= 18
        assert "LIVE" in full
        await pilot.press("escape")
        assert "VERDICT" in await drawn(app, pilot)


async def test_one_pane_swaps_card_and_output(tmp_path: Path) -> None:
    app = staged(flooded(tmp_path))
    async with app.run_test(size=(60, 20)) as pilot:
        assert "line 2999" not in await drawn(app, pilot)
        await pilot.press("o")
        assert "line 2999" in await drawn(app, pilot)
        await pilot.press("o")
        assert "RUN" in await drawn(app, pilot)


async def test_long_lines_wrap_on_demand(tmp_path: Path) -> None:
    session = reading(tmp_path)
    session.live = FixedLines(["x" * 200 + "END"])
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "END" not in await drawn(app, pilot)
        await pilot.press("w")
        assert "END" in await drawn(app, pilot)


async def test_stored_output_is_read_from_its_file(tmp_path: Path) -> None:
    session = begun(tmp_path)
    (tmp_path / "abc.txt").write_text("from the file\n")
    read(session, "pod", "kubectl get", AS, exit=0, output="abc.txt", output_bytes=14, output_lines=1)
    session.tell(e.StepFinished("pod", 1, "ok"))
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(50):
            if "from the file" in await drawn(app, pilot):
                break
        assert "from the file" in flat(app)


async def test_a_stored_output_that_is_gone_is_said_and_its_ends_are_shown(tmp_path: Path) -> None:
    session = begun(tmp_path)
    read(session, "pod", "kubectl get", AS, exit=0, output="gone.txt", output_lines=1, head="kept head")
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(50):
            if "kept head" in await drawn(app, pilot):
                break
        assert "No such file" in flat(app)
        assert "kept head" in flat(app)


async def test_copying_goes_through_the_terminal(tmp_path: Path) -> None:
    app = staged(before_the_purge(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("y")
        assert app.clipboard.split("\n")[1:] == [f"kubectl exec -n authentik {POD} -- df -k /dev/shm"]
        await pilot.press("o", "y")
        assert "100% /dev/shm" in app.clipboard


# -------------------------------------------------------------------- waiting and leaving
async def test_a_running_read_shows_elapsed_and_limit_and_can_be_cancelled(tmp_path: Path) -> None:
    session = reading(tmp_path)
    late = session.now + timedelta(seconds=4)
    app = Stage(lambda: WalkScreen(session, now=lambda: late))
    async with app.run_test(size=(80, 24)) as pilot:
        assert "4.0 s of 15 s" in await drawn(app, pilot)
        await pilot.press("x", "ctrl+c")
        assert session.commands == [c.CancelRead("oncall")] * 2


async def test_interrupting_a_change_explains_and_offers_to_leave(tmp_path: Path) -> None:
    session = changing(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+c")
        text = flat(app)
        assert "Quitting does not cancel it" in text
        assert "the outcome becomes unknown" in text
        await pilot.press("enter")
        assert not session.commands
        assert app.is_running
        await pilot.press("ctrl+c", "2", "enter")
    assert app.return_value == 6
    assert not session.commands


async def test_leaving_an_open_session_asks_first(tmp_path: Path) -> None:
    session = before_the_purge(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("q")
        assert isinstance(app.screen, Choose)
        await pilot.press("enter")
        assert isinstance(app.screen, WalkScreen)
        await pilot.press("escape", "2", "enter", *"call", "enter")
        assert session.commands == [c.Stop("call", "oncall")]


async def test_attention_is_drawn_when_somebody_is_needed_when_verified_and_when_unknown(
    tmp_path: Path,
) -> None:
    session = changing(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)):
        session.tell(
            e.VerifyPolled("purge", 1, "kubectl get", False, 1.0, 60.0),
            e.VerifyPolled("purge", 1, "kubectl get", True, 8.0, 60.0),
            e.StepFinished("purge", 1, "unknown", "may have happened"),
            e.Asked("purge", 1, "decide", text="Look first.", options=WAYS),
        )
        assert app.attention == ["verified", "the outcome is unknown", "waiting for you: Look first."]


async def test_the_palette_does_what_keys_do(tmp_path: Path) -> None:
    session = failed_at_shm(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("colon")
        assert isinstance(app.screen, SearchedList)
        await pilot.press(*"rerun", "enter")
        await pilot.pause()
        assert session.commands == [c.Retry("oncall")]
        await pilot.press("colon", *"light", "enter")
        await pilot.pause()
        assert app.theme == "light"


async def test_a_watcher_sees_everything_and_decides_nothing(tmp_path: Path) -> None:
    session = failed_at_shm(tmp_path)
    app = Stage(lambda: WalkView(session, now=lambda: session.now))
    async with app.run_test(size=(80, 24)) as pilot:
        assert "READ-ONLY VIEW" in await drawn(app, pilot)
        await pilot.press("r", "s", "S", "J", "enter", "p", "x", "H", "O")
        assert isinstance(app.screen, WalkView)
        assert not session.commands


async def test_a_journal_that_cannot_be_written_is_in_the_header(tmp_path: Path) -> None:
    session = before_the_purge(tmp_path)
    session.journal_fault = "No space left on device"
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "JOURNAL CANNOT BE WRITTEN, no change will be sent: No space left" in await drawn(app, pilot)


async def test_diagnosis_alone_needs_no_key(tmp_path: Path) -> None:
    session = begun(tmp_path)
    app = staged(session)
    async with app.run_test(size=(80, 24)) as pilot:
        diagnosed(session)
        text = await drawn(app, pilot)
        assert "/dev/shm is full (100 %)" in text
        assert not session.commands


async def test_a_signal_that_must_hold_shows_how_long_it_has_and_not_how_long_it_was_looked_for(
    tmp_path: Path,
) -> None:
    session = asked_to_purge(tmp_path)
    session.tell(
        e.Confirmed("purge", 1, "oncall", POD),
        e.ActionIntended("purge", 1, DELETE, AS, "destructive"),
        e.ActionFinished("purge", 1, "succeeded", 2.0),
        e.VerifyPolled("purge", 1, "kubectl get", True, 50.0, 60.0, held=42.0, soak=900.0),
        after=0.0,
    )
    moved = next_move(session.state, session.runbook, session.state.timeline[-1].time)
    assert (moved.words, moved.spent, moved.limit) == ("Verified; holding", 42.0, 900.0)


def test_the_clock_of_a_walk_stands_still_once_it_has_ended(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path)
    session.tell(e.SessionEnded("stopped", "called storage"))
    at_the_end, later = (
        header_chunks(session.state, session.runbook, session.site, session.now + timedelta(hours=hours))
        for hours in (0, 2)
    )
    took = [each for each in at_the_end if each.startswith("T+")]
    assert took == [each for each in later if each.startswith("T+")]
