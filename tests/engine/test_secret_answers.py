"""A secret answer decides and is sent, and nothing that was made from it is in any record, however it was
made."""

from dataclasses import fields
from pathlib import Path

import pytest

from breakglass.engine import commands as c
from breakglass.engine.prompts import without_secrets
from breakglass.engine.scope import truthful
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.site.redaction import MARK, Redactor
from breakglass.values import Json
from tests.engine.support import events_of, ok, resumed, session_of, walk

PHRASE = "correct-horse-Battery"


def asked(type_: str, more: str, rest: str = "") -> str:
    return f"""
- id: secret
  title: Type it
  ask: {{prompt: "What is it?", type: {type_}, secret: true}}
{more}
{rest}
- id: after
  title: Send it
  ssh: {{host: pve, run: [echo, "${{{{ string(kept) }}}}"]}}
"""


def stored(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.joinpath("session").rglob("*") if path.is_file())


async def walked(folder: Path, steps: str, answer: str, says: str = "fine") -> tuple[State, list[str]]:
    engine, far = session_of(folder, steps, {"ssh pve echo": ok(says)})
    state = await walk(engine, c.Answer(answer, "operator"))
    engine.writer.journal.close()
    return state, far.commands


@pytest.mark.parametrize(
    ("derived", "value"),
    [
        ("result.answer.upperAscii()", "CORRECT-HORSE-BATTERY"),
        ("result.answer.reverse()", "yrettaB-esroh-tcerroc"),
        ("result.answer.split('-')[2] + '.'", "Battery."),
        ("'user:' + result.answer + '@host'", f"user:{PHRASE}@host"),
        ("result.answer.replace('-', '')", "correcthorseBattery"),
    ],
)
async def test_what_is_made_from_a_secret_answer_is_sent_and_never_recorded(
    tmp_path: Path, derived: str, value: str
) -> None:
    steps = asked("string", f'  capture: {{kept: "{derived}"}}')
    _, sent = await walked(tmp_path, steps, PHRASE, f"you said {value}\n")
    assert sent == [f"ssh pve echo {value}"]
    assert value.encode() not in stored(tmp_path)
    assert PHRASE.encode() not in stored(tmp_path)


async def test_the_pieces_of_a_secret_answer_are_kept_out_too(tmp_path: Path) -> None:
    steps = asked("string", "  capture: {kept: result.answer, parts: \"result.answer.split('-')\"}")
    state, _ = await walked(tmp_path, steps, PHRASE, "a horse, a Battery\n")
    assert state.values == {"kept": MARK, "parts": MARK}
    for piece in (b"correct", b"horse", b"Battery"):
        assert piece not in stored(tmp_path)


@pytest.mark.parametrize("answer", ["482913", "+482913"])
async def test_a_secret_number_is_sent_and_never_recorded(tmp_path: Path, answer: str) -> None:
    expect = '  expect: [{that: "result.answer > 999999", else: "no: ${{ string(result.answer) }}"}]'
    steps = asked("integer", f"  capture: {{kept: result.answer, twice: result.answer * 2}}\n{expect}")
    engine, far = session_of(tmp_path, steps, {"ssh pve echo": ok('{"pin": 482913} 965826\n')})
    state = await walk(engine, c.Answer(answer, "operator"), c.Jump("after", "", "operator"))
    engine.writer.journal.close()
    assert far.commands == ["ssh pve echo 482913"]
    for piece in (b"482913", b"965826"):
        assert piece not in stored(tmp_path)
    (judged,) = [each for each in events_of(state, e.Judged) if isinstance(each, e.Judged)]
    assert (judged.observed, judged.message) == ({"result.answer": MARK}, f"no: {MARK}")


@pytest.mark.parametrize(("type_", "answer"), [("string", "ab7"), ("integer", "42"), ("boolean", "yes")])
async def test_an_answer_that_is_too_short_to_be_kept_out_is_not_recorded_and_said_to_be(
    tmp_path: Path, type_: str, answer: str
) -> None:
    more = "  capture: {kept: result.answer}\n  expect: [{that: \"string(result.answer) != ''\", else: e}]"
    state, sent = await walked(tmp_path, asked(type_, more), answer)
    assert sent == [f"ssh pve echo {'true' if answer == 'yes' else answer}"]
    assert state.values == {"kept": MARK}
    notes = [each.event.text for each in state.notes if isinstance(each.event, e.NoteAdded)]
    assert len(notes) == 1 and "fewer than 4 characters" in notes[0]
    observed = [each.observed for each in events_of(state, e.Judged) if isinstance(each, e.Judged)]
    assert observed == [{"result.answer": MARK}]
    prepared = [each for each in events_of(state, e.ActionPrepared) if isinstance(each, e.ActionPrepared)]
    assert prepared[0].command == f"echo '{MARK}'"


async def test_what_is_decided_by_a_secret_is_recorded_as_it_is_or_not_at_all(tmp_path: Path) -> None:
    captures = f"same: result.answer == '{PHRASE}', long: size(result.answer), kept: result.answer"
    state, _ = await walked(tmp_path, asked("string", f"  capture: {{{captures}}}"), PHRASE)
    assert state.values == {"same": MARK, "long": MARK, "kept": MARK}


async def test_after_a_resume_only_the_mark_is_left(tmp_path: Path) -> None:
    steps = asked("string", "  capture: {kept: result.answer}", "- {id: stay, title: Stay, manual: Wait.}\n")
    engine, far = session_of(tmp_path, steps, {"ssh pve echo": ok("fine")})
    await walk(engine, c.Answer(PHRASE, "operator"))
    assert engine.writer.secret_values == {"kept": PHRASE}
    again = resumed(engine, far)
    assert again.state.values == {"kept": MARK}
    assert again.writer.secret_values == {}
    again.writer.journal.close()


async def test_a_text_to_type_that_holds_a_secret_is_refused(tmp_path: Path) -> None:
    purge = """
- id: purge
  title: Delete it
  kubectl: delete pod web-1 -n default
  impact: It is gone.
  confirm: {type: "${{ kept }}"}
  verify: {kubectl: get pods -n default -o json, until: "true", within: 1s}
"""
    steps = asked("string", "  capture: {kept: result.answer}", purge)
    engine, far = session_of(tmp_path, steps, {})
    state = await walk(engine, c.Answer(PHRASE, "operator"))
    assert far.commands == []
    assert state.steps["purge"].status == "failed"
    assert "holds a secret" in (state.steps["purge"].last or pytest.fail()).say


def test_every_field_of_an_event_is_without_secrets_but_for_names() -> None:
    redactor = Redactor()
    redactor.add("hunter2hunter2")
    for kind in e.Event.__args__:
        made = kind(*("x hunter2hunter2" for _ in fields(kind)))  # type: ignore[arg-type]
        safe = without_secrets(made, redactor)
        for field in fields(kind):
            holds_text = field.type is str or field.type is Json
            assert (getattr(safe, field.name) == f"x {MARK}") or not holds_text, f"{kind.type}.{field.name}"
            is_name = field.type is e.Name
            assert (getattr(safe, field.name) == "x hunter2hunter2") or not is_name


def test_names_in_the_values_of_an_event_stay_and_what_is_deeper_is_data() -> None:
    redactor = Redactor()
    redactor.add("4829137")
    event = e.Captured("s", 1, {"4829137": {"4829137": [4829137, 1.5, True, None, "at 4829137"]}})
    assert without_secrets(event, redactor).values == {
        "4829137": {MARK: [MARK, 1.5, True, None, f"at {MARK}"]}
    }


@pytest.mark.parametrize(
    ("value", "shown", "truth"),
    [
        ("a secret b", f"a {MARK} b", f"a {MARK} b"),
        (True, False, MARK),
        (True, True, True),
        (1, True, MARK),
        (12, 3, MARK),
        ("yes", "no", MARK),
        (["a", "secret"], ["a", MARK], ["a", MARK]),
        (["a", "secret"], [MARK], MARK),
        ({"a": "secret", "b": 1}, {"a": MARK, "b": 1}, {"a": MARK, "b": 1}),
        ({"secret": 1}, {MARK: 1}, MARK),
    ],
)
def test_what_is_shown_is_true_or_marked(value: Json, shown: Json, truth: Json) -> None:
    assert truthful(value, shown) == truth
