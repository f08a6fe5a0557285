"""Where runbooks come from: none takes the place of another that has its name."""

import json
from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.runbook.library import (
    AmbiguousRunbookError,
    all_runbooks,
    find_runbook,
    unique_runbooks,
)

NAME = "outpost-shm-purge"
TEXT = (
    "runbook: {0}\ntitle: t\nsummary: s\nseverity: sev2\nsteps:\n  - {{id: e, title: x, ends: recovered}}\n"
)


def runbook(folder: Path, name: str) -> Path:
    path = folder / "runbooks" / name / "runbook.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(TEXT.format(name))
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BREAKGLASS_RUNBOOKS", raising=False)
    return tmp_path


def test_a_runbook_of_the_working_directory_does_not_take_a_shipped_ones_place(here: Path) -> None:
    path = runbook(here, NAME)
    with pytest.raises(AmbiguousRunbookError) as raised:
        find_runbook(NAME)
    assert str(path.relative_to(here)) in str(raised.value)
    assert str(raised.value).count(f"{NAME}/runbook.yaml") == 2
    with pytest.raises(AmbiguousRunbookError):
        unique_runbooks()


def test_a_path_still_opens_either(here: Path) -> None:
    path = runbook(here, NAME)
    assert find_runbook(str(path)).path == path


def test_one_folder_under_two_names_is_no_duplicate(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runbook(here, "mine")
    monkeypatch.setenv("BREAKGLASS_RUNBOOKS", str(here / "runbooks"))
    assert [each.name for each in unique_runbooks()].count("mine") == 1


def test_each_runbook_says_where_it_comes_from(here: Path) -> None:
    runbook(here, "mine")
    origins = {each.name: each.origin for each in all_runbooks()}
    assert (origins["mine"], origins[NAME]) == ("runbooks", "shipped")


def test_list_names_both_and_fails(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runbook(here, NAME)
    assert main(["list", "--json"]) == 2
    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert sorted(row["origin"] for row in rows if row["name"] == NAME) == ["runbooks", "shipped"]
    assert f"two runbooks are called '{NAME}'" in said.err
