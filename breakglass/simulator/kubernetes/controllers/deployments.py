"""Deployments and their ReplicaSets: rollouts by the strategy, and pods replaced when they go."""

from datetime import timedelta

from breakglass.kubernetes_objects import (
    Object,
    at,
    condition_of,
    flag,
    labels_of,
    mapping,
    name_of,
    namespace_of,
    number,
    text,
    uid_of,
)
from breakglass.simulator.kubernetes.budgets import whole_or_percent
from breakglass.simulator.kubernetes.controllers.context import (
    ControllerContext,
    generated_hash,
    owner_reference,
)
from breakglass.simulator.kubernetes.objects import (
    copied,
    is_finished,
    is_going,
    is_ready,
    moment,
    owner_of,
    put,
    remove,
    set_condition,
    timestamp,
)
from breakglass.simulator.kubernetes.selectors import selects

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"


def reconcile(world: ControllerContext) -> None:
    for deployment in world.store.of_kind("Deployment", group="apps"):
        if not is_going(deployment):
            _deployment(world, deployment)
    for replica_set in world.store.of_kind("ReplicaSet", group="apps"):
        if not is_going(replica_set):
            _replica_set(world, replica_set)


def _deployment(world: ControllerContext, deployment: Object) -> None:
    owned = [
        entry
        for entry in world.store.of_kind("ReplicaSet", namespace_of(deployment))
        if owner_of(entry).get("uid") == uid_of(deployment) and not is_going(entry)
    ]
    wanted = generated_hash(deployment)
    current = next((entry for entry in owned if labels_of(entry).get(HASH) == wanted), None)
    older = [entry for entry in owned if entry is not current]
    if current is None:
        if flag(deployment, "spec", "paused"):
            return
        current = _create_replica_set(world, deployment, wanted, older)
    _adopt_pods(world, deployment, current)
    _roll(world, deployment, current, older)
    _drop_history(world, deployment, older)
    _report(world, deployment)


def _create_replica_set(
    world: ControllerContext, deployment: Object, wanted: str, older: list[Object]
) -> Object:
    template = copied(mapping(deployment, "spec", "template"))
    put(template, wanted, "metadata", "labels", HASH)
    revisions = [int(text(entry, "metadata", "annotations", REVISION, default="0")) for entry in older]
    revision = str(max(revisions, default=0) + 1)
    selector: Object = copied(mapping(deployment, "spec", "selector"))
    put(selector, wanted, "matchLabels", HASH)
    replica_set: Object = {
        "metadata": {
            "name": f"{name_of(deployment)}-{wanted}",
            "namespace": namespace_of(deployment),
            "labels": copied(mapping(template, "metadata", "labels")),
            "annotations": {REVISION: revision},
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }
    if not world.settled:
        since = text(deployment, "metadata", "creationTimestamp")
        put(replica_set, since, "metadata", "creationTimestamp")
    created = world.store.create(world.store.kinds.named("ReplicaSet", "apps"), replica_set)
    annotated = copied(deployment)
    put(annotated, revision, "metadata", "annotations", REVISION)
    world.save(annotated)
    return created


def _adopt_pods(world: ControllerContext, deployment: Object, current: Object) -> None:
    """A scenario may list the pods of a Deployment itself, with the names that it wants."""
    for pod in world.store.of_kind("Pod", namespace_of(deployment)):
        if owner_of(pod) or is_going(pod) or HASH in labels_of(pod):
            continue
        if selects(at(deployment, "spec", "selector"), labels_of(pod)):
            put(pod, labels_of(current)[HASH], "metadata", "labels", HASH)
            world.adopt(current, pod)
            count = number(current, "spec", "replicas") + 1
            if count <= number(deployment, "spec", "replicas"):
                put(current, count, "spec", "replicas")
                current |= world.save(current)


def _roll(world: ControllerContext, deployment: Object, current: Object, older: list[Object]) -> None:
    """Move replicas from the older ReplicaSets to the current one, as far as the strategy allows now."""
    if flag(deployment, "spec", "paused") and not older:
        _scale(world, deployment, current, number(deployment, "spec", "replicas"))
        return
    replicas = number(deployment, "spec", "replicas")
    if text(deployment, "spec", "strategy", "type") == "Recreate":
        for entry in older:
            _scale(world, deployment, entry, 0)
        if not any(_pods(world, entry) for entry in older):
            _scale(world, deployment, current, replicas)
        return
    rolling = mapping(deployment, "spec", "strategy", "rollingUpdate")
    surge = whole_or_percent(rolling.get("maxSurge"), replicas, up=True)
    spare = whole_or_percent(rolling.get("maxUnavailable"), replicas, up=False)
    if surge == 0 and spare == 0:
        spare = 1
    total = sum(number(entry, "spec", "replicas") for entry in (current, *older))
    have = number(current, "spec", "replicas")
    if have > replicas:
        _scale(world, deployment, current, replicas)
    elif have < replicas:
        room = replicas + (surge if older_replicas(older) else 0) - total
        _scale(world, deployment, current, have + max(0, min(room, replicas - have)))
    ready = sum(1 for entry in (current, *older) for pod in _pods(world, entry) if is_ready(pod))
    may_go = ready - (replicas - spare)
    for entry in older:
        count = number(entry, "spec", "replicas")
        unready = max(0, count - sum(1 for pod in _pods(world, entry) if is_ready(pod)))
        going = min(count, unready + max(0, may_go))
        may_go -= max(0, going - unready)
        if going:
            _scale(world, deployment, entry, count - going)


def older_replicas(older: list[Object]) -> int:
    return sum(number(entry, "spec", "replicas") for entry in older)


def _scale(world: ControllerContext, deployment: Object, replica_set: Object, replicas: int) -> None:
    before = number(replica_set, "spec", "replicas")
    if before == replicas:
        return
    put(replica_set, replicas, "spec", "replicas")
    replica_set |= world.save(replica_set)
    way = "up" if replicas > before else "down"
    message = f"Scaled {way} replica set {name_of(replica_set)} from {before} to {replicas}"
    world.event(deployment, "Normal", "ScalingReplicaSet", message)


def _drop_history(world: ControllerContext, deployment: Object, older: list[Object]) -> None:
    keep = number(deployment, "spec", "revisionHistoryLimit", default=10)
    idle = [entry for entry in older if not number(entry, "spec", "replicas") and not _pods(world, entry)]
    idle.sort(key=lambda entry: int(text(entry, "metadata", "annotations", REVISION, default="0")))
    for entry in idle[: max(0, len(idle) - keep)]:
        world.delete(entry)


def _pods(world: ControllerContext, replica_set: Object) -> list[Object]:
    return [
        pod
        for pod in world.store.peek("Pod", namespace_of(replica_set))
        if owner_of(pod).get("uid") == uid_of(replica_set)
    ]


def _replica_set(world: ControllerContext, replica_set: Object) -> None:
    pods = [pod for pod in world.owned_pods(replica_set) if not is_finished(pod) and not is_going(pod)]
    wanted = number(replica_set, "spec", "replicas")
    for _ in range(wanted - len(pods)):
        name = world.free_name(f"{name_of(replica_set)}-", namespace_of(replica_set))
        labels = {HASH: labels_of(replica_set)[HASH]} if HASH in labels_of(replica_set) else {}
        world.create_pod(replica_set, name, mapping(replica_set, "spec", "template"), labels)
    if len(pods) > wanted:
        # The ones that are not ready go first, then the youngest.
        pods.sort(key=lambda pod: text(pod, "metadata", "creationTimestamp"), reverse=True)
        pods.sort(key=is_ready)
        for pod in pods[: len(pods) - wanted]:
            world.delete(pod)
            world.event(replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")
    pods = [pod for pod in _pods(world, replica_set) if not is_finished(pod) and not is_going(pod)]
    ready = sum(1 for pod in pods if is_ready(pod))
    status: Object = {
        "replicas": len(pods),
        "fullyLabeledReplicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "observedGeneration": number(replica_set, "metadata", "generation"),
    }
    fresh = world.find("ReplicaSet", namespace_of(replica_set), name_of(replica_set))
    if fresh is not None:
        world.set_status(fresh, status)


def _report(world: ControllerContext, before: Object) -> None:
    """The status, with the conditions that `kubectl rollout status` and `kubectl wait` look at."""
    deployment = world.find("Deployment", namespace_of(before), name_of(before))
    if deployment is None:
        return
    wanted = number(deployment, "spec", "replicas")
    current_hash = generated_hash(deployment)
    counts = {"all": 0, "ready": 0, "updated": 0}
    for entry in world.store.peek("ReplicaSet", namespace_of(deployment)):
        if owner_of(entry).get("uid") == uid_of(deployment):
            counts["all"] += number(entry, "status", "replicas")
            counts["ready"] += number(entry, "status", "readyReplicas")
            if labels_of(entry).get(HASH) == current_hash:
                counts["updated"] += number(entry, "status", "replicas")
    status: Object = {
        "observedGeneration": number(deployment, "metadata", "generation"),
        "replicas": counts["all"],
        "updatedReplicas": counts["updated"],
        "readyReplicas": counts["ready"],
        "availableReplicas": counts["ready"],
        "unavailableReplicas": max(0, wanted - counts["ready"]),
    }
    changed = copied(deployment)
    progressed = any(number(deployment, "status", key) != status[key] for key in status)
    changed["status"] = mapping(changed, "status") | status
    if not status["unavailableReplicas"]:
        remove(changed, "status", "unavailableReplicas")
    rolling = mapping(deployment, "spec", "strategy", "rollingUpdate")
    spare = whole_or_percent(rolling.get("maxUnavailable"), wanted, up=False)
    available = counts["ready"] >= wanted - spare
    has = "has" if available else "does not have"
    _condition(
        world,
        changed,
        "Available",
        available,
        "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable",
        f"Deployment {has} minimum availability.",
    )
    _progress(
        world,
        changed,
        f"{name_of(deployment)}-{current_hash}",
        progressed,
        done=counts["ready"] == counts["updated"] == counts["all"] == wanted,
    )
    if changed.get("status") != deployment.get("status"):
        world.save(changed)


def _condition(
    world: ControllerContext, deployment: Object, kind: str, status: bool, reason: str, message: str
) -> None:
    """Set a condition; it is updated when anything in it becomes different."""
    old = condition_of(deployment, kind)
    set_condition(deployment, kind, status, world.now(), reason, message)
    entry = condition_of(deployment, kind)
    same = all(old.get(field) == entry.get(field) for field in ("status", "reason", "message"))
    entry["lastUpdateTime"] = (same and old.get("lastUpdateTime")) or timestamp(world.now())


def _progress(
    world: ControllerContext, deployment: Object, replica_set: str, progressed: bool, *, done: bool
) -> None:
    key = f"deadline {uid_of(deployment)}"
    name = f'ReplicaSet "{replica_set}"'
    if done:
        world.cancel(key)
        message = f"{name} has successfully progressed."
        _condition(world, deployment, "Progressing", True, "NewReplicaSetAvailable", message)
        return
    if progressed:
        world.cancel(key)
        message = f"{name} is progressing."
        _condition(world, deployment, "Progressing", True, "ReplicaSetUpdated", message)
        condition_of(deployment, "Progressing")["lastUpdateTime"] = timestamp(world.now())
    allowed = number(deployment, "spec", "progressDeadlineSeconds", default=600)
    since = moment(condition_of(deployment, "Progressing").get("lastUpdateTime")) or world.now()
    left = (since + timedelta(seconds=allowed) - world.now()).total_seconds()
    if left <= 0:
        message = f"{name} has timed out progressing."
        _condition(world, deployment, "Progressing", False, "ProgressDeadlineExceeded", message)
    else:
        world.after(key, left, lambda: None)
