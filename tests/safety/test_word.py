"""A person's word, given to the whole program: from a terminal and from nowhere else, typed and not pasted,
and of two people where two must agree."""

import asyncio
import os
import pty
import subprocess
from pathlib import Path

import pytest

from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from tests.engine.test_signature import Keys
from tests.safety.terminals import PROGRAM, ROOT, RUNBOOK, Change, Pane, Terminal, change, pane, terminal

TYPED = RUNBOOK.replace(
    "    undo: NONE\n", "    undo: NONE\n    risk: destructive\n    confirm: {type: app@lab}\n"
)
TWO = TYPED.replace("    undo: NONE\n", "    undo: NONE\n    approve: 2\n")
EACH = TYPED.replace("{post: app}", '{post: app, path: "/${{ item }}"}').replace(
    "    undo: NONE\n", "    undo: NONE\n    foreach: {in: \"['one', 'two', 'three']\"}\n"
)
QUIETLY = 1.0
"""Seconds in which a change that was wrongly confirmed would have been sent."""


def answering(made: Change) -> Change:
    made.answer.set()
    return made


# ---------------------------------------------------------------------- from a terminal only
YES = "Y\n" * 2000


async def with_pipes(made: Change, words: tuple[str, ...], *, typed: bool, seen: bool) -> tuple[int, str]:
    """Run the program with input from a pipe that says yes, or from a terminal that does; and with output
    to a terminal or to a pipe. Returns its exit status and what it said."""
    master, slave = pty.openpty()
    if typed:
        os.write(master, YES[:1000].encode())
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, *words),
        stdin=slave if typed else asyncio.subprocess.PIPE,
        stdout=slave if seen else asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=made.environment,
        start_new_session=True,
    )
    os.close(slave)
    drained = asyncio.create_task(asyncio.to_thread(drain, master))
    out, err = await process.communicate(None if typed else YES.encode())
    said = (out or b"") + err + await drained
    os.close(master)
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")


def drain(master: int) -> bytes:
    said = b""
    try:
        while more := os.read(master, 65536):
            said += more
    except OSError:
        pass
    return said


@pytest.mark.parametrize("front", ["run --plain", "exec"])
@pytest.mark.parametrize(("typed", "seen"), [(False, False), (False, True), (True, False)])
async def test_a_change_takes_no_word_from_a_pipe(
    tmp_path: Path, front: str, typed: bool, seen: bool
) -> None:
    async with change(tmp_path) as made:
        answering(made)
        site = ("--site", str(tmp_path / "site.yaml"))
        words = (*made.words, "--plain") if front != "exec" else ("exec", *site, "http", "post", "app", "/")
        code, said = await with_pipes(made, words, typed=typed, seen=seen)
        assert code == ExitCode.STOPPED, said
        assert "needs a person at a terminal" in said
        assert made.requests == 0
        assert not [each for each in made.state().timeline if isinstance(each.event, e.Confirmed)]


async def test_a_rehearsal_in_plain_lines_takes_no_word_from_a_pipe_either(tmp_path: Path) -> None:
    environment = {**os.environ, "BREAKGLASS_STATE": str(tmp_path)}
    words = ("rehearse", "outpost-shm-purge", "--plain", "--speed", "20")
    argv = [*PROGRAM, *words]
    ran = subprocess.run(
        argv, input="1\n" * 50, text=True, capture_output=True, env=environment, cwd=ROOT, check=False
    )
    assert ran.returncode == ExitCode.STOPPED, ran.stdout
    assert "needs a person at a terminal" in ran.stdout


async def test_a_pipe_that_gives_no_choice_ends_the_walk(tmp_path: Path) -> None:
    choose = "  - id: which\n    title: Which?\n    choose:\n      one: {say: One.}\n      two: {say: Two.}\n"
    async with change(tmp_path, RUNBOOK.replace("steps:\n", f"steps:\n{choose}")) as made:
        answering(made)
        code, said = await with_pipes(made, (*made.words, "--plain"), typed=False, seen=False)
        assert code == ExitCode.STOPPED, said
        assert "'Y' is none of 1 to 2" in said


# ---------------------------------------------------------------------- in plain lines
@pytest.mark.parametrize(("runbook", "word"), [(RUNBOOK, "Y"), (TYPED, "app@lab")], ids=["key", "typed"])
async def test_plain_lines_take_no_word_that_was_typed_ahead(tmp_path: Path, runbook: str, word: str) -> None:
    async with change(tmp_path, runbook) as made, terminal(made, "--plain") as shown:
        answering(made)
        shown.type(f"{word}\n" * 3)
        await shown.until("WILL RUN")
        shown.type(f"{word}\n" * 3)
        await shown.until("to go on")
        await asyncio.sleep(QUIETLY)
        assert made.requests == 0
        shown.type(f"{word}\n")
        await made.arrived.wait()
        await shown.until("What did you see")
        assert made.requests == 1


async def test_a_key_that_is_held_keeps_plain_lines_deaf(tmp_path: Path) -> None:
    async with change(tmp_path) as made, terminal(made, "--plain") as shown:
        answering(made)
        await shown.until("WILL RUN")
        for _ in range(12):
            shown.type("Y\n")
            await asyncio.sleep(0.2)
        assert "to go on" not in shown.text
        await shown.until("to go on")
        assert made.requests == 0


async def test_plain_lines_name_every_object_of_a_list(tmp_path: Path) -> None:
    async with change(tmp_path, EACH) as made, terminal(made, "--plain") as shown:
        answering(made)
        await shown.until("WILL RUN")
        await asyncio.sleep(0)
        while "to go on" not in shown.text:
            await asyncio.sleep(0.02)
        for number, name in enumerate(("one", "two", "three"), start=1):
            assert f"{number}/3" in shown.text and f"/{name}" in shown.text
        assert "Type 3 on app@lab to go on" in shown.text
        shown.type("app@lab\n")
        await shown.until("no match for '3 on app@lab'")
        await shown.until("to go on")
        assert made.requests == 0
        shown.type("3 on app@lab\n")
        await shown.until("What did you see")
        assert made.requests == 3


# ---------------------------------------------------------------------- in the cockpit
async def opened(shown: Pane, made: Change) -> None:
    """At the confirmation, when keys count."""
    answering(made)
    await shown.until("Nothing sent.", "Enter review and confirm")
    shown.press("Enter")
    await shown.until("To run it")


async def test_pasted_keys_do_not_confirm_in_the_cockpit(tmp_path: Path) -> None:
    async with change(tmp_path, TYPED) as made, pane(made, tmp_path) as shown:
        await opened(shown, made)
        shown.paste("app@lab\r", "-r")
        await shown.until("Pasted text does not confirm. Type it.")
        shown.type("app@lab\r\r")
        await asyncio.sleep(QUIETLY)
        shown.paste("app@lab\n", "-p")
        await shown.until("Pasting is refused")
        shown.paste("\r", "-r")
        await asyncio.sleep(QUIETLY)
        assert made.requests == 0
        shown.press("C-u")
        for key in "app@lab":
            shown.type(key)
        await shown.until("Enter sends it")
        shown.press("Enter")
        await made.arrived.wait()


async def test_pasted_keys_do_not_confirm_where_one_key_does(tmp_path: Path) -> None:
    async with change(tmp_path) as made, pane(made, tmp_path) as shown:
        await opened(shown, made)
        for text in ("Yes\r", "Y\r", "YY", "By Y\r", "\rY"):
            shown.paste(text, "-r")
            await asyncio.sleep(QUIETLY)
        assert made.requests == 0
        shown.type("Y")
        await made.arrived.wait()


async def test_one_write_to_the_terminal_does_not_confirm_in_the_cockpit(tmp_path: Path) -> None:
    async with change(tmp_path, TYPED) as made, terminal(made) as shown:
        answering(made)
        await shown.until("WILL RUN", "review and confirm", "Enter")
        while "To run it" not in shown.text:
            shown.type("\r")
            await asyncio.sleep(1.0)
        shown.type("app@lab\r")
        await shown.until("Pasted text does not confirm")
        await asyncio.sleep(QUIETLY)
        assert made.requests == 0


# ---------------------------------------------------------------------- two people
async def first_word(shown: Terminal) -> None:
    await shown.until("to go on")
    shown.type("app@lab\n")


@pytest.mark.parametrize("name", ["Operator", " operator ", "OPER ATOR"])
async def test_one_person_is_not_two_in_plain_lines(tmp_path: Path, name: str) -> None:
    async with change(tmp_path, TWO) as made, terminal(made, "--plain") as shown:
        answering(made)
        await first_word(shown)
        await shown.until("Name of the second person")
        shown.type(f"{name}\n")
        await shown.until("to go on")
        shown.type("app@lab\n")
        await shown.until("has already agreed")
        assert made.requests == 0


async def test_an_empty_name_goes_back_in_plain_lines(tmp_path: Path) -> None:
    async with change(tmp_path, TWO) as made, terminal(made, "--plain") as shown:
        answering(made)
        await first_word(shown)
        await shown.until("Name of the second person")
        shown.type("\n")
        await shown.until("cancelled; nothing sent")
        assert made.requests == 0


async def test_a_second_name_sends_the_change_and_is_not_proven(tmp_path: Path) -> None:
    async with change(tmp_path, TWO) as made, terminal(made, "--plain") as shown:
        answering(made)
        await first_word(shown)
        await shown.until("nothing proves the name")
        await shown.until("Name of the second person")
        shown.type("deputy\n")
        await shown.until("to go on")
        assert made.requests == 0
        shown.type("app@lab\n")
        await made.arrived.wait()
        await shown.until("not proven to be another person")


def signing(folder: Path) -> Keys:
    folder.mkdir()
    return Keys(folder)


def asked(made: Change) -> str:
    """The text to sign, as the journal has it."""
    waiting = made.state().waiting
    assert waiting is not None
    return waiting.sign


async def test_a_second_person_signs_in_plain_lines(tmp_path: Path) -> None:
    keys = signing(tmp_path / "keys")
    site = f"signers: {keys.signers}\n"
    async with change(tmp_path, TWO, site) as made, terminal(made, "--plain") as shown:
        answering(made)
        await first_word(shown)
        while "Paste the signature" not in shown.text:
            await asyncio.sleep(0.02)
        text = shown.text.replace("\r\n", "\n")
        assert f"\n{asked(made)}\n" in text, "it stands there as it is, to be copied"
        shown.type(keys.sign(asked(made), "operator"))
        await shown.until("has agreed already")
        await shown.until("Paste the signature")
        shown.type(keys.sign("something else"))
        await shown.until("does not hold for this text")
        await shown.until("Paste the signature")
        assert made.requests == 0
        shown.type(keys.sign(asked(made)))
        await made.arrived.wait()
        await shown.until("bob@example.com agreed, proven by an SSH signature")


@pytest.mark.parametrize("options", [("-p",), ("-r",), ()], ids=["in brackets", "as it is", "as keys"])
async def test_a_second_person_signs_in_the_cockpit(tmp_path: Path, options: tuple[str, ...]) -> None:
    keys = signing(tmp_path / "keys")
    async with (
        change(tmp_path, TWO, f"signers: {keys.signers}\n") as made,
        pane(made, tmp_path) as shown,
    ):
        await opened(shown, made)
        for key in "app@lab":
            shown.type(key)
        await shown.until("Enter sends it")
        shown.press("Enter")
        await shown.until("nothing is pasted yet")
        assert made.requests == 0, "the first word alone sends nothing"
        shown.paste(keys.sign("something else"), *options)
        await shown.until("does not hold for this text")
        shown.paste(keys.sign(asked(made), "operator"), *options)
        await shown.until("has agreed already")
        assert made.requests == 0
        shown.paste(keys.sign(asked(made)), *options)
        await made.arrived.wait()
