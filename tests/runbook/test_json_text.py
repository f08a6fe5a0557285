"""JSON text with values: each is one JSON value, whatever it is."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.json_text import NotJsonError, check_json, render_json
from breakglass.runbook.template import parse_template
from breakglass.values import Json
from breakglass.yamlio.position import Position

PLACE = Position(Path("runbook.yaml"), 7, 10)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def rendered(text: str, **scope: Json) -> Json:
    return json.loads(render_json(parse_template(text, PLACE), scope))


@given(VALUES)
def test_a_value_without_quotes_is_that_value(value: Json) -> None:
    assert rendered('{"a": ${{ v }}, "b": [1, ${{ v }}]}', v=value) == {"a": value, "b": [1, value]}


@given(TEXT, TEXT)
def test_a_value_within_quotes_is_a_part_of_that_text(one: str, other: str) -> None:
    text = '{"a": "x\\"${{ v }}-${{ w }}", "b": false}'
    assert rendered(text, v=one, w=other) == {"a": f'x"{one}-{other}', "b": False}


def test_a_value_that_is_no_text_is_written_as_json_within_quotes() -> None:
    assert rendered('{"a": "${{ v }}"}', v=[1, "b"]) == {"a": '[1,"b"]'}


def test_an_empty_value_is_an_empty_text() -> None:
    assert rendered('{"a": "${{ v }}"}', v="") == {"a": ""}


@pytest.mark.parametrize(
    "text",
    [
        '{"${{ v }}": 1}',
        "{${{ v }}: 1}",
        '{"a${{ v }}": 1}',
        '{"a": 1${{ v }}}',
        '{"a": ${{ v }} ${{ v }}}',
        '{"a": "\\${{ v }}"}',
        '{"a": ${{ v }}',
        '{"a": NaN, "b": "${{ v }}"}',
        "{.items[${{ v }}]}",
        "{{.Name}} ${{ v }}",
        "{a: ${{ v }}}",
    ],
)
def test_text_in_which_a_value_could_be_more_than_one_value_is_refused(text: str) -> None:
    template = parse_template(text, PLACE)
    with pytest.raises(NotJsonError):
        check_json(template)
    with pytest.raises(EvaluationError):
        render_json(template, {"v": "x"})


def test_a_null_is_no_value() -> None:
    with pytest.raises(EvaluationError, match="null"):
        rendered('{"a": ${{ v }}}', v=None)
