"""What shell texts are read as. Some are known traps, the others were generated; each that is understood was
run in bash and dash (`test_shell_oracle.py`), which did what is said here.

A line of `cases/parsed.jsonl` is a text, and the commands that it is: words, assignments, files written, and
whether something is fed in. What is not understood has null.
"""

import json
from pathlib import Path

import pytest

from breakglass.policy.shell import ShellSyntaxError, parse

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "parsed.jsonl").open()]
UNDERSTOOD = [(text, commands) for text, commands in CASES if commands is not None]
REFUSED = [text for text, commands in CASES if commands is None]


@pytest.mark.parametrize(("text", "commands"), UNDERSTOOD, ids=[repr(text) for text, _ in UNDERSTOOD])
def test_a_text_is_read_as_these_commands(text: str, commands: list[list[object]]) -> None:
    found = [
        [list(each.words), [list(pair) for pair in each.assignments], list(each.writes), each.fed]
        for each in parse(text)
    ]
    assert found == commands


@pytest.mark.parametrize("text", REFUSED, ids=map(repr, REFUSED))
def test_a_text_that_shells_may_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(ShellSyntaxError):
        parse(text)
