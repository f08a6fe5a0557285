"""What every controller works with: the store, the clock, the scenario, and a few things they all do."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from breakglass.kubernetes_objects import (
    Object,
    condition_of,
    labels_of,
    mapping,
    name_of,
    namespace_of,
    objects,
    text,
    uid_of,
)
from breakglass.simulator.clock import SimulatedClock, Timer
from breakglass.simulator.kubernetes import deletion
from breakglass.simulator.kubernetes.deletion import DeleteOptions, Propagation
from breakglass.simulator.kubernetes.hooks import Hooks
from breakglass.simulator.kubernetes.objects import copied, is_going, owner_of, put, timestamp
from breakglass.simulator.kubernetes.operations import GENERATED, generated
from breakglass.simulator.kubernetes.selectors import selects
from breakglass.simulator.kubernetes.store import ObjectStore


@dataclass
class ControllerContext:
    """The memory that the controllers share.

    settled: False while the scenario's objects first come to rest; what starts then has long been running.
    timers: by what they wait for. passed: what was already asked of the scenario or waited for, once each.
    schedules: of CronJobs, to see when one is changed.
    """

    store: ObjectStore
    hooks: Hooks
    clock: SimulatedClock
    wake: Callable[[], None]
    settled: bool = False
    timers: dict[str, Timer] = field(default_factory=dict[str, Timer])
    passed: set[str] = field(default_factory=set[str])
    schedules: dict[str, str] = field(default_factory=dict[str, str])

    def now(self) -> datetime:
        return self.clock.now()

    def after(self, key: str, seconds: float, action: Callable[[], None]) -> None:
        """Do something once, later, and let the controllers run again. One timer for each key."""
        if key in self.timers:
            return

        def act() -> None:
            self.timers.pop(key, None)
            action()
            self.wake()

        self.timers[key] = self.clock.call_later(seconds, act)

    def cancel(self, key: str) -> None:
        timer = self.timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        return self.store.find(self.store.kinds.named(kind), namespace, name)

    def save(self, value: Object) -> Object:
        """Store a changed object."""
        return self.store.replace(self.store.kinds.of(value), value)

    def delete(
        self, value: Object, grace: int | None = None, propagation: Propagation = "Background"
    ) -> None:
        """Delete as a controller does: gracefully."""
        kind = self.store.kinds.of(value)
        deletion.delete(self.store, kind, copied(value), DeleteOptions(grace, propagation))

    def set_status(self, value: Object, status: Object) -> None:
        """Put entries into the status of an object, if that changes anything."""
        changed = copied(value)
        changed["status"] = mapping(changed, "status") | status
        if changed["status"] != value.get("status"):
            self.save(changed)

    def owned_pods(self, owner: Object) -> list[Object]:
        """The pods that this object controls; ones that it selects and nobody controls are adopted."""
        pods: list[Object] = []
        for pod in self.store.peek("Pod", namespace_of(owner)):
            controller = owner_of(pod)
            if controller.get("uid") == uid_of(owner):
                if selects(mapping(owner, "spec").get("selector"), labels_of(pod)):
                    pods.append(pod)
                else:
                    self._release(owner, pod)
            elif controller or is_going(pod) or is_going(owner):
                continue
            elif selects(mapping(owner, "spec").get("selector"), labels_of(pod)):
                pods.append(self.adopt(owner, pod))
        return pods

    def adopt(self, owner: Object, value: Object) -> Object:
        adopted = copied(value)
        kept = [entry for entry in objects(adopted, "metadata", "ownerReferences") if entry.get("uid")]
        put(adopted, [*kept, owner_reference(owner)], "metadata", "ownerReferences")
        return self.save(adopted)

    def _release(self, owner: Object, pod: Object) -> None:
        """A pod whose labels were changed is no longer controlled, and runs on by itself."""
        released = copied(pod)
        references = objects(released, "metadata", "ownerReferences")
        kept = [entry for entry in references if entry.get("uid") != uid_of(owner)]
        put(released, [*kept], "metadata", "ownerReferences")
        self.save(released)

    def label(self, value: Object, key: str, entry: str) -> Object:
        labelled = copied(value)
        put(labelled, entry, "metadata", "labels", key)
        return self.save(labelled)

    def create_pod(self, owner: Object, name: str, template: Object, labels: dict[str, str]) -> Object:
        """A pod from a template, controlled by its owner."""
        metadata = mapping(template, "metadata")
        pod: Object = {
            "metadata": {
                "name": name,
                "namespace": namespace_of(owner),
                "labels": {**labels_of(template), **labels},
                "ownerReferences": [owner_reference(owner)],
            },
            "spec": copied(mapping(template, "spec")),
        }
        if annotations := mapping(metadata, "annotations"):
            put(pod, copied(annotations), "metadata", "annotations")
        if name.startswith(f"{name_of(owner)}-") and text(owner, "kind") != "StatefulSet":
            put(pod, f"{name_of(owner)}-", "metadata", "generateName")
        if not self.settled:
            since = text(owner, "metadata", "creationTimestamp")
            put(pod, since, "metadata", "creationTimestamp")
        kind = self.store.kinds.named("Pod", "")
        created = self.store.create(kind, pod)
        self.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {name}")
        return created

    def free_name(self, prefix: str, namespace: str) -> str:
        while self.find("Pod", namespace, name := prefix + generated(self.store)) is not None:
            pass
        return name

    def event(self, about: Object, type: str, reason: str, message: str, component: str = "") -> None:
        """Record an Event; the same one again counts up. Nothing is recorded before the world has settled."""
        if not self.settled:
            return
        now = timestamp(self.now())
        kind = self.store.kinds.named("Event", "")
        namespace = namespace_of(about) or "default"
        mark = hashlib.sha256(f"{uid_of(about)}{reason}{message}".encode()).hexdigest()[:16]
        name = f"{name_of(about)}.{mark}"
        known = self.store.find(kind, namespace, name)
        if known is not None:
            count = known.get("count")
            known["count"] = (count if isinstance(count, int) else 1) + 1
            known["lastTimestamp"] = now
            self.store.replace(kind, known)
            return
        source: Object = {"component": component or f"{text(about, 'kind').lower()}-controller"}
        involved: Object = {
            "kind": about.get("kind"),
            "apiVersion": about.get("apiVersion"),
            "namespace": namespace,
            "name": name_of(about),
            "uid": uid_of(about),
        }
        event: Object = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": type,
            "source": source,
            "reportingComponent": source["component"],
            "reportingInstance": "",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
        }
        self.store.create(kind, event)

    def node_is_up(self, name: str) -> bool:
        """Whether a kubelet works on the node. A node that nobody described is taken to be well."""
        node = self.find("Node", "", name)
        return node is None or condition_of(node, "Ready").get("status") == "True"


def owner_reference(owner: Object) -> Object:
    return {
        "apiVersion": owner.get("apiVersion"),
        "kind": owner.get("kind"),
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def template_hash(template: Object) -> str:
    """A short name for a template: equal templates have equal names."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(GENERATED[byte % len(GENERATED)] for byte in digest[:10])


def generated_hash(value: Object) -> str:
    return template_hash(mapping(value, "spec", "template"))
