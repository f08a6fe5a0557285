"""`sessions` lists what is on record; its table fits the terminal, and without one it is plain."""

import json
from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.cli.table import Tone, table
from breakglass.exit_codes import ExitCode
from tests.tui.past_support import REHEARSAL, STOPPED, rehearsed, state, stopped

__all__ = ["state"]


def test_each_session_is_a_row_with_what_where_and_how_it_ended(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearsed(state)
    stopped(state)
    assert main(["sessions"]) == ExitCode.DONE
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["SESSION", "MODE", "WHAT", "WHERE"]
    assert sum("live" in row and row.endswith("stopped, can be resumed") for row in rows) == 1
    assert sum("scenario recorded-incident" in row and row.endswith("  recovered") for row in rows) == 1
    assert "\x1b" not in "".join(rows)


def test_json_has_the_whole_name_and_whether_it_can_be_resumed(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearsed(state)
    stopped(state)
    assert main(["sessions", "--json"]) == ExitCode.DONE
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["session"]: row["can_be_resumed"] for row in rows} == {REHEARSAL: False, STOPPED: True}


def test_a_state_folder_without_sessions_says_what_begins_one(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sessions"]) == ExitCode.DONE
    assert "breakglass rehearse" in capsys.readouterr().out


@pytest.mark.parametrize("room", [40, 60, 80, 200])
def test_a_table_fits_the_terminal_and_loses_nothing(room: int) -> None:
    rows = [("20260418T031100Z", "rehearsal", "a long text of many words that wraps"), ("x", "y", "")]
    tones: list[list[Tone]] = [["", "", ""]] * 2
    lines = list(table(("A", "B", "C"), rows, tones, room))
    assert max(map(len, lines)) <= room
    shown = sorted("".join("".join(lines[1:-1]).split()))
    assert shown == sorted("".join("".join(rows[0]).split()))
