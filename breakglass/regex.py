"""Regular expressions that somebody else wrote, matched in time that grows with the text and with nothing
else.

A runbook's pattern is held against what a person types or a far side says, and Python's own engine may need
longer than anybody lives for thirty characters of it. RE2 is the engine that CEL's `matches` has, so that a
pattern means the same everywhere in a runbook. It has no look-around and no backreferences, and the classes
for digits, words and blanks are ASCII. Syntax: https://github.com/google/re2/wiki/Syntax.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import re2

MOST_MATCHES = 100_000
"""Matches of one pattern in one text."""

Flags = Literal["", "(?i)", "(?m)", "(?s)"]
"""What is put before a pattern: letters of either case, `^` and `$` at each line, `.` for line breaks too."""

_GROUP_NAME = re.compile(r"\(\?P?<([^>=!]*)>")
_NOT_LINEAR = ("invalid perl operator: (?", "invalid escape sequence: \\1", "invalid escape sequence: \\Z")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that can be held against any text."""

    source: str
    _engine: "re2.Regexp"

    def fits(self, text: str) -> bool:
        """Whether the whole text matches."""
        return self._engine.fullmatch(_raw(text)) is not None

    def occurs(self, text: str) -> bool:
        """Whether any part of the text matches."""
        return self._engine.search(_raw(text)) is not None

    def names(self, text: str) -> dict[str, str] | None:
        """What the named groups hold where the whole text matches; a group that has no part in it is empty.
        None where it does not match."""
        match = self._engine.fullmatch(_raw(text))
        if match is None:
            return None
        return {name: _text(value or b"") for name, value in match.groupdict().items()}

    def all(self, text: str) -> Iterator[str]:
        """Every match: its first group where the pattern has one, empty where that has no part in it.

        Raises ValueError past MOST_MATCHES.
        """
        group = 1 if self._engine.groups else 0
        for number, match in enumerate(self._engine.finditer(_raw(text))):
            if number == MOST_MATCHES:
                raise ValueError(f"pattern {self.source!r}: more than {MOST_MATCHES:,} matches")
            yield _text(match.group(group) or b"")


@lru_cache(maxsize=512)
def compile_pattern(source: str, flags: Flags = "") -> Pattern:
    """A pattern from its text. Raises ValueError where it is none, or one that cannot be held to its time."""
    import re2

    what = f"pattern {source!r} is not a regular expression"
    for name, times in Counter(_GROUP_NAME.findall(source)).items():
        if times > 1 or not name.isidentifier():
            why = f"two groups are called {name}" if times > 1 else f"{name!r} is no name for a group"
            raise ValueError(f"{what}: {why}")
    options = re2.Options()
    options.log_errors = False  # it would write on the terminal
    try:
        return Pattern(source, re2.compile(flags + source, options))
    except re2.error as error:
        said = error.args[0] if error.args else b""
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        hint = ""
        if words.startswith(_NOT_LINEAR):
            hint = " (look-around, backreferences and \\Z are not known here; a whole text is matched anyway)"
        raise ValueError(f"{what}: {words.removesuffix(flags + source).rstrip(': ')}{hint}") from None
    except UnicodeEncodeError:
        raise ValueError(f"{what}: it holds half of a UTF-16 pair") from None


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
