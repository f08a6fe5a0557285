"""Which programs of sed only read: those of its grammar that neither write a file, nor run or read one.

GNU sed and busybox' sed read such a text alike, or refuse it before they read any input. What is theirs
alone, and what they end differently, is objected to: text over several lines, a delimiter within brackets,
delimiters that are letters.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from string import ascii_letters, digits

from breakglass.policy.program_text import (
    PLAIN,
    WITHIN_BRACKETS,
    ProgramTextError,
    RegexReading,
    not_understood,
    objection_of,
    regex_end,
)

BLANKS = " \t"
DELIMITERS = frozenset("/,|#:@!%+=~_;")
IN_LABELS = ascii_letters + digits + "_.-"
AFTER_LABELS = " \t;\n"

ALONE = frozenset("pPdDnNgGhHx=zF")
"""Commands of one letter and nothing more: they move text between the input, two buffers and the output."""

NUMBERED = frozenset("qQl")
"""Commands that a number may follow: an exit status, or a width."""

REFUSED = {
    "w": "`w` writes a file",
    "W": "`W` writes a file",
    "e": "`e` runs a program",
    "r": "`r` reads another file",
    "R": "`R` reads another file",
}

REFUSED_FLAGS = {"w": "`s` with the flag `w` writes a file", "e": "`s` with the flag `e` runs a program"}


def objection(program: str) -> str:
    """Why the text is not known to read, as a part of a sentence; the empty string when it only reads.

    Several `-e` are one program, joined by line breaks.
    """
    return objection_of(_script, program)


@dataclass(slots=True)
class _Cursor:
    text: str
    at: int = 0

    def next(self) -> str:
        """The character that comes, without taking it; the empty string at the end."""
        return self.text[self.at : self.at + 1]

    def take(self, characters: str) -> bool:
        """Take one character if it is one of these."""
        found = self.next() != "" and self.next() in characters
        self.at += found
        return found

    def skip(self, characters: str) -> bool:
        """Take all that comes of these characters; whether there were any."""
        start = self.at
        while self.take(characters):
            pass
        return self.at > start

    def line(self) -> str:
        """Take the rest of the line, without its end."""
        end = self.text.find("\n", self.at)
        start, self.at = self.at, len(self.text) if end < 0 else end
        return self.text[start : self.at]

    def refuse(self) -> ProgramTextError:
        return not_understood(self.text, self.at)


def _script(program: str) -> None:
    cursor = _Cursor(program)
    depth = 0
    while True:
        cursor.skip(BLANKS + "\n;")
        if not cursor.next():
            break
        depth += _command(cursor)
        if depth < 0:
            raise ProgramTextError("a `}` closes nothing")
    if depth:
        raise ProgramTextError("a `{` is not closed")


def _command(cursor: _Cursor) -> int:
    """Take one command with its addresses; by how much it changes the depth of the blocks."""
    start = cursor.at
    _addresses(cursor)
    addressed = cursor.at > start
    name = cursor.next()
    if name in REFUSED:
        raise ProgramTextError(REFUSED[name])
    if not name or (addressed and name in "}:#"):
        raise cursor.refuse()
    cursor.at += 1
    match name:
        case "{":
            return 1
        case "#":
            _text(cursor)
            return 0
        case "a" | "i" | "c":
            cursor.skip(BLANKS)
            if not _text(cursor):
                raise ProgramTextError(f"`{name}` has no text on its line")
            return 0
        case "s":
            _two_parts(cursor, WITHIN_BRACKETS)
            _flags(cursor)
        case "y":
            _two_parts(cursor, (PLAIN, *WITHIN_BRACKETS))
        case ":":
            _label(cursor)
        case "b" | "t" | "T":
            _branch(cursor)
        case _ if name in NUMBERED:
            cursor.skip(BLANKS)
            cursor.skip(digits)
        case _ if name in ALONE or name == "}":
            pass
        case _:
            cursor.at -= 1
            raise cursor.refuse()
    _command_end(cursor)
    return -1 if name == "}" else 0


def _command_end(cursor: _Cursor) -> None:
    cursor.skip(BLANKS)
    if cursor.next() not in ("", ";", "\n", "}", "#"):
        raise cursor.refuse()


def _addresses(cursor: _Cursor) -> None:
    if _address(cursor):
        cursor.skip(BLANKS)
        if cursor.take(","):
            cursor.skip(BLANKS)
            if not (_relative(cursor) or _address(cursor)):
                raise cursor.refuse()
            cursor.skip(BLANKS)
    if cursor.take("!"):
        cursor.skip(BLANKS)


def _address(cursor: _Cursor) -> bool:
    if cursor.take("$"):
        return True
    if cursor.skip(digits):
        if cursor.take("~") and not cursor.skip(digits):
            raise cursor.refuse()
        return True
    if cursor.take("/"):
        _regex(cursor, "/")
    elif cursor.take("\\"):
        _regex(cursor, _delimiter(cursor))
    else:
        return False
    cursor.skip("IM")
    return True


def _relative(cursor: _Cursor) -> bool:
    """`+N` and `~N`, which only a second address may be."""
    if not cursor.take("+~"):
        return False
    if not cursor.skip(digits):
        raise cursor.refuse()
    return True


def _delimiter(cursor: _Cursor) -> str:
    delimiter = cursor.next()
    if delimiter not in DELIMITERS:
        raise cursor.refuse()
    cursor.at += 1
    return delimiter


def _regex(cursor: _Cursor, delimiter: str) -> None:
    cursor.at = regex_end(cursor.text, cursor.at, delimiter, WITHIN_BRACKETS) + 1


def _two_parts(cursor: _Cursor, readings: Iterable[RegexReading]) -> None:
    """The two texts of `s` and `y`. In the first of `y` busybox passes over brackets, GNU sed does not."""
    delimiter = _delimiter(cursor)
    cursor.at = regex_end(cursor.text, cursor.at, delimiter, readings) + 1
    cursor.at = regex_end(cursor.text, cursor.at, delimiter, (PLAIN,)) + 1


def _flags(cursor: _Cursor) -> None:
    while cursor.skip(digits) or cursor.skip("gpiImM"):
        pass
    if cursor.next() in REFUSED_FLAGS:
        raise ProgramTextError(REFUSED_FLAGS[cursor.next()])


def _label(cursor: _Cursor) -> None:
    cursor.skip(BLANKS)
    if not cursor.skip(IN_LABELS) or cursor.next() not in AFTER_LABELS:
        raise cursor.refuse()


def _branch(cursor: _Cursor) -> None:
    cursor.skip(BLANKS)
    labelled = cursor.skip(IN_LABELS)
    if cursor.next() == "#" or (labelled and cursor.next() not in AFTER_LABELS + "}"):
        # busybox takes what follows for a part of the label, GNU sed for a comment.
        raise cursor.refuse()


def _text(cursor: _Cursor) -> str:
    """Take the text of `a`, `i` and `c`, or a comment: the rest of its line, which no backslash continues."""
    text = cursor.line()
    if "\\" in text:
        raise ProgramTextError("a backslash stands in a text that may go on in the next line")
    return text
