"""Patterns as OpenSSH has them: `*` and `?`, and `!` before what must not match."""

from collections.abc import Iterable


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches the whole of a text, letter case and all. Ends soon on any pattern."""
    at, place = 0, 0
    star, behind = -1, 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == "*":
            star, behind = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", text[at]):
            at, place = at + 1, place + 1
        elif star >= 0:
            behind += 1
            at, place = behind, star + 1
        else:
            return False
    return not pattern[place:].strip("*")


def matches_any(patterns: Iterable[str], text: str) -> bool:
    """Whether a list matches: one of its patterns does, and none that has a `!`."""
    found = False
    for each in patterns:
        if each.startswith("!"):
            if matches(each[1:], text):
                return False
        else:
            found = found or matches(each, text)
    return found
