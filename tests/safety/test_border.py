"""Whatever a transport raises is a fault of the step, and what says too much is stopped."""

import asyncio
import builtins
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import httpx
import paramiko
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts, Response
from breakglass.policy.kubectl.parse import understood
from breakglass.site.model import Cluster, Endpoint, Host, Site
from breakglass.transport.base import (
    Delivery,
    HttpRequest,
    KubectlRequest,
    LocalProgram,
    LocalRequest,
    ProbeRequest,
    Request,
    Result,
    Sink,
    SshRequest,
)
from breakglass.transport.local_program import look_at
from tests.engine.support import confirm, session_of, walk
from tests.engine.test_changes import ANSWERS, PURGE
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.conftest import start as start
from tests.simulator.kubernetes.support import pod
from tests.support.openssh import openssh
from tests.transport.http_support import raw, request_of

REQUESTS: dict[str, Request] = {
    "kubectl": KubectlRequest("main", understood(("get", "pods")), 5.0),
    "ssh": SshRequest("box", ("uptime",), 5.0),
    "http": HttpRequest("GET", "app", 5.0),
    "local": LocalRequest(("echo", "x"), 5.0, (LocalProgram("echo", "/bin/echo"),)),
    "probe": ProbeRequest("registry", {}, 5.0),
}
SITE = Site(
    "border",
    clusters={"main": Cluster("main")},
    hosts={"box": Host("box", "127.0.0.1", 1)},
    endpoints={"app": Endpoint("app", "http://127.0.0.1:1")},
)


def raised(kind: type[Exception]) -> Exception:
    """An exception of any class, however it wants to be made."""
    for arguments in (
        (),
        ("x",),
        ("x", "y"),
        ("utf-8", b"x", 0, 1, "no"),
        ("x", 0, 1, "no"),
        ("x", [ValueError()]),
    ):
        try:
            return kind(*arguments)
        except (TypeError, ValueError, AttributeError):
            continue
    return kind.__new__(kind)


def subclasses(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(each for below in kind.__subclasses__() for each in subclasses(below))]


ANY: list[type[Exception]] = [
    *(each for each in vars(builtins).values() if isinstance(each, type) and issubclass(each, Exception)),
    *(struct.error, *subclasses(paramiko.SSHException), *subclasses(httpx.HTTPError)),
    *(httpx.InvalidURL, *subclasses(aiohttp.ClientError)),
]


class Raising:
    """A transport that raises, before or after it has said something."""

    def __init__(self, error: Exception, said: bytes) -> None:
        self._error = error
        self._said = said

    async def send(self, request: Request, sink: Sink) -> Result:
        if self._said:
            sink("stdout", self._said)
            await asyncio.sleep(0)
        raise self._error

    async def close(self) -> None:
        return None


def gateway(folder: Path, transport: Raising) -> Gateway:
    kinds = {type(request): transport for request in REQUESTS.values()}
    return Gateway(SITE, folder, Clock(), Prompts(), transports=kinds)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", REQUESTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(ANY), st.sampled_from([b"", b"half an ans"]))
def test_any_exception_of_a_transport_is_a_fault(
    tmp_path: Path, kind: str, error: type[Exception], said: bytes
) -> None:
    async def sent() -> Response:
        return await gateway(tmp_path, Raising(raised(error), said)).send(REQUESTS[kind])

    response = asyncio.run(sent())
    assert response.result.fault is not None
    assert response.result.delivery is Delivery.UNKNOWN
    assert error.__name__ in response.result.fault.message
    assert (response.output is not None and response.output.bytes) == len(said)


BORDER = {
    "ssh": [
        "socket.getaddrinfo",
        "socket.socket.connect_ex",
        "paramiko.Transport.start_client",
        "paramiko.Transport.open_channel",
        "paramiko.Channel.exec_command",
        "paramiko.Channel.recv",
        "paramiko.Channel.close",
    ],
    "http": [
        "httpx.AsyncHTTPTransport.handle_async_request",
        "httpx.Response.aiter_raw",
        "httpx.Response.aclose",
        "breakglass.transport.http.client.tls_of",
    ],
    "local": [
        "breakglass.transport.local._look_again",
        "breakglass.transport.local._argv",
        "asyncio.create_subprocess_exec",
        "asyncio.BaseEventLoop.subprocess_exec",
        "asyncio.Queue.get",
    ],
    "kubectl": [
        "aiohttp.ClientSession.request",
        "aiohttp.StreamReader.iter_chunked",
        "breakglass.transport.kubectl.api.get_access",
    ],
}
"""Where each transport meets its library."""


@pytest.mark.parametrize(("kind", "place"), [(kind, place) for kind in BORDER for place in BORDER[kind]])
async def test_any_exception_at_the_border_of_a_transport_is_a_fault(
    tmp_path: Path, start: Start, kind: str, place: str
) -> None:
    cluster = await start(pod("front", node_name="node1"))
    fine = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(fine)
        await writer.drain()

    with openssh(tmp_path / "sshd") as server:
        async with raw(connected) as port:
            site = Site(
                "border",
                clusters={"main": Cluster("main", kubeconfig=cluster.server.kubeconfig)},
                hosts={"box": replace(server.host(), connections_per_minute=6000.0)},
                endpoints={"app": Endpoint("app", f"http://127.0.0.1:{port}")},
            )
            for error in [StopIteration, *FEW]:
                sending = Gateway(site, tmp_path, Clock(), Prompts())
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(place, raising(error))
                    response = await sending.send(request_for(kind))
                    await sending.close()
                closing = place.endswith(".close")
                assert closing or response.result.fault is not None, error.__name__
                assert response.result.fault is None or response.result.fault.message


def request_for(kind: str) -> Request:
    """A request that could go well. A program is what it was when it was looked at."""
    if kind != "local":
        return REQUESTS[kind]
    return LocalRequest(("echo", "x"), 5.0, (look_at("echo", "/bin/echo"),))


FEW = [
    OSError, EOFError, UnicodeError, ValueError, KeyError, IndexError, AttributeError, AssertionError,
    TypeError, struct.error, RecursionError, MemoryError, paramiko.SSHException, httpx.ReadError,
    aiohttp.ClientPayloadError, TimeoutError,
]  # fmt: skip


def raising(kind: type[Exception]) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise raised(kind)

    return fail


async def test_a_change_whose_transport_broke_down_may_have_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)
    send = far.send

    async def breaking(request: Request, sink: Sink) -> Result:
        result = await send(request, sink)
        if (
            isinstance(request, KubectlRequest)
            and request.command.argv[0] == "delete"
            and not request.dry_run
        ):
            raise AssertionError("the library met something it does not know")
        return result

    monkeypatch.setattr(far, "send", breaking)
    state = await walk(engine, confirm)
    outcomes = [
        each.outcome for view in state.steps.values() for run in view.attempts for each in run.finished
    ]
    assert "unknown" in outcomes
    assert far.commands.count("kubectl delete pod web-1 -n default") <= 1


async def test_an_endless_read_is_stopped_at_its_limit_and_the_command_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with openssh(tmp_path / "sshd") as server:
        site = Site("endless", hosts={"box": server.host()})
        (tmp_path / "output").mkdir()
        reading = Gateway(site, tmp_path / "output", Clock(), Prompts())
        command = ("sh", "-c", f"echo $$ > {mark}; exec yes 'some log line'")
        try:
            response = await reading.send(SshRequest("box", command, 60.0), limit=1024 * 1024)
            assert response.result.fault is not None and response.result.fault.kind == "too-much"
            assert "raise output_limit" in response.result.fault.message
            assert (
                response.output is not None
                and (tmp_path / "output" / response.output.name).stat().st_size <= 1024 * 1025
            )
            assert await ended(int(mark.read_text()))
            again = await reading.send(SshRequest("box", ("echo", "still there"), 30.0))
            assert again.value["text"] == "still there\n"
        finally:
            await reading.close()


async def ended(pid: int) -> bool:
    """Whether a process is gone, within the patience of a busy machine."""
    async with asyncio.timeout(30):
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.05)
    return True
