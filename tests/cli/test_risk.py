"""`breakglass risk` says what a command may do, in the words that lint has for it."""

import io
import json
import subprocess
import sys

import pytest

from breakglass.cli.main import main
from breakglass.policy.commands import judge_shell


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["risk", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_read_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, "ps aux | head") == ["read  every word is known to read"]


def test_what_is_known_to_change_is_said_with_the_word_that_decided(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert asked(capsys, "ls; rm -rf /srv") == ["destructive  rm removes files  decided by rm"]


def test_what_is_not_known_is_said_to_be_so(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = asked(capsys, "frobnicate -x")
    assert line.startswith("change, not known  frobnicate ")


def test_several_arguments_are_the_words_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, "--", "grep", "-c", "a;rm x", "/etc/hosts") == ["read  every word is known to read"]
    assert asked(capsys, "--", "kubectl", "delete", "pod", "front")[0].startswith("destructive ")


def test_json_is_an_object_with_risk_why_and_word(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = asked(capsys, "sort -o x y", "--json")
    assert json.loads(line) == {
        "risk": "change",
        "knowledge": "known to change",
        "why": "sort: -o writes a file",
        "word": "-o",
    }


def test_every_line_of_standard_input_is_answered_in_its_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [b"ls", b"rm x", b"", b"mount -t nfs a:/b /c", b"\xff", b"echo 'x"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n".join(lines))))
    risks = [json.loads(line)["risk"] for line in asked(capsys, "--json", "-")]
    assert risks == ["read", "destructive", "read", "probe", "change", "change"]


def test_a_command_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = asked(capsys, "frob\x1b[2J")
    assert "\x1b" not in line


def test_nothing_but_what_judges_is_loaded() -> None:
    program = (
        "import sys; from breakglass.cli.main import main; main(['risk', 'ls']); "
        "heavy = {'textual', 'kubernetes', 'paramiko', 'httpx', 'asyncio'}; print(heavy & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "set()"


def test_the_words_are_those_of_the_judgement(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = asked(capsys, "curl -X DELETE http://x")
    assert judge_shell("curl -X DELETE http://x").why in line
