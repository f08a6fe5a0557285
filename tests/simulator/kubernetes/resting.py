"""A cluster without a server, on a clock that stands still until a test moves it."""

from dataclasses import dataclass

from breakglass.kubernetes_objects import Object, name_of, namespace_of
from breakglass.simulator.clock import SteppedClock
from breakglass.simulator.kubernetes import deletion
from breakglass.simulator.kubernetes.controllers import Controllers
from breakglass.simulator.kubernetes.deletion import DeleteOptions, Propagation
from breakglass.simulator.kubernetes.objects import is_ready
from breakglass.simulator.kubernetes.store import ObjectStore
from tests.simulator.kubernetes.support import TestHooks, node


@dataclass
class Resting:
    store: ObjectStore
    hooks: TestHooks
    clock: SteppedClock
    controllers: Controllers

    def pass_time(self, seconds: float, step: float = 0.25) -> None:
        """Let time pass in small steps, with the controllers at rest after each."""
        for _ in range(int(seconds / step)):
            self.clock.advance(step)
            self.controllers.settle()

    def delete(
        self, kind: str, name: str, grace: int | None = None, propagation: Propagation | None = None
    ) -> None:
        found = self.store.kinds.named(kind)
        value = self.store.get(found, "web" if found.namespaced else "", name)
        deletion.delete(self.store, found, value, DeleteOptions(grace, propagation))
        self.controllers.settle()

    def change(self, kind: str, name: str, change: Object) -> None:
        found = self.store.kinds.named(kind)
        self.store.patch(found, "web" if found.namespaced else "", name, change)
        self.controllers.settle()

    def add(self, *values: Object) -> None:
        self.store.load(values)
        self.controllers.settle()

    def get(self, kind: str, name: str) -> Object:
        found = self.store.kinds.named(kind)
        return self.store.get(found, "web" if found.namespaced else "", name)

    def names(self, kind: str) -> list[str]:
        return [name_of(value) for value in self.store.of_kind(kind) if namespace_of(value) in ("web", "")]

    def ready(self) -> list[str]:
        return [name_of(value) for value in self.store.of_kind("Pod", "web") if is_ready(value)]

    def set_node(self, name: str, *, up: bool) -> None:
        status = "True" if up else "Unknown"
        condition: Object = {"type": "Ready", "status": status, "reason": "NodeStatusUnknown"}
        self.change("Node", name, {"status": {"conditions": [condition]}})


def rest(*values: Object, hooks: TestHooks | None = None) -> Resting:
    """A cluster of two nodes in which everything has come to rest."""
    clock = SteppedClock()
    store = ObjectStore(clock, seed=1)
    store.load([node("node1"), node("node2"), *values])
    store.ensure_namespace("web")
    hooks = hooks or TestHooks()
    controllers = Controllers(store, hooks)
    controllers.come_to_rest()
    return Resting(store, hooks, clock, controllers)
