"""As whom requests go out: a kubeconfig user's `as` and its companions are on each of them."""

import asyncio
from pathlib import Path

import pytest

from breakglass.site.model import PortForward
from breakglass.transport.kubectl import ForwardError
from tests.transport.kubectl.recorder import Asked, Told, kubeconfig_for, recorder
from tests.transport.kubectl.support import client

ACTING = {
    "token": "t",
    "as": "oncall",
    "as-uid": "7",
    "as-groups": ["viewers", "night shift"],
    "as-user-extra": {"Scopes/x y": ["a", "b%"], "reason": ["page"]},
}
ON_EACH = (
    ("authorization", "Bearer t"),
    ("impersonate-extra-reason", "page"),
    ("impersonate-extra-scopes%2fx%20y", "a"),
    ("impersonate-extra-scopes%2fx%20y", "b%"),
    ("impersonate-group", "night shift"),
    ("impersonate-group", "viewers"),
    ("impersonate-uid", "7"),
    ("impersonate-user", "oncall"),
)
POD = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {"name": "a", "namespace": "web", "uid": "1"},
    "spec": {"containers": [{"name": "c"}]},
    "status": {"phase": "Running"},
}


def answer(asked: Asked) -> Told:
    if asked.upgrade:
        return Told(500, {"kind": "Status", "status": "Failure", "code": 500, "message": "no"})
    return Told(body=POD)


@pytest.mark.parametrize(
    ("line", "methods"),
    [
        ("get pod a", ["GET"]),
        ("delete pod a --wait=false", ["DELETE"]),
        ('patch pod a -p {"a":1}', ["GET", "PATCH"]),
        ("logs a -c c", ["GET", "GET"]),
        ("exec a -c c -- id", ["GET"]),
        ("auth can-i get pods", ["POST"]),
    ],
)
async def test_each_request_says_as_whom(tmp_path: Path, line: str, methods: list[str]) -> None:
    with recorder(tmp_path) as server:
        server.answer = answer
        async with client(kubeconfig_for(tmp_path, server, ACTING)) as run:
            await run(line)
    assert [asked.method for asked in server.asked][: len(methods)] == methods
    assert {asked.who for asked in server.asked} == {ON_EACH}


async def test_a_port_forward_says_as_whom(tmp_path: Path) -> None:
    with recorder(tmp_path) as server:
        server.answer = answer
        async with client(kubeconfig_for(tmp_path, server, ACTING)) as run:
            _, port = await run.kubectl.forward(PortForward("main", "web", "pod/a", 80))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b""
            writer.close()
    assert any(asked.upgrade == "websocket" for asked in server.asked)
    assert {asked.who for asked in server.asked} == {ON_EACH}


async def test_the_sites_user_takes_the_place_of_the_kubeconfigs_and_the_groups_stay(tmp_path: Path) -> None:
    with recorder(tmp_path) as server:
        server.answer = answer
        async with client(kubeconfig_for(tmp_path, server, ACTING), impersonate="zoe") as run:
            await run("get pod a")
            await run("get pod a", binary=True)
    wanted = tuple(sorted((*ON_EACH[:-1], ("impersonate-user", "zoe"))))
    assert {asked.who for asked in server.asked} == {wanted}


@pytest.mark.parametrize("line", ["get pod a", "exec a -c c -- id"])
async def test_the_kubectl_program_says_the_same(tmp_path: Path, line: str) -> None:
    with recorder(tmp_path) as server:
        server.answer = answer
        async with client(kubeconfig_for(tmp_path, server, ACTING)) as run:
            await run(line, binary=True)
    assert len(server.asked) > 0
    assert {asked.who for asked in server.asked} == {ON_EACH}


@pytest.mark.parametrize("alone", [{"as-groups": ["g"]}, {"as-uid": "7"}, {"as-user-extra": {"a": ["b"]}}])
async def test_groups_without_a_user_to_act_as_are_refused(tmp_path: Path, alone: dict[str, object]) -> None:
    with recorder(tmp_path) as server:
        async with client(kubeconfig_for(tmp_path, server, {"token": "t", **alone})) as run:
            came = await run("get pod a")
    assert came.fault == "configuration"
    assert "give the user to act as" in came.message
    assert server.asked == []


async def test_what_would_end_a_header_is_refused(tmp_path: Path) -> None:
    with recorder(tmp_path) as server:
        acting = {"token": "t", "as": "a\r\nImpersonate-Group: system:masters"}
        async with client(kubeconfig_for(tmp_path, server, acting)) as run:
            came = await run("get pod a")
    assert came.fault == "configuration"
    assert server.asked == []


async def test_a_refused_way_in_gives_no_forward(tmp_path: Path) -> None:
    with recorder(tmp_path) as server:
        async with client(kubeconfig_for(tmp_path, server, {"token": "t", "as-groups": ["g"]})) as run:
            with pytest.raises(ForwardError, match="give the user to act as"):
                await run.kubectl.forward(PortForward("main", "web", "pod/a", 80))
