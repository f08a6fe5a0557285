"""The three patches, by the examples of their specifications and by their properties."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.simulator.kubernetes.patches import PatchError, json_patch, merge_patch, strategic_patch
from breakglass.values import Json

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("target", "change", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_is_that_of_rfc_7386(target: Json, change: Json, result: Json) -> None:
    assert merge_patch(target, change) == result


@given(TREES, TREES)
def test_a_merge_patch_twice_is_a_merge_patch_once(target: Json, change: Json) -> None:
    before = copy.deepcopy(target)
    once = merge_patch(target, change)
    assert merge_patch(once, change) == once
    assert target == before


@pytest.mark.parametrize(
    ("target", "operations", "result"),
    [
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": [1, 2]}, [{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ({"a": {"b": 1}}, [{"op": "replace", "path": "/a/b", "value": 2}], {"a": {"b": 2}}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}], {"b": 1}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
        ({"a/b": {"m~n": 1}}, [{"op": "replace", "path": "/a~1b/m~0n", "value": 2}], {"a/b": {"m~n": 2}}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1}], {"a": 1}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": 7}], 7),
    ],
)
def test_a_json_patch_is_that_of_rfc_6902(target: Json, operations: Json, result: Json) -> None:
    before = copy.deepcopy(target)
    assert json_patch(target, operations) == result
    assert target == before


@pytest.mark.parametrize(
    ("operations", "fits_not"),
    [
        ([{"op": "test", "path": "/a", "value": 2}], True),
        ([{"op": "remove", "path": "/b"}], True),
        ([{"op": "replace", "path": "/b", "value": 1}], True),
        ([{"op": "add", "path": "/l/9", "value": 1}], True),
        ([{"op": "remove", "path": "/l/01"}], True),
        ([{"op": "add", "path": "/b"}], False),
        ([{"op": "dance", "path": "/a"}], True),
        ([{"op": "add", "path": "a", "value": 1}], False),
        ({"op": "add"}, False),
        (["add"], False),
    ],
)
def test_a_json_patch_that_does_not_apply_is_refused(operations: Json, fits_not: bool) -> None:
    with pytest.raises(PatchError) as refused:
        json_patch({"a": 1, "l": [1, 2]}, operations)
    assert refused.value.invalid is fits_not


def containers(*names: str) -> list[Json]:
    return [{"name": name, "image": f"{name}:1", "env": [{"name": "A", "value": "1"}]} for name in names]


def test_a_strategic_patch_finds_list_entries_by_their_key() -> None:
    change: Json = {"containers": [{"name": "b", "env": [{"name": "B", "value": "2"}]}, {"name": "c"}]}
    result = strategic_patch({"containers": containers("a", "b")}, change)
    expected = containers("a", "b")
    assert isinstance(expected[1], dict)
    expected[1]["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert result == {"containers": [*expected, {"name": "c"}]}


def test_a_strategic_patch_deletes_an_entry_when_told() -> None:
    change: Json = {"containers": [{"name": "a", "$patch": "delete"}]}
    assert strategic_patch({"containers": containers("a", "b")}, change) == {"containers": containers("b")}


def test_a_strategic_patch_replaces_a_whole_list_when_told() -> None:
    change: Json = {"containers": [{"name": "z"}, {"$patch": "replace"}]}
    assert strategic_patch({"containers": containers("a")}, change) == {"containers": [{"name": "z"}]}


def test_a_strategic_patch_replaces_a_mapping_when_told() -> None:
    change: Json = {"strategy": {"$patch": "replace", "type": "Recreate"}}
    target: Json = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    assert strategic_patch(target, change) == {"strategy": {"type": "Recreate"}}


def test_a_strategic_patch_keeps_only_the_keys_that_are_retained() -> None:
    change: Json = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    target: Json = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    assert strategic_patch(target, change) == {"strategy": {"type": "Recreate"}}


def test_a_strategic_patch_replaces_lists_that_have_no_key() -> None:
    assert strategic_patch({"args": ["a", "b"]}, {"args": ["c"]}) == {"args": ["c"]}
    tolerations: Json = {"tolerations": [{"key": "a"}]}
    assert strategic_patch(tolerations, {"tolerations": [{"key": "b"}]}) == {"tolerations": [{"key": "b"}]}


def test_a_strategic_patch_adds_to_and_takes_from_sets() -> None:
    target: Json = {"finalizers": ["a", "b"]}
    assert strategic_patch(target, {"finalizers": ["c", "a"]}) == {"finalizers": ["a", "b", "c"]}
    gone: Json = {"$deleteFromPrimitiveList/finalizers": ["a"]}
    assert strategic_patch(target, gone) == {"finalizers": ["b"]}


def test_a_strategic_patch_orders_the_entries_when_told() -> None:
    change: Json = {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
        "containers": [{"name": "b", "image": "b:2"}],
    }
    result = strategic_patch({"containers": [{"name": "a"}, {"name": "b"}]}, change)
    assert result == {"containers": [{"name": "b", "image": "b:2"}, {"name": "a"}]}


def test_ports_of_a_service_and_of_a_container_are_told_apart_by_their_own_key() -> None:
    service: Json = {"ports": [{"port": 80, "name": "web"}, {"port": 443}]}
    assert strategic_patch(service, {"ports": [{"port": 80, "nodePort": 30080}]}) == {
        "ports": [{"port": 80, "name": "web", "nodePort": 30080}, {"port": 443}]
    }
    container: Json = {"ports": [{"containerPort": 8200}]}
    assert strategic_patch(container, {"ports": [{"containerPort": 8200, "name": "api"}]}) == {
        "ports": [{"containerPort": 8200, "name": "api"}]
    }
