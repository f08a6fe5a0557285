"""The steps of a very long runbook: those around the one that is shown, and how many more there are."""

import pytest

from breakglass.journal.state import EMPTY
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.tui.screens.walk.steps import step_rows, strip
from breakglass.tui.theme import Appearance

STEPS = 1000
HEAD = "runbook: long\ntitle: Long\nsummary: Very many steps.\nseverity: sev3\nsteps:\n"


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Runbook:
    path = tmp_path_factory.mktemp("long") / "runbook.yaml"
    path.write_text(HEAD + "".join(f"- {{id: s{n}, title: Look, manual: Look.}}\n" for n in range(STEPS)))
    return load_runbook(path)


@pytest.mark.parametrize(
    ("shown", "first", "last"),
    [
        ("s0", " 1  Look", "939 after"),
        ("s500", "440 before", "439 after"),
        ("s999", "939 before", "1000  Look"),
    ],
)
def test_the_column_draws_the_steps_nearby_and_counts_the_others(
    long: Runbook, shown: str, first: str, last: str
) -> None:
    lines, owners, at = step_rows(long, EMPTY, shown, 30, Appearance())
    assert owners[at] == shown
    assert first in lines[0].plain
    assert last in lines[-1].plain


def test_the_strip_counts_the_steps_on_both_sides(long: Runbook) -> None:
    line = strip(long, EMPTY, "s500", 60, Appearance()).plain
    before, _, rest = line.partition(" < ")
    shown, _, after = rest.partition(" > ")
    assert int(before) + len(shown.split()) + int(after) == STEPS
    assert "501" in shown
