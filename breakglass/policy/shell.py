"""Just enough of the POSIX shell's grammar to keep values out of it, and to see what a command line runs.

The quote state says where a value may stand: between words or inside an unquoted word it is quoted by the
program; inside quotes it would be quoted twice or not at all, so it is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

OPERATORS = ("&&", "||", ";;", ";", "|", "&", "\n", "(", ")", "{", "}")
_WORD_BREAK = re.compile(r"[\s;|&()<>]")


class ShellSyntaxError(Exception):
    """Shell text that cannot be split; `offset` counts characters from the start."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def quote_state(text: str, state: str = "") -> str:
    """The quote that is open after this text: `'`, `"`, a backquote, or nothing. `state` is the one
    before."""
    index = 0
    while index < len(text):
        character = text[index]
        if state == "'":
            state = "" if character == "'" else state
        elif character == "\\":
            index += 1
        elif state:
            state = "" if character == state else state
        elif character in "'\"`":
            state = character
        index += 1
    return state


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command. Words have their quotes removed; what is not known in them is a stand-in.

    `assignments` are the NAME=value before the words, or alone. `writes` are the files that a redirection
    may write to; a command may consist of these alone.
    """

    words: tuple[str, ...] = ()
    assignments: tuple[tuple[str, str], ...] = ()
    writes: tuple[str, ...] = ()


def parse(text: str) -> tuple[Command, ...]:
    """Every simple command that the text could run, those in substitutions and subshells included.

    Raises ShellSyntaxError for a quote that is not closed.
    """
    return tuple(_commands(text))


def _command(words: list[str], writes: list[str]) -> Command:
    assignments: list[tuple[str, str]] = []
    while words and (found := re.match(r"([A-Za-z_]\w*)=", words[0])):
        assignments.append((found[1], words.pop(0)[found.end() :]))
    return Command(tuple(words), tuple(assignments), tuple(writes))


def _commands(text: str) -> Iterator[Command]:
    words: list[str] = []
    writes: list[str] = []
    index = 0
    while index < len(text):
        character = text[index]
        if character in " \t":
            index += 1
        elif character == "#":
            index = _line_end(text, index)
        elif redirect := re.match(r"\d*(>>|>\||>&|<<<|<<|<&|<>|>|<)", text[index:]):
            index += redirect.end()
            while index < len(text) and text[index] in " \t":
                index += 1
            target, index, inner = _word(text, index)
            yield from inner
            if ">" in redirect[1] and not re.fullmatch(r"\d|-|/dev/(null|stdout|stderr)", target):
                writes.append(target)
        elif operator := next((each for each in OPERATORS if text.startswith(each, index)), None):
            if words or writes:
                yield _command(words, writes)
            words, writes = [], []
            index += len(operator)
        else:
            word, index, inner = _word(text, index)
            yield from inner
            words.append(word)
    if words or writes:
        yield _command(words, writes)


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end


def _word(text: str, index: int) -> tuple[str, int, list[Command]]:
    """One word with its quotes removed, where it ends, and the commands in its substitutions."""
    word: list[str] = []
    inner: list[Command] = []
    while index < len(text) and not _WORD_BREAK.match(text[index]):
        character = text[index]
        if character == "\\" and index + 1 < len(text):
            word.append(text[index + 1])
            index += 2
        elif character == "'":
            end = text.find("'", index + 1)
            if end < 0:
                raise ShellSyntaxError("a quote is not closed", index)
            word.append(text[index + 1 : end])
            index = end + 1
        elif character == '"':
            index = _double_quoted(text, index + 1, word, inner)
        elif text.startswith("$(", index) or character == "`":
            index = _substitution(text, index, word, inner)
        else:
            word.append(character)
            index += 1
    return "".join(word), index, inner


def _double_quoted(text: str, index: int, word: list[str], inner: list[Command]) -> int:
    start = index - 1
    while index < len(text):
        character = text[index]
        if character == '"':
            return index + 1
        if character == "\\" and index + 1 < len(text):
            word.append(text[index + 1])
            index += 2
        elif text.startswith("$(", index) or character == "`":
            index = _substitution(text, index, word, inner)
        else:
            word.append(character)
            index += 1
    raise ShellSyntaxError("a quote is not closed", start)


def _substitution(text: str, index: int, word: list[str], inner: list[Command]) -> int:
    word.append("$")
    if text[index] == "`":
        end = text.find("`", index + 1)
        if end < 0:
            raise ShellSyntaxError("a backquote is not closed", index)
        inner.extend(_commands(text[index + 1 : end]))
        return end + 1
    depth = 0
    for at in range(index + 1, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            inner.extend(_commands(text[index + 2 : at]))
            return at + 1
    raise ShellSyntaxError("a $( is not closed", index)
