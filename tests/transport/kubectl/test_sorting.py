"""The order of `get --sort-by`, and ages as kubectl writes them, where the program is no oracle."""

import pytest

from breakglass.kubectl_age import human_duration
from breakglass.kubernetes_objects import Object
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import pod
from tests.transport.kubectl.support import client


def sized(name: str, size: str | None) -> Object:
    made = pod(name)
    metadata = made["metadata"]
    assert isinstance(metadata, dict)
    metadata["annotations"] = {"size.of/it": size} if size is not None else {}
    return made


async def test_quantities_are_sorted_by_their_size_and_what_has_none_comes_first(start: Start) -> None:
    sizes = {"a": "2Gi", "b": "100M", "c": None, "d": "1500m", "e": "3e3"}
    cluster = await start(*(sized(name, size) for name, size in sizes.items()))
    async with client(cluster.server.kubeconfig) as run:
        came = await run(r"get pods -n web --sort-by=.metadata.annotations.size\.of/it -o name")
        table = await run(
            ("get", "pods", "-n", "web", "--no-headers", r"--sort-by={.metadata.annotations.size\.of/it}")
        )
    assert came.out.split() == ["pod/c", "pod/d", "pod/e", "pod/b", "pod/a"]
    assert [line.split()[0] for line in table.out.splitlines()] == ["c", "d", "e", "b", "a"]


async def test_a_field_that_nothing_has_is_said(start: Start) -> None:
    cluster = await start(pod("front"))
    async with client(cluster.server.kubeconfig) as run:
        came = await run("get pods -n web --sort-by=.spec.nothing")
        none = await run("get services -n web --sort-by=.spec.nothing")
    assert came.err == 'error: couldn\'t find any field with path "{.spec.nothing}" in the list of objects\n'
    assert came.fault == "rejected"
    assert none.fault == ""


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-5, "<invalid>"), (-0.5, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (660, "11m"),
        (10_740, "179m"), (10_800, "3h"), (11_100, "3h5m"), (36_000, "10h"), (172_800, "2d"),
        (176_400, "2d1h"), (86_400 * 8, "8d"), (86_400 * 730, "2y"), (86_400 * 740, "2y10d"),
        (86_400 * 365 * 9, "9y"),
    ],
)  # fmt: skip
def test_an_age_is_written_as_kubectl_writes_it(seconds: float, written: str) -> None:
    assert human_duration(seconds) == written
