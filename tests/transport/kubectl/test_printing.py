"""JSONPath templates, tables, YAML and names, without a server."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from breakglass.transport.kubectl import jsonpath
from breakglass.transport.kubectl.jsonpath import JsonPathError, compile_template, print_template
from breakglass.transport.kubectl.printing import as_json, as_yaml, cell_text, custom_columns, table
from breakglass.values import Json

PODS: Json = {
    "kind": "List",
    "items": [
        {
            "metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "x"}},
            "status": {"ready": True, "restarts": 3, "conditions": [{"type": "Ready", "status": "True"}]},
        },
        {
            "metadata": {"name": "b"},
            "status": {"ready": False, "restarts": 12, "conditions": [{"type": "Ready", "status": "False"}]},
        },
    ],
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{.kind}", "List"),
        ("{$.kind}", "List"),
        ("kind", "List"),
        (".kind", "List"),
        ("{.items[*].metadata.name}", "a b"),
        ("{.items[0].metadata.name}", "a"),
        ("{.items[-1].metadata.name}", "b"),
        ("{.items[0:1].metadata.name}", "a"),
        ("{.items[0,1].metadata.name}", "a b"),
        ("{.items[*]['metadata.name']}", ""),
        ("{.items[0].metadata['name','labels']}", 'a {"app.kubernetes.io/name":"x"}'),
        ("{.items[0].metadata.labels.app\\.kubernetes\\.io/name}", "x"),
        ("{.items[0].status.ready} {.items[0].status.restarts}", "true 3"),
        ("{.items[?(@.status.ready==true)].metadata.name}", "a"),
        ("{.items[?(@.status.restarts>5)].metadata.name}", "b"),
        ('{.items[?(@.metadata.name!="a")].metadata.name}', "b"),
        ("{.items[?(@.metadata.labels)].metadata.name}", "a"),
        ('{.items[*].status.conditions[?(@.type=="Ready")].status}', "True False"),
        ('{range .items[*]}{.metadata.name}={.status.restarts}{"\\n"}{end}', "a=3\nb=12\n"),
        ("{..restarts}", "3 12"),
        ("{.nothing.at.all}", ""),
        ("before {.kind} after", "before List after"),
        ('{"{}"}', "{}"),
    ],
)
def test_a_template_gives_what_kubectl_gives(template: str, text: str) -> None:
    assert print_template(compile_template(template), PODS) == text


@pytest.mark.parametrize(
    "template",
    [
        "{",
        "{.a",
        "{}",
        "{.a[}",
        "{.a[x]}",
        "{range .a}",
        "{end}",
        "{.a[?(@.b==]}",
        '{"a}',
        "{.a b}",
        "{.a[0:5:0]}",
    ],
)
def test_a_template_that_cannot_be_read_is_refused(template: str) -> None:
    with pytest.raises(JsonPathError):
        compile_template(template)


@given(st.text(alphabet="{}[]()?@.$*:,'\"\\ ab01=<>!endrange", max_size=25))
def test_any_template_is_read_or_refused(template: str) -> None:
    try:
        parts = compile_template(template)
    except JsonPathError:
        return
    assert isinstance(print_template(parts, PODS), str)


def test_a_missing_key_can_be_an_error() -> None:
    with pytest.raises(JsonPathError, match="nothing is not found"):
        print_template(compile_template("{.nothing}"), PODS, missing_is_empty=False)


def test_one_path_gives_values() -> None:
    assert jsonpath.find(compile_template("{.items[*].status.restarts}"), PODS) == [3, 12]
    with pytest.raises(JsonPathError):
        jsonpath.find(compile_template("{.a}{.b}"), PODS)


def test_json_is_written_as_go_writes_it() -> None:
    assert as_json({"b": "<&>\u2028ü", "a": [], "c": {}}) == (
        '{\n    "a": [],\n    "b": "\\u003c\\u0026\\u003e\\u2028ü",\n    "c": {}\n}\n'
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_is_printed_reads_back_the_same(value: Json) -> None:
    assert json.loads(as_json(value)) == value


@given(st.dictionaries(st.text(max_size=6), JSON))
def test_yaml_reads_back_the_same(value: dict[str, Json]) -> None:
    assert yaml.safe_load(as_yaml(value)) == value


def test_a_table_has_columns_as_wide_as_their_cells() -> None:
    assert table([["NAME", "AGE", "IP"], ["a-long-name", "5d", ""]]) == (
        "NAME          AGE   IP\na-long-name   5d    \n"
    )
    assert table([]) == ""


def test_a_cell_is_one_line() -> None:
    assert [cell_text(value) for value in (None, True, 3, "a\nb")] == ["", "true", "3", "a..."]


def test_columns_of_ones_own_are_titles_and_paths() -> None:
    assert custom_columns("A:.a,B:.b.c") == [("A", ".a"), ("B", ".b.c")]
    with pytest.raises(ValueError, match="is not HEADER:JSONPATH"):
        custom_columns("A")
