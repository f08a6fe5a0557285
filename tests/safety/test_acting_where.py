"""Where a step acts: on what the site names and the runbook declares, over TLS that is verified unless the
site says otherwise, and then that is said."""

import json
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest

from breakglass.engine.opening import open_session
from breakglass.engine.session import Request
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.policy.commands import judge_kubectl
from breakglass.policy.risk import Risk
from breakglass.runbook.load import load_runbook
from breakglass.site.load import load_site
from breakglass.tui.walk_text import header_chunks
from breakglass.yamlio.position import InvalidFileError
from tests.engine.support import events_of, walk
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.conftest import start as start
from tests.simulator.kubernetes.support import pod
from tests.support.arrived import Arrived, arrivals

HEAD = """\
runbook: where
title: Where
summary: Acts somewhere.
severity: sev2
"""
LOOK = (
    HEAD
    + """\
uses: {clusters: [main]}
steps:
  - id: pods
    title: Look
    kubectl: {run: get pods -n web -o json, driver: DRIVER}
"""
)


class Look(Protocol):
    def __call__(self, driver: str, *, allowed: bool) -> Awaitable[tuple[State, list[str], Arrived]]: ...


@pytest.fixture
def unverified(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Walk a look at a cluster whose kubeconfig leaves out TLS verification."""
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))

    async def look(driver: str, *, allowed: bool) -> tuple[State, list[str], Arrived]:
        with arrivals() as arrived:
            cluster = await start(pod("front", "front", "node1"))
            loose = json.loads(cluster.server.kubeconfig.read_text())
            described = loose["clusters"][0]["cluster"]
            described.pop("certificate-authority-data")
            described["insecure-skip-tls-verify"] = True
            kubeconfig, site, runbook = (tmp_path / name for name in ("loose", "site.yaml", "runbook.yaml"))
            kubeconfig.write_text(json.dumps(loose))
            says = ", verify_tls: false" if allowed else ""
            site.write_text(
                f"site: lab\nproduction: true\nclusters: {{main: {{kubeconfig: {kubeconfig}{says}}}}}\n"
            )
            runbook.write_text(LOOK.replace("DRIVER", driver))
            request = Request(mode="live", runbook=runbook, site=site, pace="never")
            async with open_session(request) as session:
                state = await walk(session.engine)
                now = datetime.now(UTC)
                return state, header_chunks(state, session.engine.runbook, session.engine.site, now), arrived

    return look


@pytest.mark.parametrize("driver", ["native", "binary"])
async def test_a_kubeconfig_without_verification_is_refused_unless_the_site_allows_it(
    unverified: Look, driver: str
) -> None:
    state, header, arrived = await unverified(driver, allowed=False)
    last = state.steps["pods"].last
    assert last is not None
    assert "leaves out TLS verification" in last.say
    assert arrived.api == []
    assert not any("TLS NOT VERIFIED" in each for each in header)


async def test_where_the_site_allows_it_the_screen_and_the_record_say_so(
    unverified: Look,
) -> None:
    state, header, arrived = await unverified("native", allowed=True)
    assert state.steps["pods"].status == "ok"
    assert arrived.api
    assert "TLS NOT VERIFIED: main" in header
    prepared = [each for each in events_of(state, e.ActionPrepared) if isinstance(each, e.ActionPrepared)]
    assert [each.where for each in prepared] == ["cluster main TLS NOT VERIFIED"]


def test_a_site_that_leaves_it_out_is_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("site: lab\nclusters: {main: {verify_tls: false}}\n")
    site = load_site(path)
    assert not site.clusters["main"].verify_tls


UNDECLARED = {
    "a cluster": "kubectl: {run: get pods, cluster: other}",
    "a host": "ssh: {host: other, run: [id]}",
    "an endpoint": "http: {get: other}",
    "a secret": "http: {get: app, headers: {X-Token: '${{ secrets.other }}'}}",
    "a variable": "http: {get: app, path: '/${{ site.variables.other }}'}",
    "another kubeconfig": "kubectl: {run: get pods --kubeconfig=/tmp/x, cluster: main}",
    "another context": "kubectl: {run: get pods --context other, cluster: main}",
    "another server": "kubectl: {run: get pods --server=https://127.0.0.1:1, cluster: main}",
    "somebody else": "kubectl: {run: get pods --as=root, cluster: main}",
    "no verification": "kubectl: {run: get pods --insecure-skip-tls-verify, cluster: main}",
    "a token": "kubectl: {run: get pods --token=x, cluster: main}",
    "a URL": "http: {get: 'http://127.0.0.1:1/'}",
}


@pytest.mark.parametrize("action", UNDECLARED.values(), ids=UNDECLARED)
@pytest.mark.parametrize("driver", ["native", "binary"])
def test_a_runbook_reaches_nothing_that_it_does_not_declare(tmp_path: Path, action: str, driver: str) -> None:
    path = tmp_path / "runbook.yaml"
    action = action.replace("cluster: main", f"cluster: main, driver: {driver}")
    uses = "uses: {clusters: [main], hosts: [box], endpoints: [app]}\n"
    path.write_text(f"{HEAD}{uses}steps:\n  - id: x\n    title: Reach out\n    {action}\n")
    with pytest.raises(InvalidFileError) as caught:
        load_runbook(path)
    assert any(each.position.line == 9 for each in caught.value.problems)


@pytest.mark.parametrize(
    "line",
    [
        "get -f /etc/shadow",
        "get -Rf /etc",
        "get --filename=https://planted.example/x.yaml -o json",
        "describe -k /srv",
        "diff -f /etc/shadow",
        "wait --for=delete -f x.yaml",
        "cluster-info dump --output-directory=/etc",
        "get pods --profile=cpu --profile-output=/etc/cron.d/x",
        "--cache-dir=/etc get pods",
        "--cache-dir /etc get pods",
        "get pods -o go-template-file=/etc/shadow",
        "get pods -ojsonpath-file=/etc/shadow",
        "get pods --output=custom-columns-file=/etc/shadow",
        "exec -f /etc/shadow -- df",
    ],
)
def test_a_kubectl_line_that_names_local_files_is_never_a_read(line: str) -> None:
    assert judge_kubectl(line.split()).risk >= Risk.CHANGE


@pytest.mark.parametrize(
    "line",
    [
        "logs -f front -n web",
        "get pods -l app=front -n k",
        "exec front -- tail -f /var/log/x",
        "get pods -A -w",
    ],
)
def test_a_kubectl_line_that_names_none_stays_a_read(line: str) -> None:
    assert judge_kubectl(line.split()).risk is Risk.READ


@pytest.mark.parametrize("value", ["127.0.0.1", "root@box", "box:22", "../box", "-oProxyCommand=id", "BOX"])
async def test_a_value_names_a_host_of_the_site_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))
    site, runbook = tmp_path / "site.yaml", tmp_path / "runbook.yaml"
    site.write_text("site: lab\nproduction: true\nhosts: {box: {address: 127.0.0.1, port: 1}}\n")
    runbook.write_text(
        f"{HEAD}inputs: {{host: {{default: box}}}}\nsteps:\n  - id: x\n    title: Look\n"
        '    ssh: {host: "${{ inputs.host }}", run: [id]}\n'
    )
    said = await what_is_said(site, runbook, value)
    assert f"site lab has no host {value!r}" in said
    assert "inputs.host: is empty" in await what_is_said(site, runbook, "")


async def what_is_said(site: Path, runbook: Path, host: str) -> str:
    request = Request(mode="live", runbook=runbook, site=site, inputs={"host": host}, pace="never")
    async with open_session(request) as session:
        state = await walk(session.engine)
    last = state.steps["x"].last
    assert last is not None
    return last.say
