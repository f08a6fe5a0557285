"""Requests to a registry that get no answer, and what is said of them."""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from breakglass.runbook.faults import FaultKind
from breakglass.site.model import Endpoint
from breakglass.transport.base import Delivery
from tests.probe.support import error, findings, scripted, walked


@asynccontextmanager
async def saying(answer: bytes) -> AsyncGenerator[tuple[Endpoint, list[bytes]]]:
    """A server that says the same thing to every request and hangs up; with it the requests that came."""
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield Endpoint("registry", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), asked


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"", "disconnected", "the connection was lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut", "disconnected", "the connection was lost"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "malformed", "does not answer as HTTP does"),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
            "malformed",
            "does not answer as HTTP does",
        ),
    ],
    ids=["nothing", "a part", "another protocol", "endless headers"],
)
async def test_what_is_no_answer_is_asked_for_twice_and_is_a_fault(
    answer: bytes, kind: FaultKind, words: str
) -> None:
    async with saying(answer) as (endpoint, asked):
        result = await walked(endpoint)

    assert result.fault is not None
    assert result.fault.kind == kind and words in result.fault.message
    assert len(asked) == 2
    counts = findings(result)["counts"]
    assert isinstance(counts, dict) and counts["requests"] == 2


async def test_a_login_that_cannot_be_sent_is_a_fault_that_does_not_repeat_it() -> None:
    async with scripted({"/v2/": error(401, "UNAUTHORIZED")}) as (registry, endpoint):
        secret = Endpoint("registry", endpoint.url, bearer="password")
        result = await walked(secret, password="two\r\nlines")

    assert result.fault is not None and result.fault.kind == "configuration"
    assert "cannot be sent" in result.fault.message and "lines" not in result.fault.message
    assert len(registry.requests) == 1


async def test_a_name_that_does_not_resolve_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    result = await walked(Endpoint("registry", "http://registry.invalid:5000"))

    assert result.delivery is Delivery.NOT_SENT
    assert result.fault is not None and result.fault.kind == "dns"


def test_a_resolver_that_is_stuck_outlives_neither_the_deadline_nor_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = threading.Event()
    ended: list[str] = []

    def stuck(host: str, *arguments: object, **options: object) -> list[object]:
        held.wait(20)
        ended.append(host)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stuck)

    result = asyncio.run(walked(Endpoint("registry", "http://registry.invalid:5000"), timeout=0.2))

    assert ended == []
    held.set()
    assert result.fault is not None and result.fault.kind == "timeout"
