"""Expressions of `test` and `[`: which of them only look. Those of `[[` are the shell's own syntax.

Not every one does: for `-v`, bash evaluates the subscript of an array, and any command in it. So a value may
stand only where the number of words says that it is not taken for an operator.
"""

from collections.abc import Sequence

from breakglass.policy.placeholders import WORDS, is_literal, literal_start

_UNARY = frozenset(f"-{letter}" for letter in "abcdefghknprstuwxzGLNOS")
_BINARY = frozenset(
    ("=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef", "=~")
)
_CONNECTING = frozenset(("-a", "-o"))


def objection(program: str, words: Sequence[str]) -> str:
    """Why an expression is not known to only look; the empty string when it is. `program` is the word before
    it, and `words` are all that follow."""
    if program == "[":
        if not words or words[-1] != "]":
            return "[ has no ]"
        words = words[:-1]
    if any(WORDS in word for word in words):
        return f"{program}: a value may become several words; quote it"
    if _few(list(words)) or _many(list(words)):
        return ""
    return f"{program}: the expression is not understood"


def _few(words: list[str]) -> bool:
    """POSIX decides by the number of words, up to four, so that any of the operands may be unknown."""
    match words:
        case [] | [_]:
            return True
        case ["!", *rest] if len(rest) < 4:
            return _few(rest)
        case [operator, _]:
            return operator in _UNARY
        case [_, operator, _]:
            return operator in _BINARY or operator in _CONNECTING
        case _:
            return False


def _many(words: list[str]) -> bool:
    """Terms that are connected: every word is literal, or begins with text that is."""
    if not all(is_literal(word) or literal_start(word) for word in words):
        return False
    while words:
        while words[:1] in (["!"], ["("]):
            words = words[1:]
        if len(words) >= 3 and words[1] in _BINARY:
            words = words[3:]
        elif len(words) >= 2 and words[0] in _UNARY:
            words = words[2:]
        elif words and not words[0].startswith("-"):
            words = words[1:]
        else:
            return False
        while words[:1] == [")"]:
            words = words[1:]
        if not words:
            return True
        if words[0] not in _CONNECTING:
            return False
        words = words[1:]
    return False
