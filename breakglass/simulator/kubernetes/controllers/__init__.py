"""The small controllers behind the simulated API: they bring pods, jobs, volumes and endpoints to what the
objects ask for, and take away what is no longer owned.

Each is a function of the `ControllerContext` that looks at the whole store and changes it a little. They run
after every change and after every timer, again and again until nothing changes any more.
"""

import asyncio
from collections.abc import Callable

from breakglass.simulator.kubernetes.controllers import (
    daemon_sets,
    deployments,
    garbage,
    jobs,
    kubelet,
    scheduler,
    services,
    stateful_sets,
    volumes,
)
from breakglass.simulator.kubernetes.controllers.context import ControllerContext
from breakglass.simulator.kubernetes.hooks import Hooks
from breakglass.simulator.kubernetes.store import ObjectStore, StoreEvent

CONTROLLERS: tuple[Callable[[ControllerContext], None], ...] = (
    deployments.reconcile,
    stateful_sets.reconcile,
    daemon_sets.reconcile,
    jobs.reconcile,
    volumes.reconcile,
    scheduler.reconcile,
    kubelet.reconcile,
    services.reconcile,
    garbage.reconcile,
)
MOST_PASSES = 200


class Controllers:
    """Runs the controllers for one store. `start` needs a running event loop; the rest does not."""

    def __init__(self, store: ObjectStore, hooks: Hooks) -> None:
        self._store = store
        self._world = ControllerContext(store, hooks, store.clock, self._wake)
        self._running = False
        self._due: asyncio.Handle | None = None
        self._stop: Callable[[], None] | None = None

    def start(self) -> None:
        """Come to rest, and from then on follow every change."""
        self.come_to_rest()
        self._stop = self._store.subscribe(self._changed)

    def come_to_rest(self) -> None:
        """Bring the scenario's objects to where they would be if they had long been there. From then on
        what happens takes its time."""
        garbage.resolve_owners(self._world)
        self.settle()
        self._world.settled = True

    def close(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None
        if self._due is not None:
            self._due.cancel()
        for key in list(self._world.timers):
            self._world.cancel(key)

    def settle(self) -> None:
        """Run until nothing changes any more. RuntimeError where the controllers work against each other."""
        self._running = True
        try:
            for _ in range(MOST_PASSES):
                version = self._store.version
                for reconcile in CONTROLLERS:
                    reconcile(self._world)
                if self._store.version == version:
                    return
        finally:
            self._running = False
        raise RuntimeError("the controllers of the simulated cluster do not come to rest")

    def _changed(self, event: StoreEvent) -> None:
        if event.kind.kind != "Event":
            self._wake()

    def _wake(self) -> None:
        if self._stop is not None and self._due is None and not self._running:
            self._due = asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._due = None
        self.settle()
