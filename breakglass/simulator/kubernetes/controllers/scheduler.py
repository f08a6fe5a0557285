"""Gives pods that wait to a node: one that is up, not cordoned, and that the pod can stand.

Looked at: readiness, `unschedulable`, taints, node selectors, required anti-affinity by host, and unbound
claims. Resources are not counted.
"""

from collections import Counter

from breakglass.kubernetes_objects import (
    Object,
    condition_of,
    flag,
    labels_of,
    name_of,
    namespace_of,
    objects,
    strings,
    text,
)
from breakglass.simulator.kubernetes.controllers.context import ControllerContext
from breakglass.simulator.kubernetes.objects import is_finished, is_going, put, set_condition
from breakglass.simulator.kubernetes.selectors import selects


def reconcile(world: ControllerContext) -> None:
    for pod in world.store.of_kind("Pod"):
        if not text(pod, "spec", "nodeName") and not is_going(pod) and not is_finished(pod):
            _schedule(world, pod)


def _schedule(world: ControllerContext, pod: Object) -> None:
    why_not = _claims_missing(world, pod)
    reasons: Counter[str] = Counter()
    fitting: list[Object] = []
    nodes = world.store.peek("Node")
    for node in nodes:
        reason = _obstacle(world, pod, node)
        if reason:
            reasons[reason] += 1
        else:
            fitting.append(node)
    if not why_not and fitting:
        load = Counter(text(other, "spec", "nodeName") for other in world.store.peek("Pod"))
        node = min(fitting, key=lambda node: (load[name_of(node)], name_of(node)))
        put(pod, name_of(node), "spec", "nodeName")
        set_condition(pod, "PodScheduled", True, world.now())
        world.save(pod)
        message = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {name_of(node)}"
        world.event(pod, "Normal", "Scheduled", message, "default-scheduler")
        return
    listed = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    message = why_not or f"0/{len(nodes)} nodes are available: {listed or 'no nodes'}."
    before = text(condition_of(pod, "PodScheduled"), "message")
    set_condition(pod, "PodScheduled", False, world.now(), "Unschedulable", message)
    if message != before:
        world.event(pod, "Warning", "FailedScheduling", message, "default-scheduler")
    world.save(pod)


def _claims_missing(world: ControllerContext, pod: Object) -> str:
    """What is wrong with the pod's claims. A claim that is being deleted is not refused here: a recreated
    pod is often placed on it before the deletion goes through, and then holds it."""
    for volume in objects(pod, "spec", "volumes"):
        claim_name = text(volume, "persistentVolumeClaim", "claimName")
        if not claim_name:
            continue
        claim = world.find("PersistentVolumeClaim", namespace_of(pod), claim_name)
        if claim is None:
            return f'persistentvolumeclaim "{claim_name}" not found'
        if text(claim, "status", "phase") != "Bound":
            return "pod has unbound immediate PersistentVolumeClaims"
    return ""


def _obstacle(world: ControllerContext, pod: Object, node: Object) -> str:
    tolerations = objects(pod, "spec", "tolerations")
    if not world.node_is_up(name_of(node)):
        return "node(s) had untolerated taint {node.kubernetes.io/not-ready: }"
    if flag(node, "spec", "unschedulable") and not _tolerated(
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, tolerations
    ):
        return "node(s) were unschedulable"
    for taint in objects(node, "spec", "taints"):
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not _tolerated(taint, tolerations):
            return f"node(s) had untolerated taint {{{text(taint, 'key')}: {text(taint, 'value')}}}"
    if not strings(pod, "spec", "nodeSelector").items() <= labels_of(node).items():
        return "node(s) didn't match Pod's node affinity/selector"
    terms = objects(
        pod, "spec", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )
    for term in terms:
        if term.get("topologyKey") != "kubernetes.io/hostname":
            continue
        for other in world.store.peek("Pod", namespace_of(pod)):
            if text(other, "spec", "nodeName") != name_of(node) or is_finished(other):
                continue
            if selects(term.get("labelSelector"), labels_of(other)):
                return "node(s) didn't match pod anti-affinity rules"
    return ""


def _tolerated(taint: Object, tolerations: list[Object]) -> bool:
    for toleration in tolerations:
        if toleration.get("effect") not in (None, "", taint.get("effect")):
            continue
        if toleration.get("operator") == "Exists":
            if toleration.get("key") in (None, "", taint.get("key")):
                return True
        elif toleration.get("key") == taint.get("key") and text(toleration, "value") == text(taint, "value"):
            return True
    return False
