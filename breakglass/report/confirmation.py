"""What a confirmation has in the cockpit and in plain lines alike: how long no key counts, and what it says
will be sent, as rows of a label and a value."""

from breakglass.journal import events as e

QUIET = 0.6
"""Seconds without any key before the first one counts. A key that is held or typed ahead starts them anew."""


def what_and_where(asked: e.Asked) -> list[tuple[str, str]]:
    """Each request that the word covers, and on what it acts. Of a list, none is left out."""
    if asked.question == "accept":
        return [("CHANGED", asked.command)]
    if not asked.each:
        rows = [("WILL RUN", asked.command), ("ON", asked.on or asked.where)]
        return [*rows, ("AS", asked.where)] if asked.on and asked.where else rows
    total = len(asked.each)
    changes = "1 change" if total == 1 else f"{total} changes, one by one. Stops at the first that fails"
    rows = [("WILL RUN", changes)]
    for number, change in enumerate(asked.each, start=1):
        rows += [(f"{number}/{total}", change["command"]), ("ON", change["where"])]
    return rows
