"""What plain lines show of each question, and what each answer tells the session."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import TextIO, TypeAlias

import pytest

from breakglass.cli import plain
from breakglass.cli.plain import NEEDS_A_PERSON, answer_confirmation, answer_questions, tell_step
from breakglass.cli.terminal_input import TerminalInput
from breakglass.engine import commands as c
from breakglass.engine.opening import operator_name
from breakglass.engine.session import Request
from breakglass.engine.signature import END, LARGEST_SIGNATURE, SIGN_WITH
from breakglass.engine.walk import Engine
from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal.state import Observer, State, fold
from breakglass.runbook.load import load_runbook
from tests.engine.support import ok, session_of, write_runbook
from tests.journal.test_state import STARTED, recorded
from tests.rehearsal.test_local import RUNBOOK, SCENARIO

ASKED = e.Asked("purge", 1, "confirm", text="Delete it", command="delete web", where="main", risk="change")
BY = operator_name()


class Terminal(TerminalInput):
    """Somebody at a terminal who gives these answers, in their order; then the input has ended."""

    def __init__(self, *answers: str, person: bool = True) -> None:
        self.out = StringIO()
        super().__init__(self.out)
        self.answers = list(answers)
        self.person = person
        self.did: list[str] = []

    @property
    def at_a_terminal(self) -> bool:
        return self.person

    @property
    def said(self) -> str:
        return self.out.getvalue()

    async def quiet(self) -> None:
        self.did.append("quiet")

    async def ask(self, prompt: str) -> str:
        self.did.append(prompt.strip())
        if not self.answers:
            raise EOFError("the input has ended")
        return self.answers.pop(0)

    async def ask_unseen(self, prompt: str) -> str:
        self.did.append("unseen")
        return await self.ask(prompt)


def state_of(*events: e.Event) -> State:
    return fold(recorded([STARTED, *events]))


AGREED = state_of(e.StepStarted("purge", 1), replace(ASKED, approvals=2), e.Confirmed("purge", 1, "bob", "Y"))


# ---------------------------------------------------------------- the step that the walk is at
def test_a_step_says_why_what_runs_and_what_comes_back(tmp_path: Path) -> None:
    step = (
        "- {id: pod, title: Find it, why: It may be gone., ssh: {host: pve, run: ls}}\n"
        "- {id: later, title: Later}\n"
    )
    runbook, lines = load_runbook(write_runbook(tmp_path, step)), Terminal()
    for event in (
        e.StepStarted("pod", 2),
        e.ActionPrepared("pod", 2, "ssh", "ls -l", "ops@pve (10.0.0.1)", "read", 9.0),
        e.ActionFinished("pod", 2, "succeeded", 0.1, output_lines=40, head="a\x1b[2J\n" + "b\n" * 30),
        e.StepFinished("pod", 2, "ok"),
    ):
        tell_step(event, runbook, lines)
    shown = lines.said.split("\n")
    assert shown[1:5] == [
        "1  Find it  [read, attempt 2]",
        "  WHY       It may be gone.",
        "  RUN       ls -l",
        "  AS        ops@pve (10.0.0.1)",
    ]
    assert shown[5] == "  OUTPUT    a\\x1b[2J"
    assert shown[-2] == "            12 of 40 lines; all of them are on record"
    assert "Later" not in lines.said


# ---------------------------------------------------------------- the word for a change
@pytest.mark.parametrize(
    ("wanted", "typed"), [("", "Y"), ("", "n"), ("app@lab", "app@lab"), ("app@lab", "Y")]
)
async def test_what_is_typed_is_the_word_after_all_that_came_before_was_thrown_away(
    wanted: str, typed: str
) -> None:
    lines = Terminal(typed)
    given = await answer_confirmation(replace(ASKED, typed=wanted), state_of(), lines, BY)
    assert given == c.Confirm(typed, BY)
    prompt = f"Type {wanted or 'Y'} to go on (empty line: go back, nothing sent):"
    assert lines.did == ["quiet", prompt]


async def test_an_empty_line_goes_back() -> None:
    assert await answer_confirmation(ASKED, state_of(), Terminal(""), BY) == c.Decline(BY)


async def test_without_a_person_nothing_is_asked() -> None:
    for state in (state_of(), AGREED):
        lines = Terminal("Y", person=False)
        asked = replace(ASKED, sign="text")
        assert await answer_confirmation(asked, state, lines, BY) == c.Stop(NEEDS_A_PERSON, BY)
        assert lines.did == []
        assert "delete web" in lines.said


async def test_a_second_person_says_a_name_and_types_the_word() -> None:
    lines = Terminal("cyd", "Y")
    assert await answer_confirmation(ASKED, AGREED, lines, BY) == c.Confirm("Y", "cyd")
    assert lines.did[:2] == ["quiet", "Name of the second person (empty line: go back):"]
    assert "bob has agreed. A second person must, and nothing proves the name." in lines.said
    assert await answer_confirmation(ASKED, AGREED, Terminal(" "), BY) == c.Decline(BY)
    assert await answer_confirmation(ASKED, AGREED, Terminal("cyd", ""), BY) == c.Decline(BY)


async def test_a_second_person_pastes_a_signature_of_several_lines() -> None:
    asked = replace(ASKED, sign="the text\nto sign")
    lines = Terminal("begin", "middle", END, "more")
    assert await answer_confirmation(asked, AGREED, lines, BY) == c.Sign(f"begin\nmiddle\n{END}")
    assert "bob has agreed. A second person signs this text" in lines.said
    assert "\n\nthe text\nto sign\n\n" in lines.said and SIGN_WITH in lines.said
    prompt = "Paste the signature (empty line: go back, nothing sent):"
    assert lines.did == ["quiet", prompt, "", ""] and lines.answers == ["more"]
    assert await answer_confirmation(asked, AGREED, Terminal(" "), BY) == c.Decline(BY)
    endless = Terminal("x" * (LARGEST_SIGNATURE - 2), "y", "z")
    given = await answer_confirmation(asked, AGREED, endless, BY)
    assert given == c.Sign(f"{'x' * (LARGEST_SIGNATURE - 2)}\ny") and endless.answers == ["z"]


async def test_the_first_person_does_not_sign() -> None:
    lines = Terminal("Y")
    assert await answer_confirmation(replace(ASKED, sign="text"), state_of(), lines, BY) == c.Confirm("Y", BY)


# ---------------------------------------------------------------- what is shown
async def shown(asked: e.Asked, state: State) -> str:
    lines = Terminal("")
    await answer_confirmation(asked, state, lines, BY)
    return lines.said


async def test_all_that_is_known_of_a_change_is_shown_in_rows() -> None:
    full = replace(
        ASKED,
        on="pod web",
        earlier="attempt 1 was sent",
        impact="It goes.\nFor long.",
        undo="NONE",
        server_says="dry run accepted",
        then="verify",
    )
    assert await shown(full, state_of()) == (
        "\n== CHANGE ==  DRY-RUN  lab\n"
        "  WILL RUN  delete web\n"
        "  ON        pod web\n"
        "  AS        main\n"
        "  EARLIER   attempt 1 was sent\n"
        "  BREAKS    It goes.\n"
        "            For long.\n"
        "  UNDO      NONE\n"
        "  SERVER    dry run accepted\n"
        "  THEN      verify\n"
    )
    assert await shown(ASKED, state_of()) == (
        "\n== CHANGE ==  DRY-RUN  lab\n  WILL RUN  delete web\n  ON        main\n"
    )


async def test_a_runbook_that_has_changed_is_shown_by_its_question() -> None:
    asked = replace(ASKED, question="accept", text="It is not as it was", command="- a\n+ b")
    assert await shown(asked, state_of()) == (
        "\n== It is not as it was ==  DRY-RUN  lab\n  CHANGED   - a\n            + b\n"
    )


async def test_what_was_read_again_for_a_change_is_shown_with_its_time() -> None:
    held = e.NeedRead("purge", 2, "shm", "used > 1", True, {"used": 2, "free": 1})
    gone = e.NeedRead("purge", 2, "shm", "used > 1", False, {}, because="the site's word")
    begun = (e.StepStarted("purge", 1), replace(held, attempt=1), e.StepStarted("purge", 2), held, gone)
    said = await shown(ASKED, state_of(*begun))
    times = [f"{(recorded([STARTED])[0].time + timedelta(seconds=at)):%H:%M:%SZ}" for at in (4, 5)]
    assert said.endswith(
        "  ON        main\n"
        f"  NEED      {times[0]}  used > 1: used = 2, free = 1  holds\n"
        f"  NEED      {times[1]}  DOES NOT HOLD: used > 1 (-), READ (the site's word)\n"
    )
    meant = replace(held, means="/dev/shm is full (2 %)")
    said = await shown(ASKED, state_of(begun[0], replace(meant, attempt=1)))
    assert said.endswith("Z  /dev/shm is full (2 %)\n")
    assert "NEED" not in await shown(replace(ASKED, step="other"), state_of(*begun))


# ---------------------------------------------------------------- the other questions
Answering: TypeAlias = Callable[[e.Asked], Awaitable[c.Command | c.Sign]]


async def answered(asked: e.Asked, lines: Terminal, state: State | None = None) -> c.Command | c.Sign:
    return await plain._answer(asked, state or state_of(), lines)  # pyright: ignore[reportPrivateUsage]


async def test_a_manual_step_is_over_when_somebody_says_what_was_done() -> None:
    asked = e.Asked("look", 1, "acknowledge", text="Look at it.")
    lines = Terminal("seen")
    assert await answered(asked, lines) == c.Answer(True, BY, "seen")
    assert "Look at it." in lines.said
    assert lines.did == ["What did you see or do (empty line: stop)?"]
    assert await answered(asked, Terminal("")) == c.Stop("stopped at a manual step", BY)


@pytest.mark.parametrize("secret", [False, True])
async def test_a_secret_is_asked_for_unseen(secret: bool) -> None:
    lines = Terminal("v")
    asked = e.Asked("which", 1, "answer", text="Which?", secret=secret)
    assert await answered(asked, lines) == c.Answer("v", BY)
    assert lines.did == (["unseen"] if secret else []) + ["Which?"]


async def test_one_of_several_is_taken_by_its_number() -> None:
    asked = e.Asked("which", 1, "choose", text="Which?", options={"one": "The first.", "two": "The second."})
    lines = Terminal("0", "3", "x", "", "-1", "2")
    assert await answered(asked, lines) == c.Answer("two", BY)
    assert lines.said.startswith("\n  Which?\n  1  one: The first.\n  2  two: The second.\n")
    for wrong in ("'0'", "'3'", "'x'", "''", "'-1'"):
        assert f"  {wrong} is none of 1 to 2\n" in lines.said
    assert await answered(asked, Terminal("1")) == c.Answer("one", BY)
    with pytest.raises(EOFError, match="'3' is none of 1 to 2"):
        await answered(asked, Terminal("3", "1", person=False))


WAYS: dict[str, tuple[c.Command, str]] = {
    "continue": (c.Continue(BY), ""),
    "retry": (c.Retry(BY), ""),
    "undo": (c.Undo(BY), ""),
    "jump": (c.Jump("there", "chosen by the operator", BY), "Step id:"),
    "skip": (c.Skip("there", BY), "Why skip this step?"),
    "stop": (c.Stop("there", BY), "Why stop here?"),
}


@pytest.mark.parametrize("question", ["decide", "continue"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_way_on_is_what_it_is_called(question: e.Question, way: str) -> None:
    command, prompt = WAYS[way]
    asked = e.Asked("which", 1, question, options=dict.fromkeys(WAYS, ""))
    lines = Terminal(str(list(WAYS).index(way) + 1), "there")
    assert await answered(asked, lines) == command
    assert lines.did == ["Number:", *([prompt] if prompt else [])]


@pytest.mark.parametrize("question", ["confirm", "accept"])
async def test_a_change_and_what_has_changed_take_a_word(question: e.Question) -> None:
    assert await answered(replace(ASKED, question=question), Terminal("Y")) == c.Confirm("Y", BY)


# ---------------------------------------------------------------- with a session
STEPS = """\
- id: restart
  title: Restart
  http: {post: app}
  undo: NONE
  impact: It restarts.
  unknown: Look.
  confirm: {type: app@lab}
  verify: {http: {get: app}, until: result.status == 200, every: 1s, within: 9s}
"""


async def walked(folder: Path, lines: Terminal, answer: Answering | None = None) -> State:
    """The state after a walk that plain lines answered."""
    engine, _ = session_of(folder, STEPS, {"POST app": ok(), "GET app": ok(status=200)})
    answering = answer_questions(
        engine, lines, answer or (lambda asked: answered(asked, lines, engine.state))
    )
    async with asyncio.timeout(60):
        await engine.run()
    answering.cancel()
    return engine.state


async def test_a_word_that_does_not_match_is_said_and_asked_for_again(tmp_path: Path) -> None:
    lines = Terminal("app@lob", "app@lab")
    state = await walked(tmp_path, lines)
    assert state.steps["restart"].status == "ok"
    assert "  no match for 'app@lab'. Nothing sent" in lines.said
    assert lines.did.count("quiet") == 2, "each word is asked for anew"


@pytest.mark.parametrize("error", [EOFError("the input has ended"), OSError(5, "gone")])
async def test_where_nobody_can_answer_any_more_the_walk_stops_and_has_sent_nothing(
    tmp_path: Path, error: Exception
) -> None:
    async def fails(asked: e.Asked) -> c.Command:
        raise error

    state = await walked(tmp_path, Terminal(), fails)
    assert state.ended == e.SessionEnded("stopped", f"nobody can be asked any more: {error}")
    assert not [each for each in state.timeline if isinstance(each.event, e.ActionIntended)]


async def test_a_second_person_is_asked_when_the_first_has_answered(tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []
    lines = Terminal("app@lab", "bob", "app@lab")
    engine, _ = session_of(
        tmp_path,
        STEPS.replace("  undo:", "  approve: 2\n  undo:"),
        {"POST app": ok(), "GET app": ok(status=200)},
    )

    async def answer(question: e.Asked) -> c.Command | c.Sign:
        asked.append(engine.state.approvals)
        return await answered(question, lines, engine.state)

    answering = answer_questions(engine, lines, answer)
    async with asyncio.timeout(60):
        await engine.run()
    answering.cancel()
    assert asked == [(), (BY,)]
    assert engine.state.steps["restart"].status == "ok"


async def test_a_signature_is_given_to_be_checked(tmp_path: Path) -> None:
    lines = Terminal("app@lab")
    given = [c.Sign("x"), c.Stop("enough", BY)]

    async def answer(question: e.Asked) -> c.Command | c.Sign:
        return given.pop(0)

    state = await walked(tmp_path, lines, answer)
    assert lines.said.startswith("  no signature is asked for now"), "it was given to be checked"
    assert state.ended == e.SessionEnded("stopped", "enough")


# ---------------------------------------------------------------- a walk from its first line to its last
@pytest.fixture
def rehearsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))
    runbook, scenario = tmp_path / "runbook.yaml", tmp_path / "sealed.yaml"
    vouched = "    local: grep raft /etc/vault.hcl\n"
    assert vouched in RUNBOOK
    runbook.write_text(
        RUNBOOK.replace(", grep]", "]").replace(
            vouched, "    local: [vault, monitor, now]\n    risk: read\n    because: It shows.\n"
        )
    )
    scenario.write_text(
        SCENARIO.replace("match: vault monitor,", "match: vault monitor now,").replace(
            "reply: {hang: true}", "reply: raft"
        )
    )
    return Request("rehearsal", runbook, scenario=scenario, pace="never")


async def walk_with(request: Request, monkeypatch: pytest.MonkeyPatch, *answers: str) -> tuple[int, Terminal]:
    lines = Terminal(*answers)

    def terminal(out: TextIO) -> Terminal:
        return lines

    monkeypatch.setattr(plain, "TerminalInput", terminal)
    async with asyncio.timeout(60):
        return await plain.walk_plain(request), lines


async def test_a_walk_says_what_it_is_first_and_ends_with_its_code(
    rehearsed: Request, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[e.Event] = []

    def of_the_disk(engine: Engine) -> Observer:
        return lambda recorded, _: told.append(recorded.event)

    monkeypatch.setattr(plain, "telling_of_the_disk", of_the_disk)
    code, lines = await walk_with(rehearsed, monkeypatch, "k-1", "Y", "Y")
    assert told, "a disk that does not answer would have been said"
    assert code == ExitCode.DONE
    said = lines.said.splitlines()
    assert said[0].split() == ["REHEARSAL", "rehearsal", "unseal"]
    assert said[1].startswith("runbook: ")
    assert (
        said[2] == "  vouched for, not checked: 3 How is it stored?: READ (by the author's word: It shows.)"
    )
    assert "\n== CHANGE ==  REHEARSAL  rehearsal\n  WILL RUN  vault operator unseal k-1\n" in lines.said
    assert [each for each in lines.did if each != "quiet"] == [
        "The key",
        "Type Y to go on (empty line: go back, nothing sent):",
        "Type Y to go on (empty line: go back, nothing sent):",
    ]
    out = capsys.readouterr().out
    ends = [line.split()[1] for line in out.splitlines() if line.endswith("  done")]
    assert ends == ["key", "status", "config", "end"]
    assert out.rstrip().endswith("code 0 (done)")


async def test_a_walk_whose_input_ends_stops_and_has_sent_nothing(
    rehearsed: Request, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = await walk_with(rehearsed, monkeypatch, "k-1")
    assert code != ExitCode.DONE
    assert "nobody can be asked any more: the input has ended" in capsys.readouterr().out
    assert not lines.answers
