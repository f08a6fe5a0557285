"""No shell runs a program, or writes a file, that `parse` did not name: real shells are asked."""

import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from breakglass.policy.placeholders import EXPANSION, WORDS
from breakglass.policy.shell import ShellSyntaxError, SimpleCommand, parse
from tests.policy.oracle import Oracle, Ran, installed_shells, unexplained
from tests.policy.shell_texts import TRAPS, shell_text

SHORT, LONG = 400, 100_000
"""Generated texts, in the suite and in the long form."""


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    return Oracle(tmp_path_factory.mktemp("oracle"))


def surprises(oracle: Oracle, text: str, shells: Sequence[str], counts: Counter[str]) -> list[str]:
    """What shells do of an accepted text that the parser did not say."""
    counts["texts"] += 1
    try:
        commands = parse(text)
    except ShellSyntaxError:
        return []
    counts["accepted"] += 1
    found: list[str] = []
    for shell in shells:
        ran = oracle.run(shell, text)
        counts["programs run"] += len(ran.calls)
        counts["files written"] += len(ran.written)
        found += [f"{shell} {surprise}; parsed as {commands}" for surprise in unexplained(commands, ran)]
    return found


def shrunk(text: str, fails: Callable[[str], bool]) -> str:
    """The text with all taken out of it that it fails without: first long pieces, then characters."""
    size = len(text) // 2
    while size:
        at = 0
        while at < len(text):
            shorter = text[:at] + text[at + size :]
            if fails(shorter):
                text = shorter
            else:
                at += size
        size //= 2
    return text


def test_generated_text_runs_only_what_was_named(oracle: Oracle, soak: bool) -> None:
    counts: Counter[str] = Counter()
    shells = installed_shells() if soak else ("bash", "dash")
    source = random.Random()
    for _ in range(LONG if soak else SHORT):
        text = shell_text(source.choice)
        if surprises(oracle, text, shells, counts):
            shortest = shrunk(text, lambda each: bool(surprises(oracle, each, shells, Counter())))
            pytest.fail(f"{shortest!r}: {surprises(oracle, shortest, shells, counts)}")
    sys.stdout.write(f"{dict(counts)} of {', '.join(shells)}\n")
    assert counts["programs run"] and counts["files written"]


def test_a_failing_text_is_shrunk_to_what_it_fails_by() -> None:
    assert shrunk("ls a; rm b | cat 'c'", lambda text: "rm" in text and "'" in text) == "rm'"


@pytest.mark.parametrize("text", TRAPS)
def test_a_trap_runs_only_what_was_named(oracle: Oracle, text: str) -> None:
    assert not surprises(oracle, text, installed_shells(), Counter())


@pytest.mark.parametrize("shell", installed_shells())
def test_the_oracle_sees_each_program_that_runs_and_each_file_that_is_written(
    oracle: Oracle, shell: str
) -> None:
    ran = oracle.run(shell, "ls \"$(rm -f 'a b')\" | ok >new & sleep 0; no >>f")
    names = {call[0] for call in ran.calls}
    assert {"ls", "rm", "ok", "no"} <= names
    assert ("rm", "-f", "a b") in ran.calls
    assert "new" in ran.written
    assert oracle.run(shell, ":") == Ran(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("commands", "ran", "expected"),
    [
        ([SimpleCommand(("ls",))], Ran(frozenset({("rm",)}), frozenset()), ["ran ('rm',)"]),
        ([SimpleCommand(("ls", "a"))], Ran(frozenset({("ls", "b")}), frozenset()), ["ran ('ls', 'b')"]),
        ([SimpleCommand(("ls", EXPANSION))], Ran(frozenset({("ls", "b c")}), frozenset()), []),
        (
            [SimpleCommand(("ls", EXPANSION))],
            Ran(frozenset({("ls", "b", "c")}), frozenset()),
            ["ran ('ls', 'b', 'c')"],
        ),
        ([SimpleCommand(("ls", WORDS))], Ran(frozenset({("ls", "b", "c"), ("ls",)}), frozenset()), []),
        (
            [SimpleCommand(("ls", f"a{EXPANSION}", f"a{EXPANSION}"))],
            Ran(frozenset({("ls", "ab")}), frozenset()),
            [],
        ),
        ([SimpleCommand(("ls",), (), ("f",))], Ran(frozenset(), frozenset({"f", "g"})), ["wrote g"]),
    ],
)
def test_the_oracle_tells_what_was_not_named(
    commands: list[SimpleCommand], ran: Ran, expected: list[str]
) -> None:
    assert unexplained(commands, ran) == expected
