"""How long ago something was, as kubectl says it, of an event or an object."""

from datetime import UTC, datetime

from breakglass.kubectl_age import human_duration
from breakglass.kubernetes_objects import Object, mapping, number, text


def moment(written: str) -> datetime | None:
    """A time of the API; None where it says none."""
    try:
        found = datetime.fromisoformat(written) if written else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def since(written: str, now: datetime | None = None) -> str:
    """How long ago a time of the API was."""
    at = moment(written)
    return (
        human_duration(((now or datetime.now(UTC)) - at).total_seconds()) if at is not None else "<unknown>"
    )


def interval(event: Object, now: datetime) -> str:
    """When an event was seen last, and how often since when."""
    first = since(text(event, "eventTime") or text(event, "firstTimestamp"), now)
    series, count = mapping(event, "series"), number(event, "count")
    if series:
        return f"{since(text(series, 'lastObservedTime'), now)} (x{number(series, 'count')} over {first})"
    if count > 1:
        return f"{since(text(event, 'lastTimestamp'), now)} (x{count} over {first})"
    return first
