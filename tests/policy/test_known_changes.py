"""What is known to change something is not just unknown: neither `risk: read` nor a site may lower it.

The list stands here as commands and in the tables as entries. One that is gone there, or has become a read,
is found.
"""

import shlex
from itertools import groupby
from pathlib import Path

import pytest

from breakglass.policy.commands import judge_command
from breakglass.policy.risk import Knowledge, Risk

LINES = [
    line
    for line in (Path(__file__).parent / "cases" / "known.txt").read_text().splitlines()
    if line[:1] != "#"
]
AT_LEAST = {"P": Risk.PROBE, "C": Risk.CHANGE, "D": Risk.DESTRUCTIVE}
BY_PROGRAM = {name: list(lines) for name, lines in groupby(LINES, key=lambda line: line.split()[1])}


@pytest.mark.parametrize("program", BY_PROGRAM)
def test_what_a_program_is_known_to_change_is_known(program: str) -> None:
    for line in BY_PROGRAM[program]:
        at_least, _, command = line.partition(" ")
        judgement = judge_command(shlex.split(command))
        assert judgement.knowledge is Knowledge.CHANGES, (command, judgement)
        assert judgement.risk >= AT_LEAST[at_least], (command, judgement)
