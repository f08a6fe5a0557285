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


async def test_the_certificate_of_an_answer_is_part_of_the_result(certificates: Certificates) -> None:
    async with serving(Seen(), certificates.server(NAME)) as port, serving(Seen()) as plain:
        result = await sent(at(port, ca=certificates.ca))
        bare = await sent(Endpoint("app", f"http://127.0.0.1:{plain}"))
    assert result.tls is not None
    assert (result.tls["issuer"], NAME in str(result.tls["names"])) == ("CN=lab authority", True)
    ends = datetime.strptime(str(result.tls["not_after"]), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert result.tls["days_left"] == (ends - datetime.now(UTC)).days
    assert bare.tls is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("legacy", [False, True])
async def test_old_tls_is_taken_only_where_the_site_says_so(certificates: Certificates, legacy: bool) -> None:
    old = certificates.server(NAME)
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with serving(Seen(), old) as port:
        result = await sent(at(port, ca=certificates.ca, legacy_tls=legacy))
    if legacy:
        assert result.status == 200
    else:
        assert "`legacy_tls: true`" in tls_fault(result)


async def test_ciphers_that_openssl_takes_are_taken(certificates: Certificates) -> None:
    device = certificates.server(NAME)
    device.maximum_version = ssl.TLSVersion.TLSv1_2
    device.set_ciphers("ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:AES128-SHA")
    async with serving(Seen(), device) as port:
        assert (await sent(at(port, ca=certificates.ca))).status == 200


async def test_ssl_cert_file_takes_the_place_of_the_systems_authorities(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(Seen(), certificates.server(NAME)) as port:
        assert "is not trusted" in tls_fault(await sent(at(port)))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
        assert (await sent(at(port))).status == 200
        monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
        missing = await sent(at(port))
    assert missing.fault is not None
    assert "/nowhere cannot be used: SSL_CERT_FILE names a file that cannot be read" in missing.fault.message


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_of_the_environment_leads_to_an_endpoint_and_resolves_its_name(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    asked: list[str] = []
    async with serving(Seen(), certificates.server(NAME)) as port:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if scheme == "http":
                asked.append((await reader.readuntil(b"\r\n\r\n")).split()[1].decode())
                writer.write(b"HTTP/1.1 200 Yes\r\n\r\n")
            else:
                await reader.readexactly(3)
                writer.write(b"\x05\x00")
                length = (await reader.readexactly(5))[4]
                name = (await reader.readexactly(length)).decode()
                asked.append(f"{name}:{int.from_bytes(await reader.readexactly(2), 'big')}")
                writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(piped(reader, far_writer), piped(far_reader, writer))

        proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
        result = await sent(at(port, ca=certificates.ca, resolve=None))
        proxy.close()
    assert (result.status, asked) == (200, [f"{NAME}:{port}"])


async def piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_a_proxy_that_refuses_has_passed_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    result = await sent(at(443, resolve=None), "POST")
    proxy.close()
    assert result.fault is not None
    assert (result.fault.kind, result.delivery) == ("unreachable", Delivery.NOT_SENT)
    assert "is not reached through the proxy: 403 No" in result.fault.message
