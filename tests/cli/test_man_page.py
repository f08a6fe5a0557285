"""The man page says what the commands say of themselves."""

from pathlib import Path

from breakglass.cli.main import COMMANDS
from breakglass.exit_codes import ExitCode
from tools.man_page import man_page

COMMITTED = Path(__file__).parent.parent.parent / "docs" / "breakglass.1"


def test_the_committed_page_is_current() -> None:
    assert COMMITTED.read_text() == man_page(), "make man"


def test_every_command_and_every_exit_code_is_in_it() -> None:
    page = man_page()
    assert all(f".SS breakglass {name}" in page for name in COMMANDS)
    assert all(rf"\fB{int(code)}\fR" in page for code in ExitCode)


def test_no_line_of_text_is_taken_for_a_request() -> None:
    known = {"TH", "SH", "SS", "TP", "PP", "B", "nf", "fi", "RS", "RE"}
    requests = {line[1:].split(" ")[0] for line in man_page().splitlines() if line.startswith((".", "'"))}
    assert requests <= known
