"""DaemonSets: one pod on every node that fits the node selector, cordoned or not."""

from breakglass.kubernetes_objects import (
    Object,
    labels_of,
    mapping,
    name_of,
    namespace_of,
    number,
    strings,
    text,
)
from breakglass.simulator.kubernetes.controllers.context import ControllerContext, generated_hash
from breakglass.simulator.kubernetes.objects import copied, is_finished, is_going, is_ready, put

REVISION = "controller-revision-hash"


def reconcile(world: ControllerContext) -> None:
    for value in world.store.of_kind("DaemonSet", group="apps"):
        if not is_going(value):
            _daemon_set(world, value)


def _daemon_set(world: ControllerContext, value: Object) -> None:
    template = mapping(value, "spec", "template")
    selector = strings(template, "spec", "nodeSelector")
    nodes = [
        name_of(node)
        for node in world.store.peek("Node")
        if selector.items() <= labels_of(node).items() and not is_going(node)
    ]
    current = generated_hash(value)
    pods: dict[str, Object] = {}
    for pod in world.owned_pods(value):
        if not is_finished(pod):
            known = REVISION in labels_of(pod)
            pods[text(pod, "spec", "nodeName")] = pod if known else world.label(pod, REVISION, current)
    for node in nodes:
        if node not in pods:
            placed = copied(template)
            put(placed, node, "spec", "nodeName")
            name = world.free_name(f"{name_of(value)}-", namespace_of(value))
            pods[node] = world.create_pod(value, name, placed, {REVISION: current})
    for node, pod in pods.items():
        if node not in nodes and not is_going(pod):
            world.delete(pod)
    _update(world, value, pods, current)
    status: Object = {
        "observedGeneration": number(value, "metadata", "generation"),
        "desiredNumberScheduled": len(nodes),
        "currentNumberScheduled": len([node for node in pods if node in nodes]),
        "numberReady": len([pod for pod in pods.values() if is_ready(pod)]),
        "numberAvailable": len([pod for pod in pods.values() if is_ready(pod)]),
        "numberUnavailable": len([pod for pod in pods.values() if not is_ready(pod)]),
        "updatedNumberScheduled": len([pod for pod in pods.values() if _is_current(pod, current)]),
        "numberMisscheduled": 0,
    }
    fresh = world.find("DaemonSet", namespace_of(value), name_of(value))
    if fresh is not None:
        world.set_status(fresh, status)


def _is_current(pod: Object, current: str) -> bool:
    return labels_of(pod).get(REVISION, current) == current


def _update(world: ControllerContext, value: Object, pods: dict[str, Object], current: str) -> None:
    """A rolling update replaces one pod at a time."""
    if text(value, "spec", "updateStrategy", "type") == "OnDelete":
        return
    if any(is_going(pod) or not is_ready(pod) for pod in pods.values() if _is_current(pod, current)):
        return
    outdated = [pod for pod in pods.values() if not _is_current(pod, current)]
    if outdated and not any(is_going(pod) for pod in outdated):
        world.delete(outdated[0])
