"""What is no longer owned goes; owners that wait for what they own go after it; closing namespaces empty."""

from breakglass.kubernetes_objects import Object, name_of, namespace_of, objects, text, texts, uid_of
from breakglass.simulator.kubernetes import deletion
from breakglass.simulator.kubernetes.controllers.context import ControllerContext
from breakglass.simulator.kubernetes.deletion import FOREGROUND, ORPHAN
from breakglass.simulator.kubernetes.objects import copied, is_going, put, remove


def resolve_owners(world: ControllerContext) -> None:
    """A scenario names owners by kind and name; what the API needs is their uid."""
    for value in world.store.all():
        references = objects(value, "metadata", "ownerReferences")
        if not any("uid" not in reference for reference in references):
            continue
        for reference in references:
            kind = world.store.kinds.named(text(reference, "kind"))
            namespace = namespace_of(value) if kind.namespaced else ""
            owner = world.store.get(kind, namespace, text(reference, "name"))
            reference.setdefault("apiVersion", kind.api_version)
            reference.setdefault("controller", True)
            reference.setdefault("uid", uid_of(owner))
        put(value, [*references], "metadata", "ownerReferences")
        world.save(value)


def reconcile(world: ControllerContext) -> None:
    values = world.store.glance()
    alive = {uid_of(value) for value in values}
    for value in values:
        owners = [text(entry, "uid") for entry in objects(value, "metadata", "ownerReferences")]
        if owners and not is_going(value) and not any(owner in alive for owner in owners):
            world.delete(value)
    for value in values:
        finalizers = texts(value, "metadata", "finalizers")
        if is_going(value) and (ORPHAN in finalizers or FOREGROUND in finalizers):
            _wait_for_dependants(world, value, finalizers)
    for namespace in values:
        if namespace.get("kind") == "Namespace" and text(namespace, "status", "phase") == "Terminating":
            _empty(world, namespace, values)


def _wait_for_dependants(world: ControllerContext, owner: Object, finalizers: list[str]) -> None:
    dependants = _dependants(world, owner)
    if ORPHAN in finalizers:
        for value in dependants:
            _let_go(world, value, uid_of(owner))
        dependants = []
    for value in dependants:
        if not is_going(value):
            world.delete(value, propagation="Foreground" if _dependants(world, value) else "Background")
    if dependants:
        return
    fresh = world.store.with_uid(uid_of(owner))
    if fresh is None:
        return
    left = [entry for entry in texts(fresh, "metadata", "finalizers") if entry not in (ORPHAN, FOREGROUND)]
    if left:
        put(fresh, [*left], "metadata", "finalizers")
    else:
        remove(fresh, "metadata", "finalizers")
    deletion.stored_or_gone(world.store, world.store.kinds.of(fresh), fresh)


def _dependants(world: ControllerContext, owner: Object) -> list[Object]:
    return [
        value
        for value in world.store.glance()
        if any(entry.get("uid") == uid_of(owner) for entry in objects(value, "metadata", "ownerReferences"))
    ]


def _let_go(world: ControllerContext, value: Object, owner: str) -> None:
    freed = copied(value)
    kept = [entry for entry in objects(freed, "metadata", "ownerReferences") if entry.get("uid") != owner]
    if kept:
        put(freed, [*kept], "metadata", "ownerReferences")
    else:
        remove(freed, "metadata", "ownerReferences")
    world.save(freed)


def _empty(world: ControllerContext, namespace: Object, values: list[Object]) -> None:
    inside = [value for value in values if namespace_of(value) == name_of(namespace)]
    for value in inside:
        if not is_going(value) and world.store.with_uid(uid_of(value)) is not None:
            world.delete(value)
    if not inside:
        world.store.remove(world.store.kinds.named("Namespace", ""), "", name_of(namespace))
