"""StatefulSets: pods with fixed names, in order, on claims that outlive them."""

from breakglass.kubernetes_objects import (
    Object,
    labels_of,
    mapping,
    name_of,
    namespace_of,
    number,
    objects,
    text,
)
from breakglass.simulator.kubernetes.controllers.context import (
    ControllerContext,
    generated_hash,
    owner_reference,
)
from breakglass.simulator.kubernetes.objects import copied, is_finished, is_going, is_ready, put

REVISION = "controller-revision-hash"


def reconcile(world: ControllerContext) -> None:
    for value in world.store.of_kind("StatefulSet", group="apps"):
        if not is_going(value):
            _stateful_set(world, value)


def _stateful_set(world: ControllerContext, value: Object) -> None:
    update = _revision(world, value)
    now = text(value, "status", "currentRevision", default=update)
    pods: dict[str, Object] = {}
    for pod in world.owned_pods(value):
        known = REVISION in labels_of(pod)
        pods[name_of(pod)] = pod if known else world.label(pod, REVISION, now)
    wanted = [f"{name_of(value)}-{ordinal}" for ordinal in range(number(value, "spec", "replicas"))]
    in_order = text(value, "spec", "podManagementPolicy") != "Parallel"
    _make(world, value, pods, wanted, update, in_order=in_order)
    _shrink(world, value, pods, wanted, in_order=in_order)
    _update(world, value, pods, wanted, update)
    _report(world, value, update)


def _make(
    world: ControllerContext,
    value: Object,
    pods: dict[str, Object],
    wanted: list[str],
    update: str,
    *,
    in_order: bool,
) -> None:
    for ordinal, name in enumerate(wanted):
        pod = pods.get(name)
        if pod is not None and is_finished(pod) and not is_going(pod):
            world.delete(pod, grace=0)
            pod = None
        if pod is None and world.find("Pod", namespace_of(value), name) is None:
            _claims(world, value, name)
            template, revision = _template_for(world, value, ordinal, update)
            pods[name] = pod = _create(world, value, name, template, revision)
        if in_order and (pod is None or not is_ready(pod)):
            return


def _create(world: ControllerContext, value: Object, name: str, template: Object, revision: str) -> Object:
    template = copied(template)
    spec = mapping(template, "spec")
    claimed = [text(claim, "metadata", "name") for claim in objects(value, "spec", "volumeClaimTemplates")]
    kept = [volume for volume in objects(spec, "volumes") if volume.get("name") not in claimed]
    volumes: list[Object] = [
        {"name": claim, "persistentVolumeClaim": {"claimName": f"{claim}-{name}"}} for claim in claimed
    ]
    if kept or volumes:
        spec["volumes"] = [*volumes, *kept]
    spec["hostname"] = name
    if service := text(value, "spec", "serviceName"):
        spec["subdomain"] = service
    ordinal = name.rpartition("-")[2]
    labels = {
        REVISION: revision,
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": ordinal,
    }
    return world.create_pod(value, name, template, labels)


def _claims(world: ControllerContext, value: Object, pod_name: str) -> None:
    """Make the claims of a pod that are not there. Those that are, even those being deleted, are used."""
    for template in objects(value, "spec", "volumeClaimTemplates"):
        name = f"{text(template, 'metadata', 'name')}-{pod_name}"
        if world.find("PersistentVolumeClaim", namespace_of(value), name) is not None:
            continue
        labels: Object = {**labels_of(template), **mapping(value, "spec", "selector", "matchLabels")}
        claim: Object = {
            "metadata": {
                "name": name,
                "namespace": namespace_of(value),
                "labels": labels,
                "annotations": copied(mapping(template, "metadata", "annotations")),
            },
            "spec": copied(mapping(template, "spec")),
        }
        if not world.settled:
            put(claim, text(value, "metadata", "creationTimestamp"), "metadata", "creationTimestamp")
        world.store.create(world.store.kinds.named("PersistentVolumeClaim", ""), claim)


def _shrink(
    world: ControllerContext, value: Object, pods: dict[str, Object], wanted: list[str], *, in_order: bool
) -> None:
    condemned = sorted((name for name in pods if name not in wanted), key=_ordinal, reverse=True)
    for name in condemned:
        if not is_going(pods[name]):
            world.delete(pods[name])
            world.event(value, "Normal", "SuccessfulDelete", f"delete Pod {name} in StatefulSet successful")
        if in_order:
            return


def _ordinal(name: str) -> int:
    last = name.rpartition("-")[2]
    return int(last) if last.isdigit() else -1


def _update(
    world: ControllerContext, value: Object, pods: dict[str, Object], wanted: list[str], update: str
) -> None:
    """A rolling update deletes one outdated pod at a time, the last first, once all after it are ready."""
    strategy = mapping(value, "spec", "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return
    partition = number(strategy, "rollingUpdate", "partition")
    if len(wanted) > len([name for name in wanted if name in pods]):
        return
    for name in reversed(wanted[partition:]):
        pod = pods[name]
        if is_going(pod):
            return
        if labels_of(pod).get(REVISION, update) != update:
            world.delete(pod)
            return
        if not is_ready(pod):
            return


def _revision(world: ControllerContext, value: Object) -> str:
    """The name of the revision for the template as it is now; its ControllerRevision is made if need be."""
    name = f"{name_of(value)}-{generated_hash(value)}"
    if world.find("ControllerRevision", namespace_of(value), name) is None:
        known = world.store.peek("ControllerRevision", namespace_of(value))
        numbers = [number(entry, "revision") for entry in known if _belongs(entry, value)]
        revision: Object = {
            "metadata": {
                "name": name,
                "namespace": namespace_of(value),
                "ownerReferences": [owner_reference(value)],
            },
            "data": {"spec": {"template": copied(mapping(value, "spec", "template"))}},
            "revision": max(numbers, default=0) + 1,
        }
        world.store.create(world.store.kinds.named("ControllerRevision", "apps"), revision)
    return name


def _belongs(revision: Object, value: Object) -> bool:
    return any(
        owner.get("uid") == mapping(value, "metadata").get("uid")
        for owner in objects(revision, "metadata", "ownerReferences")
    )


def _template_for(world: ControllerContext, value: Object, ordinal: int, update: str) -> tuple[Object, str]:
    """The template for a new pod: the old one below the partition of a rolling update."""
    strategy = mapping(value, "spec", "updateStrategy")
    current = text(value, "status", "currentRevision")
    below = strategy.get("type") != "OnDelete" and ordinal < number(strategy, "rollingUpdate", "partition")
    if below and current and current != update:
        revision = world.find("ControllerRevision", namespace_of(value), current)
        if revision is not None:
            return mapping(revision, "data", "spec", "template"), current
    return mapping(value, "spec", "template"), update


def _report(world: ControllerContext, before: Object, update: str) -> None:
    value = world.find("StatefulSet", namespace_of(before), name_of(before))
    if value is None:
        return
    pods = [pod for pod in world.owned_pods(value) if not is_finished(pod)]
    wanted = number(value, "spec", "replicas")
    ready = [pod for pod in pods if is_ready(pod)]
    updated = [pod for pod in pods if labels_of(pod).get(REVISION, update) == update]
    current = text(value, "status", "currentRevision", default=update)
    if len(updated) == len(pods) == len(ready) == wanted:
        current = update
    status: Object = {
        "observedGeneration": number(value, "metadata", "generation"),
        "replicas": len(pods),
        "readyReplicas": len(ready),
        "availableReplicas": len(ready),
        "currentReplicas": len([pod for pod in pods if labels_of(pod).get(REVISION, update) == current]),
        "updatedReplicas": len(updated),
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": 0,
    }
    world.set_status(value, status)
