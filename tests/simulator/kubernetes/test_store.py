"""The store of objects: versions, history, and what subscribers are told."""

import pytest

from breakglass.kubernetes_objects import Object, at, number, text
from breakglass.simulator.clock import SteppedClock
from breakglass.simulator.kubernetes.objects import put
from breakglass.simulator.kubernetes.statuses import ApiError
from breakglass.simulator.kubernetes.store import HISTORY, ObjectStore, StoreEvent
from tests.simulator.kubernetes.support import deployment, pod


def filled(*values: Object) -> ObjectStore:
    store = ObjectStore(SteppedClock(), seed=1)
    store.load(values)
    return store


def test_loading_makes_the_namespaces_that_are_named() -> None:
    store = filled(pod("front"))
    assert "web" in [text(value, "metadata", "name") for value in store.of_kind("Namespace")]


def test_loading_a_kind_that_is_not_served_is_refused() -> None:
    with pytest.raises(ValueError, match="serves no lab"):
        filled({"apiVersion": "lab.example/v1", "kind": "Widget", "metadata": {"name": "w"}})


def test_what_comes_out_can_be_changed_without_harm() -> None:
    store = filled(pod("front"))
    put(store.of_kind("Pod")[0], "changed", "metadata", "labels", "app")
    assert text(store.of_kind("Pod")[0], "metadata", "labels", "app") == "front"


def test_a_change_moves_the_version_and_one_of_the_spec_the_generation() -> None:
    store = filled(deployment("front"))
    kind = store.kinds.named("Deployment")
    first = store.get(kind, "web", "front")
    second = store.patch(kind, "web", "front", {"metadata": {"labels": {"a": "b"}}})
    third = store.patch(kind, "web", "front", {"spec": {"replicas": 7}})
    versions = [int(text(value, "metadata", "resourceVersion")) for value in (first, second, third)]
    assert versions == sorted(set(versions))
    generations = [number(value, "metadata", "generation") for value in (first, second, third)]
    assert generations == [1, 1, 2]


def test_a_change_that_changes_nothing_is_no_change() -> None:
    store = filled(deployment("front"))
    version = store.version
    store.patch(store.kinds.named("Deployment"), "web", "front", {"spec": {"replicas": 2}})
    assert store.version == version


def test_subscribers_are_told_in_order_even_of_what_they_cause() -> None:
    store = filled(pod("front"))
    kind = store.kinds.named("Pod")
    seen: list[tuple[str, str]] = []

    def cause_more(event: StoreEvent) -> None:
        if event.type == "MODIFIED" and at(event.object, "metadata", "labels", "a") == "1":
            store.patch(kind, "web", "front", {"metadata": {"labels": {"a": "2"}}})

    store.subscribe(cause_more)
    stop = store.subscribe(
        lambda event: seen.append((event.type, text(event.object, "metadata", "labels", "a")))
    )
    store.patch(kind, "web", "front", {"metadata": {"labels": {"a": "1"}}})
    assert seen == [("MODIFIED", "1"), ("MODIFIED", "2")]
    stop()
    store.remove(kind, "web", "front")
    assert len(seen) == 2


def test_the_history_goes_back_only_so_far() -> None:
    store = filled(pod("front"))
    kind = store.kinds.named("Pod")
    version = store.version
    for index in range(HISTORY + 1):
        store.patch(kind, "web", "front", {"metadata": {"labels": {"a": str(index)}}})
    with pytest.raises(ApiError) as refused:
        store.since(version)
    assert refused.value.code == 410
    assert len(store.since(store.version - 3)) == 3


def test_a_snapshot_does_not_depend_on_how_often_things_changed() -> None:
    store = filled(pod("front"))
    before = store.snapshot()
    kind = store.kinds.named("Pod")
    store.patch(kind, "web", "front", {"metadata": {"labels": {"a": "1"}}})
    store.patch(kind, "web", "front", {"metadata": {"labels": {"a": None}}})
    assert store.snapshot() == before
