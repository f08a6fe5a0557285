"""Which command a question takes, and what is told to those who look on, without a walk around it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.engine import commands as c
from breakglass.engine.prompts import JournalWriter, checked_answer, typed_value, without_secrets
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State
from breakglass.journal.store import JournalError, open_journal
from breakglass.site.redaction import Redactor

BY = "operator"
STARTED = e.SessionStarted(
    "s1", "example", "t", "sev2", "/r", "d", "lab", "/s", False, "live", BY, {}, "0", "host", 1
)


@asynccontextmanager
async def writer(folder: Path) -> AsyncGenerator[JournalWriter]:
    folder.mkdir(exist_ok=True)
    made = JournalWriter(open_journal(folder, create=True))
    await made.record(STARTED)
    await made.record(e.StepStarted("a", 1))
    try:
        yield made
    finally:
        await made.close()


async def asked(made: JournalWriter, question: e.Question, **more: object) -> "asyncio.Task[c.Command]":
    """Put a question, and return when it has been told."""
    told = asyncio.Event()
    stop = made.subscribe(lambda recorded, _: told.set() if isinstance(recorded.event, e.Asked) else None)
    task = asyncio.create_task(made.ask(e.Asked("a", 1, question, **more)))  # type: ignore[arg-type]
    await told.wait()
    stop()
    return task


COMMANDS: dict[str, c.Command] = {
    "continue": c.Continue(BY),
    "retry": c.Retry(BY),
    "jump": c.Jump("b", "", BY),
    "skip": c.Skip("not here", BY),
    "undo": c.Undo(BY),
    "answer": c.Answer("x", BY),
    "decline": c.Decline(BY),
    "confirm": c.Confirm("word", BY),
    "stop": c.Stop("enough", BY),
}
TAKES: dict[e.Question, str] = {
    "confirm": "decline skip jump stop",
    "accept": "decline confirm stop",
    "decide": "retry skip jump stop",
    "answer": "answer skip jump stop",
    "choose": "answer skip jump stop",
    "acknowledge": "answer skip jump stop",
    "continue": "continue retry skip jump stop",
}
"""What each question takes. A change is confirmed by its word alone, which goes on record first."""


@pytest.mark.parametrize("question", TAKES)
async def test_a_question_takes_its_own_commands_and_no_others(tmp_path: Path, question: e.Question) -> None:
    for name, command in COMMANDS.items():
        if (question, name) == ("confirm", "confirm"):
            continue
        async with writer(tmp_path / f"{question}-{name}") as made:
            waiting = await asked(made, question, typed="word", options={"x": "the one way"})
            if name in TAKES[question].split():
                made.command(command)
                answer = await waiting
                assert type(answer) is type(command)
                assert answer == command or name == "answer"
            else:
                with pytest.raises(CommandRefusedError):
                    made.command(command)
                assert not waiting.done()
                waiting.cancel()


async def test_a_question_that_nobody_puts_now_takes_no_answer(tmp_path: Path) -> None:
    async with writer(tmp_path) as made:
        await made.record(e.Asked("a", 1, "continue", options={"continue": "go on"}))
        for command in (c.Continue(BY), c.Skip("why", BY), c.Jump("a", "", BY), c.Retry(BY)):
            with pytest.raises(CommandRefusedError, match="the walk is under way; pause it first"):
                made.command(command)


@pytest.mark.parametrize("question", ["decide", "continue", "acknowledge"])
async def test_a_step_is_undone_only_where_that_is_offered(tmp_path: Path, question: e.Question) -> None:
    async with writer(tmp_path) as made:
        waiting = await asked(made, question, options={"undo": "put it back"})
        made.command(c.Undo(BY))
        assert await waiting == c.Undo(BY)


async def test_what_a_question_waits_for_is_said_to_who_gives_something_else(tmp_path: Path) -> None:
    said = {
        "decide": "a decision how to go on",
        "answer": "an answer",
        "choose": "a choice",
        "acknowledge": "what was done and seen by hand",
        "confirm": "a change to be confirmed or declined",
        "accept": "what has changed to be accepted or declined",
    }
    for question, words in said.items():
        async with writer(tmp_path / question) as made:
            waiting = await asked(made, question)  # type: ignore[arg-type]
            with pytest.raises(CommandRefusedError) as refused:
                made.command(c.Continue(BY))
            assert str(refused.value) == f"continue does not apply now: the walk waits for {words}"
            waiting.cancel()
    async with writer(tmp_path / "continue") as made:
        waiting = await asked(made, "continue")
        with pytest.raises(CommandRefusedError, match="the walk waits for the word to go on"):
            made.command(c.Answer("x", BY))
        waiting.cancel()


@pytest.mark.parametrize("reason", ["", " ", "\t\n"])
async def test_a_step_is_not_skipped_without_a_reason(tmp_path: Path, reason: str) -> None:
    async with writer(tmp_path) as made:
        waiting = await asked(made, "decide")
        with pytest.raises(CommandRefusedError, match="wants a reason"):
            made.command(c.Skip(reason, BY))
        waiting.cancel()


async def test_what_has_changed_is_accepted_by_its_text_alone_and_not_passed_by(tmp_path: Path) -> None:
    async with writer(tmp_path) as made:
        waiting = await asked(made, "accept", typed="lab")
        for wrong in ("", "LAB", "lab ", "Y"):
            with pytest.raises(CommandRefusedError, match=r"no match for 'lab'\. Nothing sent"):
                made.command(c.Confirm(wrong, BY))
        for past in (c.Skip("why not", BY), c.Jump("b", "", BY)):
            with pytest.raises(CommandRefusedError, match="first accept what has changed, or stop"):
                made.command(past)
        made.command(c.Confirm("lab", BY))
        assert await waiting == c.Confirm("lab", BY)


# -------------------------------------------------------------------- the word for a change
@pytest.mark.parametrize(("typed", "word"), [("", "Y"), ("app@lab", "app@lab")])
async def test_a_change_takes_its_word_once_it_is_on_record(tmp_path: Path, typed: str, word: str) -> None:
    async with writer(tmp_path) as made:
        waiting = await asked(made, "confirm", typed=typed)
        for wrong in ("", "y", "Y ", "app", "APP@LAB", "word"):
            with pytest.raises(CommandRefusedError, match="Nothing sent"):
                made.command(c.Confirm(wrong, BY))
        for nobody in ("", "  "):
            with pytest.raises(CommandRefusedError, match="the name is empty"):
                made.command(c.Confirm(word, nobody))
        on_record = made.command(c.Confirm(word, BY))
        assert not waiting.done() and not made.state.approvals
        await on_record
        assert await waiting == c.Confirm(word, BY)
        assert made.journal.records[-1].event == e.Confirmed("a", 1, BY, word)


async def test_beside_a_word_on_its_way_to_the_record_nothing_else_is_taken(tmp_path: Path) -> None:
    async with writer(tmp_path) as made:
        waiting = await asked(made, "confirm")
        on_record = made.command(c.Confirm("Y", BY))
        for other in (c.Confirm("Y", "dep"), c.Decline(BY), c.Skip("no", BY), c.Jump("b", "", BY)):
            with pytest.raises(CommandRefusedError, match="a word is being put on record"):
                made.command(other)
        made.command(c.Stop("enough", BY))
        await on_record
        await waiting
        assert made.stop_wanted == c.Stop("enough", BY), "the walk sees it before it sends"


async def test_two_people_give_their_words_one_after_the_other(tmp_path: Path) -> None:
    async with writer(tmp_path) as made:
        waiting = await asked(made, "confirm", typed="lab", approvals=2)
        await made.command(c.Confirm("lab", BY))
        assert made.state.approvals == (BY,) and not waiting.done()
        for same in (BY, BY.upper(), f" {BY} "):
            with pytest.raises(CommandRefusedError, match="has already agreed; a second person must"):
                made.command(c.Confirm("lab", same))
        await made.command(c.Confirm("lab", "dep"))
        assert await waiting == c.Confirm("lab", "dep")
        proofs = [each.event.proof for each in made.journal.records if isinstance(each.event, e.Confirmed)]
        assert proofs == ["", "none"]


async def test_a_second_word_that_is_a_signature_cannot_be_typed(tmp_path: Path) -> None:
    async with writer(tmp_path) as made:
        waiting = await asked(made, "confirm", approvals=2, sign="the text")
        await made.command(c.Confirm("Y", BY))
        with pytest.raises(CommandRefusedError, match="the second person's word is a signature"):
            made.command(c.Confirm("Y", "dep"))
        waiting.cancel()


async def test_a_signature_is_taken_only_where_one_is_asked_for(tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    for name, more, agreed in (
        ("nobody", {"sign": "the text", "approvals": 2}, False),
        ("typed", {"approvals": 2}, True),
    ):
        async with writer(tmp_path / name) as made:
            waiting = await asked(made, "confirm", **more)
            if agreed:
                await made.command(c.Confirm("Y", BY))
            with pytest.raises(CommandRefusedError, match="no signature is asked for now"):
                await made.sign(c.Sign("x"), signers)
            waiting.cancel()
    async with writer(tmp_path / "signers-not-named") as made:
        waiting = await asked(made, "confirm", approvals=2, sign="the text")
        await made.command(c.Confirm("Y", BY))
        with pytest.raises(CommandRefusedError, match="no signature is asked for now"):
            await made.sign(c.Sign("x"), None)
        waiting.cancel()


@pytest.mark.parametrize("question", [None, *(each for each in TAKES if each != "confirm")])
async def test_where_no_change_is_asked_about_none_is_confirmed(
    tmp_path: Path, question: e.Question | None
) -> None:
    async with writer(tmp_path) as made:
        waiting = await asked(made, question, typed="word") if question is not None else None
        if question != "accept":
            with pytest.raises(CommandRefusedError, match="nothing waits to be confirmed"):
                made.command(c.Confirm("Y", BY))
        with pytest.raises(CommandRefusedError, match="nothing waits to be confirmed"):
            await made.sign(c.Sign("x"), tmp_path)
        if waiting is not None:
            waiting.cancel()


# -------------------------------------------------------------------- between questions
async def test_a_walk_that_is_under_way_is_paused_and_stopped_and_takes_no_answer(
    tmp_path: Path,
) -> None:
    async with writer(tmp_path) as made:
        for command in COMMANDS.values():
            if not isinstance(command, c.Stop | c.Confirm):
                with pytest.raises(CommandRefusedError, match="the walk is under way; pause it first"):
                    made.command(command)
        assert not made.pause_wanted
        made.command(c.Pause(BY))
        assert made.pause_wanted and made.stop_wanted is None
        made.command(c.Stop("enough", BY))
        assert made.stop_wanted == c.Stop("enough", BY)
        waiting = await asked(made, "confirm")
        assert await waiting == c.Stop("enough", BY), "what is asked then is answered by the stop"


async def test_a_stop_that_comes_while_the_question_is_written_answers_it(tmp_path: Path) -> None:
    async with writer(tmp_path) as made:
        waiting = asyncio.create_task(made.ask(e.Asked("a", 1, "confirm")))
        await asyncio.sleep(0)
        made.command(c.Stop("enough", BY))
        assert await waiting == c.Stop("enough", BY)


async def test_a_stop_answers_a_question_and_is_then_over(tmp_path: Path) -> None:
    async with writer(tmp_path) as made:
        waiting = await asked(made, "decide")
        with pytest.raises(CommandRefusedError, match="already waits for you"):
            made.command(c.Pause(BY))
        made.command(c.Stop("enough", BY))
        assert await waiting == c.Stop("enough", BY) and made.stop_wanted is None


async def test_a_read_is_cancelled_and_a_change_is_not(tmp_path: Path) -> None:
    async with writer(tmp_path) as made:
        with pytest.raises(CommandRefusedError, match="no read is running"):
            made.command(c.CancelRead(BY))
        made.busy = "changing"
        with pytest.raises(CommandRefusedError, match="a change is under way and is not cancelled"):
            made.command(c.CancelRead(BY))
        for command in (c.CancelRead(BY), c.Stop("enough", BY)):
            task = asyncio.create_task(asyncio.Event().wait())
            made.reading(task)
            assert made.busy == "reading"
            made.command(command)
            with pytest.raises(asyncio.CancelledError):
                await task
            made.reading(None)
            assert made.busy == ""


@pytest.mark.parametrize("mode", ["live", "rehearsal"])
async def test_a_hint_is_shown_in_a_rehearsal_alone(tmp_path: Path, mode: e.Mode) -> None:
    async with writer(tmp_path) as made:
        await made.record(e.SessionStarted(**{**fields_of(STARTED), "mode": mode}))  # type: ignore[arg-type]
        with pytest.raises(CommandRefusedError, match="there is no hint here"):
            made.command(c.Hint(BY))
        made.hint_for = lambda step: f"look at {step}"
        if mode == "live":
            with pytest.raises(CommandRefusedError, match="there is no hint here"):
                made.command(c.Hint(BY))
        else:
            await made.command(c.Hint(BY))
            assert made.journal.records[-1].event == e.HintShown("a", "look at a")


def fields_of(event: e.Event) -> dict[str, object]:
    return {name: getattr(event, name) for name in type(event).__slots__}


async def test_after_the_end_only_a_note_and_handing_over_are_taken_and_after_closing_nothing(
    tmp_path: Path,
) -> None:
    made = JournalWriter(open_journal(tmp_path, create=True))
    await made.record(STARTED)
    await made.record(e.SessionEnded("completed"))
    for command in (*COMMANDS.values(), c.Pause(BY), c.CancelRead(BY), c.Hint(BY)):
        with pytest.raises(CommandRefusedError, match="the session has ended; resume it first"):
            made.command(command)
    await made.command(c.Note("later", BY))
    await made.command(c.HandOver("dep", BY))
    before = len(made.journal.records)
    await made.close()
    for command in (c.Note("later", BY), c.HandOver("dep", BY), c.Pause(BY)):
        with pytest.raises(CommandRefusedError, match="the session is closed"):
            made.command(command)
    with pytest.raises(JournalError, match="is closed; nothing more is recorded"):
        await made.record(STARTED)
    await made.record_soon(STARTED)
    assert len(made.journal.records) == before


# -------------------------------------------------------------------- who looks on
async def test_who_looks_on_is_told_what_is_on_record_until_he_has_seen_enough(tmp_path: Path) -> None:
    seen: list[tuple[e.Event, int]] = []
    async with writer(tmp_path) as made:

        def look(recorded: Recorded, state: State) -> None:
            seen.append((recorded.event, len(state.timeline)))

        stop = made.subscribe(look)
        await made.record(e.NoteAdded("a", "one", BY))
        stop()
        stop()
        await made.record(e.NoteAdded("a", "two", BY))
    assert seen == [(e.NoteAdded("a", "one", BY), 3)]


async def test_who_can_be_shown_nothing_any_more_is_told_no_more_and_the_walk_stops(tmp_path: Path) -> None:
    told: list[str] = []

    def gone(recorded: Recorded, state: State) -> None:
        told.append(recorded.event.type)
        raise BrokenPipeError(32, "Broken pipe")

    async with writer(tmp_path) as made:
        made.subscribe(gone)
        await made.record(e.NoteAdded("a", "one", BY))
        await made.record(e.NoteAdded("a", "two", BY))
        assert told == ["note.added"]
        assert made.stop_wanted == c.Stop("what happens cannot be shown any more: Broken pipe", BY)


async def test_a_stop_that_was_given_before_is_the_one_that_counts(tmp_path: Path) -> None:
    def gone(recorded: Recorded, state: State) -> None:
        raise OSError("no terminal")

    async with writer(tmp_path) as made:
        made.stop_wanted = c.Stop("first", BY)
        made.subscribe(gone)
        await made.record(e.NoteAdded("a", "one", BY))
        assert made.stop_wanted == c.Stop("first", BY)


# -------------------------------------------------------------------- values
async def test_a_captured_value_is_kept_as_it_is_where_the_record_may_not_have_it(tmp_path: Path) -> None:
    async with writer(tmp_path) as made:
        made.redactor.add("correct-horse")
        await made.capture("a", 1, {"key": ("correct-horse", "correct-horse"), "plain": (3, 3)})
        assert made.state.values == {"key": "«redacted»", "plain": 3}
        assert made.secret_values == {"key": "correct-horse"}
        await made.capture("a", 2, {"key": ("blue", "blue")})
        assert made.state.values["key"] == "blue" and made.secret_values == {}


def test_of_an_event_what_comes_from_a_value_is_searched_and_names_are_not() -> None:
    redactor = Redactor()
    redactor.add("a-secret")
    asked_ = e.Asked("a-secret", 1, "confirm", "a-secret", options={"a-secret": "a-secret"}, typed="a-secret")
    assert without_secrets(asked_, redactor) == e.Asked(
        "a-secret", 1, "confirm", "«redacted»", options={"a-secret": "«redacted»"}, typed="a-secret"
    )
    plain = e.NoteAdded("a", "nothing in it", BY)
    assert without_secrets(plain, redactor) is plain


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("12", "integer", 12),
        ("-1", "integer", -1),
        ("1.5", "number", 1.5),
        *((text, "boolean", True) for text in ("true", "True", "yes", "YES")),
        *((text, "boolean", False) for text in ("false", "no", "No")),
        ("true", "string", "true"),
        ("", "string", ""),
    ],
)
def test_a_text_becomes_a_value_of_its_type(text: str, type_: str, value: object) -> None:
    found = typed_value(text, type_, "")
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "type_"), [("1.5", "integer"), ("x", "number"), ("y", "boolean"), ("1", "boolean")]
)
def test_a_text_of_another_type_is_refused_and_named(text: str, type_: str) -> None:
    with pytest.raises(CommandRefusedError, match=f"{text!r} is not a value of type {type_}"):
        typed_value(text, type_, "")


@given(st.text())
def test_a_text_fits_its_pattern_whole(text: str) -> None:
    try:
        assert typed_value(text, "string", "[a-c]{2}") == text
    except CommandRefusedError as refused:
        assert str(refused) == f"{text!r} does not match [a-c]{{2}}"
        assert not (len(text) == 2 and set(text) <= set("abc"))
    assert typed_value("ab", "string", "[a-c]{2}") == "ab"
    with pytest.raises(CommandRefusedError):
        typed_value("xab", "string", "[a-c]{2}")


def test_what_a_secret_answer_was_is_not_said_where_it_does_not_fit() -> None:
    for pattern, wanted in (("[0-9]+", r"\[0-9\]\+"), ("", "type integer")):
        secret = e.Asked("a", 1, "answer", value_type="integer", pattern=pattern, secret=True)
        with pytest.raises(CommandRefusedError, match=f"^what was given does not match {wanted}$"):
            checked_answer(secret, "hunter2")
        plain = e.Asked("a", 1, "answer", value_type="integer", pattern=pattern)
        with pytest.raises(CommandRefusedError, match="hunter2"):
            checked_answer(plain, "hunter2")


def test_a_choice_is_one_of_those_that_are_offered() -> None:
    choose = e.Asked("a", 1, "choose", options={"x": "", "y": ""})
    assert checked_answer(choose, "y") == "y"
    with pytest.raises(CommandRefusedError, match=r"^choose one of: x, y$"):
        checked_answer(choose, "z")
    assert checked_answer(e.Asked("a", 1, "acknowledge"), "anything") is True
