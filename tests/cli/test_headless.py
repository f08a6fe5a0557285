"""A walk of a real site with nobody at the terminal: it stops before its first change, and says so."""

from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.engine import autopilot
from breakglass.engine import commands as c
from breakglass.engine.autopilot import Script
from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal.state import State

RUNBOOK = """\
runbook: turn
title: Turn it
summary: It has to be turned.
severity: sev2
uses: {hosts: [pve]}
steps:
  - id: turn
    title: Turn it
    ssh: {host: pve, run: [systemctl, restart, kubelet]}
    confirm: {type: pve@lab}
    impact: It is away for a moment.
    unknown: Look.
    verify: {ssh: {host: pve, run: [uptime]}, until: result.exit == 0, every: 1s, within: 3s}
"""
SITE = "site: lab\nhosts: {pve: {address: 127.0.0.1, port: 1}}\n"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[e.Question, bool]]:
    """Each question that nobody can answer, with whether the script would confirm a change."""
    found: list[tuple[e.Question, bool]] = []
    answer = autopilot.answer_for

    def noted(
        asked: e.Asked, state: State, script: Script, operator: str, tried: dict[str, int]
    ) -> c.Command:
        found.append((asked.question, script.confirms))
        return answer(asked, state, script, operator, tried)

    monkeypatch.setattr(autopilot, "answer_for", noted)
    return found


def test_neither_beginning_nor_resuming_confirms_anything(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scripts: list[tuple[e.Question, bool]],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name, text in (("runbook.yaml", RUNBOOK), ("site.yaml", SITE)):
        (tmp_path / name).write_text(text)
    begun = main(["run", str(tmp_path / "runbook.yaml"), "--site", str(tmp_path / "site.yaml")])
    assert begun == ExitCode.STOPPED
    assert "needs a person: confirm at step turn" in capsys.readouterr().out
    assert main(["resume"]) == ExitCode.STOPPED
    assert [question for question, _ in scripts] == ["confirm", "decide"]
    assert not any(confirms for _, confirms in scripts)
