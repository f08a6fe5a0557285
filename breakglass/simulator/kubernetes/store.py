"""The objects of the simulated cluster: resource versions, uids, and the history that watches read."""

import random
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from breakglass.kubernetes_objects import Object, labels_of, name_of, namespace_of, number, text, uid_of
from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.defaults import fill_in, fill_in_template
from breakglass.simulator.kubernetes.kinds import Kinds, ResourceKind
from breakglass.simulator.kubernetes.objects import copied, put, remove, timestamp
from breakglass.simulator.kubernetes.patches import merge_patch
from breakglass.values import Json

HISTORY = 5000
"""How many changes a watch can go back; older ones answer 410 Gone."""


@dataclass(frozen=True, slots=True)
class StoreEvent:
    """One change of one object, in the order of `version`. `object` is as it stood after (before, when
    deleted) and must not be modified."""

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    kind: ResourceKind
    object: Object
    before: Object | None


Subscriber: TypeAlias = Callable[[StoreEvent], None]
Key: TypeAlias = tuple[str, str, str, str]
"""Group, plural, namespace, name."""


class ObjectStore:
    """Objects by resource, namespace and name. Synchronous; every object that comes out is a copy.

    With a seed, the same changes in the same order give the same uids and generated names.
    It knows nothing of grace periods, finalizers or admission: `remove` is the end of an object. Those
    rules are in `deletion.py` and `operations.py`.
    """

    def __init__(self, clock: SimulatedClock, kinds: Kinds | None = None, seed: int | None = None) -> None:
        self.clock = clock
        self.random = random.Random(seed)
        self.kinds = kinds or Kinds()
        self.version = 1000
        self._objects: dict[Key, Object] = {}
        self._history: deque[StoreEvent] = deque(maxlen=HISTORY)
        self._subscribers: list[Subscriber] = []
        self._untold: deque[StoreEvent] = deque()
        self._telling = False
        for name in ("default", "kube-system", "kube-node-lease", "kube-public"):
            self.ensure_namespace(name)

    def load(self, values: Iterable[Object]) -> None:
        """Put a scenario's objects in, with the namespaces that they name. ValueError for an unknown kind."""
        for value in values:
            try:
                kind = self.kinds.of(value)
            except KeyError:
                what = f"{text(value, 'apiVersion')} {text(value, 'kind')}"
                raise ValueError(f"the simulated cluster serves no {what}") from None
            namespace = (namespace_of(value) or "default") if kind.namespaced else ""
            if namespace:
                self.ensure_namespace(namespace)
            placed = copied(value)
            if namespace:
                put(placed, namespace, "metadata", "namespace")
            self.create(kind, placed)

    def ensure_namespace(self, name: str) -> None:
        kind = self.kinds.named("Namespace", "")
        if self.find(kind, "", name) is None:
            self.create(kind, {"metadata": {"name": name}})

    def create(self, kind: ResourceKind, value: Object) -> Object:
        """Store a new object. uid, creationTimestamp and the API's defaults are given where absent. ApiError
        409 if it exists."""
        value = copied(value)
        key = _key(kind, value)
        if key in self._objects:
            raise statuses.already_exists(kind, name_of(value))
        value["apiVersion"] = kind.api_version
        value["kind"] = kind.kind
        if not uid_of(value):
            put(value, str(uuid.UUID(int=self.random.getrandbits(128), version=4)), "metadata", "uid")
        if not text(value, "metadata", "creationTimestamp"):
            put(value, timestamp(self.clock.now()), "metadata", "creationTimestamp")
        return self._record("ADDED", kind, key, self.completed(kind, value), None)

    def completed(self, kind: ResourceKind, value: Object) -> Object:
        """A new object with the API's defaults, as it would be stored. It has its uid already."""
        value = copied(value)
        fill_in(kind, value, self.clock.now())
        if "spec" in value and has_generation(kind) and not number(value, "metadata", "generation"):
            put(value, 1, "metadata", "generation")
        return value

    def find(self, kind: ResourceKind, namespace: str, name: str) -> Object | None:
        found = self._objects.get((kind.group, kind.plural, namespace, name))
        return None if found is None else copied(found)

    def get(self, kind: ResourceKind, namespace: str, name: str) -> Object:
        """ApiError 404 where there is none."""
        found = self.find(kind, namespace, name)
        if found is None:
            raise statuses.not_found(kind, name)
        return found

    def list(self, kind: ResourceKind, namespace: str = "") -> "list[Object]":
        """All objects of a resource, in one namespace or in all, by namespace and name."""
        keys = sorted(
            key
            for key in self._objects
            if key[:2] == (kind.group, kind.plural) and (not namespace or key[2] == namespace)
        )
        return [copied(self._objects[key]) for key in keys]

    def peek(self, kind: str, namespace: str = "", group: str | None = None) -> "list[Object]":
        """The same as `of_kind`, but not copied: for reading only."""
        found = self.kinds.named(kind, group)
        keys = sorted(
            key
            for key in self._objects
            if key[:2] == (found.group, found.plural) and (not namespace or key[2] == namespace)
        )
        return [self._objects[key] for key in keys]

    def of_kind(self, kind: str, namespace: str = "", group: str | None = None) -> "list[Object]":
        """The same by kind name: `store.of_kind("Pod", "vault")`."""
        return self.list(self.kinds.named(kind, group), namespace)

    def replace(self, kind: ResourceKind, value: Object) -> Object:
        """Store a new state of an object that is there. No change, no new version; the generation moves with
        the spec. ApiError 404 where it is not there."""
        key = _key(kind, value)
        before = self._objects.get(key)
        if before is None:
            raise statuses.not_found(kind, name_of(value))
        value = self.replaced(kind, value, before)
        if value == before:
            return copied(before)
        return self._record("MODIFIED", kind, key, value, before)

    def replaced(self, kind: ResourceKind, value: Object, before: Object) -> Object:
        """A new state of an object as it would be stored, but for its resource version. Stores nothing."""
        value = copied(value)
        fill_in_template(value)
        value["apiVersion"] = kind.api_version
        value["kind"] = kind.kind
        for field in ("uid", "creationTimestamp", "resourceVersion"):
            put(value, text(before, "metadata", field), "metadata", field)
        generation = number(before, "metadata", "generation")
        ends = text(value, "metadata", "deletionTimestamp") and not text(
            before, "metadata", "deletionTimestamp"
        )
        if generation and (ends or value.get("spec") != before.get("spec")):
            generation += 1
        if generation:
            put(value, generation, "metadata", "generation")
        return value

    def patch(self, kind: ResourceKind, namespace: str, name: str, change: Object) -> Object:
        """Change part of an object by a merge patch (RFC 7386): how a scenario moves its world."""
        patched = merge_patch(self.get(kind, namespace, name), change)
        assert isinstance(patched, dict)
        return self.replace(kind, patched)

    def remove(self, kind: ResourceKind, namespace: str, name: str) -> Object:
        """The object is gone, at once, whatever its finalizers. ApiError 404 where it is not there."""
        key = (kind.group, kind.plural, namespace, name)
        before = self._objects.get(key)
        if before is None:
            raise statuses.not_found(kind, name)
        del self._objects[key]
        return self._record("DELETED", kind, key, copied(before), before)

    def with_uid(self, uid: str) -> Object | None:
        found = next((value for value in self._objects.values() if uid_of(value) == uid), None)
        return None if found is None else copied(found)

    def glance(self) -> "list[Object]":
        """The same as `all`, but not copied: for reading only."""
        return [self._objects[key] for key in sorted(self._objects)]

    def all(self) -> "list[Object]":
        return [copied(self._objects[key]) for key in sorted(self._objects)]

    def snapshot(self) -> Json:
        """Every object in a stable order, without what differs between two equal runs (resource versions)."""
        values = self.all()
        for value in values:
            remove(value, "metadata", "resourceVersion")
        return list(values)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Be told of every change, at once and in order. The answer ends the subscription."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def since(self, version: int) -> "list[StoreEvent]":
        """The changes after a resource version. ApiError 410 where they are no longer known."""
        if self._history and version < self._history[0].version - 1 and len(self._history) == HISTORY:
            raise statuses.gone(f"too old resource version: {version} ({self._history[0].version})")
        return [event for event in self._history if event.version > version]

    def _record(
        self,
        type: Literal["ADDED", "MODIFIED", "DELETED"],
        kind: ResourceKind,
        key: Key,
        value: Object,
        before: Object | None,
    ) -> Object:
        self.version += 1
        put(value, str(self.version), "metadata", "resourceVersion")
        if type != "DELETED":
            self._objects[key] = value
        event = StoreEvent(self.version, type, kind, copied(value), before)
        self._history.append(event)
        self._untold.append(event)
        self._tell()
        return copied(value)

    def _tell(self) -> None:
        """Tell the subscribers in the order of the changes, also when one of them changes something."""
        if self._telling:
            return
        self._telling = True
        try:
            while self._untold:
                event = self._untold.popleft()
                for subscriber in list(self._subscribers):
                    subscriber(event)
        finally:
            self._telling = False


def has_generation(kind: ResourceKind) -> bool:
    """Whether the API counts the changes of an object's spec: few kinds of the core group."""
    if kind.group in ("coordination.k8s.io", "autoscaling", "storage.k8s.io", "certificates.k8s.io"):
        return False
    return bool(kind.group) or kind.kind in ("Pod", "ReplicationController")


def _key(kind: ResourceKind, value: Object) -> Key:
    return (kind.group, kind.plural, namespace_of(value) if kind.namespaced else "", name_of(value))


def matching(values: Iterable[Object], labels: dict[str, str]) -> list[Object]:
    """The objects that carry all these labels."""
    return [value for value in values if labels.items() <= labels_of(value).items()]
