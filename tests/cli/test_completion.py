"""What a shell offers when Tab is pressed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from breakglass.cli.completion import candidates
from breakglass.cli.main import COMMANDS, main

TRY = """
eval "$(breakglass completion bash)"
COMP_WORDS=(breakglass "$@")
COMP_CWORD=$#
_breakglass
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(autouse=True)
def a_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path))
    for name in ("20260418T031100Z-outpost-shm-purge-aaaa", "20260422T103100Z-vault-raft-recovery-bbbb"):
        folder = tmp_path / "sessions" / name
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_text("")
    return tmp_path


def test_the_first_word_is_a_command() -> None:
    assert set(candidates([""])) == {*COMMANDS, "--help", "--version"}
    assert candidates(["sch"]) == ["schema"]


def test_a_runbook_is_completed_by_name() -> None:
    assert candidates(["show", "outpost"]) == ["outpost-shm-purge"]
    assert candidates(["triage", "--site", "site.yaml", "outpost"]) == ["outpost-shm-purge"]


def test_lint_takes_any_number_of_runbooks() -> None:
    assert "outpost-shm-purge" in candidates(["lint", "vault-raft-recovery", ""])


def test_a_scenario_belongs_to_the_runbook_before_it() -> None:
    assert candidates(["rehearse", "outpost-shm-purge", "h"]) == ["healthy-outpost"]
    assert candidates(["rehearse", "no-such-runbook", "h"]) == []


def test_sessions_are_offered_newest_first_after_last() -> None:
    assert candidates(["report", ""]) == [
        "last",
        "20260422T103100Z-vault-raft-recovery-bbbb",
        "20260418T031100Z-outpost-shm-purge-aaaa",
    ]


def test_options_are_offered_after_a_dash() -> None:
    assert candidates(["list", "--"]) == ["--help", "--json"]


def test_the_value_of_an_option_is_not_taken_for_the_next_argument() -> None:
    assert candidates(["run", "--site", ""]) == []
    assert "outpost-shm-purge" in candidates(["run", "--site", "site.yaml", ""])


def test_inputs_are_offered_by_name() -> None:
    assert candidates(["run", "outpost-shm-purge", "--input", "name"]) == ["namespace="]


def test_nothing_more_is_offered_when_every_argument_is_given() -> None:
    assert candidates(["schema", "site", ""]) == []
    assert candidates(["list", ""]) == []


def test_a_word_that_is_no_command_offers_nothing() -> None:
    assert candidates(["frobnicate", ""]) == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [(["sch"], ["schema"]), (["show", "out"], ["outpost-shm-purge"]), (["list", "--"], ["--help", "--json"])],
)
def test_bash_completes_through_the_script(words: list[str], offered: list[str]) -> None:
    beside = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "-c", TRY, "bash", *words], env=beside, capture_output=True, text=True, timeout=30
    )
    assert (ran.stdout.split(), ran.stderr) == (offered, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "breakglass completion --words=" in capsys.readouterr().out


def test_without_a_shell_it_names_those_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion"]) == 2
    assert "bash, zsh, fish" in capsys.readouterr().err
