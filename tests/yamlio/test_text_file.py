"""A file that decides what runs is only its owner's to write."""

import os
from pathlib import Path

import pytest

from breakglass.rehearsal.load import load_scenario
from breakglass.runbook.load import load_runbook
from breakglass.site.load import load_site
from breakglass.yamlio.position import InvalidFileError
from breakglass.yamlio.text_file import read_text, read_trusted_text

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to somebody else")
NOBODY = 65534


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text("site: lab\n")
    path.chmod(0o644)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InvalidFileError) as raised:
        read_trusted_text(path)
    return str(raised.value)


def test_a_file_that_only_its_owner_may_write_is_read(file: Path) -> None:
    assert read_trusted_text(file) == "site: lab\n"


def test_a_file_that_others_may_write_is_refused_with_what_mends_it(file: Path) -> None:
    file.chmod(0o646)
    assert f"chmod go-w {file}" in refusal(file)
    assert read_text(file) == "site: lab\n"


@AS_ROOT
def test_a_file_that_a_group_of_others_may_write_is_refused(file: Path) -> None:
    os.chown(file, 0, NOBODY)
    file.chmod(0o664)
    assert "its group may write it" in refusal(file)


@AS_ROOT
def test_a_file_of_somebody_else_is_refused_with_what_mends_it(file: Path) -> None:
    os.chown(file, NOBODY, NOBODY)
    assert "belongs to nobody" in refusal(file)
    assert f"sudo chown 0 {file}" in refusal(file)


def test_a_file_in_a_folder_where_others_may_replace_it_is_refused(file: Path) -> None:
    file.parent.chmod(0o777)
    assert f"chmod o-w {file.parent}" in refusal(file)
    file.parent.chmod(0o1777)
    assert read_trusted_text(file) == "site: lab\n"


def test_a_link_is_judged_by_the_file_and_the_folder_that_it_leads_to(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    target = file.rename(folder / "site.yaml")
    file.symlink_to(target)
    assert read_trusted_text(file) == "site: lab\n"
    folder.chmod(0o777)
    assert f"chmod o-w {folder}" in refusal(file)
    folder.chmod(0o755)
    tmp_path.chmod(0o777)
    assert f"chmod o-w {tmp_path}" in refusal(file)
    tmp_path.chmod(0o700)
    target.chmod(0o666)
    assert "others may write it" in refusal(file)


@pytest.mark.parametrize("load", [load_runbook, load_site, load_scenario])
def test_runbooks_sites_and_scenarios_are_read_so(file: Path, load: object) -> None:
    assert callable(load)
    file.chmod(0o666)
    with pytest.raises(InvalidFileError, match="others may write it"):
        load(file)


def test_an_included_file_is_read_so_too(tmp_path: Path) -> None:
    part, whole = tmp_path / "part.yaml", tmp_path / "runbook.yaml"
    part.write_text("- {id: look, title: Look, ssh: {host: h, run: [uptime]}, timeout: 5s}\n")
    whole.write_text(
        "runbook: r\ntitle: t\nsummary: s\nseverity: sev2\nuses: {hosts: [h]}\n"
        "steps:\n  - include: part.yaml\n  - {id: e, title: x, ends: recovered}\n"
    )
    assert [step.id for step in load_runbook(whole).steps] == ["look", "e"]
    part.chmod(0o666)
    with pytest.raises(InvalidFileError, match="others may write it"):
        load_runbook(whole)
