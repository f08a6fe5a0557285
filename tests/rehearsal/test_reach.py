"""A rehearsal reaches nothing but its own world on loopback, whatever a scenario or the environment says."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts, Response
from breakglass.network_guard import only_to, simulated
from breakglass.policy.kubectl.parse import understood
from breakglass.rehearsal.rehearsal import Rehearsal
from breakglass.site.model import Cluster, Endpoint
from breakglass.threads import in_thread
from breakglass.transport.base import HttpRequest, KubectlRequest, ProbeRequest, Request, SshRequest
from breakglass.transport.kubectl import binary
from tests.rehearsal.support import running

WORLD = """\
endpoints:
  app:
    url: http://app.lab.example
    routes:
      - {path: "*", reply: {status: 302, headers: {Location: "LOCATION"}}}
hosts: {box: {commands: [{match: uptime, reply: up}]}}
kubernetes: {main: {objects: []}}
"""


@asynccontextmanager
async def stranger() -> AsyncGenerator[tuple[int, list[str]]]:
    """A server that is not of the world, its port, and who came."""
    came: list[str] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(str(writer.get_extra_info("peername")))
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], came
    finally:
        server.close()


async def sent(rehearsal: Rehearsal, folder: Path, request: Request, **site: object) -> Response:
    (folder / "output").mkdir(exist_ok=True)
    gateway = Gateway(replace(rehearsal.site, **site), folder / "output", Clock(), Prompts())  # type: ignore[arg-type]
    try:
        return await gateway.send(request)
    finally:
        await gateway.close()


@pytest.mark.parametrize(
    "location", ["http://localhost:PORT/outside", "http://127.0.0.1:PORT/", "//[::1]:PORT/"]
)
async def test_a_scenarios_redirect_leads_nowhere_else(tmp_path: Path, location: str) -> None:
    async with stranger() as (port, came):
        world = WORLD.replace("LOCATION", location.replace("PORT", str(port)))
        async with running(tmp_path, world) as rehearsal:
            response = await sent(rehearsal, tmp_path, HttpRequest("GET", "app", 10.0, follow=True))
        assert response.result.fault is not None
        assert "a rehearsal reaches only its own world" in response.result.fault.message
        assert came == []


async def test_a_redirect_to_a_port_that_there_is_not_is_a_fault(tmp_path: Path) -> None:
    async with running(tmp_path, WORLD.replace("LOCATION", "http://a:99999/")) as rehearsal:
        response = await sent(rehearsal, tmp_path, HttpRequest("GET", "app", 10.0, follow=True))
    assert response.result.fault is not None and "there is no such port" in response.result.fault.message


@pytest.mark.parametrize("kind", ["http", "ssh", "probe", "name"])
async def test_an_address_that_is_not_of_the_world_is_not_connected_to(tmp_path: Path, kind: str) -> None:
    async with stranger() as (port, came), running(tmp_path, WORLD) as rehearsal:
        far = Endpoint("app", f"http://127.0.0.1:{port}")
        named = Endpoint("app", f"http://localhost:{port}")
        request: Request = HttpRequest("GET", "app", 10.0)
        site: dict[str, object] = {"endpoints": {"app": named if kind == "name" else far}}
        if kind == "ssh":
            request = SshRequest("box", ("uptime",), 10.0)
            site = {"hosts": {"box": replace(rehearsal.site.hosts["box"], port=port)}}
        elif kind == "probe":
            request = ProbeRequest("registry-integrity", {"endpoint": "app"}, 10.0)
        response = await sent(rehearsal, tmp_path, request, **site)
        assert response.result.fault is not None
        assert "a rehearsal reaches only its own world" in response.result.fault.message
        assert came == []


async def test_the_api_server_is_reached_past_every_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stranger() as (port, came), running(tmp_path, WORLD) as rehearsal:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        monkeypatch.setenv("KUBECONFIG", "/nowhere")
        for driver in ("native", "binary"):
            request = KubectlRequest("main", understood(("get", "pods", "-A")), 20.0, driver=driver)  # type: ignore[arg-type]
            response = await sent(rehearsal, tmp_path, request)
            assert response.result.fault is None, response.result.fault
        assert (await sent(rehearsal, tmp_path, SshRequest("box", ("uptime",), 20.0))).result.fault is None
        assert came == []


@pytest.mark.parametrize(
    "words",
    [
        ("create", "-f", "http://localhost:PORT/x.yaml"),
        ("apply", "--filename=http://localhost:PORT/x.yaml"),
        ("apply", "-fhttp://localhost:PORT/x.yaml"),
        ("apply", "-k", "git.example/base"),
        ("apply", "--kustomize=git.example/base"),
    ],
)
async def test_kubectl_fetches_nothing_from_elsewhere(tmp_path: Path, words: tuple[str, ...]) -> None:
    async with stranger() as (port, came), running(tmp_path, WORLD) as rehearsal:
        argv = tuple(word.replace("PORT", str(port)) for word in words)
        response = await sent(
            rehearsal, tmp_path, KubectlRequest("main", understood(argv), 20.0, driver="binary")
        )
        assert response.result.fault is not None and "only its own world" in response.result.fault.message
        assert came == []


def test_kubectl_is_given_the_rehearsals_kubeconfig_and_nothing_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    cluster = Cluster("main", kubeconfig=tmp_path / "kubeconfig")
    with only_to(frozenset()):
        given = binary._environment(cluster)  # pyright: ignore[reportPrivateUsage]
    assert given == {"HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "kubeconfig"), "PATH": ""}
    assert binary._environment(cluster)["HTTPS_PROXY"] == os.environ["HTTPS_PROXY"]  # pyright: ignore[reportPrivateUsage]


async def test_the_limit_is_that_of_a_task_and_of_its_threads_and_ends_with_it() -> None:
    async with stranger() as (port, came):

        def connect() -> None:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()

        with only_to(frozenset()):
            assert simulated()
            with pytest.raises(OSError, match="only its own world"):
                await in_thread(connect)
            with pytest.raises(OSError, match="only its own world"):
                await in_thread(lambda: socket.getaddrinfo("localhost", port))
        assert not simulated()
        await in_thread(connect)
        with only_to(frozenset({("127.0.0.1", port)})):
            await in_thread(connect)
        async with asyncio.timeout(20):
            while len(came) < 2:
                await asyncio.sleep(0.01)
