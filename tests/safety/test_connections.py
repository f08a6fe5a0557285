"""Whatever a connection does and whenever, a change that may have arrived is unknown, and nothing hangs."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from breakglass.engine.adhoc import adhoc_runbook
from breakglass.engine.change import outcome_of
from breakglass.engine.gateway import Response
from breakglass.simulator.kubernetes.certificates import Authority
from breakglass.simulator.kubernetes.hooks import RequestInfo
from breakglass.site.model import Endpoint, Host
from breakglass.transport.base import Delivery, Result
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.conftest import start as start
from tests.simulator.kubernetes.support import TestHooks, pod
from tests.support.openssh import OpenSsh, known_hosts_line, openssh
from tests.support.proxy import HARMS, Harm, Proxy, proxy
from tests.transport.http_support import Certificates, endpoint_at, sent, serving
from tests.transport.kubectl.support import Came, client
from tests.transport.ssh.support import run
from tests.transport.ssh.support import transport as ssh_transport

WITHIN = 2.0
"""Seconds that a request has."""
PATIENT = 30.0
"""Seconds for what is not to fail, and after which something hangs: a busy machine does not matter."""

BEFORE = {"on connecting": 0, "within the handshake": 20}
"""When nothing can have arrived: the bytes of the far side that pass before the harm."""
AFTER = {"when the request has arrived": 0, "within the answer": 30}
"""When it has arrived: the bytes of the answer that still pass."""

EACH_HARM = pytest.mark.parametrize("harm", HARMS)
BEFORE_IT_IS_SENT = pytest.mark.parametrize("passing", BEFORE.values(), ids=BEFORE.keys())
AFTER_IT_WAS_SENT = pytest.mark.parametrize("passing", AFTER.values(), ids=AFTER.keys())

CHANGE = adhoc_runbook(["kubectl", "delete", "pod", "web-1"]).steps[0]


def outcome(result: Result) -> str:
    """What the session says of a change that came back like this."""
    return outcome_of(Response(result, {}, {}, None), CHANGE)


@contextlib.asynccontextmanager
async def in_time() -> AsyncGenerator[None]:
    """Whatever is done in here must not hang."""
    async with asyncio.timeout(PATIENT):
        yield


# ---------------------------------------------------------------- Kubernetes
@dataclass
class Trap:
    """Once it is set, harms a connection when the server gets a request of a kind, and counts those."""

    verb: str
    harm: Harm
    passing: int
    between: Proxy | None = None
    hits: int = 0

    def __call__(self, request: RequestInfo) -> None:
        if self.between is not None and request.verb == self.verb and request.plural == "pods":
            self.hits += 1
            self.between.strike_after(self.harm, self.passing)


async def caught_in(trap: Trap, start: Start, line: str) -> Came:
    """What comes of a request over a connection that has served one before, and is then trapped."""
    cluster = await start(pod("web-1"), hooks=TestHooks(on_request=trap))
    async with proxy(*cluster.server.address) as between:
        url = f"https://127.0.0.1:{between.port}"
        async with client(cluster.server.kubeconfig, server=url) as kubectl, in_time():
            assert (await kubectl("get pod web-1 -n web", timeout=PATIENT)).fault == ""
            trap.between = between
            return await kubectl(line, timeout=WITHIN)


@EACH_HARM
@BEFORE_IT_IS_SENT
async def test_a_change_that_cannot_get_to_the_api_server_is_not_sent(
    start: Start, harm: Harm, passing: int
) -> None:
    cluster = await start(pod("web-1"))
    async with proxy(*cluster.server.address) as between:
        between.harm, between.after = harm, passing
        url = f"https://127.0.0.1:{between.port}"
        async with client(cluster.server.kubeconfig, server=url) as kubectl, in_time():
            came = await kubectl("delete pod web-1 -n web", timeout=WITHIN)
            assert between.connections
            assert came.delivery is Delivery.NOT_SENT
            assert outcome(came.result) == "not-sent"
    assert cluster.store.peek("Pod", "web")


@EACH_HARM
@AFTER_IT_WAS_SENT
async def test_a_change_that_the_api_server_got_is_unknown_and_sent_once(
    start: Start, harm: Harm, passing: int
) -> None:
    trap = Trap("delete", harm, passing)
    came = await caught_in(trap, start, "delete pod web-1 -n web")
    assert trap.hits == 1
    assert came.delivery is Delivery.UNKNOWN
    assert outcome(came.result) == "unknown"


@EACH_HARM
@AFTER_IT_WAS_SENT
async def test_a_read_whose_answer_does_not_come_whole_from_the_api_server_fails(
    start: Start, harm: Harm, passing: int
) -> None:
    trap = Trap("get", harm, passing)
    came = await caught_in(trap, start, "get pod web-1 -n web -o json")
    assert trap.hits
    assert came.fault in ("disconnected", "timeout", "malformed", "unreachable", "tls")
    assert came.result.data is None


# ---------------------------------------------------------------- SSH
@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Generator[OpenSsh]:
    with openssh(tmp_path_factory.mktemp("ssh") / "sshd") as running:
        yield running


def through(sshd: OpenSsh, between: Proxy, folder: Path) -> Host:
    """The server as a host that is reached through the proxy, and known there."""
    known = folder / "known_hosts"
    public = sshd.host_keys[0].with_name(f"{sshd.host_keys[0].name}.pub")
    known.write_text(known_hosts_line("127.0.0.1", between.port, public))
    return sshd.host(port=between.port, known_hosts=known)


async def is_there(marker: Path) -> None:
    """Wait until it is written, which a shell does after it has made it."""
    while not marker.exists() or not marker.stat().st_size:
        await asyncio.sleep(0.01)


@EACH_HARM
@BEFORE_IT_IS_SENT
async def test_a_command_that_cannot_get_to_the_host_is_not_sent(
    sshd: OpenSsh, tmp_path: Path, harm: Harm, passing: int
) -> None:
    marker = tmp_path / "marker"
    async with proxy(sshd.address, sshd.port) as between, in_time():
        between.harm, between.after = harm, passing
        async with ssh_transport(through(sshd, between, tmp_path)) as ssh:
            ran = await run(ssh, f"touch {marker}", timeout=WITHIN)
    assert between.connections
    assert ran.delivery is Delivery.NOT_SENT
    assert outcome(ran.result) == "not-sent"
    assert not marker.exists()


@EACH_HARM
@AFTER_IT_WAS_SENT
async def test_a_command_that_the_host_got_is_unknown_and_sent_once(
    sshd: OpenSsh, tmp_path: Path, harm: Harm, passing: int
) -> None:
    marker = tmp_path / "marker"
    talks = "while :; do echo still at it; sleep 0.05; done" if passing else "sleep 30"
    async with (
        in_time(),
        proxy(sshd.address, sshd.port) as between,
        ssh_transport(through(sshd, between, tmp_path)) as ssh,
    ):
        assert (await run(ssh, "true", timeout=PATIENT)).fault == ""
        running = asyncio.create_task(run(ssh, f"echo once >> {marker}; {talks}", timeout=WITHIN))
        await is_there(marker)
        between.strike_after(harm, passing)
        ran = await running
        assert ran.delivery is Delivery.UNKNOWN
        assert outcome(ran.result) == "unknown"
    assert marker.read_text() == "once\n"


STUCK = """
import asyncio, sys
from pathlib import Path
from breakglass.site.model import Host
from tests.transport.ssh.support import run, transport

async def main():
    address, port, user, key, known, config = sys.argv[1:]
    host = Host("box", address, int(port), user, Path(key), known_hosts=Path(known), ssh_config=Path(config))
    async with transport(host) as ssh:
        assert (await run(ssh, "true")).fault == ""
        print("connected", flush=True)
        sys.stdin.readline()
        ran = await run(ssh, "true", timeout=1.0)
        print(ran.delivery.name, ran.fault, flush=True)

asyncio.run(main())
"""


async def test_a_command_that_is_stuck_on_its_host_keeps_no_program_from_ending(tmp_path: Path) -> None:
    with openssh(tmp_path / "sshd") as server:
        host = server.host()
        words = (host.address, host.port, host.user, host.identity, host.known_hosts, host.ssh_config)
        with subprocess.Popen(
            [sys.executable, "-c", STUCK, *(str(each) for each in words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as program:
            assert program.stdin is not None and program.stdout is not None
            assert program.stdout.readline() == "connected\n"
            server.freeze()
            out, _ = program.communicate("go\n", timeout=PATIENT)
        assert "timeout" in out
        assert program.returncode == 0


# ---------------------------------------------------------------- HTTP
@dataclass
class App:
    """A server that harms the connection over which it is asked, and counts what it got."""

    harm: Harm
    passing: int
    between: Proxy = field(default_factory=Proxy)
    methods: list[str] = field(default_factory=list[str])

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.methods.append(request.method)
        await request.read()
        self.between.strike_after(self.harm, self.passing)
        return web.json_response({"seen": "x" * 400})


@asynccontextmanager
async def behind_tls(folder: Path, app: App) -> AsyncGenerator[tuple[Proxy, Endpoint]]:
    """The proxy before the server, which speaks TLS, and the endpoint that both of them are."""
    certificates = Certificates(folder, Authority("test"))
    async with (
        serving(app, certificates.server("127.0.0.1")) as port,
        proxy("127.0.0.1", port) as between,
    ):
        app.between = between
        url = f"https://127.0.0.1:{between.port}"
        yield between, endpoint_at(between.port, url=url, ca=certificates.ca)


@EACH_HARM
@BEFORE_IT_IS_SENT
async def test_a_request_that_cannot_get_to_the_endpoint_is_not_sent(
    tmp_path: Path, harm: Harm, passing: int
) -> None:
    app = App(harm, passing)
    async with behind_tls(tmp_path, app) as (between, endpoint), in_time():
        between.harm, between.after = harm, passing
        result = await sent(endpoint, "POST", body=b"{}", timeout=WITHIN)
    assert between.connections
    assert app.methods == []
    assert result.delivery is Delivery.NOT_SENT
    assert outcome(result) == "not-sent"


@EACH_HARM
@AFTER_IT_WAS_SENT
async def test_a_change_that_the_endpoint_got_is_unknown_and_sent_once(
    tmp_path: Path, harm: Harm, passing: int
) -> None:
    app = App(harm, passing)
    async with behind_tls(tmp_path, app) as (_, endpoint), in_time():
        result = await sent(endpoint, "POST", body=b"{}", timeout=WITHIN)
    assert app.methods == ["POST"]
    assert result.delivery is Delivery.UNKNOWN
    assert outcome(result) == "unknown"


@EACH_HARM
@AFTER_IT_WAS_SENT
async def test_a_read_whose_answer_does_not_come_whole_from_the_endpoint_fails(
    tmp_path: Path, harm: Harm, passing: int
) -> None:
    app = App(harm, passing)
    async with behind_tls(tmp_path, app) as (_, endpoint), in_time():
        result = await sent(endpoint, timeout=WITHIN)
    assert set(app.methods) == {"GET"}
    assert result.fault is not None
    assert result.data is None
