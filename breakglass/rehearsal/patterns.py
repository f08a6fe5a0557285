"""How a scenario says which command, path or event it means.

A pattern is literal text in which `{name}` stands for one word and keeps it under that name, and `*` for
anything, nothing included. A run of blanks matches any run of blanks. A list of words is the same as the
words with blanks between them. Where that is not enough, `regex` takes a regular expression for the whole
text; its named groups are kept.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from breakglass import regex
from breakglass.yamlio.record import key, record, shape_of
from breakglass.yamlio.shape import TEXT, TYPES, Shape, by_kind, list_of, made

_PART = re.compile(r"\{([A-Za-z_]\w*)\}|(\*)|(\s+)")
_BLANK = r"\s\v\p{Z}\x{1c}-\x{1f}\x{85}"
r"""What Python's `\s` is, as a class of RE2, whose own is ASCII."""


@dataclass(frozen=True, slots=True)
class TextPattern:
    """A compiled pattern. `source` is what was written."""

    source: str
    expression: regex.Pattern
    is_literal: bool = True
    """Whether it is text with `{name}` and `*`, and no regular expression."""

    def match(self, texts: Iterable[str]) -> dict[str, str] | None:
        """The words kept from the first text that matches as a whole; None where none does."""
        for text in texts:
            found = self.expression.names(text)
            if found is not None:
                return found
        return None


def compile_pattern(source: str, separator: Literal["blank", "slash"] = "blank") -> TextPattern:
    """A pattern from literal text. `separator` says what ends a `{word}`: a blank, or the `/` of a path.

    Raises ValueError where a name occurs twice.
    """
    word = f"[^{_BLANK}]+" if separator == "blank" else "[^/]+"
    parts: list[str] = []
    end = 0
    for found in _PART.finditer(source):
        parts.append(re.escape(source[end : found.start()]))
        end = found.end()
        name, anything, _ = found.groups()
        parts.append(f"(?P<{name}>{word})" if name else ".*" if anything else f"[{_BLANK}]+")
    parts.append(re.escape(source[end:]))
    return TextPattern(source, regex.compile_pattern("".join(parts), "(?s)"))


def compile_regex(source: str) -> TextPattern:
    """A pattern from a regular expression. Raises ValueError where it is not one."""
    return TextPattern(source, regex.compile_pattern(source, "(?s)"), is_literal=False)


@record("regex")
class _Regex:
    """A pattern that is not literal text."""

    pattern: TextPattern = key(
        "A regular expression for the whole text.", made(TEXT, compile_regex), named="regex"
    )


_REGEX = made(shape_of(_Regex), lambda regex: regex.pattern)

PATTERN: Shape[TextPattern] = by_kind(
    "a pattern",
    scalar=made(TEXT, compile_pattern),
    sequence=made(list_of(TEXT, minimum=1), lambda words: compile_pattern(" ".join(words))),
    mapping=_REGEX,
)
"""Literal text with `{name}` for one word and `*` for anything; a list of words; or `{regex: …}`."""

PATH_PATTERN: Shape[TextPattern] = by_kind(
    "a path with {names} and *",
    scalar=made(TEXT, lambda path: compile_pattern(path, "slash")),
    mapping=_REGEX,
)

TYPES[TextPattern] = PATTERN
