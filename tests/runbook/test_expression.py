"""Expressions: CEL over JSON, with errors that say where and what."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.runbook import expression as expressions
from breakglass.runbook.expression import (
    EvaluationError,
    Expression,
    check,
    evaluate,
    expect,
    holds,
    names,
    observed,
)
from breakglass.values import Json
from breakglass.yamlio.position import Position, Problem

PODS: Json = {"items": [{"metadata": {"name": "a", "uid": "1"}}, {"metadata": {"name": "b", "uid": "2"}}]}
SCOPE: dict[str, Json] = {"result": {"json": PODS, "status": 400, "text": "x"}, "used": 97, "uid": "1"}


def expression(source: str, line: int = 3, column: int = 5) -> Expression:
    return Expression(source, Position(Path("runbook.yaml"), line, column))


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("result.json.items[0].metadata.name", "a"),
        ("size(result.json.items) == 2", True),
        ("result.json.items.exists(p, p.metadata.uid != uid)", True),
        ("result.json.items.filter(p, p.metadata.uid == uid).map(p, p.metadata.name)", ["a"]),
        ("result.status in [400, 302]", True),
        ("has(result.missing)", False),
        ("{'a': used, 'b': [1.5, null]}", {"a": 97, "b": [1.5, None]}),
        ("duration('90s')", 90.0),
        ("timestamp('2026-04-18T03:11:00Z')", "2026-04-18T03:11:00+00:00"),
        ("['a', 'b'].join('+')", "a+b"),
    ],
)
def test_an_expression_gives_json(source: str, value: Json) -> None:
    assert evaluate(expression(source), SCOPE) == value


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("result.nope", "no 'nope'"),
        ("pod + 'x'", "pod has no value yet"),
        ("result.json.items[9]", "result.json.items.9.: .*index"),
        ("result.text + 1", "overload"),
    ],
)
def test_a_missing_value_is_named(source: str, reason: str) -> None:
    with pytest.raises(EvaluationError, match=f"(?i){reason}"):
        evaluate(expression(source), SCOPE)


def test_a_condition_that_is_not_true_or_false_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="neither true nor false"):
        holds(expression("used"), SCOPE)


def test_a_fault_points_at_its_place_in_the_file() -> None:
    (problem,) = check(expression("used >= 1 &&\n  usde < 2"), ["used"])
    assert str(problem).startswith("runbook.yaml:4:3: ")
    assert "did you mean 'used'?" in problem.message


def test_a_fault_on_the_first_line_counts_from_where_the_expression_begins() -> None:
    (problem,) = check(expression("1 + nope"), [])
    assert (problem.position.line, problem.position.column) == (3, 9)


def test_a_sound_expression_has_no_problem() -> None:
    assert check(expression("result.text.df()[0].use_percent >= used"), ["result", "used"]) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("used >= 95", {"used"}),
        ("result.items.exists(p, p.uid == uid) && p > 1", {"result", "uid", "p"}),
        ("'used' == inputs.name // used", {"inputs"}),
        ("size(a) + b.c[d].e", {"a", "b", "d"}),
        ("math.greatest(x, 2) > 1", {"x"}),
        ("x in y && true", {"x", "y"}),
    ],
)
def test_the_names_that_an_expression_uses_are_found(source: str, expected: set[str]) -> None:
    assert names(expression(source)) == expected


def test_what_was_observed_shows_values_and_the_size_of_lists() -> None:
    seen = observed(expression("size(result.json.items) == 1 && used >= 95 && gone > 1"), SCOPE)
    assert seen == {"size(result.json.items)": 2, "used": 97}


@pytest.mark.parametrize(
    ("source", "value"), [("text.json()", None), ("number", 2**70), ("number + 1", 2**63 - 1)]
)
def test_a_number_that_does_not_fit_is_an_error_and_no_traceback(source: str, value: int | None) -> None:
    with pytest.raises(EvaluationError, match=r"(?i)range|overflow"):
        evaluate(expression(source), {"text": "20000000000000000000", "number": value})


PARTS = (
    *("uid", "pod", "math", "list", "p", "result", "type", "size", "greatest", "exists", "all", "lines"),
    *(".", ".", ".", "(", ")", "[", "]", "{", "}", ",", ":", "==", "&&", "!", "?", "in", " ", " "),
    *("1", "'uid'", "r'\\'", '"', "'", "// ", "\n"),
)
WHOLE = (
    *("p.pod == uid", "[1].exists(p, p == uid)", "[1].exists(uid, uid > 0) && uid", ".uid", "1 in .uid"),
    *(
        "math.greatest(1, 2)",
        "math.uid",
        "type(uid) == list",
        "r'\\' + uid + 'x'",
        "result.uid",
        "uid{pod: 1}",
    ),
    *("[[1]].all(p, p.exists(pod, pod == uid))", "[1].map(p, p, p, uid)", "has(result.uid)", "size(lines)"),
)


NAMES = st.frozensets(
    st.sampled_from(["uid", "pod", "math", "p", "result", "type", "size", "greatest", "list"])
)


@settings(max_examples=600)
@given(
    st.sampled_from(WHOLE) | st.lists(st.sampled_from(PARTS), min_size=1, max_size=12).map("".join),
    NAMES,
    NAMES,
)
def test_names_that_others_use_change_nothing_about_an_expression(
    source: str, known: frozenset[str], others: frozenset[str]
) -> None:
    def found(expected: frozenset[str]) -> list[Problem]:
        vars(expressions)["_program"].cache_clear()
        expect(expected)
        return check(expression(source), known)

    assert found(known | others) == found(frozenset())
