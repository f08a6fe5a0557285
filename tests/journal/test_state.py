"""The state is a fold: whole or event by event it comes to the same, and no earlier state changes."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.journal import events as e
from breakglass.journal.state import EMPTY, Recorded, apply, fold
from breakglass.values import Json

BEGAN = datetime(2026, 4, 18, 3, 11, tzinfo=UTC)
FEW_WORDS = st.sampled_from(["", "one", "two"])
BY_TYPE: dict[object, st.SearchStrategy[object]] = {
    str: FEW_WORDS,
    e.Question: st.sampled_from(get_args(e.Question)),
    e.StepState: st.sampled_from(get_args(e.StepState)),
    float: st.floats(0.0, 9.0),
    int: st.integers(0, 3),
    Json: FEW_WORDS,
    dict[str, Json]: st.dictionaries(FEW_WORDS, FEW_WORDS, max_size=2),
}


def some(kind: type[e.Event]) -> st.SearchStrategy[e.Event]:
    """Events of a kind: a few steps and attempts, so that they meet each other."""
    given = {name: BY_TYPE[type_] for name, type_ in kind.__annotations__.items() if type_ in BY_TYPE}
    return st.builds(kind, **given)


EVENTS = st.lists(st.one_of([some(kind) for kind in get_args(e.Event)]), max_size=40)


def recorded(events: Sequence[e.Event]) -> list[Recorded]:
    return [
        Recorded(number, BEGAN + timedelta(seconds=number), float(number), event)
        for number, event in enumerate(events, start=1)
    ]


@settings(max_examples=300)
@given(EVENTS)
def test_all_at_once_and_one_after_the_other_come_to_the_same(events: list[e.Event]) -> None:
    records = recorded(events)
    assert fold(records) == reduce(apply, records, EMPTY)


@settings(max_examples=300)
@given(EVENTS, st.data())
def test_an_event_leaves_the_state_before_it_as_it_was(events: list[e.Event], data: st.DataObject) -> None:
    records = recorded(events)
    count = data.draw(st.integers(0, len(records)))
    before = fold(records[:count])
    kept = deepcopy(before)
    reduce(apply, records[count:], before)
    assert before == kept


def test_steps_are_in_the_order_in_which_they_were_first_reached() -> None:
    walk = recorded([e.StepStarted(step, 1) for step in ("b", "a", "b", "c")])
    assert list(fold(walk).steps) == ["b", "a", "c"]
