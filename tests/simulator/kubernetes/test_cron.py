"""When a schedule next comes."""

from datetime import UTC, datetime

import pytest

from breakglass.simulator.kubernetes.controllers.cron import CronScheduleError, next_after

NOW = datetime(2026, 5, 10, 12, 7, 30, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("schedule", "month", "day", "hour", "minute"),
    [
        ("*/15 * * * *", 5, 10, 12, 15),
        ("*/30 * * * *", 5, 10, 12, 30),
        ("7 * * * *", 5, 10, 13, 7),
        ("0 2 * * *", 5, 11, 2, 0),
        ("30 2 * * mon-sat", 5, 11, 2, 30),
        ("0 3 * * 0", 5, 17, 3, 0),
        ("0 3 * * 7", 5, 17, 3, 0),
        ("0 0 1 jan *", 1, 1, 0, 0),
        ("0 0 13 * fri", 5, 13, 0, 0),
        ("10,20 9-17/2 * * *", 5, 10, 13, 10),
        ("@hourly", 5, 10, 13, 0),
        ("0 0 29 2 *", 2, 29, 0, 0),
    ],
)
def test_the_next_time_of_a_schedule(schedule: str, month: int, day: int, hour: int, minute: int) -> None:
    found = next_after(schedule, NOW)
    assert (found.month, found.day, found.hour, found.minute) == (month, day, hour, minute)
    assert found > NOW


@pytest.mark.parametrize(
    "schedule", ["", "* * * *", "61 * * * *", "*/0 * * * *", "5-1 * * * *", "x * * * *", "0 0 31 2 *"]
)
def test_a_schedule_that_cannot_be_read_or_never_comes_is_refused(schedule: str) -> None:
    with pytest.raises(CronScheduleError):
        next_after(schedule, NOW)
