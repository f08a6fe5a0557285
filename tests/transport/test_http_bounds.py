"""Servers that pack, pad, drip and go on for ever: each costs a step its time at most, and says why."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from breakglass.transport.base import Delivery
from breakglass.transport.http.unpacking import LARGEST_UNPACKED
from tests.transport.http_support import Said, endpoint_at, raw, request_of, sent

SHORT = 2.0
"""A deadline for what never ends."""

HEAD = b"HTTP/1.1 200 OK\r\n"


def bomb(mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"\0" * (1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(mebibytes)) + packer.flush()


def packed(coding: str, body: bytes) -> bytes:
    return HEAD + f"content-encoding: {coding}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def saying(first: bytes, for_ever: bytes = b"", pause: float = 0.0) -> AsyncGenerator[int]:
    """A server that says something to every request, and then something else again and again."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            writer.write(first)
            await writer.drain()
            while for_ever:
                writer.write(for_ever)
                await writer.drain()
                await asyncio.sleep(pause)

    async with raw(connected) as port:
        yield port


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (packed("gzip", bomb(512)), "unpacked it is larger than 64 MiB"),
        (
            packed("gzip, gzip", gzip.compress(bomb(64))),
            "it was asked for `identity`, and packs as 'gzip, gzip'",
        ),
        (packed("br", b"x"), "packs as 'br'"),
        (packed("gzip", b"hello"), "it says gzip, and is not"),
    ],
    ids=["bomb", "twice", "another", "none"],
)
async def test_what_is_packed_is_unpacked_in_small_pieces_and_only_so_far(answer: bytes, why: str) -> None:
    said = Said(kept=0)
    async with saying(answer) as port:
        result = await sent(endpoint_at(port), sink=said)
    assert result.fault is not None and result.fault.kind == "malformed"
    assert why in result.fault.message
    assert said.largest <= 64 * 1024 and said.total <= LARGEST_UNPACKED
    assert result.delivery is Delivery.UNKNOWN and result.data is None


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "GZIP"])
async def test_an_answer_that_is_packed_unasked_is_read(coding: str) -> None:
    body = zlib.compress(b"fine") if coding == "deflate" else gzip.compress(b"fine")
    said = Said()
    async with saying(packed(coding, body)) as port:
        result = await sent(endpoint_at(port), sink=said)
    assert (result.fault, said.stdout) == (None, b"fine")


@pytest.mark.parametrize(
    ("first", "for_ever"),
    [(HEAD, b"X-1: " + b"a" * 1000 + b"\r\n"), (HEAD + b"X: ", b"a" * 65536)],
    ids=["many", "long"],
)
async def test_headers_without_an_end_are_a_fault(first: bytes, for_ever: bytes) -> None:
    async with saying(first, for_ever) as port:
        result = await sent(endpoint_at(port))
    assert result.fault is not None and result.fault.kind == "malformed"
    assert "headers that do not end within 100 KB" in result.fault.message


@pytest.mark.parametrize(
    ("first", "for_ever", "doing"),
    [
        (
            HEAD + b"transfer-encoding: chunked\r\n\r\n",
            b"10000\r\n" + b"x" * 65536 + b"\r\n",
            "reading the answer",
        ),
        (HEAD + b"content-length: 100000\r\n\r\n", b"x", "reading the answer"),
        (HEAD, b"x", "waiting for the answer"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "waiting for the answer"),
        (b"", b"HTTP/1.1 102 Processing\r\nX: " + b"y" * 4000 + b"\r\n\r\n", "waiting for the answer"),
    ],
    ids=["chunks", "drip", "drip of a header", "continue", "processing"],
)
async def test_what_never_ends_is_cut_at_the_deadline_and_said(
    first: bytes, for_ever: bytes, doing: str
) -> None:
    async with saying(first, for_ever, 0.01) as port:
        result = await sent(endpoint_at(port), timeout=SHORT, sink=Said(kept=0))
    assert result.fault is not None and result.fault.kind == "timeout"
    assert f"no whole answer within 2 s, {doing}" in result.fault.message
    assert result.delivery is Delivery.UNKNOWN


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("/again", "redirects more than 10 times"),
        ("http://a:99999/", "there is no such port"),
        ("http://a:0/", "there is no such port"),
        ("http://[::1/", "is not a URL"),
        ("http://a:b/", "is not a URL"),
        ("http://a..b/", "is not a name that can be resolved"),
    ],
)
async def test_a_redirect_that_leads_nowhere_is_a_fault(location: str, why: str) -> None:
    answer = f"HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    async with saying(answer.encode()) as port:
        result = await sent(endpoint_at(port), follow=True)
    assert result.fault is not None and why in result.fault.message


@pytest.mark.parametrize("body", [b"[" * 2_000_000, b'{"n":' + b"9" * 4_000_000 + b"}"], ids=["deep", "long"])
async def test_json_that_no_program_can_hold_is_text_only(body: bytes) -> None:
    head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    async with saying(HEAD + head + body) as port:
        result = await sent(endpoint_at(port))
    assert (result.fault, result.data) == (None, None)
