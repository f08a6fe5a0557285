"""Time as the walk sees it, in life and in a rehearsal that runs fast."""

import pytest

from breakglass.engine.clock import SHORTEST_DEADLINE, Clock


def test_a_request_of_a_fast_rehearsal_still_has_real_seconds() -> None:
    assert Clock(400).deadline(20) == SHORTEST_DEADLINE
    assert Clock(2).deadline(20) == 10
    assert Clock(400).deadline(1) == 1


@pytest.mark.parametrize(
    ("speed", "looked", "enough"), [(1.0, 2.0, True), (400.0, 2.0, False), (400.0, 20.0, True)]
)
def test_a_wait_of_a_fast_rehearsal_has_all_its_looks(speed: float, looked: float, enough: bool) -> None:
    assert Clock(speed).has_had(looked, within=20.0) is enough


def test_a_long_deadline_shrinks_less_than_the_rehearsal_is_fast() -> None:
    assert Clock(400).deadline(600) == 12
    assert Clock(20).deadline(600) == 30
