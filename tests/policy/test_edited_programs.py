"""Programs of sed, awk and jq, made by edits of known ones: which are known to read, and which ask first.

Each that is known to read was run by those programs themselves and left no trace (`test_program_oracle.py`).
A line of `cases/programs.jsonl` is the language, what comes of it, and the program.
"""

import json
from pathlib import Path

import pytest

from breakglass.policy import awk, jq, sed

OBJECTION = {"sed": sed.objection, "awk": awk.objection, "jq": jq.objection}
CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "programs.jsonl").open()]


@pytest.mark.parametrize("language", OBJECTION)
@pytest.mark.parametrize("part", range(10))
def test_an_edited_program_is_known_to_read_or_asked_about(language: str, part: int) -> None:
    programs = [case for case in CASES if case[0] == language][part::10]
    found = [[language, "asks" if OBJECTION[language](text) else "reads", text] for _, _, text in programs]
    assert found == programs
