"""Which runbook is it? Asked of the worlds of the shipped scenarios, and of far sides that answer as told."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.engine import triage as triage_module
from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.triage import Triage, triage
from breakglass.policy.risk import Risk
from breakglass.rehearsal.load import load_scenario
from breakglass.rehearsal.rehearsal import start_rehearsal
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.site.model import Endpoint, EnvironmentSecret, Host, Site
from breakglass.transport.base import HttpRequest, KubectlRequest, ProbeRequest, Request, SshRequest
from tests.engine.support import SITE, Answer, FarSide, fault, ok, write_runbook
from tests.rehearsal.support import running
from tests.runbooks.support import RUNBOOKS, scenario_paths
from tests.support.arrived import arrivals

KINDS: tuple[type[Request], ...] = (KubectlRequest, SshRequest, HttpRequest, ProbeRequest)

ASKS_THE_APP = """
- id: ask
  title: Ask the app
  http: {get: app}
  tolerate: [rejected]
"""
APP = """
triage:
  - use: ask
    verdict: {confirmed: result.status == 400, ok: result.status == 302}
"""
ASKS_THE_HOST = "- {id: host, title: Ask the host, ssh: {host: pve, run: [uptime]}}\n"
HOST = """
triage:
  - use: host
    verdict: {confirmed: "result.text.contains('load')", ok: result.exit == 0}
"""


def book(folder: Path, name: str, steps: str, triage: str) -> Runbook:
    (folder / name).mkdir()
    return load_runbook(write_runbook(folder / name, steps, triage))


def outside_of(folder: Path, answers: Mapping[str, Answer] | Mapping[type[Request], FarSide]) -> Gateway:
    """The way to far sides that answer: one for each kind of request, or one for all."""
    far_side = FarSide({key: each for key, each in answers.items() if isinstance(key, str)})  # type: ignore[misc]
    by_kind = {key: each for key, each in answers.items() if not isinstance(key, str)}
    transports = {kind: by_kind.get(kind, far_side) for kind in KINDS}
    return Gateway(SITE, folder / "output", Clock(), Prompts(), transports)  # type: ignore[arg-type]


async def told_by(folder: Path, steps: str, checks: str, answers: Mapping[str, Answer]) -> Triage:
    """What the checks of one runbook say of these answers."""
    runbook = book(folder, "one", steps, checks)
    (row,) = await triage(outside_of(folder, answers), {"one": runbook})
    return row


VERDICTS = {
    "nfs-node-reboot": {
        "healthy-node": "ok",
        # A reboot does not register a driver, nor does it mend a server.
        **dict.fromkeys(("driver-not-registered", "server-is-the-fault", "two-sick-nodes"), "suspect"),
    },
    "outpost-shm-purge": {"healthy-outpost": "ok", "oom-follow-on-fix": "suspect"},
    "registry-image-rebuild": {
        # No pull has failed yet for what is broken: it takes a walk of the registry to find it.
        **dict.fromkeys(("healthy", "lost-links", "shared-digest", "unlinked-children"), "ok"),
        **dict.fromkeys(("recorded-incident", "ci-image-broken", "dangling-layers"), "suspect"),
        "url-misdiagnosis": "suspect",
    },
    "vault-raft-recovery": {
        "healthy": "ok",
        # Vault serves, or says itself that it cannot.
        **dict.fromkeys(("audit-volume-hanging", "block-node-off", "lock-held"), "suspect"),
        **dict.fromkeys(("lost-security-context", "empty-disks", "sealed"), "suspect"),
    },
}
"""What triage must say in each scenario; `confirmed` in every other."""


@pytest.mark.parametrize(
    ("name", "scenario"), [(name, path.stem) for name in VERDICTS for path in scenario_paths(name)]
)
async def test_a_shipped_runbook_knows_its_own_incidents(tmp_path: Path, name: str, scenario: str) -> None:
    path = RUNBOOKS / name / "scenarios" / f"{scenario}.yaml"
    runbook = load_runbook(RUNBOOKS / name / "runbook.yaml")
    with arrivals() as arrived:
        world = await start_rehearsal(load_scenario(path), tmp_path / "world", speed=0.01)
        gateway = Gateway(world.site, tmp_path / "output", Clock(), Prompts())
        try:
            before = world.snapshot()
            (row,) = await triage(gateway, {name: runbook})
            assert world.snapshot() == before
        finally:
            await gateway.close()
            await world.close()
    assert row.verdict == VERDICTS[name].get(scenario, "confirmed"), row
    assert world.touched == []
    assert arrived.api or arrived.http, "something was asked"
    assert arrived.changes(world.site.hosts, runbook) == []
    assert world.traps_met() == []


async def test_all_runbooks_are_asked_at_once(tmp_path: Path) -> None:
    held = FarSide({"GET app": ok(status=400)}, hold=asyncio.Event())
    runbooks = {name: book(tmp_path, name, ASKS_THE_APP, APP) for name in ("one", "two", "three")}
    asked = asyncio.create_task(triage(outside_of(tmp_path, {HttpRequest: held}), runbooks))
    async with asyncio.timeout(10):
        while len(held.sent) < 3:
            await asyncio.sleep(0)
    assert held.hold is not None
    held.hold.set()
    assert [(row.name, row.verdict) for row in await asked] == [(name, "confirmed") for name in runbooks]


async def test_what_never_answers_costs_its_own_row_and_each_row_is_told_when_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triage_module, "GRACE", 0.0)
    silent = FarSide({"GET app": ok()}, hold=asyncio.Event())
    answers = FarSide({"ssh pve": ok("load average: 90")})
    runbooks = {
        "silent": book(tmp_path, "silent", ASKS_THE_APP, APP),
        "loaded": book(tmp_path, "loaded", ASKS_THE_HOST, HOST),
    }
    gateway = outside_of(tmp_path, {HttpRequest: silent, SshRequest: answers})
    told: list[str] = []
    rows = await triage(gateway, runbooks, patience=0.2, told=lambda row: told.append(row.name))
    assert told == ["loaded", "silent"]
    assert [row.verdict for row in rows] == ["unknown", "confirmed"]
    assert rows[0].findings[0].fault == "timeout"
    assert "given up" in rows[0].findings[0].message
    assert silent.sent[0].timeout == 0.2, "the transport has the deadline as well"


async def test_what_cannot_be_reached_is_unknown_with_the_fault(tmp_path: Path) -> None:
    host = Host("pve", "127.0.0.1", port=1, user="root", ssh_config=Path("/dev/null"))
    site = Site("test", hosts={"pve": host}, endpoints={"app": Endpoint("app", "http://127.0.0.1:1/")})
    gateway = Gateway(site, tmp_path / "output", Clock(), Prompts())
    runbooks = {
        "app": book(tmp_path, "app", ASKS_THE_APP, APP),
        "host": book(tmp_path, "host", ASKS_THE_HOST, HOST),
    }
    try:
        rows = await triage(gateway, runbooks)
    finally:
        await gateway.close()
    assert [row.verdict for row in rows] == ["unknown", "unknown"]
    assert [row.findings[0].fault for row in rows] == ["refused", "refused"]
    assert "refuse" in rows[1].findings[0].message


async def test_a_host_is_logged_in_to_once_for_all_runbooks(tmp_path: Path) -> None:
    """It would let in three at once, and the next one ten minutes later."""
    world = "hosts:\n  pve:\n    commands: [{match: uptime, reply: load}]\n"
    runbooks = {name: book(tmp_path, name, ASKS_THE_HOST, HOST) for name in "abcde"}
    async with running(tmp_path, world) as rehearsal:
        strict = {"pve": replace(rehearsal.site.hosts["pve"], connections_per_minute=0.1)}
        gateway = Gateway(replace(rehearsal.site, hosts=strict), tmp_path / "output", Clock(), Prompts())
        rows = await triage(gateway, runbooks)
        await gateway.close()
    assert [row.verdict for row in rows] == ["confirmed"] * 5, rows


async def test_a_step_that_is_no_read_is_never_run(tmp_path: Path) -> None:
    runbook = book(tmp_path, "one", ASKS_THE_HOST, HOST)
    step = runbook.steps[0]
    runbook = replace(runbook, steps=(replace(step, assessed=replace(step.assessed, declared=Risk.PROBE)),))
    far_side = FarSide({})
    (row,) = await triage(outside_of(tmp_path, {SshRequest: far_side}), {"one": runbook})
    assert row.verdict == "unknown"
    assert "triage only reads" in row.findings[0].message
    assert far_side.sent == []


async def test_a_runbook_that_cannot_be_asked_says_why(tmp_path: Path) -> None:
    runbook = book(tmp_path, "one", ASKS_THE_HOST, HOST)
    lacking = replace(runbook, uses=replace(runbook.uses, hosts=("pve", "door"), secrets=("token",)))
    far_side = FarSide({})
    gateway = outside_of(tmp_path, {SshRequest: far_side})
    rows = await triage(gateway, {"lacking": lacking, "silent": replace(runbook, triage=())})
    assert [row.reason for row in rows] == [
        "site test lacks what it uses: hosts: door; secrets: token",
        "it has no triage",
    ]
    assert [row.verdict for row in rows] == ["unknown", "unknown"]
    assert far_side.sent == []


async def test_an_input_without_a_default_stops_only_the_check_that_needs_it(tmp_path: Path) -> None:
    steps = ASKS_THE_APP + "- {id: node, title: Ask, ssh: {host: '${{ inputs.node }}', run: [uptime]}}\n"
    checks = APP + "  - use: node\n    verdict: {ok: 'true'}\ninputs: {node: {help: The node}}\n"
    row = await told_by(tmp_path, steps, checks, {"GET app": ok(status=400)})
    assert row.wanted == ("node",)
    assert [(each.step, each.verdict) for each in row.findings] == [("ask", "confirmed"), ("node", "unknown")]
    assert row.findings[1].message == "not run: it needs input node, which has no default"


async def test_a_verdict_sees_what_its_step_captures(tmp_path: Path) -> None:
    steps = """
    - id: look
      title: Look
      kubectl: get pods -n web -o json
      capture: {no_value: 1 / (size(result.json.items) - 2), used: size(result.json.items) * 50}
    """
    checks = "triage: [{use: look, verdict: {confirmed: used > 90}}]\n"
    row = await told_by(tmp_path, steps, checks, {"kubectl get": ok('{"items": [1, 2]}')})
    assert row.verdict == "confirmed"
    assert row.findings[0].seen == {"used": 100}


async def test_a_short_list_is_shown_and_a_long_one_counted(tmp_path: Path) -> None:
    steps = """
    - id: look
      title: Look
      kubectl: get pods -n web -o json
      capture: {few: "['node1']", many: result.json.items}
    """
    checks = "triage: [{use: look, verdict: {suspect: size(few) > 0 && size(many) > 0}}]\n"
    items = ", ".join(f'"pod-{number}"' for number in range(100))
    row = await told_by(tmp_path, steps, checks, {"kubectl get": ok(f'{{"items": [{items}]}}')})
    assert row.findings[0].seen == {"size(many)": 100, "few": ["node1"]}


async def test_the_worst_that_a_check_says_counts_and_what_is_unknown_is_not_ok(tmp_path: Path) -> None:
    steps, checks = ASKS_THE_APP + ASKS_THE_HOST, APP + HOST.removeprefix("\ntriage:\n")
    saw: list[str] = []
    for number, app in enumerate((400, 302, 418)):
        (tmp_path / str(number)).mkdir()
        answers = {"GET app": ok(status=app), "ssh pve": fault("timeout", "no answer")}
        saw.append((await told_by(tmp_path / str(number), steps, checks, answers)).verdict)
    assert saw == ["confirmed", "unknown", "unknown"]


async def test_ok_only_stands_where_nothing_before_it_was_in_doubt(tmp_path: Path) -> None:
    checks = "triage: [{use: host, verdict: {confirmed: result.json.stuck == true, ok: result.exit == 0}}]\n"
    row = await told_by(tmp_path, ASKS_THE_HOST, checks, {"ssh pve": ok("no JSON at all")})
    assert row.verdict == "unknown"
    assert "result.json.stuck" in row.findings[0].message


async def test_a_fault_that_a_step_tolerates_is_judged_and_any_other_is_not(tmp_path: Path) -> None:
    steps = "- {id: ask, title: Ask, http: {get: app}, tolerate: [refused]}\n" + ASKS_THE_HOST
    checks = """
    triage:
      - {use: ask, verdict: {suspect: result.status == null, ok: 'true'}}
      - {use: host, verdict: {ok: 'true'}}
    """
    answers = {"GET app": fault("refused", "app refuses"), "ssh pve": fault("refused", "pve refuses")}
    row = await told_by(tmp_path, steps, checks, answers)
    assert [(each.verdict, each.message) for each in row.findings] == [
        ("suspect", "app refuses"),
        ("unknown", "pve refuses"),
    ]


async def test_a_secret_that_comes_back_is_in_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_THE_TEST", "s3cret-of-the-app")
    steps = """
    - id: ask
      title: Ask
      http: {get: app, headers: {Token: "${{ secrets.token }}"}}
      capture: {said: result.text}
    """
    checks = "triage: [{use: ask, verdict: {suspect: said != ''}}]\n"
    (tmp_path / "one").mkdir()
    path = write_runbook(tmp_path / "one", steps, checks)
    path.write_text(path.read_text().replace("uses: {", "uses: {secrets: [token], "))
    far_side = FarSide({"GET app": ok("you sent s3cret-of-the-app", status=200)})
    site = replace(SITE, secrets={"token": EnvironmentSecret("TOKEN_OF_THE_TEST")})
    gateway = Gateway(site, tmp_path / "output", Clock(), Prompts(), {HttpRequest: far_side})
    (row,) = await triage(gateway, {"one": load_runbook(path)})
    (request,) = far_side.sent
    assert isinstance(request, HttpRequest) and request.headers["Token"] == "s3cret-of-the-app"
    assert row.verdict == "suspect"
    assert "s3cret" not in repr(row)


async def test_a_secret_that_cannot_be_had_is_said_and_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    steps = '- {id: ask, title: Ask, http: {get: app, headers: {Token: "${{ secrets.token }}"}}}\n'
    (tmp_path / "one").mkdir()
    path = write_runbook(tmp_path / "one", steps, "triage: [{use: ask, verdict: {ok: 'true'}}]\n")
    path.write_text(path.read_text().replace("uses: {", "uses: {secrets: [token], "))
    far_side = FarSide({})
    site = replace(SITE, secrets={"token": EnvironmentSecret("NOT_SET_ANYWHERE")})
    gateway = Gateway(site, tmp_path / "output", Clock(), Prompts(), {HttpRequest: far_side})
    (row,) = await triage(gateway, {"one": load_runbook(path)})
    assert "NOT_SET_ANYWHERE is not set" in row.findings[0].message
    assert far_side.sent == []
