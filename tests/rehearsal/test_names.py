"""Names in a scenario that its runbook or its world does not have are told with their place."""

from pathlib import Path

import pytest

from breakglass.rehearsal.names import name_problems, named_well
from breakglass.runbook.load import load_runbook
from breakglass.yamlio.position import InvalidFileError
from tests.rehearsal.support import read

RUNBOOK = """\
runbook: some-runbook
title: A test
summary: What a test needs.
severity: sev3
uses: {hosts: [pve]}
inputs: {node: {default: n1}}
steps:
  - {id: look, title: Look, ssh: {host: pve, run: [uptime]}, capture: {up: result.text}}
  - {id: way, title: Which way?, choose: {left: {say: The left, goto: size}, right: {say: The right}}}
  - {id: size, title: How large?, ask: {prompt: How large?, type: integer}}
  - {id: door, title: Open the door, manual: Open it.}
"""
SOUND = """\
world: {full: true, deep: {a: 1}}
hosts:
  pve: {commands: [{match: uptime, reply: up, set: {full: false}}]}
endpoints: {app: {url: "http://app.lab"}}
kubernetes: {main: {kinds: [{group: example.com, plural: widgets, kind: Widget}]}}
rules:
  - {on: time, after: 1s, set: {deep.a: 2}}
  - {on: [world, "kubernetes.delete pods", "kubernetes.modified widgets a/*", "*.added nodes"]}
  - {on: ["ssh pve uptime", "ssh {host} reboot", "http GET app /", "manual door", {regex: "shs .*"}]}
traps:
  - name: a
    title: A mistake
    on: ssh pve reboot
    caught: guard
    refused_at: look
    take:
      - {ssh: {host: pve, run: reboot}, at: way}
      - {jump: door, at: size}
      - {choose: {way: left}}
      - {input: {node: x}}
walk:
  inputs: {node: n2}
  choose: {way: right}
  ask: {size: 3}
  manual: {door: done}
  on_failure: {look: {jump: door}}
expect: {reaches: [look, door], never: [size]}
"""


def problems_of(folder: Path, body: str) -> list[str]:
    path = folder / "runbook.yaml"
    path.write_text(RUNBOOK)
    found = name_problems(read(folder, body), load_runbook(path))
    return [str(each).removeprefix(f"{folder}/test.yaml:") for each in found]


def test_a_scenario_whose_names_are_all_there_has_no_problem(tmp_path: Path) -> None:
    assert problems_of(tmp_path, SOUND) == []


@pytest.mark.parametrize(
    ("right", "wrong", "at", "message"),
    [
        ("choose: {way: right", "choose: {wax: right", "wax", "ways is called 'wax'; did you mean 'way'?"),
        ("way: right", "way: rigth", "rigth", "no way 'rigth'; did you mean 'right'?"),
        ("ask: {size", "ask: {door", "door: 3", "no step that asks for a value is called 'door'"),
        ("manual: {door", "manual: {dor", "dor:", "called 'dor'; did you mean 'door'?"),
        ("{look: {jump", "{lok: {jump", "lok:", "no step 'lok'; did you mean 'look'?"),
        ("{jump: door}}", "{jump: doro}}", "doro", "jump: there is no step 'doro'; did you mean 'door'?"),
        ("{node: n2}", "{nod: n2}", "nod:", "no input 'nod'; did you mean 'node'?"),
        (
            "reaches: [look",
            "reaches: [lock",
            "lock",
            "reaches: there is no step 'lock'; did you mean 'look'?",
        ),
        ("never: [size", "never: [sizes", "sizes", "never: there is no step 'sizes'; did you mean 'size'?"),
        ("refused_at: look", "refused_at: loko", "loko", "refused_at: there is no step 'loko'"),
        ("    refused_at: look\n", "", "guard", "say with `refused_at`"),
        ("at: way}", "at: wya}", "wya", "at: there is no step 'wya'; did you mean 'way'?"),
        ("jump: door, at", "jump: dor, at", "dor,", "jump: there is no step 'dor'"),
        ("{ssh: {host: pve", "{ssh: {host: pev", "pev", "no host 'pev'; did you mean 'pve'?"),
        ("{node: x", "{nodes: x", "nodes: x", "no input 'nodes'; did you mean 'node'?"),
        ("{way: left", "{way: lft", "lft", "no way 'lft'; did you mean 'left'?"),
        ("set: {full", "set: {ful", "ful: false", "does not begin with 'ful'; did you mean 'full'?"),
        ("set: {deep.a", "set: {depe.a", "depe.a", "does not begin with 'depe'; did you mean 'deep'?"),
        ("on: time", "on: tiem", "tiem", "is called 'tiem'; did you mean 'time'?"),
        ("kubernetes.delete", "kubernetes.deleted", "[world", "no verb 'deleted'; did you mean 'delete'?"),
        ("delete pods", "delete pod", "[world", "no 'pod'; did you mean 'pods'?"),
        ("ssh pve uptime", "ssh pev uptime", '["ssh', "on: there is no host 'pev'; did you mean 'pve'?"),
        ("http GET app", "http GET ap", '["ssh', "on: there is no endpoint 'ap'; did you mean 'app'?"),
        ("manual door", "manual dor", '["ssh', "on: there is no step 'dor'; did you mean 'door'?"),
        ("  pve: {commands", "  pev: {commands", "test\n", "`hosts` lacks 'pve', which the runbook uses"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_its_place_and_the_one_that_was_meant(
    right: str, wrong: str, at: str, message: str, tmp_path: Path
) -> None:
    assert SOUND.count(right) == 1
    found = problems_of(tmp_path, SOUND.replace(right, wrong))
    before, marker, _ = (tmp_path / "test.yaml").read_text().partition(at)
    assert marker
    place = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    assert any(each.startswith(f"{place}: ") and message in each for each in found), (place, found)


def test_a_scenario_of_another_runbook_and_a_trap_that_nobody_takes_are_told(tmp_path: Path) -> None:
    (tmp_path / "runbook.yaml").write_text(RUNBOOK.replace("some-runbook", "another"))
    before, _, after = SOUND.partition("    take:")
    scenario = read(tmp_path, before + after[after.index("walk:") :])
    first, second = name_problems(scenario, load_runbook(tmp_path / "runbook.yaml"))
    assert str(first).endswith(
        "4:10: this is a scenario of runbook 'some-runbook', and the runbook is 'another'"
    )
    assert second.warning and "no test ever will" in second.message
    with pytest.raises(InvalidFileError, match="some-runbook"):
        named_well(scenario, load_runbook(tmp_path / "runbook.yaml"))
