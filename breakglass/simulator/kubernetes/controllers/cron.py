"""Cron schedules: five fields, as in CronJobs. Times are UTC."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from breakglass.errors import SimulatorError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FURTHEST = timedelta(days=5 * 366)


class CronScheduleError(SimulatorError):
    """The schedule cannot be read, or never comes."""


def next_after(schedule: str, moment: datetime) -> datetime:
    """The first time of a schedule after a moment. CronScheduleError where there is none."""
    fields = _NICKNAMES.get(schedule.strip(), schedule).split()
    if len(fields) != 5:
        raise CronScheduleError(f"a schedule has five fields, this has {len(fields)}: {schedule}")
    minutes = _values(fields[0], 0, 59)
    hours = _values(fields[1], 0, 23)
    days = _values(fields[2], 1, 31)
    months = _values(fields[3], 1, 12, _MONTHS, first=1)
    weekdays = {day % 7 for day in _values(fields[4], 0, 7, _DAYS)}
    any_day, any_weekday = fields[2].startswith("*"), fields[4].startswith("*")
    time = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while time - moment < _FURTHEST:
        day_fits, weekday_fits = time.day in days, (time.weekday() + 1) % 7 in weekdays
        fits = (day_fits and weekday_fits) if any_day or any_weekday else (day_fits or weekday_fits)
        if time.month not in months or not fits:
            time = time.replace(hour=0, minute=0) + timedelta(days=1)
        elif time.hour not in hours:
            time = time.replace(minute=0) + timedelta(hours=1)
        elif time.minute not in minutes:
            time += timedelta(minutes=1)
        else:
            return time
    raise CronScheduleError(f"the schedule never comes: {schedule}")


def _values(field: str, low: int, high: int, names: Sequence[str] = (), first: int = 0) -> set[int]:
    values: set[int] = set()
    for part in field.split(","):
        span, _, step_text = part.partition("/")
        step = _number(step_text, (), 0) if step_text else 1
        if span in ("*", "?"):
            start, end = low, high
        else:
            start_text, dash, end_text = span.partition("-")
            start = _number(start_text, names, first)
            end = _number(end_text, names, first) if dash else (high if step_text else start)
        if not low <= start <= end <= high or step < 1:
            raise CronScheduleError(f"{part} is not within {low} to {high}")
        values.update(range(start, end + 1, step))
    return values


def _number(written: str, names: Sequence[str], first: int) -> int:
    if written.lower() in names:
        return names.index(written.lower()) + first
    if not written.isdigit():
        raise CronScheduleError(f"{written} is not a number")
    return int(written)
