"""How many pods a disruption budget wants, and how many there are."""

from breakglass.kubernetes_objects import (
    Object,
    at,
    condition_of,
    labels_of,
    namespace_of,
    number,
    text,
    uid_of,
)
from breakglass.simulator.kubernetes.objects import is_finished, is_going, owner_of
from breakglass.simulator.kubernetes.selectors import selects
from breakglass.simulator.kubernetes.store import ObjectStore
from breakglass.values import Json


def budget_counts(store: ObjectStore, budget: Object) -> tuple[int, int]:
    """Healthy pods now, and how many the disruption budget wants."""
    pods = [
        pod
        for pod in store.peek("Pod", namespace_of(budget))
        if selects(at(budget, "spec", "selector"), labels_of(pod)) and not is_finished(pod)
    ]
    healthy = sum(
        1 for pod in pods if condition_of(pod, "Ready").get("status") == "True" and not is_going(pod)
    )
    expected = _expected(store, pods)
    at_least = at(budget, "spec", "minAvailable")
    at_most = at(budget, "spec", "maxUnavailable")
    if at_least is not None:
        return healthy, whole_or_percent(at_least, expected, up=True)
    if at_most is not None:
        return healthy, max(0, expected - whole_or_percent(at_most, expected, up=True))
    return healthy, 0


def _expected(store: ObjectStore, pods: list[Object]) -> int:
    """How many pods there should be: what their controllers want, and the ones without a controller."""
    wanted: dict[str, int] = {}
    for pod in pods:
        owner = store.with_uid(text(owner_of(pod), "uid")) if owner_of(pod) else None
        if owner is not None and owner_of(owner):
            owner = store.with_uid(text(owner_of(owner), "uid")) or owner
        if owner is None:
            wanted[uid_of(pod)] = 1
        else:
            wanted[uid_of(owner)] = number(owner, "spec", "replicas", default=1)
    return sum(wanted.values())


def whole_or_percent(value: Json, of: int, *, up: bool) -> int:
    """A number, or a share such as `25%` of a number, rounded up or down."""
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit():
        share = int(value[:-1]) * of
        return -(-share // 100) if up else share // 100
    return 0
