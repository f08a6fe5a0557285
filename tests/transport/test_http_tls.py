"""The HTTP transport over TLS: whom it trusts, what it shows, and what it says when it does not trust."""

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from breakglass.simulator.kubernetes.certificates import Authority
from breakglass.site.model import Endpoint
from breakglass.transport.base import Delivery, Result
from tests.transport.http_support import Certificates, Seen, raw, say_nothing, sent, serving

NAME = "vault.lab.example"


@pytest.fixture
def certificates(tmp_path: Path) -> Iterator[Certificates]:
    yield Certificates(tmp_path, Authority("lab authority"))


def at(port: int, **fields: object) -> Endpoint:
    endpoint = Endpoint("vault", f"https://{NAME}:{port}", resolve="127.0.0.1")
    return replace(endpoint, **fields)  # type: ignore[arg-type]


def tls_fault(result: Result) -> str:
    assert result.fault is not None
    assert (result.fault.kind, result.delivery) == ("tls", Delivery.NOT_SENT)
    return result.fault.message


async def test_a_pinned_endpoint_is_asked_for_by_its_name(certificates: Certificates) -> None:
    names: list[str | None] = []
    seen = Seen()
    async with serving(seen, certificates.server(NAME, seen=names)) as port:
        endpoint = at(port, ca=certificates.ca)
        await sent(endpoint)
        result = await sent(endpoint, headers={"Host": "photos.lab.example"})
    assert result.status == 200
    assert names == [NAME, NAME]
    hosts = [request.headers["Host"] for request in seen.requests]
    assert hosts == [f"{NAME}:{port}", "photos.lab.example"]


async def test_a_certificate_for_another_name_is_not_trusted_and_both_are_named(
    certificates: Certificates,
) -> None:
    seen = Seen()
    async with serving(seen, certificates.server("traefik.default")) as port:
        message = tls_fault(await sent(at(port, ca=certificates.ca, bearer="token"), "POST"))
    assert f"endpoint vault (https://{NAME}:{port} at 127.0.0.1)" in message
    assert f"is for traefik.default and not for {NAME}" in message
    assert seen.requests == []


async def test_an_expired_certificate_says_when_and_whose(certificates: Certificates) -> None:
    days = [datetime.now(UTC) - timedelta(days=3)]
    async with serving(Seen(), certificates.server(NAME, days=-3)) as port:
        message = tls_fault(await sent(at(port, ca=certificates.ca)))
    days.append(datetime.now(UTC) - timedelta(days=3))
    assert any(f"expired on {day:%Y-%m-%d}" in message for day in days)
    assert "issued by CN=lab authority" in message


async def test_an_authority_that_is_not_trusted_is_named_and_so_is_the_way_out(
    certificates: Certificates,
) -> None:
    async with serving(Seen(), certificates.server(NAME)) as port:
        message = tls_fault(await sent(at(port)))
    assert "issued by CN=lab authority" in message and "give the endpoint's `ca`" in message


async def test_verification_is_off_only_where_the_site_says_so(certificates: Certificates) -> None:
    async with serving(Seen(), certificates.server("other", days=-3)) as port:
        assert (await sent(at(port, verify_tls=False))).status == 200


async def test_a_redirect_to_another_host_is_verified_where_the_endpoint_is_not(
    certificates: Certificates,
) -> None:
    far = Seen()
    async with serving(far, certificates.server("localhost", days=-3)) as other:
        seen = Seen(lambda _: web.Response(status=302, headers={"Location": f"https://localhost:{other}/"}))
        async with serving(seen, certificates.server(NAME)) as port:
            result = await sent(at(port, verify_tls=False), follow=True)
    assert result.fault is not None and result.fault.kind == "tls"
    assert far.requests == []


async def test_a_redirect_from_https_to_http_is_not_followed(certificates: Certificates) -> None:
    far = Seen()
    async with serving(far) as other:
        seen = Seen(lambda _: web.Response(status=302, headers={"Location": f"http://127.0.0.1:{other}/"}))
        async with serving(seen, certificates.server(NAME)) as port:
            result = await sent(at(port, ca=certificates.ca), follow=True)
    assert (result.status, far.requests) == (302, [])
    assert result.fault is not None and "which is not followed" in result.fault.message


async def test_a_client_certificate_is_shown_and_not_by_an_anonymous_request(
    certificates: Certificates,
) -> None:
    certificate, key = certificates.client()
    async with serving(Seen(), certificates.server(NAME, asks_for_client=True)) as port:
        endpoint = at(port, ca=certificates.ca, client_certificate=certificate, client_key=key)
        assert (await sent(endpoint)).status == 200
        without = await sent(endpoint, anonymous=True)
    assert without.status is None and without.fault is not None
    assert without.fault.kind == "tls" and "`client_certificate`" in without.fault.message


async def test_files_that_cannot_be_used_are_named(certificates: Certificates, tmp_path: Path) -> None:
    certificate, key = certificates.client()
    missing, text = tmp_path / "missing.pem", tmp_path / "text.pem"
    text.write_text("not a certificate")
    locked = tmp_path / "locked.key"
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    locked.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    for fields, words in [
        ({"ca": missing}, f"ca {missing} cannot be used: No such file"),
        ({"ca": text}, f"ca {text} cannot be used"),
        ({"client_certificate": missing}, f"client_certificate {missing} cannot be used: No such file"),
        ({"client_certificate": certificate, "client_key": locked}, "the key has a passphrase"),
    ]:
        result = await sent(at(1, **fields), "POST")
        assert result.fault is not None and words in result.fault.message
        assert (result.fault.kind, result.delivery) == ("configuration", Delivery.NOT_SENT)


async def test_plain_http_where_tls_is_expected_is_said() -> None:
    async with serving(Seen()) as port:
        message = tls_fault(await sent(at(port), "POST"))
    assert "it does not speak TLS there" in message


async def test_a_handshake_that_is_never_answered_is_not_sent() -> None:
    async with raw(say_nothing) as port:
        result = await sent(at(port), "POST", timeout=3.0)
    assert result.fault is not None and result.delivery is Delivery.NOT_SENT
    assert "in the TLS handshake; nothing was sent" in result.fault.message


async def test_a_connection_lost_in_the_handshake_is_not_sent() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with raw(connected) as port:
        result = await sent(at(port), "POST")
    assert result.fault is not None and result.delivery is Delivery.NOT_SENT
    assert ssl.SSLError.__name__ not in result.fault.message
