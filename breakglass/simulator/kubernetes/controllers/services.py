"""Endpoints follow the ready pods that a Service selects; disruption budgets count theirs."""

from breakglass.kubernetes_objects import (
    Object,
    at,
    labels_of,
    mapping,
    name_of,
    namespace_of,
    number,
    objects,
    strings,
    text,
    uid_of,
)
from breakglass.simulator.kubernetes.budgets import budget_counts
from breakglass.simulator.kubernetes.controllers.context import ControllerContext
from breakglass.simulator.kubernetes.objects import copied, is_finished, is_ready
from breakglass.simulator.kubernetes.selectors import selects
from breakglass.simulator.kubernetes.store import matching
from breakglass.values import Json

MANAGED = "endpoints.kubernetes.io/managed-by"


def reconcile(world: ControllerContext) -> None:
    for service in world.store.peek("Service"):
        if strings(service, "spec", "selector"):
            _endpoints(world, service)
    for endpoints in world.store.of_kind("Endpoints"):
        left = world.find("Service", namespace_of(endpoints), name_of(endpoints)) is None
        if left and MANAGED in labels_of(endpoints):
            world.store.remove(world.store.kinds.of(endpoints), namespace_of(endpoints), name_of(endpoints))
    for budget in world.store.of_kind("PodDisruptionBudget"):
        _budget(world, budget)


def _endpoints(world: ControllerContext, service: Object) -> None:
    kind = world.store.kinds.named("Endpoints", "")
    known = world.store.find(kind, namespace_of(service), name_of(service))
    pods = matching(world.store.peek("Pod", namespace_of(service)), strings(service, "spec", "selector"))
    ready: list[Json] = []
    waiting: list[Json] = []
    ports: list[Json] = []
    for pod in pods:
        if is_finished(pod) or not text(pod, "status", "podIP"):
            continue
        (ready if is_ready(pod) else waiting).append(_address(pod))
        ports = ports or _ports(service, pod)
    subset: Object = {}
    if ready:
        subset["addresses"] = ready
    if waiting:
        subset["notReadyAddresses"] = waiting
    if subset:
        subset["ports"] = ports
    subsets: list[Json] = [subset] if subset else []
    if known is None:
        value: Object = {
            "metadata": {
                "name": name_of(service),
                "namespace": namespace_of(service),
                "labels": {**labels_of(service), MANAGED: "endpoint-controller"},
            },
            "subsets": subsets,
        }
        world.store.create(kind, value)
    elif at(known, "subsets") != subsets:
        changed = copied(known)
        changed["subsets"] = subsets
        world.store.replace(kind, changed)


def _address(pod: Object) -> Object:
    return {
        "ip": text(pod, "status", "podIP"),
        "nodeName": text(pod, "spec", "nodeName"),
        "targetRef": {
            "kind": "Pod",
            "namespace": namespace_of(pod),
            "name": name_of(pod),
            "uid": uid_of(pod),
        },
    }


def _ports(service: Object, pod: Object) -> list[Json]:
    named = {
        text(port, "name"): port.get("containerPort")
        for container in objects(pod, "spec", "containers")
        for port in objects(container, "ports")
    }
    ports: list[Json] = []
    for port in objects(service, "spec", "ports"):
        target = port.get("targetPort", port.get("port"))
        entry: Object = {
            "port": named.get(target) if isinstance(target, str) else target,
            "protocol": text(port, "protocol", default="TCP"),
        }
        if text(port, "name"):
            entry["name"] = text(port, "name")
        ports.append(entry)
    return ports


def _budget(world: ControllerContext, budget: Object) -> None:
    healthy, desired = budget_counts(world.store, budget)
    pods = [
        pod
        for pod in world.store.peek("Pod", namespace_of(budget))
        if selects(mapping(budget, "spec").get("selector"), labels_of(pod)) and not is_finished(pod)
    ]
    status: Object = {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": max(0, healthy - desired),
        "expectedPods": len(pods),
        "observedGeneration": number(budget, "metadata", "generation"),
    }
    world.set_status(budget, status)
