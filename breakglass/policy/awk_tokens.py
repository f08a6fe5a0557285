"""The tokens of awk, as gawk, mawk and busybox' awk read them.

They differ in where a `/` begins a regular expression: mawk goes by the token before it, the others by what
may follow in the grammar. Here it is mawk's rule; the parser holds to the other, so that a text which they
read differently is refused.
"""

import re

from breakglass.policy.program_text import (
    PLAIN,
    WITHIN_BRACKETS,
    ProgramTextError,
    not_understood,
    regex_end,
)
from breakglass.policy.token_parser import Token, words

FUNCTIONS = words(
    """
    length substr index split sub gsub gensub match sprintf tolower toupper
    int sqrt exp log sin cos atan2 rand srand strtonum and or xor compl lshift rshift
    asort asorti strftime mktime systime fflush
    """
)
"""What may be called: text, numbers and the clock. The user's own functions are not followed."""

STATEMENTS = words("if else while for do break continue next nextfile exit delete print printf")
STEPS = frozenset(("++", "--"))

_BLANKS = re.compile(r"(?:[ \t]|\\\n)*(?:#[^\n]*)?")
_NUMBER = re.compile(r"(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+(?![A-Za-z0-9_.])")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STRING = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_OPERATOR = re.compile(r"&&|\|\||\+\+|--|[-+*%^=!<>]=|!~|>>|\|&?|::|\*\*|[-+*%^!<>?:~$=(){}\[\];,\n@&]")

_REFUSED_OPERATORS = {
    ">>": "`>>` writes a file",
    "|": "`|` runs a program",
    "|&": "`|&` runs a program",
}
_UNKNOWN_OPERATORS = frozenset(("::", "**", "@", "&"))


def _after_blanks(program: str, at: int) -> int:
    end = _match(_BLANKS, program, at)
    if "#" in end and end.endswith("\\"):
        raise ProgramTextError("a comment ends in a backslash")
    return at + len(end)


def _match(pattern: re.Pattern[str], program: str, at: int) -> str:
    found = pattern.match(program, at)
    return found[0] if found else ""


def token(program: str, at: int, before: str) -> Token:
    """The token at or behind this place. `before` is the kind of the one that it follows."""
    at = _after_blanks(program, at)
    if at == len(program):
        return Token("", "", at)
    if program[at] == "/":
        return _slash(program, at, before)
    if number := _match(_NUMBER, program, at):
        return Token("number", number, at)
    if string := _match(_STRING, program, at):
        return Token("string", string, at)
    if name := _match(_NAME, program, at):
        known = name in STATEMENTS or name in FUNCTIONS or name in ("BEGIN", "END", "in", "getline")
        return Token(name if known else "name", name, at)
    operator = _match(_OPERATOR, program, at)
    if operator in _REFUSED_OPERATORS:
        raise ProgramTextError(_REFUSED_OPERATORS[operator])
    if not operator or operator in _UNKNOWN_OPERATORS:
        raise not_understood(program, at)
    return Token(operator, operator, at)


def _slash(program: str, at: int, before: str) -> Token:
    """A division or a regular expression, as mawk tells them apart: by the token before."""
    if before in ("number", "name", ")", "]"):
        operator = "/=" if program.startswith("/=", at) else "/"
        return Token(operator, operator, at)
    if before in STEPS or before in ("string", "regex", "length", "getline"):
        raise not_understood(program, at)
    end = regex_end(program, at + 1, "/", (PLAIN, *WITHIN_BRACKETS))
    return Token("regex", program[at : end + 1], at)
