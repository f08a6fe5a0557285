"""`breakglass new`: what it writes is sound at once, says what is left to do, and replaces nothing."""

from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.runbook.library import find_runbook
from breakglass.testing.suite import cases_of, run_case


def test_what_is_written_passes_lint_and_its_tests_and_says_what_is_left_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "cache-full"]) == 0
    assert "breakglass test runbooks/cache-full" in capsys.readouterr().out
    assert main(["lint", "cache-full"]) == 0
    said = capsys.readouterr().out
    assert "3 files: 0 errors" in said
    assert all("TODO" in line for line in said.splitlines()[:-1])
    cases = cases_of(find_runbook("cache-full"))
    assert [each.name for each in cases] == ["right", "dry run", "right", "dry run", "trap scaled-to-zero"]
    assert [each.wrong for each in map(run_case, cases)] == [()] * len(cases)


def test_nothing_is_replaced_and_a_name_that_cannot_be_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    assert main(["new", "mine", "--into", str(tmp_path)]) == 2
    assert "is there already; nothing was written" in capsys.readouterr().err
    assert list((tmp_path / "mine").iterdir()) == []
    with pytest.raises(SystemExit):
        main(["new", "../Mine"])
