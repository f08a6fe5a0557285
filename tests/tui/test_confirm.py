"""The moment of acting: what confirms a change, and all that does not."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from breakglass.engine import commands as c
from breakglass.engine.signature import SIGN_WITH
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.report.confirmation import QUIET
from breakglass.tui.dialogs.confirm import ALONE, MOMENT, ConfirmDialog
from breakglass.tui.dialogs.confirm_lines import confirmation_lines, match_words
from breakglass.tui.theme import Appearance
from tests.tui.support import (
    AS,
    DELETE,
    POD,
    UID,
    Stage,
    ToldSession,
    asked_to_purge,
    confirmation,
    flat,
    walking,
    words,
)

SIZES = [(120, 40), (80, 24), (60, 20), (40, 15), (32, 10)]


SLOW = 0.5
"""Seconds between two keys of a slow hand."""


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class ConfirmStage(Stage):
    """The application with the walk and, over it, the confirmation; its clock stands still."""

    def __init__(self, session: ToldSession, *, awake: bool = True) -> None:
        super().__init__(lambda: walking(session))
        self.clock = Clock()
        self.session = session
        self.awake = awake

    @property
    def dialog(self) -> ConfirmDialog:
        assert isinstance(self.screen, ConfirmDialog)
        return self.screen

    async def ask(self, pilot: Pilot[int]) -> None:
        """Open the dialog, and let its deaf time pass."""
        assert self.session.state.waiting is not None
        await self.push_screen(ConfirmDialog(self.session, self.session.state.waiting, clock=self.clock))
        await pilot.pause()
        if self.awake:
            self.clock.time += QUIET * 2
            await self.type(pilot, "left")

    async def type(self, pilot: Pilot[int], *keys: str) -> None:
        """Press keys as a slow hand does."""
        await self._press(pilot, keys, SLOW)

    async def burst(self, pilot: Pilot[int], *keys: str) -> None:
        """Press keys all at once, as pasting without brackets does."""
        await self._press(pilot, keys, 0.0)

    async def _press(self, pilot: Pilot[int], keys: Sequence[str], between: float) -> None:
        self.clock.time += between * len(keys)
        for left, key in zip(range(len(keys), 0, -1), keys, strict=True):
            character = " " if key == "space" else key if len(key) == 1 else None
            pressed = events.Key(key, character)
            pressed.time -= between * left
            self.screen.post_message(pressed)
        await pilot.pause()

    async def until_confirmed(self, pilot: Pilot[int]) -> None:
        """Wait until one key is known to have come alone."""
        while not confirmed(self.session):
            await pilot.pause(0.01)

    async def through_the_moment(self, pilot: Pilot[int]) -> None:
        """Wait until one key would have confirmed, if it did."""
        await pilot.pause(ALONE * 2)


def confirmed(session: ToldSession) -> list[c.Command]:
    return [each for each in session.commands if isinstance(each, c.Confirm)]


# -------------------------------------------------------------------- what confirms
async def test_the_typed_name_and_then_enter_confirms_a_destructive_change(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *POD)
        assert not app.session.commands
        await pilot.press("enter")
        assert app.session.commands == [c.Confirm(POD, "oncall")]


async def test_one_explicit_key_confirms_a_change(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path, typed=""))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, "Y")
        await app.until_confirmed(pilot)
        assert app.session.commands == [c.Confirm("Y", "oncall")]


# -------------------------------------------------------------------- what does not
@pytest.mark.parametrize("typed", ["", POD])
async def test_no_other_key_confirms(tmp_path: Path, typed: str) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path, typed=typed))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        keys = [chr(code) for code in range(33, 127) if typed or chr(code) != "Y"]
        await app.type(
            pilot, *keys, "space", "enter", "tab", "up", "down", "pageup", "pagedown", "f1", "enter"
        )
        assert not confirmed(app.session)


async def test_enter_alone_never_confirms_however_often(tmp_path: Path) -> None:
    for typed in ("", POD):
        app = ConfirmStage(asked_to_purge(tmp_path, typed=typed))
        async with app.run_test(size=(80, 24)) as pilot:
            await app.ask(pilot)
            await pilot.press(*["enter"] * 20)
            assert not app.session.commands


async def test_the_key_that_opens_the_dialog_does_not_answer_it(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path)
    app = Stage(lambda: walking(session))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter", "enter", "enter")
        assert isinstance(app.screen, ConfirmDialog)
        assert not session.commands


async def test_what_was_typed_ahead_is_not_taken(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path), awake=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.burst(pilot, *POD, "enter")
        app.clock.time += QUIET
        await pilot.press("enter")
        assert not app.session.commands
        assert f"> {POD}" not in words(app)


async def test_one_key_typed_ahead_does_not_confirm_a_change(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path, typed=""), awake=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.burst(pilot, "Y", "Y", "Y")
        await app.through_the_moment(pilot)
        assert not app.session.commands


async def test_a_key_that_waited_in_the_queue_counts_from_when_it_was_pressed(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path, typed=""), awake=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        early = events.Key("Y", "Y")
        early.time -= 5.0
        app.clock.time += QUIET * 2
        app.dialog.post_message(early)
        await app.through_the_moment(pilot)
        assert not app.session.commands


async def test_a_held_key_keeps_the_dialog_deaf(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path, typed=""), awake=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        for _ in range(30):
            app.clock.time += 0.1
            await app.burst(pilot, "Y")
        await app.through_the_moment(pilot)
        assert not app.session.commands
        app.clock.time += QUIET * 2
        await app.type(pilot, "Y")
        await app.until_confirmed(pilot)
        assert len(confirmed(app.session)) == 1


async def test_pasting_is_refused_and_said(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        app.dialog.post_message(events.Paste(POD))
        await pilot.pause()
        assert "Pasting is refused" in flat(app)
        await pilot.press("enter")
        app.dialog.post_message(events.Paste(f"{POD}\n"))
        await pilot.pause()
        assert not app.session.commands


async def test_clicks_do_not_confirm(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *POD)
        for y in (0, 5, 12, 20, 22, 23):
            await pilot.click(offset=(10, y), times=2)
        assert not app.session.commands
        assert isinstance(app.screen, ConfirmDialog)


async def test_resizing_does_not_confirm_and_loses_nothing(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *POD[:-1])
        for size in [*SIZES, (80, 24)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert not app.session.commands
        assert f"no match yet ({len(POD) - 1} of {len(POD)})" in flat(app)


ALIKE = [POD.replace("a", "а", 1), POD.replace("o", "ο", 1), POD.replace("-", "‐", 1)]
NEARLY = [POD + " ", " " + POD, POD.upper(), POD + POD, POD[:-1], POD[1:]]


@pytest.mark.parametrize("typed", [*ALIKE, *NEARLY])
async def test_only_the_exact_name_counts(tmp_path: Path, typed: str) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *("space" if character == " " else character for character in typed), "enter")
        assert not app.session.commands
        assert "No match. Nothing sent." in flat(app)


async def test_no_word_counts_before_everything_has_been_on_the_screen(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(60, 16)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *POD, "enter")
        assert not app.session.commands
        assert "Read to the end first" in flat(app)
        while "the end; Up, PgUp" not in flat(app):
            await pilot.press("pagedown")
            await pilot.pause()
        await app.type(pilot, "enter")
        assert app.session.commands == [c.Confirm(POD, "oncall")]


async def test_one_key_does_not_count_before_everything_has_been_on_the_screen(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path, typed=""))
    async with app.run_test(size=(40, 12)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, "Y")
        await app.through_the_moment(pilot)
        assert not app.session.commands


async def test_time_does_not_confirm(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *POD)
        app.clock.time += 86400
        await pilot.pause()
        assert not app.session.commands


# -------------------------------------------------------------------- pasting without brackets
async def test_enter_that_comes_with_the_text_does_not_confirm(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.burst(pilot, *POD, "enter", "enter", *POD, "enter", *POD)
        assert not app.session.commands
        await app.burst(pilot, "ctrl+u", *POD, "enter")
        assert "Pasted text does not confirm. Type it." in flat(app)
        app.clock.time += QUIET * 2
        await app.burst(pilot, "enter")
        assert not app.session.commands, "what was pasted is gone"


async def test_enter_that_follows_the_text_too_soon_counts_when_it_is_pressed_again(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *POD[:-1])
        await app.burst(pilot, POD[-1], "enter")
        assert not app.session.commands
        assert "press Enter again" in flat(app)
        app.clock.time += MOMENT * 2
        await app.burst(pilot, "enter")
        assert app.session.commands == [c.Confirm(POD, "oncall")]


@pytest.mark.parametrize("keys", ["Yes", "aY", "YY", "Y\n", "\nY"])
async def test_one_key_among_others_does_not_confirm_a_change(tmp_path: Path, keys: str) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path, typed=""))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        app.clock.time += MOMENT * 2
        await app.burst(pilot, *("enter" if key == "\n" else key for key in keys))
        await app.through_the_moment(pilot)
        assert not app.session.commands
        assert any(words in flat(app) for words in ("Press it alone", "does not confirm", "Only Y confirms"))


async def test_going_back_in_the_moment_after_the_key_sends_nothing(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path, typed=""))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, "Y", "escape")
        await app.through_the_moment(pilot)
        assert app.session.commands == [c.Decline("oncall")]


# -------------------------------------------------------------------- going back
@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_going_back_sends_nothing_and_says_so(tmp_path: Path, key: str) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        assert "Esc = go back, nothing sent" in flat(app)
        await app.type(pilot, *POD)
        await pilot.press(key)
        assert app.session.commands == [c.Decline("oncall")]
        assert not isinstance(app.screen, ConfirmDialog)


async def test_the_dialog_leaves_when_the_question_is_no_longer_open(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path)
    app = ConfirmStage(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        session.tell(e.Declined("purge", 1, "oncall"))
        await pilot.pause()
        await pilot.pause()
        assert not isinstance(app.screen, ConfirmDialog)


async def test_a_refusal_by_the_session_is_shown_and_the_dialog_stays(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, typed="")
    session.refuse = "nothing waits to be confirmed"
    app = ConfirmStage(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, "Y")
        await app.through_the_moment(pilot)
        assert isinstance(app.screen, ConfirmDialog)
        assert "nothing waits to be confirmed" in flat(app)


# -------------------------------------------------------------------- two people
def agreeing(session: ToldSession) -> None:
    """Put confirmations on record as the session does."""

    def answer(command: c.Command) -> None:
        if isinstance(command, c.Confirm):
            if command.by in session.state.approvals:
                session.commands.pop()
                raise CommandRefusedError(f"{command.by} has already agreed; a second person must")
            session.tell(e.Confirmed("purge", 1, command.by, command.typed))

    session.answers = answer


async def test_a_second_person_gives_name_and_word(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, approvals=2)
    agreeing(session)
    app = ConfirmStage(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *POD, "enter")
        await app.burst(pilot, *POD, "enter")
        assert len(confirmed(session)) == 1, "the first person's keys do not count for the second"
        app.clock.time += QUIET * 2
        await pilot.press(*"deputy", "enter")
        assert len(confirmed(session)) == 1
        await app.type(pilot, *POD, "enter")
        await pilot.pause()
        assert confirmed(session) == [c.Confirm(POD, "oncall"), c.Confirm(POD, "deputy")]


async def test_one_person_is_not_two(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, approvals=2)
    agreeing(session)
    app = ConfirmStage(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *POD, "enter")
        app.clock.time += QUIET * 2
        await app.type(pilot, *"oncall", "enter", *POD, "enter")
        await pilot.pause()
        assert len(confirmed(session)) == 1
        assert session.state.waiting is not None
        assert "already agreed" in flat(app)


async def test_a_name_that_shows_nothing_is_no_second_person(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, approvals=2)
    agreeing(session)
    app = ConfirmStage(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        assert "The second name is not proven" in flat(app)
        await app.type(pilot, *POD, "enter")
        app.clock.time += QUIET * 2
        await app.type(pilot, "enter", "space", "enter", *POD, "enter")
        assert len(confirmed(session)) == 1


TO_SIGN = "breakglass: approve this change\nsite     main\nrun 1/1  kubectl delete pod x\nnonce    0123"
SIGNATURE = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"


async def test_a_second_person_gives_name_and_key_for_a_change_of_one_key(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, approvals=2, typed="")
    agreeing(session)
    app = ConfirmStage(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, "Y")
        await app.until_confirmed(pilot)
        while "has agreed" not in flat(app):
            app.clock.time += QUIET * 2
            await app.type(pilot, "left")
        await app.type(pilot, *"Yd")
        assert "> Yd_" in words(app) and len(confirmed(session)) == 1
        await app.type(pilot, "enter", "Y")
        while len(confirmed(session)) < 2:
            await pilot.pause(0.01)
        assert confirmed(session) == [c.Confirm("Y", "oncall"), c.Confirm("Y", "Yd")]


async def test_a_terminal_that_is_gone_does_not_keep_the_dialog_from_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = (tmp_path / "terminal").open("w+")
    gone.close()
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        monkeypatch.setattr(sys, "__stdin__", gone)
        await app.ask(pilot)
        assert "To run it, type" in flat(app)


async def second(app: ConfirmStage, pilot: Pilot[int]) -> None:
    """Give the first word, and let the deaf time of the second person pass."""
    await app.ask(pilot)
    await app.type(pilot, *POD, "enter")
    app.clock.time += QUIET * 2
    await app.type(pilot, "left")


def as_keys(text: str, line_end: str) -> list[str]:
    return [line_end if each == "\n" else "space" if each == " " else each for each in text]


@pytest.mark.parametrize("line_end", ["", "enter", "ctrl+j"], ids=["in brackets", "as Enter", "as they are"])
async def test_a_signature_is_pasted(tmp_path: Path, line_end: str) -> None:
    session = asked_to_purge(tmp_path, approvals=2, sign=TO_SIGN)
    agreeing(session)
    app = ConfirmStage(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await second(app, pilot)
        assert TO_SIGN in words(app), "with nothing around it"
        assert "paste the signature" in flat(app)
        if line_end:
            await app.burst(pilot, *as_keys(SIGNATURE, line_end))
        else:
            app.dialog.post_message(events.Paste(SIGNATURE))
        while not session.signatures:
            await pilot.pause()
        assert session.signatures[0].split() == SIGNATURE.split()
        while session.state.waiting is not None:
            await pilot.pause()
        await pilot.pause()
        assert not isinstance(app.screen, ConfirmDialog)


async def test_a_signature_that_does_not_hold_is_said_and_another_can_be_pasted(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, approvals=2, sign=TO_SIGN)
    agreeing(session)
    app = ConfirmStage(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await second(app, pilot)
        session.refuse = "it does not hold"
        for count in (1, 2):
            app.dialog.post_message(events.Paste(SIGNATURE))
            while len(session.signatures) < count:
                await pilot.pause()
            await pilot.pause()
            assert "it does not hold" in flat(app)
        assert len(confirmed(session)) == 1


async def test_typing_the_text_of_the_first_person_is_no_signature(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, approvals=2, sign=TO_SIGN)
    agreeing(session)
    app = ConfirmStage(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await second(app, pilot)
        await app.type(pilot, *"deputy", "enter", *POD, "enter")
        assert len(confirmed(session)) == 1
        assert not session.signatures


async def test_what_is_pasted_before_keys_count_is_not_taken(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, approvals=2, sign=TO_SIGN)
    agreeing(session)
    app = ConfirmStage(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *POD, "enter")
        app.dialog.post_message(events.Paste(SIGNATURE))
        await pilot.pause()
        assert not session.signatures
        assert "Paste it again" in flat(app)


async def test_the_text_to_sign_can_be_copied(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, approvals=2, sign=TO_SIGN)
    agreeing(session)
    app = ConfirmStage(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await second(app, pilot)
        await app.type(pilot, "y")
        assert app.clipboard == f"{TO_SIGN}\n"


# -------------------------------------------------------------------- what it shows
@pytest.mark.parametrize("count", [1, 2, 200])
async def test_every_object_of_a_list_is_named_and_is_read_before_a_word_counts(
    tmp_path: Path, count: int
) -> None:
    each = [{"command": f"reboot --now {n}", "where": f"root@node{n}"} for n in range(count)]
    app = ConfirmStage(asked_to_purge(tmp_path, typed=f"{count} on h@lab", each=each, on=""))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        shown = words(app)
        while "more lines below" in flat(app):
            await app.type(pilot, "pagedown")
            shown += words(app)
        for at, change in enumerate(each, start=1):
            assert f"{at}/{count} " in shown
            assert change["command"] in shown and f"{change['where']}" in shown
        await app.type(pilot, *as_keys(f"{count} on h@lab", ""), "enter")
        assert confirmed(app.session) == [c.Confirm(f"{count} on h@lab", "oncall")]


ORDER = ["WILL RUN", "ON", "BREAKS", "UNDO", "NEEDS", "SERVER", "THEN"]


def test_what_counts_stands_in_one_order(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path)
    assert session.state.waiting is not None
    lines = [
        line.plain for line in confirmation_lines(session.state.waiting, session.state, 78, Appearance())
    ]
    labels = [line[:10].strip() for line in lines if line[:1].strip()]
    assert [label for label in labels if label in ORDER] == ORDER
    text = "\n".join(lines)
    assert "re-read 14:01:07Z" in text
    assert "shm: /dev/shm is full (100 %)" in text
    assert AS in text


@pytest.mark.parametrize("width", range(20, 121, 7))
def test_the_command_is_whole_at_every_width(tmp_path: Path, width: int) -> None:
    command = f"{DELETE} --field-manager={'x' * 150}"
    session = asked_to_purge(tmp_path, command=command)
    assert session.state.waiting is not None
    lines = [
        line.plain for line in confirmation_lines(session.state.waiting, session.state, width, Appearance())
    ]
    on = next(at for at, line in enumerate(lines) if line.startswith("ON "))
    shown = "".join(line[10:] for line in lines[:on])
    assert "".join(shown.split()) == "".join(command.split())
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("size", SIZES)
async def test_mode_site_and_question_are_on_screen_at_every_size(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=size) as pilot:
        await app.ask(pilot)
        text = flat(app)
        for part in ("LIVE", "main (prod)", "DESTRUCTIVE", "step 3 of 5", "WILL RUN", "type"):
            assert part in text
        assert "".join(POD) in "".join(text.split())


async def test_what_does_not_fit_is_said_and_reached_with_the_arrows(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(60, 16)) as pilot:
        await app.ask(pilot)
        assert "more lines below" in flat(app)
        await pilot.press(*["down"] * 40)
        await pilot.pause()
        assert "THEN" in words(app)
        assert "the end" in flat(app)


async def test_markup_and_escapes_in_values_are_plain_text(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path, impact="[bold red]x[/] \x1b]52;c;eA==\x07 [link=a]"))
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask(pilot)
        assert "[bold red]x[/] \\x1b]52;c;eA==\\x07 [link=a]" in words(app)


async def test_a_refused_dry_run_is_seen_before_anything_is_typed(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path, server_says="dry run refused: pods is forbidden"))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(pilot)
        assert "dry run refused: pods is forbidden" in flat(app)


def test_progress_says_how_far_the_typed_text_is() -> None:
    assert match_words("ak-outpost-7c9", "ak-outpost-7c9d") == "no match yet (14 of 15)"
    assert match_words("ak-outpust", "ak-outpost-7c9d") == "no match: differs from character 8 on"
    assert match_words("abc", "ab") == "no match: differs from character 3 on"
    assert match_words("ab", "ab") == "matches. Enter  sends it"
    assert match_words("ab", "ab", stood=False) == "matches"
    assert UID not in match_words("", UID)


# -------------------------------------------------------------------- what each moment is said to be
DEAF = "Waiting for all keys to be released"
BACK = "Esc = go back, nothing sent"


async def test_the_dialog_says_what_to_type_and_how_far_that_is(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path), awake=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask(pilot)
        assert DEAF in flat(app) and "To run it" not in flat(app)
        app.clock.time += QUIET * 2
        await app.type(pilot, "left")
        assert f"To run it, type {POD} {BACK}" in flat(app) and DEAF not in flat(app)
        assert "LIVE main (prod) DESTRUCTIVE step 3 of 5 Delete the outpost pod" in flat(app)
        await app.type(pilot, *"ak-X")
        assert "> ak-X_" in words(app) and "differs from character 4 on" in flat(app)
        await app.type(pilot, "enter")
        assert "No match. Nothing sent." in flat(app)
        await app.type(pilot, "backspace")
        assert "> ak-_" in words(app) and "No match" not in flat(app)
        await app.type(pilot, "ctrl+u", *POD)
        assert f"> {POD}_" in words(app)
        await pilot.pause(MOMENT)
        app.clock.time += MOMENT
        await app.type(pilot, "down")
        assert "matches. Enter sends it" in flat(app)
        await app.type(pilot, "enter")
        assert app.session.commands == [c.Confirm(POD, "oncall")]


async def test_the_dialog_of_one_key_says_so_and_what_is_wrong_with_another(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path, typed=""))
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask(pilot)
        assert f"To run it, press Y {BACK}" in flat(app) and "> " not in words(app)
        await app.type(pilot, "y")
        assert "Only Y confirms. Nothing sent." in flat(app)
        await app.type(pilot, "enter")
        assert "Enter does not confirm; only Y does. Nothing sent" in flat(app)
        assert not app.session.commands


async def test_a_text_is_no_longer_than_anybody_types(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *"x" * 250)
        assert "x" * 200 not in flat(app) and "".join(flat(app).split()).count("x" * 100) >= 1
        shown = "".join(words(app).split())
        assert f">{'x' * 200}_" in shown


async def test_what_is_told_to_a_second_person_is_by_name(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, approvals=2)
    agreeing(session)
    app = ConfirmStage(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask(pilot)
        assert f"oncall: To run it, type {POD}" in flat(app)
        await app.type(pilot, *POD, "enter")
        assert DEAF in flat(app)
        app.clock.time += QUIET * 2
        await app.type(pilot, "left")
        assert f"oncall has agreed. Second person: type your name, then Enter {BACK}" in flat(app)
        await app.type(pilot, "space", *"dep", "space", "enter")
        assert f"dep: To run it, type {POD}" in flat(app) and "> _" in words(app)
        session.refuse = "no"
        await app.type(pilot, *POD, "enter")
        assert "no" in flat(app) and "Second person: type your name" in flat(app)


async def test_what_is_told_to_a_second_person_who_signs(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path, approvals=2, sign=TO_SIGN)
    agreeing(session)
    app = ConfirmStage(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await second(app, pilot)
        said = f"Second person, sign this text (y copies it): {SIGN_WITH} Then paste the signature {BACK}"
        assert f"oncall has agreed. {said}" in flat(app)
        assert "> nothing is pasted yet" in words(app)
        await app.burst(pilot, *as_keys("-----BEGIN\nx\n", "enter"))
        assert "> 2 lines pasted; it ends with -----END SSH SIGNATURE-----" in flat(app)
        await app.type(pilot, "backspace")
        assert "> nothing is pasted yet" in words(app)
        app.dialog.post_message(events.Paste("\n\r -----BEGIN\r\nx"))
        await pilot.pause()
        assert "> 3 lines pasted" in flat(app)
        await app.type(pilot, "ctrl+u")
        assert "> nothing is pasted yet" in words(app) and not session.signatures


async def test_a_change_that_was_accepted_is_said_so_and_not_sent(tmp_path: Path) -> None:
    session = before_accepting(tmp_path)
    app = ConfirmStage(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask(pilot)
        await app.type(pilot, *POD)
        await pilot.pause(MOMENT)
        app.clock.time += MOMENT
        await app.type(pilot, "down")
        assert "matches. Enter accepts it" in flat(app)


def before_accepting(folder: Path) -> ToldSession:
    session = asked_to_purge(folder)
    session.tell(replace(confirmation(), question="accept", command="- a\n+ b"))
    return session


async def test_going_back_that_is_refused_leaves_the_dialog_where_it_is(tmp_path: Path) -> None:
    session = asked_to_purge(tmp_path)
    app = ConfirmStage(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask(pilot)
        session.refuse = "it has been sent"
        await app.type(pilot, "escape")
        assert isinstance(app.screen, ConfirmDialog) and "it has been sent" in flat(app)
        session.refuse = ""
        await app.type(pilot, "escape")
        assert not isinstance(app.screen, ConfirmDialog)
        assert session.commands == [c.Decline("oncall")]


async def test_the_lines_are_gone_through_in_both_directions(tmp_path: Path) -> None:
    app = ConfirmStage(asked_to_purge(tmp_path))
    async with app.run_test(size=(60, 16)) as pilot:
        await app.ask(pilot)
        places: list[float] = []
        for key in ("down", "down", "up", "pagedown", "pageup"):
            await app.type(pilot, key)
            await pilot.pause()
            places.append(app.dialog.query_one("#confirm-body").scroll_y)
        assert places[:3] == [1, 2, 1] and places[3] > 2 and places[4] < places[3]
