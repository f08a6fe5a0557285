"""The reference in `docs/` says what the declarations say."""

from typing import get_args

import pytest

from breakglass.cli.main import COMMANDS
from breakglass.exit_codes import ExitCode
from breakglass.journal.events import Event
from breakglass.probe import PROBES
from breakglass.rehearsal.load import load_scenario
from breakglass.runbook.load import read_runbook
from breakglass.site.load import read_site
from breakglass.values import Json
from tools.reference import KINDS, ROOT, Kind, Page, pages, shortened
from tools.reference_code import EXAMPLES, code_pages, declared_functions


def test_the_committed_reference_is_current():
    assert pages() == {path: path.read_text("utf-8") for path in pages()}, "run `make reference`"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_key_is_described_and_has_an_example(kind: Kind):
    page = Page(kind)
    keys = list(page.keys())
    assert len(keys) > 50
    assert [(name, key) for name, key, schema in keys if not schema.get("description")] == []
    assert [(name, key) for name, key, _ in keys if (name, key) not in page.examples] == []


def test_the_files_of_the_examples_can_be_used():
    runbook, site, scenario = (kind.everything for kind in KINDS)
    assert read_runbook(runbook.read_text("utf-8"), runbook)[0] is not None
    read, problems = read_site(site.read_text("utf-8"), site)
    assert read is not None and problems == []
    assert load_scenario(scenario).name == "every-key"


def test_every_function_is_described_and_has_an_example_that_gives_what_the_page_says():
    assert set(declared_functions()) == EXAMPLES.keys()
    page = code_pages()["expressions"]
    assert "| `columns` | A table with a header row" in page and '| `"1/1"` |' in page


def test_every_command_event_and_probe_is_on_its_page():
    pages = code_pages()
    assert [name for name in COMMANDS if f"## {name}\n" not in pages["commands"]] == []
    assert [each.type for each in get_args(Event) if f"## {each.type}\n" not in pages["events"]] == []
    assert [name for name in PROBES if f"## {name}\n" not in pages["probes"]] == []
    assert [code for code in ExitCode if f"| {code.value} |" not in pages["exit-codes"]] == []


def test_a_long_example_is_shortened_to_what_is_still_yaml():
    value: list[Json] = [{"id": f"step-{number}", "title": "Look at the outpost"} for number in range(9)]
    assert shortened("steps", value) == ("steps: [{id: step-0, title: Look at the outpost}, …]")
    assert shortened("resolve", "10.0.20.200") == "resolve: 10.0.20.200"
    assert shortened("tags", ["1", "on", "a: b"]) == 'tags: ["1", on, "a: b"]'


def test_each_link_of_the_reference_leads_to_a_section():
    for path, text in pages().items():
        anchors = {line[3:].lower().replace(" ", "-") for line in text.splitlines() if line.startswith("## ")}
        linked = {part.split(")")[0] for part in text.split("](#")[1:]}
        assert linked <= anchors, path.relative_to(ROOT)
