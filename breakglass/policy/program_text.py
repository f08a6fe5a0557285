"""What the grammars of sed, awk and jq share: how a text is refused, and where a regular expression ends."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise, product

from breakglass.errors import NotUnderstoodError
from breakglass.policy.placeholders import is_literal

SHOWN = 20
"""Characters of the text that a sentence quotes at most."""

SECOND_BYTES = frozenset("@[\\]^_`{|}~")
"""Punctuation that is also the second byte of a character in GBK, Big5 or Shift JIS. In such a locale a
letter of UTF-8 before it may swallow it: sed and awk read the text by the locale of the far side."""


class ProgramTextError(NotUnderstoodError):
    """Why a program text is not known to read, as a part of a sentence."""


def objection_of(parse: Callable[[str], None], program: str) -> str:
    """What `parse` raises about the text; the empty string when it knows every part of it."""
    try:
        _refuse_characters(program)
        parse(program)
    except ProgramTextError as refusal:
        return str(refusal)
    return ""


def not_understood(text: str, at: int) -> ProgramTextError:
    """The refusal of what stands at this place."""
    shown = _shown(text, at)
    return ProgramTextError(f"this is not understood: {shown}" if shown else "it ends too early")


def _shown(text: str, at: int) -> str:
    """The rest of the line from here, cut short."""
    line = text[at : at + 4 * SHOWN].strip().partition("\n")[0]
    return line if len(line) <= SHOWN else line[:SHOWN] + "…"


def _refuse_characters(text: str) -> None:
    if not is_literal(text):
        raise ProgramTextError("a value stands in its text")
    for character in text:
        if (character < " " and character not in "\t\n") or "\x7f" <= character < "\xa0":
            raise ProgramTextError(f"it holds the control character U+{ord(character):04X}")
        if "\ud800" <= character <= "\udfff":
            raise ProgramTextError("it is not UTF-8")
    for first, second in pairwise(text):
        if first > "\x7f" and second in SECOND_BYTES:
            raise ProgramTextError(f"`{first}` before `{second}` is read differently in other locales")


@dataclass(frozen=True, slots=True)
class RegexReading:
    """One way in which a program looks for the end of a regular expression: whether it passes over what
    stands in brackets; whether a backslash in them is an escape; and whether a first `]` closes them."""

    brackets: bool = True
    escapes: bool = False
    first_closes: bool = False


WITHIN_BRACKETS = tuple(RegexReading(True, *flags) for flags in product((False, True), repeat=2))
PLAIN = RegexReading(brackets=False)


def regex_end(text: str, start: int, delimiter: str, readings: Iterable[RegexReading]) -> int:
    """Where a regular expression ends: the index of its delimiter, which must be the same in all readings.

    Raises NotUnderstoodError where it is not, or where there is none on the line.
    """
    ends = {_end(text, start, delimiter, reading) for reading in readings}
    if len(ends) > 1:
        raise ProgramTextError(f"not every version sees the same end of {_shown(text, start - 1)}")
    return ends.pop()


def _end(text: str, start: int, delimiter: str, reading: RegexReading) -> int:
    at = start
    while at < len(text) and text[at] != "\n":
        if text[at] == delimiter:
            return at
        if text[at] == "[" and reading.brackets:
            at = _after_brackets(text, at, reading)
        else:
            at = _after_escape(text, at) if text[at] == "\\" else at + 1
    raise ProgramTextError(f"this has no end: {_shown(text, start - 1)}")


def _after_escape(text: str, at: int) -> int:
    if text[at + 1 : at + 2] in ("", "\n"):
        raise ProgramTextError("a line ends in a backslash")
    return at + 2


def _after_brackets(text: str, opening: int, reading: RegexReading) -> int:
    """Behind a bracket expression. In it `[` opens a class such as `[:digit:]`, or stands for itself."""
    at = opening + 1
    at += text.startswith("^", at)
    at += text.startswith("]", at) and not reading.first_closes
    while at < len(text) and text[at] != "\n":
        if text[at] == "]":
            return at + 1
        if text[at] == "[" and text[at + 1 : at + 2] in (".", ":", "="):
            at = _after_class(text, at)
        else:
            at = _after_escape(text, at) if text[at] == "\\" and reading.escapes else at + 1
    raise ProgramTextError(f"a `[` has no end: {_shown(text, opening)}")


CLASSES = frozenset(
    (
        "alnum",
        "alpha",
        "blank",
        "cntrl",
        "digit",
        "graph",
        "lower",
        "print",
        "punct",
        "space",
        "upper",
        "xdigit",
    )
)


def _after_class(text: str, at: int) -> int:
    name = text[at + 2 : at + 8].partition(":")[0]
    if not (text.startswith(f"[:{name}:]", at) and name in CLASSES):
        raise not_understood(text, at)
    return at + len(name) + 4
