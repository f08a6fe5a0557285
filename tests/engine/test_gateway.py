"""What the far side says is data: secrets are out of it, and nothing in it can break an expression."""

from pathlib import Path

import pytest
from aiohttp import web

from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts, Response
from breakglass.runbook.expression import Expression, evaluate
from breakglass.site.model import Cluster, Endpoint, EnvironmentSecret, PortForward, Site
from breakglass.site.redaction import MARK
from breakglass.transport.base import HttpRequest
from breakglass.values import Json
from breakglass.yamlio.position import Position
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.conftest import start as start
from tests.simulator.kubernetes.support import pod
from tests.transport.http_support import PLENTY, Seen, endpoint_at, serving

SECRET = "hunter2-hunter2"


async def seen_by(folder: Path, answer: web.Response, *, follow: bool = False) -> Response:
    async with serving(Seen(lambda request: answer)) as port:
        site = Site(
            "loopback",
            endpoints={"app": endpoint_at(port, bearer="token")},
            secrets={"token": EnvironmentSecret("TOKEN")},
        )
        gateway = Gateway(site, folder, Clock(), Prompts())
        try:
            return await gateway.send(HttpRequest("GET", "app", PLENTY, follow=follow))
        finally:
            await gateway.close()


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", SECRET)


async def test_what_is_shown_is_without_the_secret_and_what_is_decided_by_is_as_it_came(
    tmp_path: Path,
) -> None:
    answer = web.json_response({"token": SECRET, "pin": 12}, headers={"X-Token": f"Bearer {SECRET}"})
    response = await seen_by(tmp_path, answer)
    assert SECRET not in str(response.shown)
    assert response.value["json"] == {"token": SECRET, "pin": 12}
    assert response.shown["json"] == {"token": MARK, "pin": 12}


async def test_where_no_secret_came_what_is_shown_is_what_is_decided_by(tmp_path: Path) -> None:
    response = await seen_by(tmp_path, web.json_response({"healthy": True}))
    assert response.shown is response.value


async def test_the_words_of_a_fault_are_without_secrets_and_on_one_line(tmp_path: Path) -> None:
    location = f"ftp://x/{SECRET}/\u202e"
    answer = web.Response(status=302, headers={"Location": location})
    response = await seen_by(tmp_path, answer, follow=True)
    assert response.result.fault is not None and "redirects to" in response.result.fault.message
    assert SECRET not in response.result.fault.message and SECRET not in str(response.shown)
    assert "\u202e" not in response.result.fault.message


async def test_the_words_of_a_fault_are_cut_after_the_secrets_are_out(tmp_path: Path) -> None:
    for before in range(180, 200):
        answer = web.Response(status=302, headers={"Location": f"ftp://{'x' * before}{SECRET}{'y' * 9000}"})
        response = await seen_by(tmp_path, answer, follow=True)
        assert response.result.fault is not None and MARK in response.result.fault.message
        assert SECRET[:5] not in response.result.fault.message and len(response.result.fault.message) < 5000


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(r'{"a": "\u0000b"}', r"\u0000b"), (r'{"a": "\ud800b"}', r"\ud800b"), (r'{"a": "\ud83d\ude00"}', "😀")],
)
@pytest.mark.parametrize("media_type", ["application/json", "text/plain"])
async def test_no_text_can_break_an_expression(
    tmp_path: Path, sent: str, expected: str, media_type: str
) -> None:
    response = await seen_by(tmp_path, web.Response(body=sent.encode(), content_type=media_type))
    expression = Expression("result.json.a", Position(tmp_path, 1, 1))
    scope: dict[str, Json] = {"result": response.value}
    assert evaluate(expression, scope) == expected


@pytest.mark.parametrize("depth", [110, 300, 900, 100_000])
@pytest.mark.parametrize("media_type", ["application/json", "text/plain"])
async def test_data_that_is_nested_too_deep_is_text_only(tmp_path: Path, depth: int, media_type: str) -> None:
    body = (b"[" * depth) + (b"]" * depth)
    response = await seen_by(tmp_path, web.Response(body=body, content_type=media_type))
    assert response.value["json"] is None and response.value["text"] == body.decode()


async def test_data_that_is_nested_as_deep_as_allowed_is_data(tmp_path: Path) -> None:
    body = (b'{"a":' * 99) + b"[]" + (b"}" * 99)
    response = await seen_by(tmp_path, web.Response(body=body, content_type="application/json"))
    expression = Expression("has(result.json.a.a.a)", Position(tmp_path, 1, 1))
    assert evaluate(expression, {"result": response.value}) is True


async def test_a_refused_port_forward_says_why(start: Start, tmp_path: Path) -> None:
    cluster = await start(pod("front", node_name="node1"), dial=lambda pod, asked: None)
    forward = PortForward("main", "web", "pod/front", 9999)
    site = Site(
        "loopback",
        clusters={"main": Cluster("main", kubeconfig=cluster.server.kubeconfig)},
        endpoints={"app": Endpoint("app", "http://app.lab.example", forward=forward)},
    )
    gateway = Gateway(site, tmp_path, Clock(), Prompts())
    try:
        response = await gateway.send(HttpRequest("GET", "app", PLENTY))
    finally:
        await gateway.close()
    assert response.result.fault is not None
    assert "the port-forward says: " in response.result.fault.message
