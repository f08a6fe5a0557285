"""What a shell offers when Tab is pressed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from breakglass.cli.main import COMMANDS, main

Offered = Callable[[str], list[str]]
BREAKGLASS = Path(sys.executable).parent / "breakglass"
BASH = """
eval "$(breakglass completion bash)"
COMP_LINE=$1
COMP_POINT=${#COMP_LINE}
_python_argcomplete breakglass
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


@pytest.fixture
def offered(tmp_path: Path) -> Offered:
    """What the program offers to a shell for the last word of a line."""

    def ask(line: str) -> list[str]:
        answer = tmp_path / "answer"
        asked = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
        env = {**os.environ, **asked, "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n"}
        subprocess.run([BREAKGLASS], env=env, cwd=tmp_path, check=True, timeout=30)
        return [word.rstrip() for word in answer.read_text().splitlines()]

    return ask


def test_the_first_word_is_a_command(offered: Offered) -> None:
    assert offered("breakglass ") == list(COMMANDS)
    assert offered("breakglass --") == ["--help", "--version"]
    assert offered("breakglass sch") == ["schema"]


def test_a_runbook_is_completed_by_name(offered: Offered) -> None:
    assert offered("breakglass show outpost") == ["outpost-shm-purge"]
    assert offered("breakglass triage --site site.yaml outpost") == ["outpost-shm-purge"]


def test_a_name_that_two_have_is_completed_once(offered: Offered, tmp_path: Path) -> None:
    for name in ("outpost-shm-purge", "outpost-of-mine"):
        folder = tmp_path / "runbooks" / name
        folder.mkdir(parents=True)
        (folder / "runbook.yaml").write_text(f"runbook: {name}\n")
    assert sorted(offered("breakglass show outpost")) == ["outpost-of-mine", "outpost-shm-purge"]


def test_lint_takes_any_number_of_runbooks(offered: Offered) -> None:
    assert "outpost-shm-purge" in offered("breakglass lint vault-raft-recovery ")


def test_a_scenario_belongs_to_the_runbook_before_it(offered: Offered) -> None:
    assert offered("breakglass rehearse outpost-shm-purge h") == ["healthy-outpost"]
    assert offered("breakglass rehearse no-such-runbook h") == []


def test_sessions_are_offered_newest_first_after_last(offered: Offered) -> None:
    assert offered("breakglass report ") == [
        "last",
        "20260422T103100Z-vault-raft-recovery-bbbb",
        "20260418T031100Z-outpost-shm-purge-aaaa",
    ]


def test_options_are_offered_after_a_dash(offered: Offered) -> None:
    assert offered("breakglass list --") == ["--help", "--json"]


def test_the_value_of_an_option_is_not_taken_for_the_next_argument(offered: Offered) -> None:
    assert "outpost-shm-purge" in offered("breakglass run --site site.yaml ")


def test_inputs_are_offered_by_name(offered: Offered) -> None:
    assert offered("breakglass run outpost-shm-purge --input name") == ["namespace="]


def test_nothing_more_is_offered_when_every_argument_is_given(offered: Offered) -> None:
    assert offered("breakglass schema site ") == []
    assert offered("breakglass list ") == []
    assert offered("breakglass new ") == []


def test_where_no_name_stands_a_file_is_offered(offered: Offered, tmp_path: Path) -> None:
    (tmp_path / "my-site.yaml").touch()
    assert offered("breakglass run --site my") == ["my-site.yaml"]


def test_bash_completes_through_the_script() -> None:
    beside = {**os.environ, "PATH": f"{BREAKGLASS.parent}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "-c", BASH, "bash", "breakglass show out"],
        env=beside,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (ran.stdout.split(), ran.stderr) == (["outpost-shm-purge"], "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "breakglass" in capsys.readouterr().out


def test_without_a_shell_it_names_those_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["completion"])
    assert "shell" in capsys.readouterr().err
