"""A pod of the same name is another pod: it is not what was to be evicted, and the one before it is gone."""

from typing import cast

import pytest

from breakglass.kubernetes_objects import Object, at, text, uid_of
from breakglass.simulator.kubernetes.hooks import RequestInfo
from breakglass.transport.kubectl.run import KubectlRun
from breakglass.transport.kubectl.waiting import is_gone
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import (
    Cluster,
    TestHooks,
    pod,
    stateful_set,
    storage_class,
)
from tests.transport.kubectl.support import client


class ReplacedBeforeItsEviction(TestHooks):
    """A world in which the pod is replaced by another of its name just before its eviction arrives."""

    cluster: Cluster | None = None
    successor = ""

    def replace(self, request: RequestInfo) -> None:
        if request.subresource != "eviction" or self.cluster is None or self.successor:
            return
        store = self.cluster.store
        (before,) = store.of_kind("Pod", "web")
        store.remove(store.kinds.named("Pod"), "web", "front")
        store.load([pod("front", node_name=text(before, "spec", "nodeName"))])
        self.successor = uid_of(store.of_kind("Pod", "web")[0])
        assert self.successor != uid_of(before)


async def test_a_pod_that_was_replaced_meanwhile_is_not_evicted(start: Start) -> None:
    hooks = ReplacedBeforeItsEviction()
    hooks.on_request = hooks.replace
    hooks.cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(hooks.cluster.server.kubeconfig) as run:
        came = await run("drain node1 --force --timeout=20s")
    assert hooks.successor
    (there,) = hooks.cluster.store.of_kind("Pod", "web")
    assert uid_of(there) == hooks.successor
    assert at(there, "metadata", "deletionTimestamp") is None, "it is not even asked to end"
    assert came.fault == "", "the pod that was there is gone"


@pytest.mark.parametrize("line", ["delete pod data-0 -n web", "drain node1 --ignore-daemonsets"])
async def test_a_pod_is_gone_when_another_has_its_name(start: Start, line: str) -> None:
    """A stateful set puts a new pod in its place at once, under the same name."""
    cluster = await start(stateful_set("data", 1), storage_class("block"))
    (before,) = cluster.store.of_kind("Pod", "web")
    there = text(before, "spec", "nodeName")
    async with client(cluster.server.kubeconfig) as run:
        came = await run(f"{line.replace('node1', there)} --timeout=20s")
    assert (came.fault, came.result.exit) == ("", 0), came.message
    (after,) = cluster.store.of_kind("Pod", "web")
    assert uid_of(after) != uid_of(before)


async def test_a_pod_whose_uid_nobody_knows_is_there_as_long_as_its_name_is() -> None:
    class Server:
        async def read(self, path: str, doing: str) -> Object:
            return {"kind": "Pod", "metadata": {"name": "front", "uid": "u-2"}}

    assert not await is_gone(cast("KubectlRun", Server()), "/api/v1/namespaces/web/pods/front", "", "wait")
    assert await is_gone(cast("KubectlRun", Server()), "/api/v1/namespaces/web/pods/front", "u-1", "wait")
    assert not await is_gone(cast("KubectlRun", Server()), "/api/v1/namespaces/web/pods/front", "u-2", "wait")
