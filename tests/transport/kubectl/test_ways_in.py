"""The way to a cluster's server: one that is busy, through a SOCKS5 proxy, and whom to trust there."""

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

import breakglass
from breakglass.transport.base import Delivery
from breakglass.transport.kubectl import api
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import pod
from tests.transport.kubectl.recorder import Told, issued, kubeconfig_for, recorder
from tests.transport.kubectl.support import client


def python_313() -> str:
    """A Python whose default is to ask for more of a certificate than others do. Skips where there is
    none."""
    found = shutil.which("python3.13")
    if found is None or subprocess.run([found, "-V"], capture_output=True).returncode != 0:
        pytest.skip("needs a Python 3.13")
    return found


@pytest.mark.parametrize(("status", "said"), [(429, False), (503, True)])
async def test_a_busy_server_is_waited_for_as_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, said: bool
) -> None:
    monkeypatch.setattr(api, "SAID_FROM", 0.5 if said else 2.0)
    busy = {"kind": "Status", "status": "Failure", "code": status, "message": "too many requests"}
    pods = {"kind": "PodList", "items": [{"metadata": {"name": "a"}}]}
    with recorder(tmp_path) as server:
        server.answer = lambda asked: (
            Told(status, busy, {"Retry-After": "1"}) if len(server.asked) == 1 else Told(body=pods)
        )
        async with client(kubeconfig_for(tmp_path, server, {"token": "t"})) as run:
            came = await run("get pods -o name")
    assert (came.out, came.fault) == ("pod/a\n", "")
    assert (f"HTTP {status}: waiting 1 s, as Retry-After asks" in came.err) is said
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("line", "after", "timeout"),
    [("get pods", "600", 20.0), ("get pods", "", 20.0), ("delete pod a --wait=false", "1", 20.0)],
)
async def test_neither_longer_than_its_time_nor_for_a_change(
    tmp_path: Path, line: str, after: str, timeout: float
) -> None:
    busy = {"kind": "Status", "status": "Failure", "code": 429, "message": "too many requests"}
    with recorder(tmp_path) as server:
        server.answer = lambda asked: Told(429, busy, {"Retry-After": after})
        async with client(kubeconfig_for(tmp_path, server, {"token": "t"})) as run:
            came = await run(line, timeout=timeout)
    assert came.fault == "rejected"
    assert len(server.asked) == 1


async def test_a_socks_proxy_leads_to_the_server_and_resolves_its_name(start: Start) -> None:
    cluster = await start(pod("front"))
    asked: list[tuple[str, int]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version, count = await reader.readexactly(2)
        assert (version, await reader.readexactly(count)) == (5, b"\x00\x02")
        writer.write(b"\x05\x02")
        _, length = await reader.readexactly(2)
        user = await reader.readexactly(length)
        password = await reader.readexactly((await reader.readexactly(1))[0])
        assert (user, password) == (b"who", b"p w")
        writer.write(b"\x01\x00")
        assert (await reader.readexactly(4))[3] == 3
        name = await reader.readexactly((await reader.readexactly(1))[0])
        asked.append((name.decode(), int.from_bytes(await reader.readexactly(2), "big")))
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        far_reader, far_writer = await asyncio.open_connection(
            "127.0.0.1", int(cluster.server.url.rpartition(":")[2])
        )
        await asyncio.gather(piped(reader, far_writer), piped(far_reader, writer))

    async def piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = cast(dict[str, Any], yaml.safe_load(cluster.server.kubeconfig.read_text()))
    described = config["clusters"][0]["cluster"]
    described |= {
        "proxy-url": f"socks5://who:p%20w@127.0.0.1:{port}",
        "tls-server-name": "kubernetes.default.svc",
    }
    described["server"] = "https://only.far.test:6443"
    cluster.server.kubeconfig.write_text(yaml.safe_dump(config))
    async with client(cluster.server.kubeconfig) as run:
        came = await run("get pods -n web -o name")
    server.close()
    assert (came.out, came.fault) == ("pod/front\n", "")
    assert asked == [("only.far.test", 6443)]


async def test_a_socks_proxy_that_gives_no_way_says_why(start: Start) -> None:
    cluster = await start(pod("front"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(b"\x05\x00")
        await reader.read(64)
        writer.write(b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with client(cluster.server.kubeconfig, proxy=f"socks5://127.0.0.1:{port}") as run:
        came = await run("delete pod front -n web")
    server.close()
    assert (came.delivery, came.fault) == (Delivery.NOT_SENT, "unreachable")
    assert "its rules do not allow it" in came.message


def test_python_313_takes_the_authorities_that_openssl_and_kubectl_take(tmp_path: Path) -> None:
    python = python_313()
    script = (
        "import ssl, sys, socket; sys.path.insert(0, sys.argv[1]); from breakglass.transport.tls import "
        "trusting;"
        "context = trusting(open(sys.argv[2], 'rb').read());"
        "connection = socket.create_connection(('127.0.0.1', int(sys.argv[3])));"
        "context.wrap_socket(connection, server_hostname=sys.argv[4])"
    )
    with recorder(tmp_path, issued(identifiers=False)) as server, recorder(tmp_path, issued()) as other:
        (tmp_path / "ca").write_bytes(server.authority)
        (tmp_path / "other").write_bytes(other.authority)
        port = server.url.rpartition(":")[2]

        def tried(authority: str, name: str) -> int:
            root = Path(breakglass.__file__).parents[1]
            words = [python, "-c", script, str(root), str(tmp_path / authority), port, name]
            return subprocess.run(words, capture_output=True, timeout=60).returncode

        assert tried("ca", "api.test") == 0
        assert tried("ca", "other.test") != 0
        assert tried("other", "api.test") != 0
