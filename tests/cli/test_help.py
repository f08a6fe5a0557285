"""`breakglass help`: the pages of docs/ in the terminal."""

import re
from pathlib import Path

import pytest

from breakglass.cli import help as help_command
from breakglass.cli.main import COMMANDS, main

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_every_page_is_a_topic_and_is_listed_with_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    topics = help_command.topics()
    pages = [path for path in DOCS.rglob("*.md") if path.stem != "index"]
    assert {topic.path for topic in topics.values()} == set(pages)
    assert main(["help"]) == 0
    listed = capsys.readouterr().out
    assert [
        name
        for name, topic in topics.items()
        if not re.search(f"^  {name} .*{topic.title[:20]}", listed, re.M)
    ] == []


def test_a_page_and_a_section_of_it_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "runbook", "verify"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("## verify") and "`until`" in shown and "## undo" not in shown


def test_a_command_is_shown_like_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        assert main(["help", name]) == 0
        assert re.match(rf"## {name}\b|# ", capsys.readouterr().out)


def test_a_name_that_is_nearly_right_is_asked_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "tutoral"]) == 2
    assert "did you mean 'tutorial'?" in capsys.readouterr().err
    assert main(["help", "runbook", "verfy"]) == 2
    assert "did you mean 'verify'?" in capsys.readouterr().err


def test_a_wide_table_becomes_lines_on_a_terminal() -> None:
    rows = "| `id` | text | Its name \\| more. |\n| `b` |  | Other. |\n"
    table = f"| key | type | what it is |\n|---|---|---|\n{rows}"
    assert help_command.for_a_terminal(f"# Keys\n\n{table}\nEnd.\n") == (
        "# Keys\n\n- `id` · text · Its name | more.\n- `b` · Other.\n\nEnd.\n"
    )


def test_no_page_leads_to_one_that_is_not_there() -> None:
    missing: list[str] = []
    for path in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text("utf-8")):
            if not (path.parent / target).exists():
                missing.append(f"{path.relative_to(DOCS)}: {target}")
    assert missing == []
