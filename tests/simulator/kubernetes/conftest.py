from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol

import pytest

from breakglass.kubernetes_objects import Object
from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.kubernetes.access import ADMIN, User
from breakglass.simulator.kubernetes.port_forward import Dial
from breakglass.simulator.kubernetes.server import start_api_server
from breakglass.simulator.kubernetes.store import ObjectStore
from tests.simulator.kubernetes.support import Cluster, Kubectl, TestHooks, node
from tests.support.kubectl_programs import PROGRAMS

SPEED = 20.0


class Start(Protocol):
    """Starts a cluster with two nodes and the given objects."""

    def __call__(
        self,
        *values: Object,
        hooks: TestHooks | None = None,
        users: tuple[User, ...] = (ADMIN,),
        dial: Dial | None = None,
    ) -> Awaitable[Cluster]: ...


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    started: list[Cluster] = []

    async def begin(
        *values: Object,
        hooks: TestHooks | None = None,
        users: tuple[User, ...] = (ADMIN,),
        dial: Dial | None = None,
    ) -> Cluster:
        clock = SimulatedClock(SPEED)
        store = ObjectStore(clock, seed=1)
        store.load([node("node1"), node("node2"), *values])
        store.ensure_namespace("web")
        hooks = hooks or TestHooks()
        folder = tmp_path / f"cluster{len(started)}"
        folder.mkdir()
        server = await start_api_server(store, hooks, folder, users=users, dial=dial)
        started.append(Cluster(server, store, hooks, clock))
        return started[-1]

    yield begin
    for cluster in started:
        await cluster.server.close()
        cluster.clock.close()


@pytest.fixture(params=sorted(PROGRAMS))
def kubectl(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Cluster], Kubectl]:
    """Each `kubectl` that the tests know."""
    program = PROGRAMS[request.param]()

    def of(cluster: Cluster) -> Kubectl:
        return Kubectl(program, cluster.server.kubeconfig, tmp_path)

    return of
