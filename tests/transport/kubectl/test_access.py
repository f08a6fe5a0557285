"""Getting into a cluster: kubeconfigs, contexts, certificates, tokens, plugins, impersonation."""

import asyncio
import base64
import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
import yaml

from breakglass.policy.kubectl.parse import understood
from breakglass.simulator.kubernetes.access import ADMIN, READ_ONLY, RbacRule, User
from breakglass.site.model import Cluster, Site
from breakglass.transport.base import Delivery, KubectlRequest, Result, Stream
from breakglass.transport.kubectl import Kubectl, in_cluster, kubeconfig
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import pod
from tests.transport.kubectl.support import Output, client

Config = dict[str, list[dict[str, dict[str, object]]]]


def read(path: Path) -> Config:
    return cast(Config, yaml.safe_load(path.read_text()))


def write(path: Path, config: object) -> Path:
    path.write_text(yaml.safe_dump(config))
    return path


def with_user(kubeconfig: Path, folder: Path, user: object) -> Path:
    config = read(kubeconfig)
    config["users"][0]["user"] = cast("dict[str, object]", user)
    return write(folder / "config", config)


def plugin(folder: Path, script: str) -> dict[str, object]:
    """A user whose credentials come from a script."""
    path = folder / "plugin"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": "./plugin", "interactiveMode": "Never"}}


PRINT_TOKEN = """
import json, os
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert info["spec"]["interactive"] is False
count = os.path.join(os.path.dirname(__file__), "count")
with open(count, "a") as file:
    file.write("x")
print(json.dumps({"kind": "ExecCredential", "apiVersion": info["apiVersion"], "status": STATUS}))
"""


async def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    async with client(tmp_path / "none") as run:
        came = await run("get pods")
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "configuration")
    assert f"cluster main: kubeconfig {tmp_path / 'none'} is not there" in came.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", ":2:1 is not YAML"),
        ("a: [", "is not YAML"),
        ("just text", "is no kubeconfig"),
        ("{}", "has no current-context"),
        ("current-context: c", "has no context 'c'; it has: none"),
        ("{current-context: c, contexts: [{name: c, context: {cluster: x}}]}", "names the cluster 'x'"),
        (
            "{current-context: c, contexts: [{name: c, context: {cluster: x, user: u}}],"
            " clusters: [{name: x, cluster: {server: 'https://a'}}]}",
            "names the user 'u', who is not described",
        ),
        (
            "{current-context: c, contexts: [{name: c, context: {cluster: x}}],"
            " clusters: [{name: x, cluster: {server: 'ftp://a'}}]}",
            "has no server URL",
        ),
        (
            "{current-context: c, contexts: [{name: c, context: {cluster: x}}],"
            " clusters: [{name: x, cluster: {server: 'https://a', certificate-authority-data: '!'}}]}",
            "certificate-authority-data is not base64",
        ),
        (
            "{current-context: c, contexts: [{name: c, context: {cluster: x}}],"
            " clusters: [{name: x, cluster: {server: 'https://a', certificate-authority: nowhere.crt}}]}",
            "nowhere.crt",
        ),
        (
            "{current-context: c, contexts: [{name: c, context: {cluster: x}}],"
            " clusters: [{name: x, cluster: {server: 'https://a', certificate-authority-data: aGVsbG8=}}]}",
            "cannot be used",
        ),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    async with client(path) as run:
        came = await run("delete pod x")
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "configuration")
    assert message in came.message


async def test_only_the_chosen_context_has_to_work(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"))
    config = read(cluster.server.kubeconfig)
    name = cast(str, config["contexts"][0]["name"])
    broken_user = {"name": "bad", "user": {"client-certificate": "/nowhere", "client-key": "/nowhere"}}
    config["users"] += cast("list[dict[str, dict[str, object]]]", [broken_user, {"name": "half"}])
    config["contexts"] += cast(
        "list[dict[str, dict[str, object]]]",
        [
            {"name": "one", "context": {"cluster": "gone", "user": "bad"}},
            {"name": "two", "context": {"user": "nobody"}},
        ],
    )
    config["current-context"] = "one"  # type: ignore[assignment]
    path = write(tmp_path / "config", config)
    async with client(path, context=name) as run:
        assert (await run("get pods -n web -o name")).out == "pod/front\n"
    async with client(path) as run:
        assert "names the cluster 'gone'" in (await run("get pods")).message
    async with client(path, context="three") as run:
        assert "has no context 'three'; it has: one, " in (await run("get pods")).message


async def test_several_files_are_read_as_kubectl_does(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = await start(pod("front"))
    first = write(tmp_path / "first", {"users": [], "contexts": []})
    monkeypatch.setenv(
        "KUBECONFIG", f"{tmp_path / 'none'}{os.pathsep}{first}{os.pathsep}{cluster.server.kubeconfig}"
    )
    kubectl = Kubectl(Site("lab", clusters={"main": Cluster("main")}))
    output = Output()
    result = await kubectl.send(
        KubectlRequest("main", understood(("get", "pods", "-n", "web", "-o", "name")), 20.0), output
    )
    await kubectl.close()
    assert (result.fault, bytes(output.stdout)) == (None, b"pod/front\n")


@pytest.mark.parametrize(
    "broken",
    [
        "current-context: prod\nclusters: [\n",
        "current-context: prod\nclusters: {}\n",
        "current-context: 7\n",
        "users: [{name: u, user: {client-key-data: '!'}}]",
        "contexts: [{name: a}, {name: a}]",
        "kind: Pod",
        "\x00",
    ],
)
@pytest.mark.parametrize("first", [True, False])
async def test_a_broken_file_of_the_list_leads_to_no_other_cluster(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, first: bool
) -> None:
    cluster = await start(pod("front"))
    (tmp_path / "prod").write_text(broken)
    listed = [str(tmp_path / "prod"), str(cluster.server.kubeconfig)]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(listed if first else reversed(listed)))
    came = await first_answer("get", "pods", "-n", "web")
    assert (came.delivery, came.fault and came.fault.kind) == (Delivery.NOT_SENT, "configuration")
    assert came.fault is not None
    assert f"kubeconfig {tmp_path / 'prod'}" in came.fault.message


async def test_a_file_of_the_list_that_may_not_be_read_leads_to_no_other_cluster(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = await start(pod("front"))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}{os.pathsep}{cluster.server.kubeconfig}")
    came = await first_answer("get", "pods", "-n", "web")
    assert came.fault is not None
    assert f"kubeconfig {tmp_path} cannot be read" in came.fault.message


async def first_answer(*argv: str) -> Result:
    """A request to whichever cluster the environment means."""
    kubectl = Kubectl(Site("lab", clusters={"main": Cluster("main")}))
    try:
        return await kubectl.send(KubectlRequest("main", understood(argv), 20.0), Output())
    finally:
        await kubectl.close()


async def test_in_a_pod_its_own_account_counts_where_no_kubeconfig_is(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = await start(pod("front"), users=(ADMIN, User("oncall", login="token")))
    theirs = read(cluster.server.kubeconfigs["oncall"])
    account = tmp_path / "account"
    account.mkdir()
    authority = cast(str, theirs["clusters"][0]["cluster"]["certificate-authority-data"])
    (account / "ca.crt").write_bytes(base64.b64decode(authority))
    (account / "token").write_text(f"{theirs['users'][0]['user']['token']}\n")
    (account / "namespace").write_text("web")
    monkeypatch.setattr(in_cluster, "ACCOUNT", account)
    monkeypatch.setattr(kubeconfig, "ACCOUNT", account)
    host, _, port = cluster.server.url.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    found = await first_answer("get", "pod", "front")
    assert found.fault is None
    (tmp_path / "none").write_text("current-context: prod")
    refused = await first_answer("get", "pod", "front")
    assert refused.fault is not None
    assert "has no context 'prod'" in refused.fault.message


async def test_paths_are_relative_to_their_kubeconfig(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"))
    config = read(cluster.server.kubeconfig)
    user = config["users"][0]["user"]
    for name in ("client-certificate", "client-key"):
        data = base64.b64decode(cast(str, user.pop(f"{name}-data")))
        (tmp_path / name).write_bytes(data)
        user[name] = name
    async with client(write(tmp_path / "config", config)) as run:
        assert (await run("get pods -n web -o name")).out == "pod/front\n"


async def test_no_certificate_or_key_touches_a_disk(start: Start) -> None:
    cluster = await start(pod("front"))
    opened: list[str] = []
    watching = True

    def heard(event: str, arguments: tuple[object, ...]) -> None:
        if not watching or event != "open" or not isinstance(arguments[0], str):
            return
        writes = isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes:
            opened.append(arguments[0])

    sys.addaudithook(heard)
    try:
        async with client(cluster.server.kubeconfig) as run:
            assert (await run("get pods -n web")).fault == ""
    finally:
        watching = False
    assert opened == []


async def test_an_expired_client_certificate_is_said_with_its_day(start: Start) -> None:
    cluster = await start(pod("front"), users=(User("late", certificate_days=-1),))
    yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d")
    async with client(cluster.server.kubeconfig) as run:
        came = await run("delete pod front -n web")
    assert (came.delivery, came.fault) == (Delivery.ANSWERED, "authentication")
    assert f"the client certificate of kubeconfig user late expired on {yesterday}" in came.message
    assert came.err == "error: You must be logged in to the server (Unauthorized)\n"


async def test_a_key_with_a_passphrase_is_refused_without_asking(start: Start, tmp_path: Path) -> None:
    cluster = await start()
    config = read(cluster.server.kubeconfig)
    locked = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
    user = {**config["users"][0]["user"], "client-key-data": base64.b64encode(locked).decode()}
    async with client(with_user(cluster.server.kubeconfig, tmp_path, user)) as run:
        came = await run("get pods")
    assert came.fault == "configuration"
    assert "has a passphrase" in came.message


async def test_tokens_log_in_and_wrong_ones_do_not(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"), users=(ADMIN, User("oncall", READ_ONLY, login="token")))
    theirs = cluster.server.kubeconfigs["oncall"]
    async with client(theirs) as run:
        assert (await run("get pods -n web -o name")).out == "pod/front\n"
        assert 'User "oncall" cannot delete' in (await run("delete pod front -n web")).message
    async with client(with_user(theirs, tmp_path, {"token": "wrong"})) as run:
        came = await run("get pods -n web")
    assert came.fault == "authentication"
    assert "renew the credentials of this kubeconfig user" in came.message


async def test_a_token_file_is_read(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"), users=(ADMIN, User("oncall", login="token")))
    theirs = cluster.server.kubeconfigs["oncall"]
    token = cast(str, read(theirs)["users"][0]["user"]["token"])
    (tmp_path / "token").write_text(token)
    async with client(with_user(theirs, tmp_path, {"tokenFile": "token"})) as run:
        assert (await run("get pods -n web -o name")).out == "pod/front\n"


async def test_someone_else_is_impersonated(start: Start) -> None:
    watcher = User("watcher", READ_ONLY)
    rules = (RbacRule(("impersonate",), ("users",)),)
    cluster = await start(pod("front"), users=(ADMIN, watcher, User("oncall", rules)))
    async with client(cluster.server.kubeconfigs["oncall"], impersonate="watcher") as run:
        came = await run("delete pod front -n web")
    assert 'User "watcher" cannot delete' in came.message
    async with client(cluster.server.kubeconfigs["watcher"], impersonate="admin") as run:
        came = await run("get pods -n web")
    assert came.fault == "forbidden"
    assert "cannot impersonate" in came.message


async def test_a_plugin_gives_the_token_once(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"), users=(ADMIN, User("oncall", login="token")))
    theirs = cluster.server.kubeconfigs["oncall"]
    status = json.dumps({"token": read(theirs)["users"][0]["user"]["token"]})
    user = plugin(tmp_path, PRINT_TOKEN.replace("STATUS", status))
    async with client(with_user(theirs, tmp_path, user)) as run:
        for _ in range(2):
            assert (await run("get pods -n web -o name")).out == "pod/front\n"
    assert (tmp_path / "count").read_text() == "x"


async def test_a_plugin_is_told_of_the_cluster_as_kubectl_tells_it(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"), users=(ADMIN, User("oncall", login="token")))
    theirs = cluster.server.kubeconfigs["oncall"]
    status = json.dumps({"token": read(theirs)["users"][0]["user"]["token"]})
    keep = 'open(os.path.join(os.path.dirname(__file__), "info"), "w").write(json.dumps(info))\n'
    user = plugin(tmp_path, PRINT_TOKEN.replace("STATUS", status) + keep)
    cast("dict[str, object]", user["exec"])["provideClusterInfo"] = True
    config = read(with_user(theirs, tmp_path, user))
    described = config["clusters"][0]["cluster"]
    authority = cast(str, described.pop("certificate-authority-data"))
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(authority))
    described |= {"certificate-authority": "ca.crt", "tls-server-name": "kubernetes.default.svc"}
    described["extensions"] = [
        {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "one", "tries": 3, "at": 1.5}}
    ]
    path = write(tmp_path / "config", config)
    async with client(path) as run:
        assert (await run("get pods -n web -o name")).out == "pod/front\n"
    ours = json.loads((tmp_path / "info").read_text())
    assert ours["spec"]["cluster"] == {
        "server": cluster.server.url,
        "tls-server-name": "kubernetes.default.svc",
        "certificate-authority-data": authority,
        "config": {"audience": "one", "tries": 3, "at": 1.5},
    }
    async with client(path) as run:
        assert (await run("get pods -n web -o name", binary=True)).out == "pod/front\n"
    assert json.loads((tmp_path / "info").read_text())["spec"]["cluster"] == ours["spec"]["cluster"]


async def test_what_a_plugin_says_while_it_waits_is_shown_and_in_the_message(
    start: Start, tmp_path: Path
) -> None:
    cluster = await start()
    script = "import sys, time; print('enter CODE-123', file=sys.stderr, flush=True); time.sleep(600)"
    seen = asyncio.Event()

    class Waiting(Output):
        def __call__(self, stream: Stream, data: bytes) -> None:
            super().__call__(stream, data)
            if b"CODE-123" in data:
                seen.set()

    site = Cluster("main", with_user(cluster.server.kubeconfig, tmp_path, plugin(tmp_path, script)))
    kubectl = Kubectl(Site("lab", clusters={"main": site}))
    output = Waiting()
    request = KubectlRequest("main", understood(("get", "pods")), 600.0)
    under_way = asyncio.create_task(kubectl.send(request, output))
    async with asyncio.timeout(60):
        await seen.wait()
    under_way.cancel()
    await asyncio.gather(under_way, return_exceptions=True)
    late = await kubectl.send(replace(request, timeout=3.0), Output())
    await kubectl.close()
    assert bytes(output.stderr) == b"enter CODE-123\n"
    assert late.fault is not None
    assert "which says: enter CODE-123: no answer within 3 s" in late.fault.message


async def test_a_plugin_gives_a_certificate(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"))
    user = read(cluster.server.kubeconfig)["users"][0]["user"]
    status = {
        "clientCertificateData": base64.b64decode(cast(str, user["client-certificate-data"])).decode(),
        "clientKeyData": base64.b64decode(cast(str, user["client-key-data"])).decode(),
    }
    given = plugin(tmp_path, PRINT_TOKEN.replace("STATUS", repr(status)))
    async with client(with_user(cluster.server.kubeconfig, tmp_path, given)) as run:
        assert (await run("get pods -n web -o name")).out == "pod/front\n"


async def test_a_refused_token_is_asked_for_once_more(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"), users=(ADMIN, User("oncall", login="token")))
    theirs = cluster.server.kubeconfigs["oncall"]
    token = read(theirs)["users"][0]["user"]["token"]
    second = f'{{"token": "stale" if os.path.getsize(count) == 1 else "{token}"}}'
    user = plugin(tmp_path, PRINT_TOKEN.replace("STATUS", second))
    async with client(with_user(theirs, tmp_path, user)) as run:
        came = await run("delete pod front -n web --grace-period=1")
    assert (came.fault, came.out) == ("", 'pod "front" deleted\n')
    assert (tmp_path / "count").read_text() == "xx"


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        (
            "import sys; print('login expired', file=sys.stderr); sys.exit(3)",
            "authentication",
            "login expired",
        ),
        ("print('hello')", "configuration", "printed something that is not JSON"),
        ("print('{}')", "configuration", "printed no ExecCredential"),
        (
            'print(\'{"apiVersion": "client.authentication.k8s.io/v1", "status": {}}\')',
            "configuration",
            "neither a token nor a certificate",
        ),
        (
            'print(\'{"apiVersion": "other/v1", "status": {"token": "x"}}\')',
            "configuration",
            "printed apiVersion other/v1",
        ),
    ],
)
async def test_a_plugin_that_fails_is_named(
    start: Start, tmp_path: Path, script: str, kind: str, message: str
) -> None:
    cluster = await start()
    async with client(with_user(cluster.server.kubeconfig, tmp_path, plugin(tmp_path, script))) as run:
        came = await run("delete pod front -n web")
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, kind)
    assert "/plugin' of user " in came.message
    assert message in came.message


async def test_a_plugin_that_is_missing_is_named_with_its_hint(start: Start, tmp_path: Path) -> None:
    cluster = await start()
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "no-such-plugin",
            "interactiveMode": "Never",
            "installHint": "Get it from\n the intranet.",
        }
    }
    async with client(with_user(cluster.server.kubeconfig, tmp_path, user)) as run:
        came = await run("get pods")
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "configuration")
    assert "credential plugin 'no-such-plugin' of user" in came.message
    assert "is not installed; Get it from the intranet." in came.message


def is_alive(pid: str) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] not in "ZX"


async def test_a_plugin_that_hangs_meets_the_deadline_and_is_ended(start: Start, tmp_path: Path) -> None:
    cluster = await start()
    user = plugin(tmp_path, "")
    script = f'#!/bin/sh\nsleep 600 &\necho $$ $! > "{tmp_path}/pids"\nwait\n'
    (tmp_path / "plugin").write_text(script)
    async with client(with_user(cluster.server.kubeconfig, tmp_path, user)) as run:
        came = await run("delete pod front -n web", timeout=3.0)
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "timeout")
    assert "run the credential plugin '" in came.message
    async with asyncio.timeout(20):
        for pid in (tmp_path / "pids").read_text().split():
            while is_alive(pid):
                await asyncio.sleep(0.01)


async def test_a_plugin_that_wants_a_terminal_is_refused(start: Start, tmp_path: Path) -> None:
    cluster = await start()
    user = plugin(tmp_path, "input()")
    cast("dict[str, object]", user["exec"])["interactiveMode"] = "Always"
    async with client(with_user(cluster.server.kubeconfig, tmp_path, user)) as run:
        assert "must ask on a terminal" in (await run("get pods")).message


async def test_another_address_of_the_same_server_can_be_given(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"))
    config = read(cluster.server.kubeconfig)
    config["clusters"][0]["cluster"]["server"] = "https://api.invalid:6443"
    async with client(write(tmp_path / "config", config), server=cluster.server.url) as run:
        assert (await run("get pods -n web -o name")).out == "pod/front\n"


async def test_the_name_on_the_certificate_can_be_given(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"))
    config = read(cluster.server.kubeconfig)
    config["clusters"][0]["cluster"]["tls-server-name"] = "kubernetes.default.svc"
    async with client(write(tmp_path / "config", config)) as run:
        assert (await run("get pods -n web -o name")).out == "pod/front\n"
    config["clusters"][0]["cluster"]["tls-server-name"] = "elsewhere.example"
    async with client(write(tmp_path / "config", config)) as run:
        assert (await run("get pods -n web")).fault == "tls"


async def test_the_contexts_namespace_counts_where_the_line_names_none(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front"))
    config = read(cluster.server.kubeconfig)
    config["contexts"][0]["context"]["namespace"] = "web"
    async with client(write(tmp_path / "config", config)) as run:
        assert (await run("get pods -o name")).out == "pod/front\n"


async def test_a_kubeconfig_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    async with client(tmp_path) as run:
        came = await run("get pods")
    assert came.fault == "configuration"
    assert f"kubeconfig {tmp_path} cannot be read" in came.message
