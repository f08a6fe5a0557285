"""Where runbooks come from: none takes the place of another that has its name."""

import json
from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.runbook.library import (
    AmbiguousRunbookError,
    all_runbooks,
    find_runbook,
    origin_of,
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


def test_each_runbook_says_where_it_comes_from(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = runbook(here, "mine")
    runbook(here / "team", "theirs")
    monkeypatch.setenv("BREAKGLASS_RUNBOOKS", "team/runbooks")
    origins = {each.name: each.origin for each in all_runbooks()}
    assert (origins["mine"], origins[NAME]) == ("runbooks", "shipped")
    assert origins["theirs"] == "BREAKGLASS_RUNBOOKS: team/runbooks"
    assert origin_of(path.with_name("another.yaml")) == str(here / "runbooks" / "mine")


def test_list_names_both_and_fails(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runbook(here, NAME)
    assert main(["list", "--json"]) == 2
    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert sorted(row["origin"] for row in rows if row["name"] == NAME) == ["runbooks", "shipped"]
    assert f"two runbooks are called '{NAME}'" in said.err


@pytest.mark.parametrize(
    "command", ["lint", f"lint {NAME}", "triage --site site.yaml", "doctor --site site.yaml", "site init -"]
)
def test_every_command_over_the_library_names_both_and_fails(
    here: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (here / "site.yaml").write_text("site: main\n")
    path = runbook(here, NAME)
    assert main(command.split()) == 2
    said = capsys.readouterr()
    (line,) = [each for each in [*said.out.splitlines(), *said.err.splitlines()] if "two runbooks" in each]
    assert str(path.relative_to(here)) in line
    assert line.count(f"{NAME}/runbook.yaml and ") == 1
    assert "Traceback" not in said.err


def test_lint_of_files_does_not_mind_what_else_has_their_name(here: Path) -> None:
    assert main(["lint", str(runbook(here, NAME))]) == 0


@pytest.mark.parametrize("options", [["--auto"], ["--auto", "--json"], ["--plain"]], ids=" ".join)
def test_a_walk_says_at_its_start_where_its_runbook_comes_from(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setenv("BREAKGLASS_STATE", str(here / "state"))
    path = runbook(here, "mine").relative_to(here)
    shipped = find_runbook(NAME)
    path.write_text(shipped.path.read_text().replace(f"runbook: {NAME}", "runbook: mine"))
    for each in shipped.scenarios:
        text = each.read_text().replace(f"runbook: {NAME}", "runbook: mine")
        (here / each.name).write_text(text)
    main(["rehearse", "mine", str(here / "healthy-outpost.yaml"), "--speed", "200", *options])
    said = capsys.readouterr()
    assert f"runbook: {path} (from runbooks)" in said.out + said.err
    assert all(line.startswith("{") for line in said.out.splitlines() if "--json" in options)
