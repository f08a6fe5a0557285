"""What pods and nodes use, held against the kubectl program on a server that answers from a table."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.transport.kubectl.recorder import Asked, Told, kubeconfig_for, recorder
from tests.transport.kubectl.support import client


def used(name: str, cpu: str, memory: str) -> dict[str, object]:
    return {"name": name, "usage": {"cpu": cpu, "memory": memory}}


def measured(name: str, *containers: Mapping[str, object]) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "web"}, "containers": list(containers)}


def listed(kind: str, *items: object) -> dict[str, object]:
    group = "v1" if kind == "NodeList" else "metrics.k8s.io/v1beta1"
    return {"kind": kind, "apiVersion": group, "metadata": {}, "items": list(items)}


FRONT = measured("front", used("main", "1234567n", "34567Ki"), used("proxy", "2m", "1048576"))
BACK = measured("back", used("main", "1500m", "2Gi"))
NODES = listed(
    "NodeList",
    *(
        {"metadata": {"name": name}, "status": {"allocatable": {"cpu": "4", "memory": "16Gi"}}}
        for name in "ab"
    ),
)
GROUP = {
    "name": "metrics.k8s.io",
    "versions": [{"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}],
}
BASE = "/apis/metrics.k8s.io/v1beta1"
ANSWERS: Mapping[str, Mapping[str, object]] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [GROUP]},
    "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
    f"{BASE}/namespaces/web/pods": listed("PodMetricsList", FRONT, BACK),
    f"{BASE}/pods": listed("PodMetricsList", FRONT, BACK),
    f"{BASE}/namespaces/web/pods/front": {
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        **FRONT,
    },
    f"{BASE}/nodes": listed(
        "NodeMetricsList", {"metadata": {"name": "a"}, "usage": {"cpu": "333m", "memory": "5Gi"}}
    ),
    "/api/v1/nodes": NODES,
}


def answer(asked: Asked) -> Told:
    found = ANSWERS.get(asked.path.partition("?")[0])
    if found is None:
        return Told(404, {"kind": "Status", "status": "Failure", "code": 404, "message": "nothing here"})
    return Told(body=found)


@pytest.mark.parametrize(
    "line",
    [
        "top pods",
        "top pods -n web --no-headers",
        "top pods -A",
        "top pod front",
        "top pods --containers",
        "top nodes",
        "top node --no-headers",
    ],
)
async def test_the_program_prints_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with recorder(tmp_path) as server:
        server.answer = answer
        async with client(kubeconfig_for(tmp_path, server, {"token": "t"})) as run:
            native, binary = await run(line), await run(line, binary=True)
    headings_of_today = binary.out.replace("CPU%  ", "CPU(%)").replace("MEMORY%  ", "MEMORY(%)")  # since 1.32
    assert (native.out, native.result.exit) == (headings_of_today, binary.result.exit), (
        native.err,
        binary.err,
    )
    assert native.out


async def test_where_nothing_measures_it_is_said(tmp_path: Path) -> None:
    with recorder(tmp_path) as server:
        server.answer = lambda asked: Told(404, {"kind": "Status", "code": 404, "message": "no such path"})
        async with client(kubeconfig_for(tmp_path, server, {"token": "t"})) as run:
            came = await run("top pods")
    assert (came.fault, came.err) == ("not-found", "error: Metrics API not available\n")
