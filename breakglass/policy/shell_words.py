"""A word of shell text, in the pieces that it was written in, and the texts that the shell may make of it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import product

from breakglass.errors import NotUnderstoodError
from breakglass.policy.placeholders import EXPANSION, WORDS

MOST_EXPANDED = 64
"""Words that the brace expansions of one word may make."""


class ShellSyntaxError(NotUnderstoodError):
    """Shell text that is not fully understood; `offset` counts characters from the start."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class Kind(Enum):
    """How a piece of a word was written."""

    BARE = "literal text without quotes: globs, braces and a tilde mean something in it"
    QUOTED = "literal text in quotes or behind a backslash"
    ONE = "an expansion that stays within the word"
    MANY = "an expansion that is split into words"


@dataclass(frozen=True, slots=True)
class Piece:
    kind: Kind
    text: str
    """Empty for an expansion."""
    offset: int


@dataclass(frozen=True, slots=True)
class ShellWord:
    pieces: tuple[Piece, ...]
    offset: int

    @property
    def bare(self) -> str:
        """The word where all of it is literal text without quotes, as operators and reserved words must be;
        else nothing."""
        return self.pieces[0].text if len(self.pieces) == 1 and self.pieces[0].kind is Kind.BARE else ""


def unsplit(word: ShellWord) -> str:
    """The word where the shell splits nothing and expands no glob: in an assignment and within `[[ … ]]`."""
    return _joined(word.pieces, EXPANSION)


def _joined(pieces: Sequence[Piece], many: str) -> str:
    marks = {Kind.ONE: EXPANSION, Kind.MANY: many}
    return "".join(marks.get(piece.kind, piece.text) for piece in pieces)


_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")


def assignment(word: ShellWord) -> tuple[str, ShellWord] | None:
    """The name, and the value as a word, of a word that assigns."""
    first = word.pieces[0]
    found = _ASSIGNMENT.match(first.text) if first.kind is Kind.BARE else None
    if found is None:
        return None
    rest = Piece(Kind.BARE, first.text[found.end() :], first.offset + found.end())
    pieces = (rest, *word.pieces[1:]) if rest.text else word.pieces[1:]
    return found[1], ShellWord(pieces, rest.offset)


def refuse_different_starts(word: ShellWord) -> None:
    """Refuse `~` and `=` at the beginning of a word where shells make different things of them, and `[[` as
    an argument."""
    if word.bare == "[[":
        # busybox reads the operators behind it as words, wherever it stands.
        raise ShellSyntaxError("[[ as an argument is read differently by busybox; quote it", word.offset)
    known = [index for index, piece in enumerate(word.pieces) if piece.kind is Kind.BARE or piece.text]
    if not known or word.pieces[known[0]].kind is not Kind.BARE:
        return
    text = word.pieces[known[0]].text
    if text.startswith("=") and word.bare not in ("=", "==", "=~"):
        # zsh puts the path of a program in the place of its name behind `=`.
        raise ShellSyntaxError("a word that begins with = is read differently by zsh; quote it", word.offset)
    if text.startswith("~") and (known[0] or not (text.startswith("~/") or word.bare == "~")):
        raise ShellSyntaxError("only ~ and ~/ are read alike by all shells; quote the ~", word.offset)


def texts(word: ShellWord) -> tuple[str, ...]:
    """What the shell makes of a word, without brace expansion.

    A glob behind a literal beginning becomes any number of words: it is given twice.
    """
    many = any(piece.kind is Kind.MANY for piece in word.pieces)
    text = ""
    globs = False
    for piece in word.pieces:
        if piece.kind is not Kind.BARE or word.bare in ("[", "[["):
            text += _joined((piece,), WORDS)
            continue
        for plain, mark in _GLOB.findall(piece.text):
            text += plain
            if not mark:
                continue
            globs = True
            many = many or not text or text.startswith("-")
            text += WORDS if many else EXPANSION
            if mark == "[":
                # How far the bracket reaches depends on what is quoted in it: the rest is not known.
                return (text,) if many else (text, text)
    return (text, text) if globs and not many else (text,)


_GLOB = re.compile(r"([^*?\[]*)([*?\[]?)")


_LITERAL_BRACES = r"\{\}|\{\{[A-Za-z0-9_.]+\}\}|\{[A-Za-z0-9_-]+\}"
_BRACES = re.compile(
    r"(?P<text>[^{}]+)"
    rf"|(?P<literal>{_LITERAL_BRACES})"
    r"|\{(?P<list>[A-Za-z0-9_./:@%+-]+(?:,[A-Za-z0-9_./:@%+-]+)+)\}"
    r"|\{(?P<first>0|-?[1-9][0-9]{0,5})\.\.(?P<last>0|-?[1-9][0-9]{0,5})\}"
)
_DESCRIPTOR_VARIABLE = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")


def expand_braces(word: ShellWord) -> tuple[ShellWord, ...] | None:
    """The words that bash makes of `{a,b}` and `{1..3}`, or None for a word without any.

    Raises ShellSyntaxError for braces of any other form, and for too many words.
    """
    if not any(piece.kind is Kind.BARE and ("{" in piece.text or "}" in piece.text) for piece in word.pieces):
        return None
    if _DESCRIPTOR_VARIABLE.fullmatch(word.bare):
        raise ShellSyntaxError("a name in braces may be a descriptor in some shells; quote it", word.offset)
    choices = [choice for piece in word.pieces for choice in _choices(piece)]
    count = 1
    for choice in choices:
        count *= len(choice)
        if count > MOST_EXPANDED:
            raise ShellSyntaxError(f"the braces make more than {MOST_EXPANDED} words", word.offset)
    if count == 1:
        return None
    return tuple(ShellWord(_merged(chosen), word.offset) for chosen in product(*choices))


def _choices(piece: Piece) -> Iterator[tuple[Piece, ...]]:
    if piece.kind is not Kind.BARE:
        yield (piece,)
        return
    at = 0
    while at < len(piece.text):
        found = _BRACES.match(piece.text, at)
        if found is None:
            message = "only {a,b}, {1..3} and {} are understood of braces; quote them"
            raise ShellSyntaxError(message, piece.offset + at)
        yield tuple(Piece(Kind.BARE, text, piece.offset + at) for text in _brace_texts(found))
        at = found.end()


def _brace_texts(found: re.Match[str]) -> Sequence[str]:
    if found["list"] is not None:
        return found["list"].split(",")
    if found["first"] is not None:
        first, last = int(found["first"]), int(found["last"])
        step = 1 if first <= last else -1
        return [str(number) for number in range(first, last + step, step)[: MOST_EXPANDED + 1]]
    return (found[0],)


def _merged(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Neighbouring bare pieces as one, so that a tilde or a glob is seen in the whole of them."""
    merged: list[Piece] = []
    for piece in pieces:
        if piece.kind is Kind.BARE and merged and merged[-1].kind is Kind.BARE:
            merged[-1] = Piece(Kind.BARE, merged[-1].text + piece.text, merged[-1].offset)
        else:
            merged.append(piece)
    return tuple(merged)
