"""The events at the end of a description."""

from datetime import UTC, datetime

from breakglass.kubernetes_objects import Object, text
from breakglass.transport.kubectl.describe.sheet import Sheet
from breakglass.transport.kubectl.event_times import interval, moment


def add_events(sheet: Sheet, events: list[Object] | str | None) -> None:
    """The events, the oldest first. A text says why they cannot be read; None where nobody asked for them."""
    if events is None:
        return
    if isinstance(events, str):
        sheet.field("Events", f"<not read: {events}>")
        return
    if not events:
        sheet.field("Events", "<none>")
        return
    now = datetime.now(UTC)
    sheet.add("Events:")
    sheet.add("Type\tReason\tAge\tFrom\tMessage", 1)
    sheet.add("----\t------\t----\t----\t-------", 1)
    for event in sorted(events, key=_last):
        source = text(event, "source", "component") or text(event, "reportingComponent")
        part, message = text(event, "involvedObject", "fieldPath"), text(event, "message").strip()
        said = f"{part}: {message}" if part else message
        row = (text(event, "type"), text(event, "reason"), interval(event, now), source, said)
        sheet.add("\t".join(row), 1)


def _last(event: Object) -> float:
    seen = moment(text(event, "lastTimestamp"))
    return seen.timestamp() if seen is not None else float("-inf")
