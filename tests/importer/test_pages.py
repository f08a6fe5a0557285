"""Pages of the kinds that teams have, and what each becomes.

`expected.txt` holds the steps of every page, one a line: its risk and its action.
"""

from functools import lru_cache
from pathlib import Path

import pytest

from breakglass.importer.draft import PageDraft, draft_of
from breakglass.importer.page import CodeBlock, read_page
from breakglass.importer.transcript import Command, entries_of
from breakglass.policy.commands import judge_shell
from breakglass.policy.risk import Knowledge, Risk
from breakglass.runbook.actions import ChooseAction, reaches_outside
from breakglass.runbook.command_text import command_of
from breakglass.runbook.load import read_runbook
from breakglass.runbook.model import Runbook
from tests.importer.support import lost

HERE = Path(__file__).parent
PAGES = sorted((HERE / "pages").glob("*.md"))
MOST = 100
"""Characters of an action that are compared."""


@lru_cache
def _draft(page: Path) -> tuple[PageDraft, Runbook]:
    draft = draft_of(page.read_text(), page.stem)
    runbook, problems = read_runbook(draft.text, page)
    assert runbook is not None, [str(each) for each in problems]
    return draft, runbook


def _expected() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (HERE / "expected.txt").read_text().splitlines():
        if line.startswith("## "):
            lines = found.setdefault(line.removeprefix("## "), [])
        elif line:
            lines.append(line)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_command_of_a_page_becomes_a_step_of_its_kind(page: Path) -> None:
    _, runbook = _draft(page)
    seen = [
        f"{step.risk.word} {' '.join(command_of(step).split())}"[:MOST].rstrip() for step in runbook.steps
    ]
    assert [line[:MOST].rstrip() for line in seen] == _expected()[page.stem]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_word_of_a_page_is_lost(page: Path) -> None:
    draft, _ = _draft(page)
    assert lost(page.read_text(), draft.text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_command_gets_a_lower_risk_than_it_has(page: Path) -> None:
    _, runbook = _draft(page)
    commands = [
        entry.text
        for part in read_page(page.read_text()).parts
        if isinstance(part, CodeBlock)
        for entry in entries_of(part)
        if isinstance(entry, Command)
    ]
    known = [judged.risk for each in commands if (judged := judge_shell(each)).knowledge is Knowledge.CHANGES]
    risks = [step.risk for step in runbook.steps]
    for risk in (Risk.CHANGE, Risk.DESTRUCTIVE):
        assert sum(each >= risk for each in risks) >= sum(each >= risk for each in known)


def test_nine_of_ten_commands_of_these_pages_run_in_a_step() -> None:
    drafts = [_draft(page)[0] for page in PAGES]
    assert sum(each.as_steps for each in drafts) >= 0.9 * sum(each.commands for each in drafts)


def test_a_change_waits_for_a_person_to_say_what_shows_that_it_is_done() -> None:
    for page in PAGES:
        for step in _draft(page)[1].steps:
            if step.risk >= Risk.CHANGE and reaches_outside(step.action):
                assert step.verify is not None and step.verify.until.source == "false"
                assert "TODO" in (step.impact.source if step.impact else "")


def test_a_sentence_that_leads_elsewhere_becomes_a_choice() -> None:
    _, runbook = _draft(HERE / "pages" / "pve-guest-hangs.md")
    choice = next(step.action for step in runbook.steps if isinstance(step.action, ChooseAction))
    assert [option.goto for option in choice.options] == ["3-reset-it", "4-check-the-services", None]


def test_an_alert_and_the_headings_are_kept_as_alert_and_phases() -> None:
    _, runbook = _draft(HERE / "pages" / "NodeNotReady.md")
    assert runbook.alerts == ("NodeNotReady",)
    assert list(dict.fromkeys(step.phase for step in runbook.steps)) == [
        "Meaning",
        "Impact",
        "Diagnosis",
        "Mitigation",
    ]


def test_a_value_that_opens_something_is_a_secret_and_no_input() -> None:
    _, runbook = _draft(HERE / "pages" / "vault-sealed.md")
    assert runbook.uses.secrets == ("key_1", "key_2", "key_3")
    assert [each.name for each in runbook.inputs] == ["vault_addr"]
