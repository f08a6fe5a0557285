"""Scaling an object of a pinned version: what has changed since is not looked at anew and scaled all the
same."""

from breakglass.kubernetes_objects import number, text
from breakglass.simulator.kubernetes.hooks import RequestInfo
from breakglass.transport.base import Delivery
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import Cluster, TestHooks, deployment
from tests.transport.kubectl.support import client


class ChangedBeforeItIsScaled(TestHooks):
    """A world in which somebody writes a label on the deployment just before the first scaling arrives."""

    cluster: Cluster | None = None
    scalings = 0

    def change(self, request: RequestInfo) -> None:
        if (request.verb, request.subresource) != ("patch", "scale") or self.cluster is None:
            return
        self.scalings += 1
        if self.scalings == 1:
            kind = self.cluster.store.kinds.named("Deployment")
            self.cluster.store.patch(kind, "web", "front", {"metadata": {"labels": {"seen": "by-another"}}})


async def changed_meanwhile(start: Start) -> ChangedBeforeItIsScaled:
    hooks = ChangedBeforeItIsScaled()
    hooks.on_request = hooks.change
    hooks.cluster = await start(deployment("front"), hooks=hooks)
    return hooks


async def test_a_pinned_version_that_is_gone_is_a_conflict_and_not_asked_again(start: Start) -> None:
    hooks = await changed_meanwhile(start)
    assert hooks.cluster is not None
    (before,) = hooks.cluster.store.of_kind("Deployment", "web")
    version = text(before, "metadata", "resourceVersion")
    async with client(hooks.cluster.server.kubeconfig) as run:
        came = await run("scale deployment/front -n web --replicas=1", version=version)
    (after,) = hooks.cluster.store.of_kind("Deployment", "web")
    assert (came.delivery, came.fault) == (Delivery.ANSWERED, "conflict")
    assert "replaced or changed" not in came.message, "the server said it, to the one request that was sent"
    assert hooks.scalings == 1
    assert number(after, "spec", "replicas") == 2


async def test_without_one_a_change_of_something_else_is_looked_at_and_scaled(start: Start) -> None:
    hooks = await changed_meanwhile(start)
    assert hooks.cluster is not None
    async with client(hooks.cluster.server.kubeconfig) as run:
        came = await run("scale deployment/front -n web --replicas=1 --current-replicas=2")
    (after,) = hooks.cluster.store.of_kind("Deployment", "web")
    assert came.fault == "", came.message
    assert hooks.scalings == 2
    assert number(after, "spec", "replicas") == 1
