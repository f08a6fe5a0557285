"""The commands as somebody types them: what they print, where, and how they end."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from breakglass.cli.main import COMMANDS, main
from breakglass.errors import BreakglassError, CommandRefusedError, NotUnderstoodError, StepError, UserError
from breakglass.exit_codes import ExitCode
from tests.runbooks.support import RUNBOOKS

NAMES = ["nfs-node-reboot", "outpost-shm-purge", "registry-image-rebuild", "vault-raft-recovery"]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("BREAKGLASS_STATE", str(folder))
    monkeypatch.setenv("BREAKGLASS_RUNBOOKS", str(RUNBOOKS))
    return folder


def sessions(state: Path) -> list[str]:
    return sorted(each.name for each in (state / "sessions").iterdir())


def site_file(folder: Path) -> Path:
    path = folder / "site.yaml"
    path.write_text(
        "site: test\n"
        "clusters: {main: {kubeconfig: none}}\n"
        "endpoints:\n"
        "  protected-app: {url: 'http://127.0.0.1:1/'}\n"
        "  protected-app-direct: {url: 'http://127.0.0.1:1/'}\n"
        "  sso-api: {url: 'http://127.0.0.1:1/'}\n"
        "variables: {protected_hosts: [a.lab.example]}\n"
    )
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_begins_with_what_it_does_and_shows_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"breakglass {command}" in capsys.readouterr().out


def test_the_list_names_every_shipped_runbook(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == NAMES
    assert all("recorded-incident" in row["scenarios"] for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_is_shown_with_the_risk_of_every_step(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", name, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {step["risk"] for step in shown["steps"]} >= {"read", "destructive"}
    assert main(["show", name]) == 0
    assert shown["title"] in capsys.readouterr().out


def test_a_name_that_is_not_there_is_answered_with_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["show", "outpost"]) == ExitCode.USAGE
    assert "outpost-shm-purge" in capsys.readouterr().err


def test_lint_names_the_place_of_every_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runbook.yaml"
    path.write_text("runbook: x\ntitle: T\nsummary: S\nseverity: sev9\nsteps:\n  - {id: a, titel: A}\n")
    assert main(["lint", str(path), "--json"]) == ExitCode.USAGE
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(row["line"], row["column"]) for row in rows} >= {(4, 11), (6, 13)}
    assert main(["lint", str(path)]) == ExitCode.USAGE
    assert f"{path}:4:11: " in capsys.readouterr().out


def test_everything_that_ships_is_clean() -> None:
    assert main(["lint", "--strict", *map(str, RUNBOOKS.glob("*/runbook.yaml"))]) == 0
    assert main(["lint", "--strict", str(RUNBOOKS / "example-site.yaml")]) == 0


@pytest.mark.parametrize("of", ["runbook", "site", "scenario"])
def test_the_committed_schemas_are_current(of: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", of]) == 0
    assert (RUNBOOKS / f"{of}.schema.json").read_text() == capsys.readouterr().out


@pytest.mark.parametrize(
    ("scenario", "result"),
    [("recorded-incident", "recovered"), ("healthy-outpost", "not-this-incident")],
)
def test_a_headless_rehearsal_ends_with_zero_and_leaves_a_whole_record_and_a_report(
    scenario: str, result: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rehearse", "outpost-shm-purge", scenario, "--auto"]) == ExitCode.DONE
    told = capsys.readouterr().out
    assert f"{result}, as the scenario expects; exit code 0" in told
    assert "After-action review" in told
    assert main(["verify", "last"]) == 0
    assert "records, complete" in capsys.readouterr().out
    assert main(["report", "last"]) == 0
    report = capsys.readouterr().out
    assert "## Timeline" in report and "Hash of the last record" in report
    assert main(["report", "last", "--timeline"]) == 0
    assert main(["report", "last", "--json"]) == 0
    assert len(sessions(state)) == 1


@pytest.mark.parametrize(
    ("runbook", "scenario", "result"),
    [
        ("vault-raft-recovery", "lock-held", "escalate"),
        ("nfs-node-reboot", "server-is-the-fault", "escalate"),
        ("nfs-node-reboot", "machine-locked", "stopped"),
    ],
)
def test_a_headless_rehearsal_that_rightly_stops_or_escalates_ends_with_zero(
    runbook: str, scenario: str, result: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rehearse", runbook, scenario, "--auto"]) == ExitCode.DONE
    assert f"{result}, as the scenario expects; exit code 0" in capsys.readouterr().out


def test_a_rehearsal_that_stops_otherwise_than_its_scenario_expects_keeps_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = variant(tmp_path, "expect: {result: escalate, never: [cookieless]}\n")
    wrong = ["--input", "selector=app.kubernetes.io/component=server"]
    assert main(["rehearse", "outpost-shm-purge", str(scenario), "--auto", *wrong]) == ExitCode.NOT_RECOVERED
    said = capsys.readouterr().out
    assert ", as the scenario expects" not in said
    assert "not as expected: it ended as stopped, not as escalate" in said


MANUAL = """\
runbook: by-hand
title: By hand
summary: Nothing but a person.
severity: sev3
steps:
  - {id: way, title: Which way?, choose: {end: {say: The end, goto: done}, on: {say: On}}}
  - {id: door, title: Open the door, manual: Open it.}
"""
BY_HAND = """\
scenario: one
title: A test
summary: What a test needs.
runbook: by-hand
recovered: "true"
walk: {choose: {way: end}}
expect: {result: completed}
"""


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (BY_HAND, 0, "completed, as the scenario expects"),
        (BY_HAND.replace("completed", "recovered"), 1, "it ended as completed, not as recovered"),
        (BY_HAND.replace("completed}", "completed, reaches: [way, door]}"), 1, "it never came to door"),
        (BY_HAND.replace("completed}", "completed, never: [way]}"), 1, "it came to way, where"),
        (BY_HAND.replace('"true"', '"1 == 2"'), 1, "not as `recovered` wants it: 1 == 2"),
        (BY_HAND.replace("completed}", "completed, never: [wya]}"), 2, "did you mean 'way'?"),
    ],
)
def test_a_rehearsal_that_is_not_as_its_scenario_expects_says_what_is_not_and_does_not_end_with_zero(
    text: str, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runbook.yaml").write_text(MANUAL)
    (tmp_path / "one.yaml").write_text(text)
    assert main(["rehearse", str(tmp_path / "runbook.yaml"), str(tmp_path / "one.yaml"), "--auto"]) == code
    said = capsys.readouterr()
    assert words in said.out + said.err


def test_lint_of_a_scenario_looks_at_the_names_of_the_runbook_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "by-hand"
    (folder / "scenarios").mkdir(parents=True)
    (folder / "runbook.yaml").write_text(MANUAL)
    scenario = folder / "scenarios" / "one.yaml"
    scenario.write_text(BY_HAND.replace("way: end", "way: ned"))
    assert main(["lint", str(folder)]) == ExitCode.USAGE
    assert (
        f"{scenario}:6:22: choose: step way has no way 'ned'; did you mean 'end'?" in capsys.readouterr().out
    )
    (folder / "runbook.yaml").write_text(MANUAL.replace("end:", "ned:"))
    assert main(["lint", str(folder)]) == ExitCode.DONE


DESTRUCTIVE = """\
  - id: off
    title: Switch it off
    kubectl: scale deployment app -n web --replicas=0
    impact: It is gone.
    confirm: {type: web/app}
    verify: {kubectl: get pods -n web -o json, until: size(result.json.items) == 0, within: 5s}
    unknown: Look.
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MANUAL.replace("by-hand", "by-foot"), "1:10: `runbook: by-foot` is in folder 'by-hand'"),
        (f"{MANUAL}  - {{id: look, title: Look, probe: nosuch}}\n", "there is no probe 'nosuch'"),
        (
            f"uses: {{clusters: [main]}}\n{MANUAL}{DESTRUCTIVE}",
            "warning: step off: a destructive step says what is",
        ),
    ],
)
def test_lint_tells_what_the_runbook_alone_does_not_show(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "by-hand").mkdir()
    (tmp_path / "by-hand" / "runbook.yaml").write_text(text)
    assert main(["lint", "--strict", str(tmp_path / "by-hand")]) == ExitCode.USAGE
    assert words in capsys.readouterr().out


def test_several_folders_of_runbooks_are_searched_and_one_that_is_missing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name / f"by-{name}").mkdir(parents=True)
        (tmp_path / name / f"by-{name}" / "runbook.yaml").write_text(MANUAL.replace("by-hand", f"by-{name}"))
    folders = ":".join(str(tmp_path / name) for name in ("one", "none", "two"))
    monkeypatch.setenv("BREAKGLASS_RUNBOOKS", folders)
    assert main(["list"]) == ExitCode.DONE
    said = capsys.readouterr()
    assert "by-one" in said.out and "by-two" in said.out
    assert f"there is no folder {tmp_path / 'none'}" in said.err


def test_events_are_json_lines_where_they_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearse", "outpost-shm-purge", "healthy-outpost", "--json"]) == ExitCode.DONE
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert (rows[0]["type"], rows[-1]["type"]) == ("session.started", "session.ended")


def test_a_rehearsed_dry_run_is_no_recovery_and_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearse", "outpost-shm-purge", "--auto", "--dry-run"]) == ExitCode.DONE
    assert "a dry run: nothing was changed" in capsys.readouterr().out


def variant(folder: Path, text: str) -> Path:
    base = RUNBOOKS / "outpost-shm-purge" / "scenarios" / "recorded-incident.yaml"
    shutil.copy(base, folder)
    path = folder / "variant.yaml"
    path.write_text(f"base: {base.name}\nscenario: variant\n{text}")
    return path


def test_a_check_that_fails_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ["--input", "selector=app.kubernetes.io/component=server"]
    assert main(["rehearse", "outpost-shm-purge", "--auto", *wrong]) == ExitCode.NOT_RECOVERED
    assert "This is not a full /dev/shm" in capsys.readouterr().out


def test_a_world_that_is_not_recovered_ends_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = variant(tmp_path, "recovered: world.shm.used < 0\n")
    assert main(["rehearse", "outpost-shm-purge", str(path), "--auto"]) == ExitCode.NOT_RECOVERED
    assert "exit code 1" in capsys.readouterr().out


def test_a_site_that_cannot_be_reached_ends_with_three_and_can_be_resumed(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_file(tmp_path)
    assert main(["run", "outpost-shm-purge", "--site", str(site)]) == ExitCode.STOPPED
    (session,) = sessions(state)
    capsys.readouterr()
    assert main(["resume", session]) == ExitCode.STOPPED
    assert "resumed" in capsys.readouterr().out


def test_a_missing_kubeconfig_is_one_clear_line_on_the_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["exec", "--site", str(site_file(tmp_path)), "kubectl", "get", "pods", "-n", "web"]
    assert main(words) == ExitCode.NOT_RECOVERED
    told = capsys.readouterr().err
    assert f"kubeconfig {tmp_path / 'none'} is not there" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "words", [["exec", "--site", "x.yaml"], ["exec", "--site", "x.yaml", "nonsense"], ["run", "x"]]
)
def test_wrong_usage_ends_with_two(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(words)
    except SystemExit as ended:
        code = ended.code
    assert code == ExitCode.USAGE
    assert capsys.readouterr().err


def test_a_rehearsal_cannot_be_resumed_since_its_world_is_gone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["rehearse", "outpost-shm-purge", "healthy-outpost", "--auto"])
    capsys.readouterr()
    assert main(["resume", "last"]) == ExitCode.USAGE
    assert "rehearse again" in capsys.readouterr().err


def test_a_journal_that_was_changed_does_not_verify(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["rehearse", "outpost-shm-purge", "healthy-outpost", "--auto"])
    (session,) = sessions(state)
    journal = state / "sessions" / session / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"attempt":1', b'"attempt":2', 1))
    capsys.readouterr()
    assert main(["verify", session]) == ExitCode.NOT_RECOVERED
    assert "was changed or cut" in capsys.readouterr().err


def test_an_output_that_was_changed_does_not_verify(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["rehearse", "outpost-shm-purge", "--auto"])
    output = next(each for each in (state / "sessions").glob("*/output/*") if each.stat().st_size)
    output.write_text("something else\n")
    capsys.readouterr()
    assert main(["verify", "last"]) == ExitCode.NOT_RECOVERED
    assert "was changed" in capsys.readouterr().err


def program(words: Sequence[str], state: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "BREAKGLASS_STATE": str(state), **more}
    return subprocess.run(
        [sys.executable, "-m", "breakglass.cli.main", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_a_terminal_not_one_escape_byte_is_printed(state: Path) -> None:
    for words in (["list"], ["rehearse", "outpost-shm-purge", "healthy-outpost"], ["report", "last"]):
        ran = program(words, state)
        assert ran.returncode == 0, ran.stderr
        assert "\x1b" not in ran.stdout + ran.stderr


def test_an_ad_hoc_change_without_a_terminal_is_not_sent(tmp_path: Path, state: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("site: test\nhosts: {pve: {address: 127.0.0.1, port: 1, user: root}}\n")
    ran = program(["exec", "--site", str(site), "ssh", "pve", "--", "reboot"], state)
    assert ran.returncode == ExitCode.STOPPED
    assert "nothing sent" in ran.stderr


def test_doctor_says_what_is_missing_and_ends_with_the_code_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["doctor", "outpost-shm-purge", "--site", str(site_file(tmp_path)), "--json"]
    assert main(words) == ExitCode.UNREACHABLE
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    states = {row["name"]: row["state"] for row in rows}
    assert states["endpoint protected-app"] == "failed"
    assert states["state folder"] == "ok"


def test_a_resumed_session_says_its_own_mode_in_plain_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    main(["run", "outpost-shm-purge", "--site", str(site_file(tmp_path)), "--plain"])
    assert "LIVE  test" in capsys.readouterr().out
    main(["resume", "last", "--plain"])
    resumed = capsys.readouterr().out
    assert "LIVE  test" in resumed and "REHEARSAL" not in resumed


def test_a_rehearsal_tells_the_inputs_that_its_incident_would_tell(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    main(["rehearse", "nfs-node-reboot", "wrong-boot-order", "--plain", "--speed", "20"])
    (session,) = sessions(state)
    first = (state / "sessions" / session / "journal.jsonl").read_text().splitlines()[0]
    assert '"node":"k8s-node1"' in first


def test_a_report_is_not_written_over_another_file_nor_where_it_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["rehearse", "outpost-shm-purge", "healthy-outpost", "--auto"])
    there = tmp_path / "report.md"
    there.write_text("mine\n")
    capsys.readouterr()
    assert main(["report", "last", "--output", str(there)]) == ExitCode.USAGE
    assert "is not overwritten" in capsys.readouterr().err
    assert there.read_text() == "mine\n"
    assert main(["report", "last", "--output", str(tmp_path / "no-folder" / "report.md")]) == ExitCode.USAGE
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("error", [UserError, StepError, CommandRefusedError, NotUnderstoodError])
def test_whatever_error_a_command_ends_with_is_one_line(
    error: type[BreakglassError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: object) -> int:
        raise error("site.yaml: no such cluster; name one of: main")

    monkeypatch.setattr("breakglass.cli.list.run", fail)
    assert main(["list"]) == ExitCode.USAGE
    assert capsys.readouterr().err == "site.yaml: no such cluster; name one of: main\n"
