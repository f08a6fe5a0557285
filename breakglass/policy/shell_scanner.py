"""Reads single words of shell text: quotes, escapes and expansions.

What dash, bash, busybox's ash and zsh read alike is read; anything else is refused.
"""

import re
import unicodedata
from abc import ABC, abstractmethod

from breakglass.policy.placeholders import VALUE
from breakglass.policy.shell_words import Kind, Piece, ShellSyntaxError, ShellWord

_PLAIN_TEXT = re.compile(r"[\t\n -~]*")
_VISIBLE = ("L", "M", "N", "P", "S")
"""The Unicode categories of letters, marks, numbers, punctuation and symbols."""


def refuse_invisible_characters(text: str) -> None:
    """Refuse control characters, and of Unicode all that is blank, invisible or without a meaning: a shell
    may take it for a blank or a letter, whatever the eye takes it for."""
    at = 0
    while at < len(text):
        found = _PLAIN_TEXT.match(text, at)
        at = found.end() if found is not None else at
        if at < len(text):
            character = text[at]
            if character != VALUE and unicodedata.category(character)[0] not in _VISIBLE:
                raise ShellSyntaxError(
                    f"the character U+{ord(character):04X} cannot be seen; leave it out", at
                )
            at += 1


_BARE = re.compile(r"[^ \t\n'\"\\$`;|&()<>]+")
_SINGLE_QUOTED = re.compile(r"'([^']*)'")
_DOUBLE_QUOTED_TEXT = re.compile(r"[^\"\\$`]+")
_BACKQUOTED = re.compile(r"`([^`\\]*)`")
_ARITHMETIC = re.compile(r"[0-9 \t+*/%<>=!&|^~?:-]+")

_PATTERN = r"[A-Za-z0-9_./:@%+,*?-]*"
_PARAMETER = re.compile(
    r"\$(?:"
    r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<special>[0-9@*#?$!-])"
    r"|\{(?P<length>#)?(?P<braced>[A-Za-z_][A-Za-z0-9_]*|[0-9]+)\}"
    rf"|\{{[A-Za-z_][A-Za-z0-9_]*(?::?[-+?]|%%?|##?){_PATTERN}\}}"
    rf"|\{{[0-9]+(?::?[-+?]|%%?|##?){_PATTERN}\}}"
    r")"
)
_ZSH_SUFFIX = re.compile(r"\[|:[A-Za-z&]")
"""What zsh reads as a subscript or a modifier behind `$name`, and the other shells as text."""
_LITERAL_DOLLAR = re.compile(r"[ \t\n;|&)/.,%]|\Z")
_LITERAL_DOLLAR_IN_QUOTES = re.compile(r"[ \t\n;|&)/.,%\"]")
"""What a dollar may stand before and mean itself in every shell."""


class Scanner(ABC):
    """A place in shell text that moves forward, up to `end`: that of the text, or a closing backquote."""

    def __init__(self, text: str, at: int, end: int) -> None:
        self.text = text
        self.at = at
        self.end = end

    @abstractmethod
    def substitution(self, start: int, end: int, closing: str) -> int:
        """Read the commands that begin at `start`, up to `closing` or, where that is empty, to `end`. Returns
        the place behind them."""

    def peek(self) -> str:
        """The next character, or nothing at the end."""
        return self.text[self.at] if self.at < self.end else ""

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Move behind the pattern where it matches here."""
        found = pattern.match(self.text, self.at, self.end)
        if found is not None:
            self.at = found.end()
        return found

    def looking_at(self, pattern: re.Pattern[str]) -> bool:
        return pattern.match(self.text, self.at, self.end) is not None

    def refused(self, message: str, offset: int | None = None) -> ShellSyntaxError:
        return ShellSyntaxError(message, self.at if offset is None else offset)

    def word(self) -> ShellWord | None:
        """The word that begins here, or None where none does."""
        start = self.at
        pieces: list[Piece] = []
        while True:
            at = self.at
            if found := self.take(_BARE):
                pieces.append(Piece(Kind.BARE, found[0], at))
            elif found := self.take(_SINGLE_QUOTED):
                pieces.append(Piece(Kind.QUOTED, found[1], at))
            elif self.peek() == "'":
                raise self.refused("a quote is not closed")
            elif self.peek() == '"':
                pieces.extend(self._double_quoted())
            elif self.peek() == "\\":
                pieces.append(self._escaped())
            elif self.peek() in ("$", "`"):
                pieces.append(self._expansion(quoted=False))
            else:
                break
        if pieces and self.peek() == "(":
            raise self.refused("a ( right behind a word is not understood; write a blank, or quote it")
        return ShellWord(tuple(pieces), start) if pieces else None

    def _escaped(self) -> Piece:
        start = self.at
        following = self.text[start + 1 : min(start + 2, self.end)]
        if following in ("", "\n", VALUE):
            raise self.refused(
                "a \\ must stand before a character that it quotes, or between words at a line's end"
            )
        self.at += 2
        return Piece(Kind.QUOTED, following, start)

    def _double_quoted(self) -> list[Piece]:
        start = self.at
        self.at += 1
        pieces = [Piece(Kind.QUOTED, "", start)]
        while self.at < self.end:
            at = self.at
            if found := self.take(_DOUBLE_QUOTED_TEXT):
                pieces.append(Piece(Kind.QUOTED, found[0], at))
            elif self.peek() == '"':
                self.at += 1
                return pieces
            elif self.peek() == "\\":
                pieces.append(self._escaped_in_quotes())
            else:
                pieces.append(self._expansion(quoted=True))
        raise self.refused("a quote is not closed", start)

    def _escaped_in_quotes(self) -> Piece:
        piece = self._escaped()
        return piece if piece.text in '$`"\\' else Piece(Kind.QUOTED, "\\" + piece.text, piece.offset)

    def _expansion(self, quoted: bool) -> Piece:
        start = self.at
        split = Kind.ONE if quoted else Kind.MANY
        if self.peek() == "`":
            self._backquoted(quoted)
            return Piece(split, "", start)
        if self.text.startswith("$((", start, self.end):
            self._arithmetic()
            return Piece(Kind.ONE, "", start)
        if self.text.startswith("$(", start, self.end):
            self.at = self.substitution(start + 2, self.end, ")")
            return Piece(split, "", start)
        if found := self.take(_PARAMETER):
            self._refuse_different_suffix(found, quoted)
            if found["special"] in ("@", "*"):
                split = Kind.ONE if quoted and found["special"] == "*" else Kind.MANY
            elif found["length"] or found["special"] in ("#", "?", "$"):
                split = Kind.ONE
            return Piece(split, "", start)
        self.at += 1
        if self.looking_at(_LITERAL_DOLLAR_IN_QUOTES if quoted else _LITERAL_DOLLAR):
            return Piece(Kind.QUOTED, "$", start)
        raise self.refused(_dollar_message(self.text[self.at : self.at + 1], quoted), start)

    def _refuse_different_suffix(self, found: re.Match[str], quoted: bool) -> None:
        if found["name"] is None and found["special"] is None:
            return
        following = self.peek()
        # bash expands braces first, so that `$x{a,b}` is `$xa $xb`.
        joined = following == "{" or (following > "~" and following != VALUE)
        if found["special"] is not None:
            joined = joined or following in "#@*?$!-" or (following.isalnum() and found[0] in ("$#", "$0"))
            joined = joined or (following.isdigit() and found["special"].isdigit())
        if found["special"] == "$":
            # bash takes the second $ together with what follows when it looks for the end of a quote.
            joined = joined or following in ("(" if quoted else "('\"")
        if following and (joined or self.looking_at(_ZSH_SUFFIX)):
            raise self.refused("what follows is read differently by some shells; write ${…}", found.start())

    def _arithmetic(self) -> None:
        start = self.at
        self.at += 3
        depth = 2
        while depth:
            self.take(_ARITHMETIC)
            if self.peek() == "(":
                depth += 1
            elif self.peek() == ")" and (depth != 1 or self.text[self.at - 1] == ")"):
                depth -= 1
            else:
                message = "only numbers and operators are understood within $((…)); use expr, or $( (…) )"
                raise self.refused(message, start if not self.peek() else None)
            self.at += 1

    def _backquoted(self, quoted: bool) -> None:
        start = self.at
        found = self.take(_BACKQUOTED)
        if found is None or (quoted and ('"' in found[1] or VALUE in found[1])):
            raise self.refused("what stands between backquotes is not understood; write $(…)", start)
        self.substitution(start + 1, found.end() - 1, "")


def _dollar_message(following: str, quoted: bool) -> str:
    if following == "{":
        return "this form of ${…} is not understood: only a name, and a default or a pattern of plain text"
    if following in ("'", '"') and not quoted:
        return f"${following}…{following} is read differently by some shells; leave the $ out"
    return "a $ that expands nothing is read differently by some shells; write \\$"
