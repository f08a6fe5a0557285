"""What a person answers: manual steps, choices and values, in their types; nothing else gets in."""

from pathlib import Path

import pytest

from breakglass.engine import commands as c
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.store import FILE_NAME
from tests.engine.support import events_of, ok, session_of, walk

MANUAL = """
- id: light
  title: Look at the light
  manual: Is the light of ${{ inputs.namespace }} green?
  capture: {seen: result.note}
"""


async def test_a_manual_step_shows_its_instructions_and_keeps_the_note(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, MANUAL, {})
    asked: list[str] = []

    def look(question: e.Asked) -> c.Command:
        asked.append(question.text)
        return c.Answer(True, "operator", "green, blinking")

    state = await walk(engine, look)
    assert asked == ["Is the light of web green?"]
    assert state.values == {"seen": "green, blinking"}


CHOOSE = """
- id: way
  title: Which way?
  choose:
    purge: {say: "Delete ${{ inputs.namespace }}", goto: purge}
    wait: {say: Wait a while}
    never: {say: Not here, goto: purge, when: "inputs.namespace == 'other'"}
  capture: {way: result.choice}
- {id: after, title: Wait, ssh: {host: pve, run: [uptime]}, next: done}
- {id: purge, title: Look again, ssh: {host: node1, run: [uptime]}}
"""


@pytest.mark.parametrize(("choice", "command"), [("purge", "ssh node1 uptime"), ("wait", "ssh pve uptime")])
async def test_a_choice_leads_where_it_says(tmp_path: Path, choice: str, command: str) -> None:
    engine, far = session_of(tmp_path, CHOOSE, {"ssh": ok("up")})
    state = await walk(engine, c.Answer(choice, "operator"))
    assert far.commands[0] == command
    assert state.values["way"] == choice


async def test_a_way_that_does_not_apply_is_not_offered_and_cannot_be_taken(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, CHOOSE, {"ssh": ok("up")})

    def look(question: e.Asked) -> c.Command:
        assert dict(question.options) == {"purge": "Delete web", "wait": "Wait a while"}
        with pytest.raises(CommandRefusedError, match="choose one of: purge, wait"):
            engine.command(c.Answer("never", "operator"))
        return c.Answer("wait", "operator")

    await walk(engine, look)


ASK = """
- id: number
  title: How many?
  ask: {prompt: "How many voters?", type: integer}
  capture: {voters: result.answer}
"""


async def test_a_value_comes_in_its_type(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, ASK, {})

    def answer(_: e.Asked) -> c.Command:
        for wrong in ("three", "", "3.5", "3; reboot"):
            with pytest.raises(CommandRefusedError):
                engine.command(c.Answer(wrong, "operator"))
        return c.Answer("3", "operator")

    state = await walk(engine, answer)
    assert state.values == {"voters": 3}


SECRET = """
- id: key
  title: Type the key
  ask: {prompt: "Unseal key?", type: string, secret: true}
- id: echo
  title: Read something that echoes it
  ssh: {host: pve, run: [cat, /tmp/log]}
"""


async def test_a_secret_answer_is_in_no_record_even_when_it_is_echoed(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, SECRET, {"ssh pve cat": ok("key=correct-horse-battery\n")})
    state = await walk(engine, c.Answer("correct-horse-battery", "operator"))
    engine.writer.journal.close()
    for path in tmp_path.joinpath("session").rglob("*"):
        assert not path.is_file() or b"correct-horse" not in path.read_bytes()
    (answered,) = events_of(state, e.Answered)
    assert isinstance(answered, e.Answered) and answered.value == "«not kept»"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (c.Confirm("Y", "operator"), "nothing waits to be confirmed"),
        (c.Continue("operator"), "waits for what was done and seen by hand"),
        (c.Decline("operator"), "waits for what was done and seen by hand"),
        (c.Retry("operator"), "waits for what was done and seen by hand"),
        (c.Undo("operator"), "waits for what was done and seen by hand"),
        (c.Pause("operator"), "already waits for you"),
        (c.CancelRead("operator"), "no read is running"),
        (c.Hint("operator"), "there is no hint here"),
    ],
)
async def test_a_command_that_does_not_apply_is_refused_with_the_reason(
    tmp_path: Path, command: c.Command, why: str
) -> None:
    engine, _ = session_of(tmp_path, MANUAL, {})

    def wrong(_: e.Asked) -> c.Command:
        with pytest.raises(CommandRefusedError, match=why):
            engine.command(command)
        return c.Answer(True, "operator", "seen")

    state = await walk(engine, wrong)
    assert state.ended == e.SessionEnded("completed")


async def test_notes_are_kept_at_any_time_also_after_the_end(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, MANUAL, {})

    def note(_: e.Asked) -> c.Command:
        engine.command(c.Note("the fan is loud", "operator"))
        return c.Answer(True, "operator", "seen")

    await walk(engine, note)
    await engine.command(c.Note("written down", "operator"))
    assert [n.event.text for n in engine.state.notes if isinstance(n.event, e.NoteAdded)] == [
        "the fan is loud",
        "written down",
    ]
    engine.writer.journal.close()
    assert "written down" in (tmp_path / "session" / FILE_NAME).read_text()


async def test_after_the_end_nothing_else_is_taken(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, MANUAL, {})
    await walk(engine, c.Answer(True, "operator", "seen"))
    with pytest.raises(CommandRefusedError, match="the session has ended"):
        engine.command(c.Retry("operator"))


async def test_handing_over_changes_who_is_in_charge(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, MANUAL, {})

    def over(_: e.Asked) -> c.Command:
        engine.command(c.HandOver("the next shift", "operator"))
        return c.Answer(True, "the next shift", "seen")

    state = await walk(engine, over)
    assert state.operator == "the next shift"
