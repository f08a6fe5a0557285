"""Every command that shell text could run, or a refusal: what is not fully understood is never passed over.

A parser of our own and not tree-sitter's grammar of bash, which hands over words with their quotes, braces
and expansions unread: the larger half of the work. Held against the shells of tests/policy it also passed
over commands, since it knows bash alone: dash runs the rm of `ls &>f rm`.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from breakglass.policy.placeholders import EXPANSION, WORDS
from breakglass.policy.shell_conditional import refuse_unknown_condition
from breakglass.policy.shell_redirections import OPERATOR, refuse_unknown_target, written
from breakglass.policy.shell_scanner import Scanner, refuse_invisible_characters
from breakglass.policy.shell_variables import refuse_special_variable
from breakglass.policy.shell_words import (
    Kind,
    ShellSyntaxError,
    ShellWord,
    assignment,
    expand_braces,
    refuse_different_starts,
    texts,
    unsplit,
)

__all__ = ["ShellSyntaxError", "SimpleCommand", "parse"]

DEEPEST = 20
"""Levels of substitutions and compound commands within each other."""

LONGEST = 16 * 1024
"""Characters. A person could not check a longer text before confirming it; and so an answer comes soon."""


@dataclass(frozen=True, slots=True)
class SimpleCommand:
    """One simple command. Words have their quotes removed; what is not known in them is a stand-in.

    `assignments` are the NAME=value before the words, or alone. `writes` are the files that a redirection
    may write to; a command may consist of these alone. `fed`: the text itself gives it something to read on
    its standard input, by a pipe or from a file.
    """

    words: tuple[str, ...] = ()
    assignments: tuple[tuple[str, str], ...] = ()
    writes: tuple[str, ...] = ()
    fed: bool = field(default=False, compare=False)


def parse(text: str) -> tuple[SimpleCommand, ...]:
    """Every simple command that the text could run, in the order of the text; those in substitutions come
    before the command that they stand in. Where shells may read a command in two ways, both are given.

    Raises ShellSyntaxError for all that is not fully understood, also for what dash, bash, busybox's ash and
    zsh would not read alike.
    """
    if len(text) > LONGEST:
        raise ShellSyntaxError(f"the text is longer than {LONGEST} characters", LONGEST)
    refuse_invisible_characters(text)
    found: list[SimpleCommand] = []
    _ShellParser(text, 0, len(text), found, 0).commands({""}, may_be_empty=True)
    return tuple(found)


_BLANKS = re.compile(r"(?:[ \t]+(?:\\\n)?)+")
_COMMENT = re.compile(r"#[^\n]*")
_SEPARATOR = re.compile(r";(?!;)|&(?![&!])|\n")
_AND_OR = re.compile(r"&&|\|\|")
_PIPE = re.compile(r"\|(?![|&])")
_LIST_END = re.compile(r"[;\n]")

_WORD_END = r"(?=[ \t\n;|&)<>]|\Z)"
_CLOSING = re.compile(rf"(?:then|elif|else|fi|do|done|esac|\}}){_WORD_END}|\)|;;|\Z")
_COMPOUND = re.compile(rf"\((?!\()|(?:if|while|until|for|case){_WORD_END}|\{{(?=[ \t\n])")
_NEGATION = re.compile(r"!(?=[ \t])")
_NAME = re.compile(rf"[A-Za-z_][A-Za-z0-9_]*{_WORD_END}")
_DO = re.compile(rf"do{_WORD_END}")
_IN = re.compile(rf"in{_WORD_END}")
_ESAC = re.compile(rf"esac{_WORD_END}")

_RESERVED = frozenset(
    (
        *("if", "then", "elif", "else", "fi", "for", "in", "do", "done", "while", "until", "case", "esac"),
        *("{", "}", "!", "function", "select", "coproc", "]]"),
        *("repeat", "foreach", "end", "nocorrect", "noglob", "-"),
    )
)
"""Words that are no program's name where a command begins; those of the last line in zsh."""

_DIGITS = re.compile(r"[0-9]+")


@dataclass(slots=True)
class _Parts:
    """What was read of a simple command so far."""

    words: list[ShellWord] = field(default_factory=list[ShellWord])
    assignments: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    writes: list[str] = field(default_factory=list[str])
    operator: str = ""
    """The last redirection's."""


_INPUTS = frozenset(("<", "<<<", "<&", "<>"))
_NOTHING_TO_SAY = SimpleCommand(("echo",))
"""It ends the input of the program behind the pipe, as in `echo | openssl s_client`."""


class _ShellParser(Scanner):
    """Reads commands and appends them to `found`."""

    def __init__(self, text: str, at: int, end: int, found: list[SimpleCommand], depth: int) -> None:
        super().__init__(text, at, end)
        self._found = found
        self._depth = depth
        self._reads_input = False
        self._substituted = depth > 0

    def substitution(self, start: int, end: int, closing: str) -> int:
        self._deeper()
        inner = _ShellParser(self.text, start, end, self._found, self._depth)
        inner.commands({closing}, may_be_empty=True)
        self._depth -= 1
        return inner.at

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self.refused(f"more than {DEEPEST} levels within each other are not understood")

    def commands(self, closings: Collection[str], may_be_empty: bool = False) -> str:
        """Read commands up to one of the closing texts, which is taken and returned."""
        empty = True
        while True:
            self._blank_lines()
            closing = _CLOSING.match(self.text, self.at, self.end)
            if closing is not None:
                if closing[0] not in closings or (empty and not may_be_empty):
                    raise self._unexpected()
                self.at = closing.end()
                return closing[0]
            self._and_or()
            empty = False
            self._comment()
            if self.take(_SEPARATOR) is None and not self.looking_at(_CLOSING_SIGN):
                raise self._unexpected()

    def _unexpected(self) -> ShellSyntaxError:
        if self.at >= self.end:
            return self.refused("the text ends before what it began is complete")
        if self.peek() == "(" and self.text[self.at - 1 : self.at] in ("<", ">"):
            return self.refused("a process substitution is not understood; use a pipe or a file")
        sign = _SIGN.match(self.text, self.at, self.end)
        return self.refused(f"{sign[0] if sign else self.peek()} is not understood here")

    def _blanks(self) -> None:
        self.take(_BLANKS)

    def _comment(self) -> None:
        self._blanks()
        if self.peek() == "#":
            if self._substituted:
                raise self.refused("a comment within a substitution is read differently by some shells")
            self.take(_COMMENT)

    def _blank_lines(self) -> None:
        self._comment()
        while self.peek() == "\n":
            self.at += 1
            self._comment()

    def _and_or(self) -> None:
        self._pipeline()
        while self.take(_AND_OR):
            self._blank_lines()
            self._pipeline()

    def _pipeline(self) -> None:
        if self.take(_NEGATION):
            self._blanks()
        start, outside, self._reads_input = len(self._found), self._reads_input, False
        self._command()
        if self._reads_input:
            self._feed(start)
        while self.take(_PIPE):
            silent = self._found[start:] == [_NOTHING_TO_SAY]
            start = len(self._found)
            self._blank_lines()
            self._command()
            if self._reads_input or not silent:
                self._feed(start)
        self._reads_input = self._reads_input or outside

    def _feed(self, start: int) -> None:
        """Note that the commands from `start` on have something to read."""
        self._found[start:] = [replace(command, fed=True) for command in self._found[start:]]

    def _command(self) -> None:
        opening = self.take(_COMPOUND)
        if opening is None:
            self._simple()
            return
        self._deeper()
        match opening[0]:
            case "(":
                self.commands({")"})
            case "{":
                self.commands({"}"})
            case "if":
                self._if()
            case "for":
                self._for()
            case "case":
                self._case()
            case _:
                self.commands({"do"})
                self.commands({"done"})
        self._depth -= 1
        writes: list[str] = []
        self._blanks()
        while self._redirection(writes):
            self._blanks()
        if writes:
            self._found.append(SimpleCommand(writes=tuple(writes)))

    def _if(self) -> None:
        closing = "elif"
        while closing == "elif":
            self.commands({"then"})
            closing = self.commands({"elif", "else", "fi"})
        if closing == "else":
            self.commands({"fi"})

    def _for(self) -> None:
        self._blanks()
        name = self.take(_NAME)
        if name is None:
            raise self.refused("`for` must name a variable, and nothing else before `in`")
        self._blanks()
        values = [EXPANSION]
        if self.take(_IN):
            values = [text.replace(WORDS, EXPANSION) for word in self._words() for text in _expanded(word)]
        self._assign(name[0], values, name.start())
        self.take(_LIST_END)
        self._blank_lines()
        if self.take(_DO) is None:
            raise self._unexpected()
        self.commands({"done"})

    def _words(self) -> Iterator[ShellWord]:
        self._blanks()
        while self.peek() != "#" and (word := self.word()):
            refuse_different_starts(word)
            yield word
            self._blanks()

    def _assign(self, name: str, values: Sequence[str], offset: int) -> None:
        for value in values:
            refuse_special_variable(name, value, offset)
        if values:
            self._found.append(SimpleCommand(assignments=tuple((name, value) for value in values)))

    def _case(self) -> None:
        self._blanks()
        self._plain_word()
        self._blanks()
        if self.take(_IN) is None:
            raise self._unexpected()
        closing = ";;"
        while closing == ";;":
            self._blank_lines()
            if self.take(_ESAC):
                return
            self._patterns()
            closing = self.commands({";;", "esac"}, may_be_empty=True)

    def _patterns(self) -> None:
        if self.peek() == "(":
            self.at += 1
        elif self._substituted:
            raise self.refused("within a substitution, a pattern of `case` must begin with a (")
        while True:
            self._blanks()
            if self._plain_word().bare in _RESERVED:
                raise self.refused("a reserved word as a pattern of `case` must be quoted")
            self._blanks()
            if self.peek() == ")":
                self.at += 1
                return
            if self.take(_PIPE) is None:
                raise self._unexpected()

    def _plain_word(self) -> ShellWord:
        """The word that must stand here."""
        word = self.word() if self.peek() != "#" else None
        if word is None:
            raise self._unexpected()
        refuse_different_starts(word)
        if expand_braces(word) is not None:
            raise self.refused("braces are not understood here; quote them", word.offset)
        return word

    def _redirection(self, writes: list[str]) -> str:
        """Read a redirection where one stands here. Returns its operator, or nothing."""
        found = self.take(OPERATOR)
        if found is None:
            return ""
        operator = found[1] or found[2]
        if operator == "<<":
            raise self.refused("a here-document is not understood; use <<< or printf", found.start())
        self._blanks()
        target = self._plain_word()
        refuse_unknown_target(operator, target, self.peek())
        writes.extend(written(operator, target))
        self._reads_input = self._reads_input or (operator in _INPUTS and target.bare != "/dev/null")
        return operator

    def _simple(self) -> None:
        start = self.at
        parts = _Parts()
        while self._part(parts):
            self._blanks()
        words, assignments, writes = parts.words, tuple(parts.assignments), tuple(parts.writes)
        if parts.operator and not words:
            message = "a redirection without a command runs one in zsh; write `: > file`, or cat"
            raise self.refused(message, start)
        if not words and not assignments:
            raise self._unexpected()
        if not words:
            self._found.append(SimpleCommand(assignments=assignments))
        elif unsplit(words[0]) == "[[":
            if words[0].bare != "[[" or words[0].offset != start:
                raise self.refused("[[ must stand first, and without quotes", words[0].offset)
            refuse_unknown_condition(words)
            self._found.append(SimpleCommand(tuple(map(unsplit, words)), (), writes))
        else:
            self._found.extend(_readings(words, assignments, writes))

    def _part(self, parts: _Parts) -> bool:
        """Read a redirection, an assignment or a word, where one stands here."""
        start = self.at
        if operator := self._redirection(parts.writes):
            if parts.words and parts.words[0].bare == "[[" and parts.words[-1].bare != "]]":
                raise self.refused("within [[ … ]], < and > are redirections in some shells", start)
            parts.operator = "&>" if parts.operator == "&>" else operator[:2]
            return True
        word = self.word() if self.peek() != "#" else None
        if word is None:
            return False
        if parts.operator == "&>":
            raise self.refused("&> ends the command in some shells; write it last", start)
        if parts.words or word.bare != "[[":
            refuse_different_starts(word)
        if OPERATOR.match(self.text, self.at, self.end) and _DIGITS.fullmatch(unsplit(word)):
            message = "digits here are a descriptor in some shells; write a blank before the redirection"
            raise self.refused(message, start)
        assigned = None if parts.words else assignment(word)
        if assigned is None:
            parts.words.append(word)
        else:
            parts.assignments.append(_checked_assignment(*assigned, start))
        return True


_SIGN = re.compile(r"\\\n|&&|\|\||;;|\|&|[a-z]+|.")
_CLOSING_SIGN = re.compile(r"\)|;;|\Z")


def _checked_assignment(name: str, value: ShellWord, offset: int) -> tuple[str, str]:
    refuse_different_starts(value)
    expand_braces(value)
    if any(piece.kind is Kind.BARE and ":=" in piece.text for piece in value.pieces):
        raise ShellSyntaxError("a := is read differently by zsh; quote it", value.offset)
    text = unsplit(value)
    refuse_special_variable(name, text, offset)
    return name, text


def _expanded(word: ShellWord) -> Iterator[str]:
    for each in expand_braces(word) or (word,):
        yield from texts(each)


def _readings(
    words: Sequence[ShellWord], assignments: tuple[tuple[str, str], ...], writes: tuple[str, ...]
) -> Iterator[SimpleCommand]:
    """The ways in which shells read the command: dash expands no braces, and bash and zsh take `time` for a
    reserved word."""
    _refuse_name(words)
    literal = tuple(text for word in words for text in texts(word))
    expanded = tuple(text for word in words for text in _expanded(word))
    yield SimpleCommand(literal, assignments, writes)
    if expanded != literal:
        yield SimpleCommand(expanded, assignments, writes)
    if words[0].bare == "time" and len(words) > 1:
        if unsplit(words[1]).startswith("-") or words[1].bare == "time":
            message = "an option of time is a program's name in some shells; write /usr/bin/time"
            raise ShellSyntaxError(message, words[1].offset)
        yield from _readings(words[1:], assignments, writes)


def _refuse_name(words: Sequence[ShellWord]) -> None:
    """Refuse what is no program's name, or what not every shell takes for one."""
    name = unsplit(words[0])
    message = ""
    if name in _RESERVED or name == "[[":
        message = f"{name} is a word of the shell's own, and not understood here"
    elif "=" in name:
        message = "a program's name with = is an assignment in some shells"
    elif re.search(r"[{}]", "".join(piece.text for piece in words[0].pieces if piece.kind is Kind.BARE)):
        message = "a program's name with braces is not understood"
    elif name == "alias" or (name in ("command", "builtin") and "alias" in map(unsplit, words)):
        message = "an alias would change what later words mean; write out the command"
    if message:
        raise ShellSyntaxError(message, words[0].offset)
