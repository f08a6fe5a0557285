"""Claims and volumes: binding, provisioning, the protection of what is in use, and what is left over."""

from breakglass.kubernetes_objects import (
    Object,
    at,
    mapping,
    name_of,
    namespace_of,
    objects,
    text,
    texts,
    uid_of,
)
from breakglass.simulator.kubernetes import deletion
from breakglass.simulator.kubernetes.controllers.context import ControllerContext
from breakglass.simulator.kubernetes.defaults import PV_PROTECTION, PVC_PROTECTION
from breakglass.simulator.kubernetes.objects import copied, is_finished, is_going, put, remove

NOTICED_AFTER = 0.5
"""Seconds until the protection controller acts on a claim."""
PROVISIONED_AFTER = 1.0
TRIED_AGAIN_AFTER = 15.0


def reconcile(world: ControllerContext) -> None:
    for claim in world.store.of_kind("PersistentVolumeClaim"):
        _protect(world, claim)
        if not is_going(claim):
            _bind(world, claim)
    for volume in world.store.of_kind("PersistentVolume"):
        _volume(world, volume)


def _protect(world: ControllerContext, claim: Object) -> None:
    """The finalizer is taken away when a claim that is being deleted is not used, and put back on one that
    is not being deleted."""
    held = PVC_PROTECTION in texts(claim, "metadata", "finalizers")
    free = is_going(claim) and held and not _in_use(world, claim)
    bare = not is_going(claim) and not held
    key = f"protect {uid_of(claim)}"
    if not free and not bare:
        world.cancel(key)
        return
    namespace, name, uid = namespace_of(claim), name_of(claim), uid_of(claim)

    def act() -> None:
        fresh = world.find("PersistentVolumeClaim", namespace, name)
        if fresh is None or uid_of(fresh) != uid:
            return
        finalizers = texts(fresh, "metadata", "finalizers")
        if is_going(fresh) and not _in_use(world, fresh):
            _set_finalizers(fresh, [entry for entry in finalizers if entry != PVC_PROTECTION])
        elif not is_going(fresh) and PVC_PROTECTION not in finalizers:
            _set_finalizers(fresh, [*finalizers, PVC_PROTECTION])
        deletion.stored_or_gone(world.store, world.store.kinds.of(fresh), fresh)

    world.after(key, NOTICED_AFTER, act)


def _set_finalizers(value: Object, finalizers: list[str]) -> None:
    if finalizers:
        put(value, [*finalizers], "metadata", "finalizers")
    else:
        remove(value, "metadata", "finalizers")


def _users(world: ControllerContext, claim: Object) -> list[Object]:
    return [
        pod
        for pod in world.store.peek("Pod", namespace_of(claim))
        if any(
            text(volume, "persistentVolumeClaim", "claimName") == name_of(claim)
            for volume in objects(pod, "spec", "volumes")
        )
    ]


def _in_use(world: ControllerContext, claim: Object) -> bool:
    return any(text(pod, "spec", "nodeName") and not is_finished(pod) for pod in _users(world, claim))


def _bind(world: ControllerContext, claim: Object) -> None:
    if text(claim, "status", "phase") == "Bound":
        return
    volume = _found(world, claim)
    if volume is not None:
        _join(world, claim, volume)
        return
    storage_class = _class_of(world, claim)
    if storage_class is None or text(storage_class, "provisioner") == "kubernetes.io/no-provisioner":
        if text(claim, "spec", "storageClassName") and storage_class is None:
            _without_class(world, claim)
        return
    waits = text(storage_class, "volumeBindingMode") == "WaitForFirstConsumer"
    if at(claim, "spec", "volumeName") or (waits and not _users(world, claim)):
        return
    namespace, name, uid = namespace_of(claim), name_of(claim), uid_of(claim)

    def provision() -> None:
        fresh = world.find("PersistentVolumeClaim", namespace, name)
        if fresh is not None and uid_of(fresh) == uid and not is_going(fresh):
            _join(world, fresh, _provisioned(world, fresh, storage_class))

    if world.settled:
        world.after(f"provision {uid}", PROVISIONED_AFTER, provision)
    else:
        provision()


def _without_class(world: ControllerContext, claim: Object) -> None:
    """Say so, each time when the controller tries again, and not whenever anything changes."""
    name = text(claim, "spec", "storageClassName")

    def say() -> None:
        fresh = world.find("PersistentVolumeClaim", namespace_of(claim), name_of(claim))
        if fresh is not None and uid_of(fresh) == uid_of(claim) and _class_of(world, fresh) is None:
            message = f'storageclass.storage.k8s.io "{name}" not found'
            world.event(fresh, "Warning", "ProvisioningFailed", message, "persistentvolume-controller")

    world.after(f"no class {uid_of(claim)}", TRIED_AGAIN_AFTER, say)


def _class_of(world: ControllerContext, claim: Object) -> Object | None:
    name = at(claim, "spec", "storageClassName")
    mark = "storageclass.kubernetes.io/is-default-class"
    for entry in world.store.peek("StorageClass"):
        default = text(entry, "metadata", "annotations", mark) == "true"
        if name_of(entry) == name or (name is None and default):
            return entry
    return None


def _found(world: ControllerContext, claim: Object) -> Object | None:
    wanted = text(claim, "spec", "volumeName")
    for volume in world.store.of_kind("PersistentVolume"):
        reserved = mapping(volume, "spec", "claimRef")
        ours = text(reserved, "namespace") == namespace_of(claim) and text(reserved, "name") == name_of(claim)
        if ours and text(reserved, "uid") in ("", uid_of(claim)):
            return volume
        if wanted:
            if name_of(volume) == wanted and not reserved:
                return volume
        elif not reserved and text(volume, "status", "phase") == "Available" and not is_going(volume):
            same_class = text(volume, "spec", "storageClassName") == text(claim, "spec", "storageClassName")
            if same_class and _capacity(volume) == _asked(claim):
                return volume
    return None


def _capacity(volume: Object) -> str:
    return text(volume, "spec", "capacity", "storage")


def _asked(claim: Object) -> str:
    return text(claim, "spec", "resources", "requests", "storage")


def _provisioned(world: ControllerContext, claim: Object, storage_class: Object) -> Object:
    name = f"pvc-{uid_of(claim)}"
    driver = text(storage_class, "provisioner")
    volume: Object = {
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": driver}},
        "spec": {
            "capacity": {"storage": _asked(claim)},
            "accessModes": at(claim, "spec", "accessModes"),
            "persistentVolumeReclaimPolicy": text(storage_class, "reclaimPolicy", default="Delete"),
            "storageClassName": name_of(storage_class),
            "csi": {"driver": driver, "volumeHandle": name},
        },
    }
    return world.store.create(world.store.kinds.named("PersistentVolume", ""), volume)


def _join(world: ControllerContext, claim: Object, volume: Object) -> None:
    claim, volume = copied(claim), copied(volume)
    reference: Object = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace_of(claim),
        "name": name_of(claim),
        "uid": uid_of(claim),
    }
    put(volume, reference, "spec", "claimRef")
    put(volume, "Bound", "status", "phase")
    world.save(volume)
    put(claim, name_of(volume), "spec", "volumeName")
    if not at(claim, "spec", "storageClassName") and text(volume, "spec", "storageClassName"):
        put(claim, text(volume, "spec", "storageClassName"), "spec", "storageClassName")
    put(claim, "Bound", "status", "phase")
    put(claim, at(volume, "spec", "accessModes"), "status", "accessModes")
    put(claim, at(volume, "spec", "capacity"), "status", "capacity")
    world.save(claim)


def _volume(world: ControllerContext, volume: Object) -> None:
    reference = mapping(volume, "spec", "claimRef")
    claim = world.find("PersistentVolumeClaim", text(reference, "namespace"), text(reference, "name"))
    bound = claim is not None and text(reference, "uid") in ("", uid_of(claim))
    if text(reference, "uid") and not bound and text(volume, "status", "phase") == "Bound":
        put(volume, "Released", "status", "phase")
        volume = world.save(volume)
        if text(volume, "spec", "persistentVolumeReclaimPolicy") == "Delete":
            world.delete(volume)
            return
    if is_going(volume) and not bound:
        finalizers = [entry for entry in texts(volume, "metadata", "finalizers") if entry != PV_PROTECTION]
        _set_finalizers(volume, finalizers)
        deletion.stored_or_gone(world.store, world.store.kinds.of(volume), volume)
