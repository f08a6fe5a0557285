"""Words of a command line with `${{ }}` in them, taken apart and put together again."""

import re
from collections.abc import Sequence
from pathlib import Path

from breakglass.runbook.template import split_words
from breakglass.yamlio.position import InvalidFileError, Position

_HERE = Position(Path("page"), 1, 1)
_PLAIN = re.compile(r"(?:[\w@%+=:,./-]|\$\{\{.*?\}\})+")


def words_of(template: str) -> list[str] | None:
    """The words of a line as a template; None where it is for a shell, or no line."""
    try:
        return [word.source for word in split_words(template, _HERE)] or None
    except InvalidFileError:
        return None


def line_of(words: Sequence[str]) -> str:
    """The line that has these words."""
    return " ".join(word if _PLAIN.fullmatch(word) else quoted(word) for word in words)


def quoted(word: str) -> str:
    """A word in quotes, as a shell and a kubectl line both read it. A value stays one."""
    if "'" not in word and "${{" not in word:
        return f"'{word}'"
    return '"' + re.sub(r'(["\\])', r"\\\1", word) + '"' if "'" in word or "${{" in word else f"'{word}'"
