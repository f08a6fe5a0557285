"""`breakglass import`: pages in, drafts out, and nothing replaced."""

from pathlib import Path

import pytest

from breakglass.cli.main import main

PAGE = "# NfsDown\n\nNobody can write.\n\n```bash\nssh root@nas systemctl restart nfs-server\n```\n"


def test_a_page_becomes_a_runbook_that_lint_takes_and_whose_todos_it_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "NfsDown.md"
    page.write_text(PAGE)
    assert main(["import", str(page), "--into", str(tmp_path / "runbooks")]) == 0
    said = capsys.readouterr().out
    draft = tmp_path / "runbooks" / "nfs-down" / "runbook.yaml"
    assert "1 command: 1 run as steps, 0 by hand" in said and "hosts nas" in said
    assert main(["lint", "--no-cache", str(draft)]) == 0
    problems = capsys.readouterr().out
    assert "0 errors" in problems
    assert "warning: TODO: say what this breaks, and for how long" in problems
    assert main(["lint", "--no-cache", "--strict", str(draft)]) == 2


def test_an_import_replaces_no_file_and_writes_none_where_one_would_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = [tmp_path / "one.md", tmp_path / "two.md"]
    for page in pages:
        page.write_text(PAGE)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "runbook.yaml").write_text("mine")
    assert main(["import", *map(str, pages), "--into", str(tmp_path)]) == 2
    assert "two/runbook.yaml is there already" in capsys.readouterr().err
    assert (tmp_path / "two" / "runbook.yaml").read_text() == "mine" and not (tmp_path / "one").exists()


def test_a_page_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(tmp_path / "none.md")]) == 2
    assert "none.md" in capsys.readouterr().err
