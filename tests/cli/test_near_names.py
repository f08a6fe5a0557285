"""A name that is nearly right gets an offer, and words find their runbook."""

from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.exit_codes import ExitCode

EXAMPLE = Path(__file__).parent.parent.parent / "runbooks" / "example-site.yaml"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["reprot"], "did you mean `breakglass report`?"),
        (["show", "valut-raft-recovery"], "did you mean vault-raft-recovery?"),
        (["show", "vault"], "did you mean vault-raft-recovery?"),
        (["show", "outpsot"], "did you mean outpost-shm-purge?"),
        (["rehearse", "outpost-shm-purge", "recorded", "--auto"], "did you mean recorded-incident?"),
        (
            ["rehearse", "outpost-shm-purge", "--auto", "--input", "namespaec=x"],
            "the runbook has no such input; did you mean 'namespace'?",
        ),
        (["triage", "--site", str(EXAMPLE.with_name("example-sit.yaml"))], f"did you mean {EXAMPLE}?"),
        (["triage", "--about", "xyzzy", "--site", str(EXAMPLE)], "no runbook fits 'xyzzy'"),
    ],
)
def test_a_name_that_is_nearly_right_gets_an_offer(
    words: list[str], offered: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == ExitCode.USAGE
    assert offered in capsys.readouterr().err


def test_words_list_the_runbooks_that_fit_the_best_first(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "valut", "down"]) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("vault-raft-recovery")
    assert main(["list", "no space left on device"]) == ExitCode.DONE
    assert "symptom: no space left on device" in capsys.readouterr().out


def test_words_that_fit_nothing_are_said(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "xyzzy"]) == ExitCode.DONE
    said = capsys.readouterr()
    assert said.out == "" and "no runbook fits 'xyzzy'" in said.err


def test_show_fills_in_the_defaults_of_inputs_and_quotes_what_a_shell_would_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runbook = tmp_path / "runbook.yaml"
    runbook.write_text(
        "runbook: example\ntitle: An example\nsummary: Something is wrong.\nseverity: sev3\n"
        "uses: {clusters: [main], hosts: [pve]}\n"
        "inputs: {namespace: {default: web}, pod: {help: Which pod}}\n"
        "steps:\n"
        "  - {id: a, title: Read, kubectl: 'get pod ${{ inputs.pod }} -n ${{ inputs.namespace }} -o json'}\n"
        "  - {id: b, title: Look, ssh: {host: pve, run: [cat, 'a b', '${{ inputs.pod }}']}}\n"
    )
    assert main(["show", str(runbook)]) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert "kubectl get pod ${{ inputs.pod }} -n web -o json" in shown
    assert "ssh pve -- cat 'a b' ${{ inputs.pod }}" in shown
