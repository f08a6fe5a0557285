"""What is looked at before an incident, against the worlds of rehearsals: nothing is changed by it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from breakglass.engine.doctor import PATIENCE, Check, checks, unused
from breakglass.engine.gateway import Gateway, Response
from breakglass.policy.risk import Knowledge
from breakglass.policy.site_rules import ReadPattern, SiteRules
from breakglass.rehearsal.load import load_scenario
from breakglass.rehearsal.rehearsal import start_rehearsal
from breakglass.runbook.host_programs import Needed, programs_of, text_asking_for
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.runbook.risk import judged_ssh
from breakglass.site.model import (
    Cluster,
    CommandSecret,
    Endpoint,
    EnvironmentSecret,
    Host,
    LocalPrograms,
    PromptSecret,
    Site,
)
from breakglass.transport.base import Request
from tests.engine.support import HEAD
from tests.runbooks.support import RUNBOOKS
from tests.support.openssh import openssh

OUTPOST = load_runbook(RUNBOOKS / "outpost-shm-purge" / "runbook.yaml")
VAULT = load_runbook(RUNBOOKS / "vault-raft-recovery" / "runbook.yaml")


async def looked(
    site: Site, *runbooks: Runbook, folder: Path, patience: float = PATIENCE
) -> Mapping[str, Check]:
    output, state = folder / "output", folder / "state"
    for each in (output, state):
        each.mkdir(mode=0o700, exist_ok=True)
    return {check.name: check async for check in checks(site, runbooks, state, output, patience)}


async def test_everything_that_is_there_is_found_and_the_world_is_left_as_it_was(tmp_path: Path) -> None:
    path = RUNBOOKS / "vault-raft-recovery" / "scenarios" / "recorded-incident.yaml"
    rehearsal = await start_rehearsal(load_scenario(path), tmp_path / "world", speed=0.01)
    try:
        before = rehearsal.snapshot()
        found = await looked(rehearsal.site, VAULT, folder=tmp_path)
        assert rehearsal.touched == []
        assert rehearsal.snapshot() == before
    finally:
        await rehearsal.close()
    assert found["cluster main: delete pod in vault"].state == "ok"
    assert found["cluster main: create pods/exec in vault"].state == "ok"
    assert found["host pve"].state == "ok"
    pve = rehearsal.site.hosts["pve"]
    assert f"lets {pve.user} in at {pve.address}:{pve.port}, " in found["host pve"].words
    assert found["endpoint vault"].state == "ok"
    assert found["secret vault_token"].state == "ok"
    assert not [check for check in found.values() if check.state == "failed"]


async def test_a_right_that_is_missing_is_named_with_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text(
        "scenario: test\ntitle: A test\nsummary: One.\nrunbook: some-runbook\nrecovered: 'false'\n"
        "kubernetes:\n  main:\n    users:\n      - name: oncall\n        rules:\n"
        "          - {verbs: [get, list], resources: [pods, limitranges, replicasets]}\n"
        "          - {verbs: [create], resources: [selfsubjectaccessreviews]}\n"
    )
    scenario = load_scenario(tmp_path / "scenario.yaml")
    rehearsal = await start_rehearsal(scenario, tmp_path / "world", speed=1)
    try:
        found = await looked(rehearsal.site, OUTPOST, folder=tmp_path)
    finally:
        await rehearsal.close()
    refused = found["cluster main: delete pod in authentik"]
    assert (refused.state, refused.fault) == ("failed", "forbidden")
    assert "bind a Role that lets you delete pod in authentik" in refused.mend
    assert found["cluster main: list pods in authentik"].state == "ok"


async def test_what_cannot_be_reached_costs_its_own_line_and_says_how_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    site = Site(
        "test",
        clusters={"main": Cluster("main", kubeconfig=tmp_path / "none")},
        hosts={"pve": Host("pve", "127.0.0.1", port=1, user="root", ssh_config=Path("/dev/null"))},
        endpoints={"vault": Endpoint("vault", "http://127.0.0.1:1/")},
        secrets={
            "vault_token": EnvironmentSecret("NOT_SET_ANYWHERE"),
            "vault_unseal_key": PromptSecret("the key"),
        },
        variables={"nodes": {}, "vault_snapshots": "", "vault_address": ""},
    )
    found = await looked(site, VAULT, folder=tmp_path)
    assert "is not there" in found["cluster main"].words
    assert (found["host pve"].state, found["host pve"].fault) == ("failed", "refused")
    assert (found["endpoint vault"].state, found["endpoint vault"].fault) == ("failed", "refused")
    assert "look whether the service runs" in found["endpoint vault"].mend
    assert "NOT_SET_ANYWHERE is not set" in found["secret vault_token"].words
    assert found["secret vault_unseal_key"].state == "unknown"
    assert "vault-raft-recovery uses it" in found["variable vault_host"].words


@asynccontextmanager
async def silent() -> AsyncGenerator[int]:
    """The port of a server that takes whatever comes, and never says anything."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def limits_of_requests(monkeypatch: pytest.MonkeyPatch) -> set[float]:
    """The time limits of all that is sent from now on, in seconds."""
    limits: set[float] = set()
    send = Gateway.send

    async def noted(gateway: Gateway, request: Request) -> Response:
        limits.add(request.timeout)
        return await send(gateway, request)

    monkeypatch.setattr(Gateway, "send", noted)
    return limits


async def test_every_look_has_the_limit_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = limits_of_requests(monkeypatch)
    path = RUNBOOKS / "vault-raft-recovery" / "scenarios" / "recorded-incident.yaml"
    rehearsal = await start_rehearsal(load_scenario(path), tmp_path / "world", speed=0.01)
    try:
        found = await looked(rehearsal.site, VAULT, folder=tmp_path, patience=31.5)
    finally:
        await rehearsal.close()
    assert {"cluster main: delete pod in vault", "host pve: sudo", "endpoint vault"} <= found.keys()
    assert limits == {31.5}


async def test_what_never_answers_is_looked_at_no_longer_than_the_patience_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = limits_of_requests(monkeypatch)
    async with silent() as port, asyncio.timeout(60):
        (tmp_path / "config").write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
            f"clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n"
            "users: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
        )
        site = Site(
            "test",
            clusters={"main": Cluster("main", kubeconfig=tmp_path / "config")},
            hosts={"pve": Host("pve", "127.0.0.1", port=port, user="root", ssh_config=Path("/dev/null"))},
            endpoints={"vault": Endpoint("vault", f"http://127.0.0.1:{port}/")},
            secrets={
                "vault_token": CommandSecret(("sleep", "600")),
                "vault_unseal_key": PromptSecret("the key"),
            },
        )
        found = await looked(site, VAULT, folder=tmp_path, patience=0.4)
    assert limits == {0.4}
    for name in ("cluster main", "host pve", "endpoint vault", "secret vault_token"):
        assert (found[name].state, found[name].fault) == ("failed", "timeout"), found[name]


async def test_a_host_of_bare_verbs_is_sent_nothing(tmp_path: Path) -> None:
    host = Host("pve", "127.0.0.1", port=1, forced_command=True)
    found = await looked(Site("test", hosts={"pve": host}), VAULT, folder=tmp_path)
    assert found["host pve"].state == "unknown"
    assert "nothing was sent" in found["host pve"].words


async def test_a_state_folder_that_cannot_be_used_is_found(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "state").chmod(0o755)
    found = await looked(Site("test"), folder=tmp_path)
    assert "chmod 700" in found["state folder"].words


def test_a_host_that_no_runbook_uses_is_named_and_a_jump_host_is_not() -> None:
    spare = Host("spare", "127.0.0.1")
    door = Host("door", "127.0.0.1")
    pve = Host("pve", "127.0.0.1", jump=("door",))
    site = Site("test", hosts={"spare": spare, "door": door, "pve": pve})
    literal_only = replace(VAULT, steps=tuple(s for s in VAULT.steps if s.id == "none"))
    assert [check.name for check in unused(site, [literal_only])] == ["host spare", "host pve"]


async def test_the_reads_that_a_site_adds_are_shown(tmp_path: Path) -> None:
    site = Site("lab", reads=(ReadPattern(("raidctl", "status", "*")), ReadPattern(("peek",))))
    found = await looked(site, folder=tmp_path)
    assert found["reads"].words == "this site also counts as reads: raidctl status *; peek"
    assert "reads" not in await looked(Site("lab"), folder=tmp_path)


def runbook_of(folder: Path, uses: str, steps: str) -> Runbook:
    path = folder / "runbook.yaml"
    path.write_text(f"{HEAD}uses: {{{uses}}}\nsteps:\n{dedent(steps)}")
    return load_runbook(path)


ON_HOSTS = """\
- {id: disk, title: How full, ssh: {host: box, run: [df, -k]}}
- {id: gone, title: Ask it, ssh: {host: box, run: "no-such-program -l | grep x"}, READ}
- {id: perhaps, title: Ask, ssh: {host: box, run: [timeout, '5', not-there-either]}, tolerate: [exit], READ}
- {id: inside, title: In its container, ssh: {host: box, run: [docker, exec, web, ls-of-the-container]}, READ}
- {id: which, title: Where, ask: {prompt: A host}, capture: {where: result.answer}}
- {id: far, title: Ask that host, ssh: {host: "${{ where }}", run: [only-somewhere]}, READ}
- {id: mounts, title: What is mounted, ssh: {host: box, run: [only-root-has-it], sudo: true}, READ}
""".replace("READ", "risk: read, because: It only shows")


async def test_the_programs_that_steps_start_are_looked_for_on_their_hosts(tmp_path: Path) -> None:
    book = runbook_of(tmp_path, "hosts: [box]", ON_HOSTS)
    with openssh(tmp_path / "sshd") as server:
        host = replace(server.host(), ssh_config=Path("/dev/null"))
        found = await looked(Site("test", hosts={"box": host}), book, folder=tmp_path)
        assert server.logins() == 1
    assert {"df", "grep", "timeout"} <= {*found["host box: programs"].words.split(", ")}
    gone = found["host box: no-such-program"]
    assert (gone.state, gone.fault) == ("failed", "configuration")
    assert gone.words == "not found; example starts it in gone"
    assert found["host box: not-there-either"].state == "suspect"
    assert found["host box: only-somewhere"].state == "suspect"
    assert found["host box: only-somewhere"].words.endswith("on a host that a value names")
    assert found["host box: only-root-has-it"].state == "failed"
    assert not [name for name in found if "ls-of-the-container" in name]


async def test_a_host_whose_shell_says_nothing_shows_nothing_of_its_programs(tmp_path: Path) -> None:
    book = runbook_of(tmp_path, "hosts: [box]", ON_HOSTS)
    with openssh(tmp_path / "sshd", options=["ForceCommand true"]) as server:
        host = replace(server.host(), ssh_config=Path("/dev/null"))
        found = await looked(Site("test", hosts={"box": host}), book, folder=tmp_path)
    assert found["host box: programs"].state == "unknown"
    assert "host box: no-such-program" not in found


def test_looking_for_programs_reads_and_looks_where_sudo_does() -> None:
    needed = [*programs_of(VAULT, {}), Needed("box", "it's", "x", as_root=True, tolerated=False)]
    text = text_asking_for(needed)
    assert judged_ssh("box", (text,), SiteRules(), shell=True, fed=False).knowledge is Knowledge.READS
    assert "command -v umount" in text and "command -v /usr/sbin/umount" in text
    assert "command -v qm; " in text and "/usr/sbin/qm" not in text


LOCAL = "- {id: ask, title: Ask it, local: [tool, status], risk: read, because: It shows its state.}\n"


@pytest.mark.parametrize(
    ("mode", "state", "words"),
    [
        (0o755, "ok", "bin/tool; runs as "),
        (0o644, "failed", "cannot be run by this user: chmod +x "),
        (0o777, "failed", "bin/tool is not run: "),
        (None, "failed", "No such file or directory; install it, or give its path under `local`"),
    ],
)
async def test_a_program_of_this_machine_is_looked_at_and_what_is_wrong_is_said(
    tmp_path: Path, mode: int | None, state: str, words: str
) -> None:
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "tool"
    if mode is not None:
        tool.write_text("#!/bin/sh\ntouch $0.ran\n")
        tool.chmod(mode)
    site = Site("test", local=LocalPrograms({"tool": str(tool)}))
    found = await looked(site, runbook_of(tmp_path, "programs: [tool]", LOCAL), folder=tmp_path)
    assert found["program tool"].state == state
    assert words in found["program tool"].words
    assert found["program tool"].fault == ("configuration" if state == "failed" else "")
    assert not list((tmp_path / "bin").glob("*.ran"))


async def test_a_program_that_the_site_does_not_name_is_said_with_where_to_name_it(tmp_path: Path) -> None:
    found = await looked(Site("test"), runbook_of(tmp_path, "programs: [tool]", LOCAL), folder=tmp_path)
    assert found["program tool"].words == "example uses it"
    assert "name it under local.programs" in found["program tool"].mend
