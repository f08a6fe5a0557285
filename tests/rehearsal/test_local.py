"""In a rehearsal the scenario answers for the programs of this machine, and none of them is started."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.engine import commands as c
from breakglass.engine.opening import open_session
from breakglass.engine.session import Request, Session
from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal.state import State
from tests.engine.support import confirm, walk

SCENARIO = """\
scenario: sealed
title: Vault is sealed
summary: Vault does not answer.
runbook: unseal
speed: 50
world: {sealed: true, asked: ""}
local:
  programs: [vault, touch, grep]
  commands:
    - match: vault status -format=json
      when: world.sealed
      reply: {stdout: '{"sealed": true}', exit: 2}
    - {match: vault status -format=json, reply: '{"sealed": false}'}
    - match: "vault operator unseal {key}"
      reply: done
      set: {sealed: false, asked: "${{ request.match.key }}"}
    - {match: vault monitor, reply: {hang: true}}
    - {match: "vault read {path}", reply: "${{ request.match.path }} is kept"}
    - {match: vault operator raft remove-peer *, reply: removed}
  files: {/etc/vault.hcl: storage raft}
rules:
  - {on: local vault operator unseal *, say: It was unsealed.}
traps:
  - name: destroyed
    title: The data were deleted
    on: local vault operator raft *
    caught: review
    say: They are gone.
recovered: "!world.sealed"
walk: {ask: {key: k-1}}
"""
RUNBOOK = """\
runbook: unseal
title: Unseal Vault
summary: Vault does not answer.
severity: sev2
uses: {programs: [vault, touch, grep]}
steps:
  - id: key
    title: Which key?
    ask: {prompt: The key}
    capture: {key: result.answer}
  - id: status
    title: Is it sealed?
    local: [vault, status, -format=json]
    tolerate: [exit]
    capture: {sealed: result.json.sealed, status: result.exit}
    expect: [sealed, status == 2]
  - id: config
    title: How is it stored?
    local: grep raft /etc/vault.hcl
    expect: [result.exit == 0]
  - id: unseal
    title: Unseal it
    local: [vault, operator, unseal, "${{ key }}"]
    impact: none
    confirm: key
    needs: [status]
    verify: {local: "vault status -format=json", until: "!result.json.sealed", within: 30s}
  - id: marked
    title: Leave a mark
    local: [touch, MARK]
    impact: a file
    confirm: key
    tolerate: [exit]
    verify: {local: [vault, status, -format=json], until: "!result.json.sealed", within: 30s}
  - {id: end, title: Done, ends: recovered}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))
    runbook, scenario = tmp_path / "runbook.yaml", tmp_path / "sealed.yaml"
    runbook.write_text(RUNBOOK.replace("MARK", str(tmp_path / "mark")))
    scenario.write_text(SCENARIO)
    return runbook, scenario


@asynccontextmanager
async def rehearsed(files: tuple[Path, Path]) -> AsyncGenerator[Session]:
    runbook, scenario = files
    async with open_session(Request("rehearsal", runbook, scenario=scenario, pace="never")) as session:
        yield session


def answer(asked: e.Asked) -> c.Command:
    if asked.question == "confirm":
        return confirm(asked)
    if asked.question == "answer":
        return c.Answer("k-1", "operator")
    return c.Skip("as the test says", "operator")


async def walked(session: Session) -> State:
    return await walk(session.engine, *[answer] * 12)


async def test_the_scenario_answers_and_its_effects_and_rules_follow(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    async with rehearsed(files) as session:
        world = session.rehearsal
        assert world is not None
        state = await walked(session)
        assert state.values["status"] == 2
        assert world.recovered() and world.variables["asked"] == "k-1"
        assert world.touched == ["local vault operator unseal k-1"]
        assert world.faults == []
        assert "It was unsealed." in [each.say for each in world.happened]
        assert state.ended is not None and state.ended.result == "recovered"
        happened = [each.event for each in state.timeline]
        prepared = [each for each in happened if isinstance(each, e.ActionPrepared)]
        assert {(each.kind, each.where) for each in prepared} == {("local", "this machine (simulated)")}
        said = [each.message for each in happened if isinstance(each, e.ActionFinished)]
        assert "this machine: the command ended with exit status 127" in said
        snapshot = world.snapshot()
        assert isinstance(snapshot, dict) and isinstance(snapshot["hosts"], dict)
        assert snapshot["hosts"]["this machine"] == {"/etc/vault.hcl": "storage raft"}
    # `touch` is named, its scenario does not know it, and it is there on this machine.
    assert not (tmp_path / "mark").exists()


def test_a_rehearsal_walks_it_headless(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runbook, scenario = files
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "sealed.yaml").write_text(scenario.read_text())
    assert main(["rehearse", str(runbook), "sealed", "--auto"]) == ExitCode.DONE, capsys.readouterr()


LIST = """\
runbook: unseal
title: Unseal Vault
summary: Vault does not answer.
severity: sev2
uses: {programs: [vault]}
steps:
  - id: each
    title: Read each
    foreach: {in: "['a', 'b', 'c']", parallel: 2}
    local: [vault, read, "${{ item }}"]
    risk: read
    because: It shows a value.
    capture: {kept: "results.map(each, each.text.trim())"}
  - id: other
    title: Only where it is open
    when: "size(kept) == 0"
    local: [vault, read, never]
    risk: read
    because: It shows a value.
  - id: peers
    title: Remove both peers
    foreach: {in: "['n-1', 'n-2']", parallel: 1}
    local: [vault, operator, raft, remove-peer, "${{ item }}"]
    risk: destructive
    impact: They are gone.
    confirm: {type: "${{ site.name }}"}
    verify: {local: [vault, status, -format=json], until: result.json.sealed, within: 30s}
    undo: Join them again.
  - {id: end, title: Done, ends: recovered}
"""


async def test_lists_conditions_and_traps_are_for_programs_of_this_machine_too(
    files: tuple[Path, Path],
) -> None:
    files[0].write_text(LIST)
    async with rehearsed(files) as session:
        world = session.rehearsal
        assert world is not None
        state = await walked(session)
        assert world.traps_met() == ["destroyed"]
        assert world.faults == []
    assert state.values["kept"] == ["a is kept", "b is kept", "c is kept"]
    assert state.steps["other"].status == "skipped"
    assert state.steps["peers"].status == "ok"
    happened = [each.event for each in state.timeline]
    (asked,) = [each for each in happened if isinstance(each, e.Asked) and each.question == "confirm"]
    removing = "vault operator raft remove-peer"
    assert [each["command"] for each in asked.each] == [f"{removing} n-1", f"{removing} n-2"]
    assert asked.typed.startswith("2 ")
    intended = [each.command for each in happened if isinstance(each, e.ActionIntended)]
    assert intended == [f"{removing} n-1", f"{removing} n-2"]


async def test_of_a_list_nothing_runs_here_when_the_operator_goes_back(files: tuple[Path, Path]) -> None:
    files[0].write_text(LIST)
    async with rehearsed(files) as session:
        world = session.rehearsal
        assert world is not None
        state = await walk(session.engine, c.Decline("operator"))
        assert world.traps_met() == [] and world.touched == []
    assert state.steps["peers"].status == "cancelled"
