from pathlib import Path

import pytest

from breakglass.runbook.expression import EvaluationError, Expression, evaluate
from breakglass.values import Json, Scope
from breakglass.yamlio.position import Position


def value_of(source: str, scope: Scope) -> Json:
    return evaluate(Expression(source, Position(Path("x.yaml"), 1, 1)), scope)


def test_merged_replaces_and_adds_keys_and_keeps_the_rest() -> None:
    config: Json = {"log_level": "info", "patches": None, "labels": {"a": "b"}}
    assert value_of("config.merged({'patches': {'deployment': [1]}, 'new': true})", {"config": config}) == {
        "log_level": "info",
        "patches": {"deployment": [1]},
        "labels": {"a": "b"},
        "new": True,
    }
    assert config["patches"] is None, "the value in scope is not changed"


def test_merged_does_not_merge_the_maps_inside() -> None:
    assert value_of("a.merged({'x': {'new': 1}})", {"a": {"x": {"old": 1}}}) == {"x": {"new": 1}}


def test_merging_something_else_than_a_map_is_an_evaluation_error() -> None:
    with pytest.raises(EvaluationError):
        value_of("a.merged({'x': 1})", {"a": [1, 2]})
