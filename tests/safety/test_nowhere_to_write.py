"""Where no disk takes a record, one may still look; nothing is changed, and nothing is left behind."""

from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.engine.opening import open_session
from breakglass.engine.session import Request
from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal import folders
from breakglass.journal.folders import NowhereToWriteError, StateFolderError, prepare
from breakglass.report.past import report_of
from tests.engine.support import confirm, events_of, walk
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.conftest import start as start
from tests.simulator.kubernetes.support import pod
from tests.support.arrived import arrivals

RUNBOOK = """\
runbook: nowhere
title: Nowhere
summary: Looks, and would change something.
severity: sev2
uses: {clusters: [main]}
steps:
  - id: pods
    title: Look
    kubectl: get pods -n web -o json
    expect: [{that: size(result.json.items) == 1, else: Not one.}]
  - id: purge
    title: Delete it
    kubectl: delete pod front -n web
    confirm: {type: front}
    impact: It is gone.
    undo: NONE
    verify: {kubectl: get pods -n web -o json, until: "true", within: 5s}
"""


@pytest.fixture
def no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder, and a local one beside it, that cannot be made."""
    (tmp_path / "file").touch()
    state = tmp_path / "file" / "state"
    monkeypatch.setenv("BREAKGLASS_STATE", str(state))
    monkeypatch.setattr(folders, "local_alternative", lambda: tmp_path / "file" / "local")
    return state


def test_a_folder_that_cannot_be_made_names_the_local_one_that_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(folders, "local_alternative", lambda: tmp_path / "local")
    with pytest.raises(
        StateFolderError, match=f"Use a local one: BREAKGLASS_STATE={tmp_path / 'local'}"
    ) as it:
        prepare(tmp_path / "file" / "state")
    assert not isinstance(it.value, NowhereToWriteError)


async def test_reading_goes_on_and_the_change_is_refused_before_anything_is_sent(
    no_folder: Path, start: Start, tmp_path: Path
) -> None:
    with arrivals() as arrived:
        cluster = await start(pod("front", "front", "node1"))
        site, runbook = tmp_path / "site.yaml", tmp_path / "runbook.yaml"
        site.write_text(
            f"site: lab\nproduction: true\nclusters: {{main: {{kubeconfig: {cluster.server.kubeconfig}}}}}\n"
        )
        runbook.write_text(RUNBOOK)
        before = set(tmp_path.rglob("*"))
        request = Request(mode="live", runbook=runbook, site=site, pace="never")
        async with open_session(request) as session:
            state = await walk(session.engine, confirm)
            engine = session.engine
            draft = report_of(state, engine.writer.journal.last_hash, engine.runbook)
    pods, purge = state.steps["pods"], state.steps["purge"].last
    assert pods.status == "ok"
    assert "nor does" in engine.journal_fault
    assert purge is not None
    assert "so nothing is changed in this session" in purge.say
    assert events_of(state, e.Confirmed), "the operator had said yes"
    assert arrived.changes({}, engine.runbook) == []
    assert "# Post-mortem: Nowhere" in draft
    assert set(tmp_path.rglob("*")) == before


def test_a_rehearsal_needs_a_folder_and_says_so(no_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearse", "outpost-shm-purge", "--auto"]) == ExitCode.USAGE
    assert f"{no_folder}: cannot be made or read" in capsys.readouterr().err


def test_one_action_typed_by_hand_is_answered_and_says_that_no_record_was_kept(
    no_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("site: lab\nhosts: {box: {address: 127.0.0.1, port: 1}}\n")
    assert main(["exec", "--site", str(site), "ssh", "box", "--", "uptime"]) == ExitCode.UNREACHABLE
    said = capsys.readouterr().err
    assert "reading goes on, nothing will be changed" in said
    assert "no record was kept: there is nowhere to write" in said
