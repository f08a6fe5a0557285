"""Values in the parts of an HTTP request: each stays one value of its part."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.http_text import body_form, render_body, render_header, render_path
from breakglass.runbook.template import Template, parse_template
from breakglass.yamlio.position import Position

PLACE = Position(Path("runbook.yaml"), 7, 10)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
UP = [
    "..",
    ".",
    "../x",
    "a/../b",
    "a\\..\\b",
    "%2e%2e",
    "%2E%2e/x",
    "%252e%252e",
    "..;a/b",
    "\uff0e\uff0e",
    "a/.. /b",
]


def template(text: str) -> Template:
    return parse_template(text, PLACE)


def path(text: str, value: str) -> str:
    return render_path(template(text), {"v": value})


@given(TEXT)
@example("a/b?c#d&e=%2f;x y")
@example("é\u202e\r\n")
def test_a_value_in_a_path_is_one_segment(value: str) -> None:
    try:
        sent = path("/x/${{ v }}/y", value)
    except EvaluationError:
        assume(False)
        return
    assert sent.isascii() and sent.isprintable()
    before, segment, after = sent.removeprefix("/x").split("/", 2)
    assert (before, unquote(segment), after) == ("", value, "y")
    assert not set("?#&; ") & set(segment)


@given(TEXT)
def test_a_value_in_a_query_of_a_path_is_one_value(value: str) -> None:
    _, _, query = path("/x?a=${{ v }}&b=1", value).partition("?")
    assert parse_qsl(query, keep_blank_values=True) == [("a", value), ("b", "1")]


@pytest.mark.parametrize("value", UP)
@pytest.mark.parametrize("text", ["/x/${{ v }}", "/x/${{ v }}/y", "/${{ v }}?a=b"])
def test_a_value_that_leads_up_is_refused_however_it_is_spelled(text: str, value: str) -> None:
    with pytest.raises(EvaluationError, match="leads to another path"):
        path(text, value)


@pytest.mark.parametrize("text", ["/x/.${{ v }}/y", "/x/${{ v }}./y"])
def test_a_value_that_completes_two_dots_is_refused(text: str) -> None:
    with pytest.raises(EvaluationError, match="leads to another path"):
        path(text, ".")


@pytest.mark.parametrize("value", ["...", "a..b", ".well-known", "x.", "1.2.3"])
def test_other_dots_are_text(value: str) -> None:
    assert path("/x/${{ v }}", value) == f"/x/{value}"


@pytest.mark.parametrize("value", ["sha256:ab", "user@host"])
def test_what_a_segment_may_hold_stays_readable(value: str) -> None:
    assert path("/x/${{ v }}", value) == f"/x/{value}"


def test_a_path_that_is_one_expression_is_taken_as_it_is() -> None:
    assert path("${{ v }}", "/a/b?page=2") == "/a/b?page=2"


@pytest.mark.parametrize("value", ["a/b", "@evil.example/", ".evil.example/", "?a=b", "http://evil.example/"])
def test_a_path_that_is_one_expression_begins_with_a_slash(value: str) -> None:
    with pytest.raises(EvaluationError, match="begins with /"):
        path("${{ v }}", value)


@pytest.mark.parametrize("value", UP)
def test_a_path_that_is_one_expression_leads_nowhere_else(value: str) -> None:
    with pytest.raises(EvaluationError, match="leads to another path"):
        path("${{ v }}", f"/x/{value}/y")


def test_an_empty_value_in_a_path_is_refused() -> None:
    with pytest.raises(EvaluationError, match="empty"):
        path("/users/${{ v }}", "")


@pytest.mark.parametrize("value", ["a\r\nX-Planted: 1", "a\nb", "a\rb", "a\x0bb", "\x7f"])
def test_a_line_break_in_a_header_is_refused(value: str) -> None:
    with pytest.raises(EvaluationError, match="header"):
        render_header(template("v=${{ v }}"), {"v": value})


JSON_BODY = '{"name": "${{ v }}", "admin": false}'


@given(TEXT)
@example('x", "admin": true, "y": "')
def test_a_value_in_a_body_that_is_json_adds_no_field(value: str) -> None:
    body = render_body(template(JSON_BODY), {}, {"v": value})
    assert json.loads(body) == {"name": value, "admin": False}


@given(TEXT)
@example("x&admin=true")
def test_a_value_in_a_form_adds_no_field(value: str) -> None:
    body = render_body(template("name=${{ v }}&admin=false"), {}, {"v": value})
    assert parse_qsl(body.decode(), keep_blank_values=True) == [("name", value), ("admin", "false")]


@pytest.mark.parametrize(
    ("body", "content_type", "form"),
    [
        ("plain text", None, "as it is"),
        ("${{ v }}", None, "as it is"),
        (JSON_BODY, None, "json"),
        (JSON_BODY, "text/plain", "json"),
        ('["${{ v }}"]', None, "json"),
        ('"${{ v }}"', "application/merge-patch+json", "json"),
        ("a=${{ v }}", None, "form"),
        ("a=${{ v }}", "application/x-www-form-urlencoded; charset=utf-8", "form"),
        ("a=${{ v }}", "text/plain", "unknown"),
        ("up{job='${{ v }}'} 1", None, "unknown"),
        ("select ${{ v }}", None, "unknown"),
        ("<a>${{ v }}</a>", "application/xml", "unknown"),
    ],
)
def test_how_values_are_written_in_a_body(body: str, content_type: str | None, form: str) -> None:
    headers = {} if content_type is None else {"content-TYPE": template(content_type)}
    assert body_form(template(body), headers) == form
    if form == "unknown":
        with pytest.raises(EvaluationError, match="not known"):
            render_body(template(body), headers, {"v": "x"})
