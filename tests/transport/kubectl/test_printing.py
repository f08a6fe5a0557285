"""Tables, JSON and YAML as kubectl prints them, without a server."""

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from breakglass.transport.kubectl.printing import as_json, as_yaml, cell_text, table
from breakglass.values import Json


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
