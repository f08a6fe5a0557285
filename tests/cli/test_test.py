"""`breakglass test`: what passes, what fails with which words, and what it writes."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from breakglass.cli.main import main
from breakglass.rehearsal.load import load_scenario
from breakglass.runbook.library import Found
from breakglass.testing.suite import DRY_RUN, RIGHT, TestCase, TestResult, cases_of, failing_cases, run_case

RUNBOOK = """\
runbook: door
title: Open the door
summary: The door is shut.
severity: sev3
uses: {hosts: [pve]}
steps:
  - {id: look, title: Look, ssh: {host: pve, run: [cat, /door]}, capture: {door: result.text}}
  - {id: way, title: Which way?, choose: {push: {say: Push, goto: push}, leave: {say: Leave, goto: done}}}
  - id: push
    title: Push it
    ssh: {host: pve, run: [systemctl, restart, door]}
    needs: []
    guards: [{that: "door.contains('shut')", else: It is open already.}]
    impact: The door moves.
    confirm: {type: door@pve}
    verify:
      {ssh: {host: pve, run: [cat, /door]}, until: "result.text.contains('open')", every: 1s, within: 5s}
    unknown: Look at the door.
    ends: recovered
"""
SCENARIO = """\
scenario: shut
title: It is shut
summary: A door.
runbook: door
world: {door: shut}
hosts:
  pve:
    commands:
      - {match: cat /door, reply: "${{ world.door }}"}
      - {match: systemctl restart door, reply: "", set: {door: open}}
traps:
  - name: kicked
    title: Kicked it
    on: ssh pve kick
    say: A kicked door is broken.
    caught: review
    take: [{ssh: {host: pve, run: kick}, at: way}]
  - name: pushed-open
    title: Pushed an open door
    on: ssh pve push
    caught: guard
    refused_at: push
    take: [{world: {set: {door: open}}}]
recovered: world.door == 'open'
walk: {choose: {way: push}}
expect: {result: recovered, reaches: [look, push]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one runbook."""
    (tmp_path / "door" / "scenarios").mkdir(parents=True)
    (tmp_path / "door" / "runbook.yaml").write_text(RUNBOOK)
    (tmp_path / "door" / "scenarios" / "shut.yaml").write_text(SCENARIO)
    return tmp_path


def ran(folder: Path, right: str, wrong: str, kind: str) -> TestResult:
    """One test of the scenario, of which something was changed. It runs in this process."""
    path = folder / "door" / "scenarios" / "shut.yaml"
    assert SCENARIO.count(right) == 1
    path.write_text(SCENARIO.replace(right, wrong))
    cases = cases_of(Found("door", folder / "door" / "runbook.yaml"))
    return run_case(next(each for each in cases if each.name == kind))


def test_what_passes_is_told_as_a_table_as_json_and_as_junit(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = folder / "junit.xml"
    assert main(["test", str(folder), "--json", "-j", "1", "--junit", str(report)]) == 0
    *tests, covered = map(json.loads, capsys.readouterr().out.splitlines())
    names = ["right", "dry run", "trap kicked", "trap pushed-open", "failing"]
    assert [(each["test"], each["passed"]) for each in tests] == [(name, True) for name in names]
    assert covered == {"runbook": "door", "commands": 2, "unreached": []}
    suite = ElementTree.fromstring(report.read_text())[0]
    assert suite.attrib["name"] == "door"
    assert [each.attrib["name"] for each in suite] == names


@pytest.mark.parametrize(
    ("right", "wrong", "kind", "words"),
    [
        ("reaches: [look, push]", "reaches: [look], never: [push]", "right", "it came to push, where"),
        ("run: kick}", "run: knock}", "trap kicked", "do not lead into it"),
        (
            "{set: {door: open}}",
            "{set: {door: shut}}",
            "trap pushed-open",
            "should have refused it, and is ok",
        ),
        ('reply: "", set: {door: open}', 'reply: ""', "right", "not as `recovered` wants it"),
        (
            "cat /door, reply",
            "cat /door, set: {door: ajar}, reply",
            "dry run",
            "is not as it was: world.door",
        ),
        ("reaches: [look, push]", "reaches: [look, psuh]", "right", "did you mean 'push'?"),
    ],
)
def test_what_is_wrong_is_said_by_the_test_that_finds_it(
    folder: Path, right: str, wrong: str, kind: str, words: str
) -> None:
    assert any(words in each for each in ran(folder, right, wrong, kind).wrong)


def test_each_command_fails_in_the_recorded_incident_first_and_once(folder: Path) -> None:
    scenarios = folder / "door" / "scenarios"
    (scenarios / "later.yaml").write_text("base: shut.yaml\nscenario: later\nrecorded: true\n")
    assert load_scenario(scenarios / "later.yaml").recorded
    path = folder / "door" / "runbook.yaml"
    results = [
        TestResult(TestCase("door", path, scenarios / "shut.yaml", RIGHT), (), 0.0, ("look", "push")),
        TestResult(TestCase("door", path, scenarios / "later.yaml", RIGHT), (), 0.0, ("look",)),
        TestResult(TestCase("door", path, scenarios / "shut.yaml", DRY_RUN), (), 0.0),
    ]
    assert [(each.scenario.stem, each.steps) for each in failing_cases(results)] == [
        ("later", ("look",)),
        ("shut", ("push",)),
    ]


GUESS = """\
  - id: look
    title: Look
    ssh: {host: pve, run: [cat, /door]}
    tolerate: [refused]
    capture: {door: result.text}
    next: [{when: "door == ''", goto: push}]
"""


def test_a_change_that_follows_from_a_command_that_failed_is_a_guess_and_fails(folder: Path) -> None:
    path = folder / "door" / "runbook.yaml"
    before, _, after = RUNBOOK.partition("  - {id: look")
    guessing = before + GUESS + after.partition("\n")[2]
    path.write_text(guessing.replace("door.contains('shut')", "door != 'open'"))
    scenario = folder / "door" / "scenarios" / "left.yaml"
    scenario.write_text(
        "base: shut.yaml\nscenario: left\ntraps: []\nrecovered: world.door == 'shut'\n"
        "walk: {choose: {way: leave}}\nexpect: {result: completed, reaches: [look], never: [push]}\n"
    )
    result = run_case(TestCase("door", path, scenario, "failing", steps=("look",)))
    assert result.tried == 3
    assert any("that the right walk does not change" in each for each in result.wrong)


def test_no_scenario_at_all_is_a_usage_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "door" / "scenarios" / "shut.yaml").unlink()
    assert main(["test", str(folder)]) == 2
    assert "no scenario was found" in capsys.readouterr().err
