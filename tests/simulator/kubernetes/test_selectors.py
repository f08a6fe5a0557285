"""Label and field selectors."""

import pytest

from breakglass.kubernetes_objects import Object
from breakglass.simulator.kubernetes.kinds import Kinds
from breakglass.simulator.kubernetes.selectors import field_selector, label_selector, selects
from breakglass.simulator.kubernetes.statuses import ApiError
from breakglass.values import Json

LABELS = {"app": "web", "tier": "front", "goauthentik.io/outpost-name": "embedded"}


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app!=web", False),
        ("missing!=web", True),
        ("app in (web, api)", True),
        ("app notin (web,api),tier=front", False),
        ("missing notin (a)", True),
        ("tier", True),
        ("missing", False),
        ("!missing", True),
        ("!tier", False),
        ("goauthentik.io/outpost-name=embedded", True),
    ],
)
def test_labels_are_selected(selector: str, fits: bool) -> None:
    assert label_selector(selector)(LABELS) is fits


@pytest.mark.parametrize("selector", ["a=b=c", "a in b", "=b", "a in (b", "-a=b", "a = b c"])
def test_a_selector_that_cannot_be_read_is_a_bad_request(selector: str) -> None:
    with pytest.raises(ApiError) as refused:
        label_selector(selector)
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ({}, True),
        (None, False),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "api"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Sideways"}]}, False),
    ],
)
def test_selectors_in_objects_take_labels(selector: Json, fits: bool) -> None:
    assert selects(selector, LABELS) is fits


def test_fields_are_selected_with_their_empty_values() -> None:
    kind = Kinds().named("Node")
    cordoned: Object = {"metadata": {"name": "node1"}, "spec": {"unschedulable": True}}
    free: Object = {"metadata": {"name": "node2"}, "spec": {}}
    test = field_selector(kind, "spec.unschedulable=false")
    assert [test(cordoned), test(free)] == [False, True]
    test = field_selector(kind, "metadata.name!=node1")
    assert [test(cordoned), test(free)] == [False, True]


@pytest.mark.parametrize("selector", ["spec.image=x", "status.phase"])
def test_a_field_that_cannot_be_selected_is_a_bad_request(selector: str) -> None:
    with pytest.raises(ApiError) as refused:
        field_selector(Kinds().named("Pod"), selector)
    assert refused.value.code == 400
