"""The HTTP transport against servers on loopback: what is sent, what comes back, and what is known."""

import asyncio
import json
import socket
import struct
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web

from breakglass.errors import UserError
from breakglass.runbook.faults import FaultKind
from breakglass.site.model import BasicLogin, Endpoint, PortForward, Site
from breakglass.site.secrets import SecretError
from breakglass.transport.base import Delivery, HttpRequest, Result
from breakglass.transport.http.transport import LARGEST_JSON, Http
from tests.transport.http_support import (
    PLENTY,
    KnownSecrets,
    Said,
    Seen,
    endpoint_at,
    no_forward,
    raw,
    request_of,
    say_nothing,
    sent,
    serving,
    transport,
)

SOON = 0.3
"""A deadline that is meant to pass."""


def fault(result: Result) -> tuple[FaultKind, str, Delivery]:
    assert result.fault is not None
    return result.fault.kind, result.fault.message, result.delivery


# What is sent


async def test_the_path_stands_after_the_endpoints_url_and_the_query_is_encoded() -> None:
    seen = Seen()
    async with serving(seen) as port:
        endpoint = Endpoint("ci", f"http://127.0.0.1:{port}/api/")
        await sent(endpoint, path="/repos/1?a=b", query={"branch": "a b&c", "x": "ü"})
        await sent(endpoint)
    assert [request.raw_path for request in seen.requests] == [
        "/api/repos/1?a=b&branch=a%20b%26c&x=%C3%BC",
        "/api/",
    ]


async def test_headers_of_the_step_go_over_those_of_the_endpoint() -> None:
    seen = Seen()
    async with serving(seen) as port:
        endpoint = endpoint_at(port, headers={"X-One": "endpoint", "X-Two": "endpoint"})
        await sent(endpoint, "POST", headers={"x-two": "step"}, body=b'{"a": 1}')
    assert (seen.last.headers["X-One"], seen.last.headers["X-Two"]) == ("endpoint", "step")
    assert (seen.last.method, seen.bodies) == ("POST", [b'{"a": 1}'])


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ({"bearer": "token"}, "Bearer value-of-token"),
        ({"basic": BasicLogin("ops", "password")}, "Basic b3BzOnZhbHVlLW9mLXBhc3N3b3Jk"),
    ],
)
async def test_a_login_comes_from_secrets_and_an_anonymous_request_has_none(
    login: dict[str, object], expected: str
) -> None:
    seen = Seen()
    async with serving(seen) as port:
        endpoint = endpoint_at(port, **login)
        await sent(endpoint)
        await sent(endpoint, anonymous=True)
        await sent(endpoint, headers={"Authorization": "Bearer of-the-step"})
    given = [request.headers.get("Authorization") for request in seen.requests]
    assert given == [expected, None, "Bearer of-the-step"]


async def test_an_anonymous_request_leaves_out_headers_that_are_credentials() -> None:
    seen = Seen()
    async with serving(seen) as port:
        endpoint = endpoint_at(port, headers={"Cookie": "session=1", "X-Vault-Token": "t", "X-Other": "o"})
        await sent(endpoint, anonymous=True)
    assert "Cookie" not in seen.last.headers and "X-Vault-Token" not in seen.last.headers
    assert seen.last.headers["X-Other"] == "o"


async def test_a_secret_that_cannot_be_had_is_raised_before_anything_is_sent() -> None:
    class NoSecrets:
        async def resolve(self, name: str) -> str:
            raise SecretError(f"secret {name}: not set")

    seen = Seen()
    async with serving(seen) as port:
        http = Http(Site("s", endpoints={"app": endpoint_at(port, bearer="token")}), NoSecrets())
        with pytest.raises(SecretError, match="token"):
            await http.send(HttpRequest("GET", "app", PLENTY), Said())
    assert seen.requests == []


async def test_a_pinned_address_is_where_the_connection_goes_and_the_host_stays_the_urls() -> None:
    seen = Seen()
    async with serving(seen) as port:
        endpoint = Endpoint("app", f"http://app.lab.example:{port}", resolve="127.0.0.1")
        result = await sent(endpoint, path="/x")
    assert result.status == 200
    assert seen.last.headers["Host"] == f"app.lab.example:{port}"


async def test_no_cookie_is_kept_from_one_request_to_the_next() -> None:
    def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.Response(text="")
        response.set_cookie("session", "1")
        return response

    seen = Seen(answer)
    async with serving(seen) as port, transport(endpoint_at(port)) as http:
        for _ in range(2):
            await http.send(HttpRequest("GET", "app", PLENTY), Said())
    assert "Cookie" not in seen.last.headers


async def test_a_proxy_of_the_environment_is_not_asked_for_what_is_pinned_or_on_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(Seen()) as port:
        assert (await sent(endpoint_at(port))).status == 200
        pinned = Endpoint("app", f"http://app.far.test:{port}", resolve="127.0.0.1")
        assert (await sent(pinned)).status == 200


async def test_an_international_name_is_sent_in_its_ascii_form() -> None:
    seen = Seen()
    async with serving(seen) as port:
        result = await sent(Endpoint("i", f"http://bücher.test:{port}", resolve="127.0.0.1"))
    assert result.status == 200
    assert seen.last.headers["Host"] == f"xn--bcher-kva.test:{port}"


@pytest.mark.parametrize(
    "path",
    ["v1/x", "@evil.example/x", "/a/../b", "/a/..", "/a/%2e%2E/b", "/./a", "/a#b", "/a b", "/a\nb", "/a\x7f"],
)
async def test_a_path_that_could_lead_elsewhere_than_it_shows_is_not_sent(path: str) -> None:
    seen = Seen()
    async with serving(seen) as port:
        kind, message, delivery = fault(await sent(endpoint_at(port), "DELETE", path))
    assert (kind, delivery, seen.requests) == ("configuration", Delivery.NOT_SENT, [])
    assert "endpoint app" in message


@pytest.mark.parametrize("headers", [{"X-A": "b\r\nX-C: d"}, {"Ü": "b"}, {"A B": "c"}])
async def test_a_header_that_cannot_be_one_is_not_sent(headers: dict[str, str]) -> None:
    seen = Seen()
    async with serving(seen) as port:
        kind, _, delivery = fault(await sent(endpoint_at(port), "POST", headers=headers))
    assert (kind, delivery, seen.requests) == ("configuration", Delivery.NOT_SENT, [])


async def test_an_endpoint_that_the_site_does_not_have_is_named_with_those_that_it_has() -> None:
    http = Http(Site("lab", endpoints={"vault": endpoint_at(1)}), KnownSecrets())
    kind, message, delivery = fault(await http.send(HttpRequest("GET", "vaul", PLENTY), Said()))
    assert (kind, delivery) == ("configuration", Delivery.NOT_SENT)
    assert message == "site lab has no endpoint 'vaul'; it has: vault"


# What comes back


async def test_json_is_given_as_data_and_all_of_it_goes_to_the_sink() -> None:
    said = Said()
    async with serving(Seen(lambda request: web.json_response({"a": [1]}))) as port:
        result = await sent(endpoint_at(port), sink=said)
    assert (result.delivery, result.status, result.data, result.fault) == (
        Delivery.ANSWERED,
        200,
        {"a": [1]},
        None,
    )
    assert (said.stdout, said.stderr) == (b'{"a": [1]}', b"")


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("text/html", b"<html>"),
        ("text/plain", b'{"a": 1}'),
        ("application/json", b'{"a": '),
        ("application/json", b'{"a": NaN}'),
        ("application/json", b"[" * 100_000),
        ("application/json", b""),
    ],
)
async def test_what_is_not_json_is_text_only(media_type: str, body: bytes) -> None:
    said = Said()
    async with serving(Seen(lambda request: web.Response(body=body, content_type=media_type))) as port:
        result = await sent(endpoint_at(port), sink=said)
    assert (result.delivery, result.data, result.fault, said.stdout) == (Delivery.ANSWERED, None, None, body)


async def test_json_of_another_media_type_is_data_as_well() -> None:
    def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"[1]", headers={"Content-Type": "application/problem+json; charset=utf-8"})

    async with serving(Seen(answer)) as port:
        assert (await sent(endpoint_at(port))).data == [1]


async def test_json_that_is_too_large_is_text_only() -> None:
    body = json.dumps(["x" * LARGEST_JSON]).encode()
    said = Said()
    async with serving(
        Seen(lambda request: web.Response(body=body, content_type="application/json"))
    ) as port:
        result = await sent(endpoint_at(port), sink=said)
    assert (result.data, result.fault, said.total) == (None, None, len(body))


async def test_a_large_body_flows_to_the_sink_while_it_comes() -> None:
    piece, pieces = b"x" * 65536, 800
    arrived = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(piece)
        await arrived.wait()  # ends only when the first piece is through, before the rest is sent
        for _ in range(pieces - 1):
            await response.write(piece)
        return response

    said = Said(on_data=arrived.set)
    async with serving(handle) as port:
        result = await sent(endpoint_at(port), sink=said)
    assert (result.status, said.total) == (200, len(piece) * pieces)
    assert said.largest <= 1024 * 1024


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "rejected"),
        (401, "authentication"),
        (403, "forbidden"),
        (404, "not-found"),
        (405, "rejected"),
        (409, "conflict"),
        (412, "conflict"),
        (429, "rejected"),
        (500, "server-error"),
        (503, "server-error"),
        (599, "server-error"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_a_status_of_400_and_above_is_an_answer_and_a_fault_of_its_kind(
    status: int, kind: str, method: str
) -> None:
    async with serving(Seen(lambda request: web.json_response({"why": "x"}, status=status))) as port:
        result = await sent(endpoint_at(port), method)
    assert (result.status, result.data, result.delivery) == (status, {"why": "x"}, Delivery.ANSWERED)
    assert fault(result)[0] == kind
    assert f"endpoint app (http://127.0.0.1:{port}) answers {status}" in fault(result)[1]


async def test_a_refused_login_says_where_logins_are_unless_none_was_sent() -> None:
    async with serving(Seen(lambda request: web.Response(status=401))) as port:
        known = fault(await sent(endpoint_at(port, bearer="token")))
        anonymous = fault(await sent(endpoint_at(port, bearer="token"), anonymous=True))
    assert "look at the endpoint's `bearer`" in known[1]
    assert anonymous[1].endswith("answers 401 Unauthorized")


async def test_the_error_page_of_a_proxy_is_called_one() -> None:
    page = "<html><title>502 Bad Gateway</title></html>"
    answer = Seen(lambda request: web.Response(text=page, status=502, content_type="text/html"))
    said = Said()
    async with serving(answer) as port:
        result = await sent(endpoint_at(port), "POST", sink=said)
    assert (result.status, result.data, said.stdout.decode()) == (502, None, page)
    assert "an HTML page, perhaps that of a proxy" in fault(result)[1]


# Redirects


def redirecting(to: str, status: int = 302) -> Seen:
    def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/":
            return web.Response(status=status, headers={"Location": to})
        return web.json_response({"path": request.path})

    return Seen(answer)


async def test_a_redirect_is_an_answer_unless_following_is_asked_for() -> None:
    seen = redirecting("/there")
    async with serving(seen) as port:
        stays = await sent(endpoint_at(port))
        follows = await sent(endpoint_at(port, bearer="token"), follow=True)
    assert (stays.status, stays.headers["location"], stays.fault) == (302, "/there", None)
    assert (follows.status, follows.data) == (200, {"path": "/there"})
    assert seen.last.headers["Authorization"] == "Bearer value-of-token"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_change_never_follows(status: int) -> None:
    seen = redirecting("/there", status)
    async with serving(seen) as port:
        result = await sent(endpoint_at(port), "POST", follow=True, body=b"x")
    assert (result.status, len(seen.requests)) == (status, 1)


async def test_nothing_that_could_be_a_secret_goes_along_to_another_host() -> None:
    other = Seen()
    async with serving(other) as far, serving(redirecting(f"http://u:p@127.0.0.1:{far}/there?a=b")) as port:
        endpoint = endpoint_at(port, bearer="token", headers={"X-Api-Key": "k"})
        headers = {"X-Vault-Token": "t", "Cookie": "c=1", "Accept": "text/x", "Host": "app.lab.example"}
        result = await sent(endpoint, follow=True, headers=headers)
    assert result.status == 200 and other.last.path == "/there"
    given = dict(other.last.headers)
    assert given.pop("Host") == f"127.0.0.1:{far}"
    assert given.pop("Accept") == "text/x"
    assert set(given) <= {"User-Agent", "Accept-Encoding", "Connection"}


async def test_redirects_in_a_circle_come_to_an_end() -> None:
    seen = Seen(lambda request: web.Response(status=302, headers={"Location": "/"}))
    async with serving(seen) as port:
        result = await sent(endpoint_at(port), follow=True)
    assert fault(result)[0] == "malformed" and "more than 10 times" in fault(result)[1]
    assert len(seen.requests) == 11


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("ftp://127.0.0.1/x", "is not HTTP"),
        ("http://[::1/x", "is not a URL"),
        ("javascript:x", "is not HTTP"),
    ],
)
async def test_a_redirect_to_what_is_no_place_is_a_fault(location: str, expected: str) -> None:
    async with serving(redirecting(location)) as port:
        result = await sent(endpoint_at(port), follow=True)
    assert (result.status, result.delivery) == (302, Delivery.ANSWERED)
    assert fault(result)[0] == "malformed" and expected in fault(result)[1]


# Retry-After


def busy_once(retry_after: str, status: int = 503) -> Seen:
    answers = [
        web.Response(status=status, text="busy", headers={"Retry-After": retry_after}),
        web.json_response({"done": True}),
    ]
    return Seen(lambda request: answers.pop(0))


@pytest.mark.parametrize("status", [429, 503])
async def test_a_read_waits_as_asked_and_says_so(status: int) -> None:
    said = Said()
    async with serving(busy_once("0", status)) as port:
        result = await sent(endpoint_at(port), sink=said)
    assert (result.data, result.fault) == ({"done": True}, None)
    assert said.stderr == f"{status}: waiting 1 s, as Retry-After asks\n".encode()
    assert said.stdout == b'{"done": true}'


async def test_a_wait_until_a_date_is_understood() -> None:
    async with serving(busy_once(format_datetime(datetime.now(UTC), usegmt=True))) as port:
        assert (await sent(endpoint_at(port))).data == {"done": True}


@pytest.mark.parametrize("as_date", [False, True])
async def test_a_wait_past_the_deadline_is_not_begun(as_date: bool) -> None:
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    retry_after = format_datetime(in_an_hour, usegmt=True) if as_date else "3600"
    seen = busy_once(retry_after)
    async with serving(seen) as port:
        result = await sent(endpoint_at(port))
    assert (result.status, len(seen.requests), fault(result)[0]) == (503, 1, "server-error")
    assert "(Retry-After), longer than the deadline of 20 s allows" in fault(result)[1]


async def test_a_change_is_not_sent_again_whatever_is_asked() -> None:
    seen = busy_once("0")
    async with serving(seen) as port:
        result = await sent(endpoint_at(port), "POST")
    assert (result.status, len(seen.requests)) == (503, 1)
    assert "it asks to wait 0 s (Retry-After)" in fault(result)[1]


@pytest.mark.parametrize("retry_after", ["soon", "-1", "", "1.5"])
async def test_a_wait_that_makes_no_sense_is_none(retry_after: str) -> None:
    seen = busy_once(retry_after)
    async with serving(seen) as port:
        assert (await sent(endpoint_at(port))).status == 503
    assert len(seen.requests) == 1


# Before anything left


async def test_a_refused_connection_is_not_sent() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        kind, message, delivery = fault(await sent(endpoint_at(port), "POST"))
    assert (kind, delivery) == ("refused", Delivery.NOT_SENT)
    assert f"endpoint app (http://127.0.0.1:{port}) refuses the connection" in message


async def test_a_refusal_names_the_pinned_address() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://vault.lab.example:{reserved.getsockname()[1]}"
        _, message, _ = fault(await sent(Endpoint("vault", url, resolve="127.0.0.1")))
    assert f"endpoint vault ({url} at 127.0.0.1)" in message


@pytest.mark.parametrize("name", ["vault.invalid", "a..b"])
async def test_a_name_that_does_not_resolve_is_not_sent(name: str) -> None:
    kind, message, delivery = fault(await sent(Endpoint("vault", f"http://{name}"), "POST"))
    assert (kind, delivery) == ("dns", Delivery.NOT_SENT)
    assert f"http://{name}" in message


async def test_a_connection_that_is_never_made_is_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))
            kind, message, delivery = fault(await sent(endpoint_at(port), "POST", timeout=SOON))
        finally:
            for each in waiting:
                each.close()
    assert (kind, delivery) == ("timeout", Delivery.NOT_SENT)
    assert "no whole answer within 0.3 s, connecting; nothing was sent" in message


# After something left


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_server_that_says_nothing_leaves_it_unknown(method: str) -> None:
    async with raw(say_nothing) as port:
        result = await sent(endpoint_at(port), method, timeout=SOON)
    kind, message, delivery = fault(result)
    assert (kind, delivery, result.status) == ("timeout", Delivery.UNKNOWN, None)
    assert "no whole answer within 0.3 s, waiting for the answer" in message


async def test_a_body_that_nobody_reads_does_not_outlive_the_deadline() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with raw(connected) as port:
        result = await sent(endpoint_at(port), "POST", body=b"x" * 32 * 1024 * 1024, timeout=SOON)
    assert fault(result)[0] == "timeout" and result.delivery is Delivery.UNKNOWN
    assert "sending the request" in fault(result)[1]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nX-", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", 200),
    ],
)
async def test_an_answer_that_drips_does_not_outlive_the_deadline(head: bytes, status: int | None) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(head)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with raw(connected) as port:
        result = await sent(endpoint_at(port), "POST", timeout=SOON)
    assert (fault(result)[0], result.delivery, result.status) == ("timeout", Delivery.UNKNOWN, status)


async def test_an_answer_cut_in_the_middle_leaves_it_unknown_and_keeps_what_came() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n[1,2")
        await writer.drain()

    said = Said()
    async with raw(connected) as port:
        result = await sent(endpoint_at(port), "POST", sink=said)
    kind, message, delivery = fault(result)
    assert (kind, delivery, result.status, result.data) == ("disconnected", Delivery.UNKNOWN, 200, None)
    assert said.stdout == b"[1,2"
    assert "4 bytes of the answer had come" in message


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("reset", [True, False])
async def test_a_connection_lost_before_the_answer_leaves_it_unknown(method: str, reset: bool) -> None:
    connections = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await request_of(reader)
        if reset:
            plug = writer.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with raw(connected) as port:
        kind, message, delivery = fault(await sent(endpoint_at(port), method))
    assert (kind, delivery, connections) == ("disconnected", Delivery.UNKNOWN, 1)
    assert "the connection was lost before the answer was whole" in message


async def test_a_server_of_another_protocol_is_named_as_such() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"220 mail.lab.example ESMTP\r\n\r\n")
        await reader.read()

    async with raw(connected) as port:
        kind, message, delivery = fault(await sent(endpoint_at(port)))
    assert (kind, delivery) == ("malformed", Delivery.UNKNOWN)
    assert "does not answer as HTTP does" in message and "is this the right port?" in message


async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers the first request of a connection, and closes it on the second."""
    await request_of(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await request_of(reader)


async def test_a_read_over_a_kept_connection_that_had_died_is_sent_again() -> None:
    async with raw(answer_once) as port, transport(endpoint_at(port)) as http:
        for _ in range(3):
            result = await http.send(HttpRequest("GET", "app", PLENTY), Said())
            assert (result.status, result.fault) == (200, None)


async def test_a_change_never_goes_over_a_connection_that_was_kept() -> None:
    async with raw(answer_once) as port, transport(endpoint_at(port)) as http:
        for method in ("GET", "POST", "POST", "DELETE", "GET"):
            result = await http.send(HttpRequest(method, "app", PLENTY), Said())
            assert (result.status, result.fault) == (200, None)


async def test_cancelling_closes_the_connection() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        began.set()
        assert await reader.read() == b""
        ended.set()

    async with raw(connected) as port, transport(endpoint_at(port)) as http:
        sending = asyncio.create_task(http.send(HttpRequest("GET", "app", PLENTY), Said()))
        await began.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await ended.wait()


# Port-forwards

FORWARD = PortForward("main", "monitoring", "svc/prometheus", 9090)


async def test_a_forwarded_endpoint_is_reached_through_the_forward() -> None:
    seen = Seen()
    async with serving(seen) as port:

        async def forward(wanted: PortForward) -> tuple[str, int]:
            assert wanted == FORWARD
            return "127.0.0.1", port

        endpoint = Endpoint("prometheus", "http://prometheus.lab.example", forward=FORWARD)
        result = await sent(endpoint, path="/-/ready", forward=forward)
    assert result.status == 200
    assert (seen.last.path, seen.last.headers["Host"]) == ("/-/ready", "prometheus.lab.example")


async def test_a_forward_that_cannot_be_opened_is_not_sent() -> None:
    async def forward(wanted: PortForward) -> tuple[str, int]:
        raise UserError("cluster main: services 'prometheus' not found")

    endpoint = Endpoint("prometheus", "http://prometheus", forward=FORWARD)
    kind, message, delivery = fault(await sent(endpoint, "POST", forward=forward))
    assert (kind, delivery) == ("unreachable", Delivery.NOT_SENT)
    assert "no port-forward to svc/prometheus in monitoring: cluster main: services" in message


async def test_a_forward_that_hangs_does_not_outlive_the_deadline() -> None:
    async def forward(wanted: PortForward) -> tuple[str, int]:
        await asyncio.Event().wait()
        raise AssertionError

    endpoint = Endpoint("prometheus", "http://prometheus", forward=FORWARD)
    kind, message, delivery = fault(await sent(endpoint, "POST", forward=forward, timeout=SOON))
    assert (kind, delivery) == ("timeout", Delivery.NOT_SENT)
    assert "opening the port-forward; nothing was sent" in message


async def test_without_anything_to_forward_with_it_is_not_sent() -> None:
    endpoint = Endpoint("prometheus", "http://prometheus", forward=FORWARD)
    assert fault(await sent(endpoint))[::2] == ("configuration", Delivery.NOT_SENT)


async def test_an_endpoint_without_a_forward_opens_none() -> None:
    async with serving(Seen()) as port:
        assert (await sent(endpoint_at(port), forward=no_forward)).status == 200
