"""`breakglass triage` as somebody types it at three in the morning."""

import asyncio
import json
from pathlib import Path

import pytest

from breakglass.cli import triage as command
from breakglass.cli.main import main
from breakglass.cli.triage import code_of, command_for
from breakglass.engine.triage import Finding, Triage, Verdict
from breakglass.exit_codes import ExitCode
from tests.rehearsal.support import running
from tests.runbooks.support import RUNBOOKS

RUNBOOK = """\
runbook: {name}
title: {title}
summary: Something is wrong.
severity: sev2
uses: {{endpoints: [{endpoint}]}}
triage:
  - use: ask
    verdict:
      confirmed: result.text.contains('broken')
      suspect: result.status == 400
      ok: result.status == 200
steps:
  - {{id: ask, title: Ask the app, http: {{get: {endpoint}}}, tolerate: [rejected]}}
"""
HOSTILE = "broken \\e]0;owned\\a \\e[2J\\u202eevil\\n[ok]  not this incident"
WORLD = f"""
endpoints:
  app:
    url: http://app.lab.example
    routes: [{{path: /, reply: {{status: 400, body: "{HOSTILE}"}}}}]
  well:
    url: http://well.lab.example
    routes: [{{path: /, reply: {{body: fine}}}}]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with runbooks of its own, and no place for records."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BREAKGLASS_RUNBOOKS", str(tmp_path / "mine"))
    monkeypatch.setenv("BREAKGLASS_STATE", "/dev/null/state")
    for name, title, endpoint in (
        ("app-down", "The app is down", "app"),
        ("well-down", "The well is down", "well"),
        ("other-site", "Of another site", "elsewhere"),
    ):
        write(tmp_path, name, RUNBOOK.format(name=name, title=title, endpoint=endpoint))
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    path = folder / "mine" / name / "runbook.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)


async def told(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """What the command says of the simulated world: its exit code and both outputs."""
    async with running(folder, WORLD) as world:
        endpoints = {
            name: {"url": each.url, "resolve": "127.0.0.1"} for name, each in world.site.endpoints.items()
        }
        (folder / "site.yaml").write_text(json.dumps({"site": "test", "endpoints": endpoints}))
        code = await asyncio.to_thread(main, ["triage", "--site", "site.yaml", *words])
        assert world.touched == []
    out, err = capsys.readouterr()
    return code, out, err


async def test_the_worst_comes_first_with_what_was_seen_and_how_to_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "torn", "runbook: torn\ntitle: [")
    code, out, err = await told(folder, capsys, "torn", "well-down", "other-site", "app-down")
    lines = out.splitlines()
    rows = [line for line in lines if line.startswith("[")]
    assert [row.split("  ")[0] for row in rows] == ["[XX]", "[??]", "[??]", "[ok]"]
    assert rows[0].split() == ["[XX]", "confirmed", "sev2", "app-down", "The", "app", "is", "down"]
    assert rows[3].startswith("[ok]  not this incident  sev2  well-down")
    assert lines[1].startswith("      Ask the app: result.text = ")
    assert lines[2] == "      breakglass run app-down --site site.yaml"
    assert any("site test lacks what it uses: endpoints: elsewhere" in line for line in lines)
    assert any("it cannot be used: " in line and "`breakglass lint torn` says all" in line for line in lines)
    assert lines[-1] == "test (prod): 1 confirmed, 0 suspect, 2 unknown, 1 not this incident"
    assert code == ExitCode.NOT_RECOVERED
    assert err == "", "nobody waits at a terminal"


async def test_without_names_every_runbook_is_asked_that_can_be_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = await told(folder, capsys)
    shipped = {path.parent.name for path in RUNBOOKS.glob("*/runbook.yaml")}
    named = {line[29:].split()[0] for line in out.splitlines() if line.startswith("[")}
    assert named == {"app-down", "well-down", "other-site", *shipped}


async def test_what_comes_back_is_text_and_no_row_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["app-down"], ["app-down", "--json"]):
        _, out, _ = await told(folder, capsys, *words)
        assert not {"\x1b", "\a", "\u202e"} & set(out)
        assert "evil" in out
        assert not [line for line in out.splitlines() if line.startswith("[ok]")]


async def test_json_is_an_object_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = await told(folder, capsys, "well-down", "app-down", "--json")
    first, second = [json.loads(line) for line in out.splitlines()]
    assert (first["name"], first["verdict"], second["verdict"]) == ("app-down", "confirmed", "ok")
    assert first["command"] == "breakglass run app-down --site site.yaml"
    assert first["findings"][0]["step"] == "ask"
    assert second["findings"][0]["seen"] == {"result.status": 200}
    assert code == ExitCode.NOT_RECOVERED


async def test_nothing_is_kept_and_nothing_has_to_be_writable(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(prefix: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "TemporaryDirectory", full)
    code, out, _ = await told(folder, capsys, "well-down")
    assert (code, out[:4]) == (ExitCode.DONE, "[ok]")


def test_a_site_that_does_not_answer_is_unreachable(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "site.yaml").write_text("site: test\nendpoints: {app: {url: 'http://127.0.0.1:1/'}}\n")
    assert main(["triage", "app-down", "--site", "site.yaml"]) == ExitCode.UNREACHABLE
    out = capsys.readouterr().out
    assert out.startswith("[??]  unknown")
    assert "refuses the connection" in out


def test_a_name_that_is_no_runbook_is_said_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "site.yaml").write_text("site: test\n")
    assert main(["triage", "no-such", "--site", "site.yaml"]) == ExitCode.USAGE
    assert "no runbook is called 'no-such'" in capsys.readouterr().err


def row(verdict: Verdict, fault: str = "") -> Triage:
    return Triage("one", findings=(Finding("ask", "Ask", verdict, fault=fault),))


NOT_ASKED = Triage("one", reason="it has no triage")


@pytest.mark.parametrize(
    ("rows", "broken", "code"),
    [
        ([row("ok"), NOT_ASKED], False, ExitCode.DONE),
        ([row("ok"), row("suspect"), row("unknown", "forbidden")], True, ExitCode.NOT_RECOVERED),
        ([row("confirmed"), row("unknown", "refused")], False, ExitCode.NOT_RECOVERED),
        ([row("unknown")], False, ExitCode.NOT_RECOVERED),
        ([row("ok"), row("unknown", "timeout")], True, ExitCode.UNREACHABLE),
        ([row("unknown", "host-key"), row("unknown", "timeout")], False, ExitCode.PERMISSION),
        ([row("ok"), NOT_ASKED], True, ExitCode.USAGE),
        ([NOT_ASKED], False, ExitCode.USAGE),
    ],
)
def test_the_exit_code_is_what_was_found_and_else_why_not_all_was_seen(
    rows: list[Triage], broken: bool, code: ExitCode
) -> None:
    assert code_of(rows, broken=broken) == code


def test_the_command_to_go_on_is_quoted_and_names_the_inputs_that_are_wanted() -> None:
    found = Triage("my runbook/runbook.yaml", wanted=("node",))
    assert command_for(found, Path("site.yaml")) == (
        "breakglass run 'my runbook/runbook.yaml' --site site.yaml --input 'node=…'"
    )
