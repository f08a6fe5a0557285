"""Servers that are older than the package, and what they answer. Each was met on a real Kubernetes 1.20."""

from pathlib import Path

import pytest
from aiohttp import web

from breakglass.kubernetes_objects import Object, text
from breakglass.transport.base import Delivery
from breakglass.transport.kubectl.faults import from_status, warnings
from breakglass.transport.kubectl.resources import Resources
from breakglass.values import Json
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import TestHooks, deployment, pod
from tests.transport.kubectl.support import client
from tests.transport.kubectl.test_failing_servers import plain_kubeconfig, raw_server


def _entry(plural: str, kind: str) -> Object:
    return {"name": plural, "kind": kind, "singularName": kind.lower(), "namespaced": True}


PATHS: dict[str, Object] = {
    "/apis/batch": {
        "preferredVersion": {"version": "v1"},
        "versions": [{"version": "v1"}, {"version": "v1beta1"}],
    },
    "/apis/batch/v1": {"resources": [_entry("jobs", "Job")]},
    "/apis/batch/v1beta1": {"resources": [_entry("cronjobs", "CronJob"), _entry("jobs", "Old")]},
    "/apis/tools.example": {
        "preferredVersion": {"version": "v1"},
        "versions": [{"version": "v1"}, {"version": "v1alpha1"}],
    },
    "/apis/tools.example/v1": {"resources": [_entry("hammers", "Hammer")]},
    "/apis/tools.example/v1alpha1": {"resources": [_entry("nails", "Nail"), _entry("hammers", "Old")]},
}


@pytest.mark.parametrize(
    ("word", "version"),
    [
        ("cronjobs", "batch/v1beta1"),
        ("cj", "batch/v1beta1"),
        ("jobs", "batch/v1"),
        ("nails.tools.example", "tools.example/v1alpha1"),
        ("hammers.tools.example", "tools.example/v1"),
    ],
)
async def test_a_kind_is_taken_in_the_best_version_that_has_it(word: str, version: str) -> None:
    async def read(path: str, doing: str) -> dict[str, Json]:
        return PATHS[path]

    assert (await Resources().find(word, read, "cluster main")).api_version == version


async def test_a_group_that_cannot_be_asked_leaves_what_is_known() -> None:
    async def read(path: str, doing: str) -> dict[str, Json]:
        raise from_status(503, None, "cluster main", doing)

    assert (await Resources().find("cronjobs", read, "cluster main")).api_version == "batch/v1"


async def test_an_eviction_is_asked_for_in_the_version_that_the_server_takes(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def listed(*given: object) -> Object:
        return {"resources": [older]}

    package = "breakglass.simulator.kubernetes"
    older: Object = {"group": "policy", "version": "v1beta1", "kind": "Eviction", "name": "pods/eviction"}
    monkeypatch.setattr(f"{package}.discovery.resource_list", listed)

    def seen(body: Object, address: object) -> None:
        asked.append(text(body, "apiVersion"))

    monkeypatch.setattr(f"{package}.change_requests._check_eviction", seen)
    cluster = await start(deployment("app", 1))
    async with client(cluster.server.kubeconfig) as run:
        for node in ("node1", "node2"):
            assert (await run(f"drain {node}")).result.exit == 0
    assert set(asked) == {"policy/v1beta1"}


async def test_a_server_that_cannot_end_the_input_says_so_and_has_run_nothing(tmp_path: Path) -> None:
    async with (
        raw_server(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n") as (host, port),
        client(plain_kubeconfig(tmp_path, f"http://{host}:{port}")) as run,
    ):
        came = await run("exec -i front -n web -c main -- cat", stdin=b"x")
    assert (came.fault, came.delivery) == ("rejected", Delivery.ANSWERED)
    assert "before 1.30" in came.message and "driver: binary" in came.message


CAUSE: Object = {"reason": "FieldValueInvalid", "field": "metadata.uid", "message": "field is immutable"}
OTHER: Object = {"reason": "FieldValueRequired", "field": "spec.selector", "message": "Required value"}


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ({}, "The request is invalid: it does not fit"),
        ({"causes": [CAUSE]}, "The request is invalid: metadata.uid: field is immutable"),
        (
            {"kind": "Pod", "name": "a", "causes": [CAUSE, CAUSE]},
            'The Pod "a" is invalid: metadata.uid: field is immutable',
        ),
        (
            {"kind": "Pod", "name": "a", "causes": [CAUSE, OTHER]},
            'The Pod "a" is invalid: \n* metadata.uid: field is immutable\n* spec.selector: Required value',
        ),
        ({"kind": "Pod", "name": "a"}, 'The Pod "a" is invalid'),
    ],
)
def test_what_is_invalid_is_told_once_as_kubectl_tells_it(details: Object, said: str) -> None:
    status: Object = {"kind": "Status", "reason": "Invalid", "message": "it does not fit", "details": details}
    assert from_status(422, status, "cluster main", "patch").said == said


async def test_everything_is_asked_about_without_looking_for_a_kind(start: Start) -> None:
    paths: list[str] = []
    hooks = TestHooks(on_request=lambda request: paths.append(request.path))
    cluster = await start(pod("front"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("auth can-i * * -A")
    assert (came.out, came.err) == ("yes\n", "")
    assert paths == ["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"]


async def test_what_the_server_warns_of_is_told_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    warning = '299 - "batch/v1beta1 \\"CronJob\\" is deprecated"'
    package = "breakglass.simulator.kubernetes.server"

    def answered(value: Json, code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        return web.json_response(value, status=code, headers={**(headers or {}), "Warning": warning})

    monkeypatch.setattr(f"{package}._json", answered)
    cluster = await start(pod("front"), pod("side"))
    async with client(cluster.server.kubeconfig) as run:
        read = await run("get pods front side gone -n web -o name")
        changed = await run("delete pods front side -n web --wait=false")
    told = 'Warning: batch/v1beta1 "CronJob" is deprecated\n'
    assert (read.err, changed.err) == (told + 'Error from server (NotFound): pods "gone" not found\n', told)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('299 - "plain"', ["plain"]),
        ('299 - "with \\\\ and \\""', ['with \\ and "']),
        ('199 - "of another kind"', []),
        ("299 - unquoted", []),
        ("", []),
    ],
)
def test_only_warnings_of_kubernetes_are_read(header: str, found: list[str]) -> None:
    assert warnings([header]) == found
