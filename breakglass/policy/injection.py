"""Where a value of the runbook may stand in a command: as a word that its program does not read as code.

A command that is known to read is known to do so whatever its values are. Of any other, a value is an operand
or an option's value of a program that is no interpreter, and no interpreter is behind it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from breakglass.policy.commands import handed_on, is_known, judge_command
from breakglass.policy.interpreters import (
    BUILTINS,
    CODE_OPTIONS,
    CODE_OPTIONS_OF,
    CODE_OPTIONS_OF_ANY,
    CODE_WORDS,
    INTERPRETERS,
    RUNNERS,
    SHELL,
    Interpreter,
)
from breakglass.policy.placeholders import VALUE, WORDS, is_literal
from breakglass.policy.risk import Knowledge
from breakglass.policy.shell import ShellSyntaxError, parse

DEEPEST = 8
"""Commands that hand on to one another."""

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PLAIN = re.compile(r"(--?[A-Za-z0-9-]+=)?[A-Za-z0-9_./:@+~^#%-]*")
"""What may stand beside a value in a word of a program that nobody knows."""

_DELIMITED = re.compile(r"-[rtpx]*[0d]|--null$|--delimiter")
"""Options of `xargs` that say what ends a word of its input."""


@dataclass(frozen=True, slots=True)
class CommandWithValues:
    """A command of which some words hold values. tainted: it stands in a script that has values, so that what
    the shell expands in it, or what it reads, may be one."""

    words: Sequence[str]
    tainted: bool = False

    @property
    def name(self) -> str:
        return self.words[0].rpartition("/")[2]

    def unsure(self, word: str) -> bool:
        return VALUE in word or (self.tainted and not is_literal(word))


def misplaced(words: Sequence[str], *, tainted: bool = False) -> str:
    """Why a value in these words could be code, as a sentence with what to write instead. Empty where none
    can."""
    return (tainted and _split(words)) or _misplaced(CommandWithValues(words, tainted), 0)


def reads_program(words: Sequence[str]) -> str:
    """The program that would read its standard input as a program, of a command and those that it hands on;
    empty where none does."""
    return _reads_program(words, 0)


def _split(words: Sequence[str]) -> str:
    """Why a value could become several words of a command that is written in a script, and options among
    them; empty where it cannot, or where that changes nothing."""
    if not any(WORDS in word for word in words) or words[0] in BUILTINS or _only_reads(words):
        return ""
    return (
        'a value may become several words here, and options among them; write each as "$1", in double '
        "quotes, and begin a pattern with ./"
    )


def _misplaced(command: CommandWithValues, depth: int) -> str:
    words = command.words
    if command.tainted and command.name == "xargs" and not (_takes_whole_lines(words) or _only_reads(words)):
        return "xargs makes several words of a value; give it -0, and end each with a NUL"
    if command.tainted and (reader := reads_program(words)):
        return f"{reader} reads what comes from a value as a program; {_hint(reader)}"
    if not any(map(command.unsure, words)):
        behind = handed_on(words) if command.tainted else ()
        found = (
            _misplaced(CommandWithValues(each, tainted=True), depth + 1) for each in behind if depth < DEEPEST
        )
        return next((why for why in found if why), "")
    if depth > DEEPEST or command.unsure(words[0]):
        return "a value says which program runs; write the program itself"
    if command.name in CODE_WORDS and any(map(CODE_WORDS[command.name].fullmatch, words[1:])):
        return f"with these options {command.name} would read a value as code; leave them out"
    if command.name not in BUILTINS and _only_reads(words):
        return ""
    if option := _code_option(command):
        return (
            f"{option} of {command.name} names a program or more options, and this is a value; leave it out"
        )
    if command.name == "git" and "clone" in words[1:2]:
        return _misplaced(CommandWithValues(("git-clone", *words[2:]), command.tainted), depth)
    if command.name in INTERPRETERS:
        return _in_interpreter(command, INTERPRETERS[command.name], depth)
    if runner := RUNNERS.get(command.name, frozenset()) & set(words[1:]):
        return f"what {command.name} {min(runner)} makes of a value is not known; use a plainer command"
    handed = handed_on(words)
    for each in handed:
        if why := _misplaced(CommandWithValues(each, command.tainted), depth + 1):
            return why
    if handed:
        return _in_wrapper(command, handed[0][0])
    for index in range(1, len(words)):
        behind = CommandWithValues(words[index:], command.tainted)
        if behind.name in INTERPRETERS.keys() - BUILTINS and (why := _misplaced(behind, depth + 1)):
            return why
    return "" if is_known(words[0]) else _in_unknown(command, len(words))


def _code_option(command: CommandWithValues) -> str:
    """The option of a program whose value it runs, or reads options from, where a value stands for that."""
    own = CODE_OPTIONS_OF.get(command.name, frozenset())
    for before, word in zip(command.words, command.words[1:], strict=False):
        if VALUE not in word:
            continue
        option = _option_of(word, before)
        if option in CODE_OPTIONS_OF_ANY or option in own:
            return option
        if not option.startswith("--") and option[:2] in own:
            return option[:2]
    return ""


def _option_of(word: str, before: str) -> str:
    """The option that a word with a value belongs to: its own, or the word before it."""
    return word.partition("=")[0].partition(VALUE)[0] if word.startswith("-") else before


def _in_interpreter(command: CommandWithValues, kind: Interpreter, depth: int) -> str:
    """An interpreter's program is known as it stands, and values are only where no program can be."""
    refusal = f"{command.name} would read a value as a program; {kind.hint}"
    options = _options(command.words, kind)
    if options is None:
        return refusal
    operands = options.end + (1 if kind.program and not options.program else 0)
    allowed = options.values | (set(range(operands, len(command.words))) if kind.data else set[int]())
    if any(command.unsure(word) and at not in allowed for at, word in enumerate(command.words)):
        return refusal
    script = kind is SHELL and options.script and options.end < len(command.words)
    return _in_script(command, command.words[options.end], depth) if script else ""


def _in_script(command: CommandWithValues, script: str, depth: int) -> str:
    """Behind `sh -c`, the script must not make code of its arguments either."""
    try:
        inner = parse(script)
    except ShellSyntaxError as error:
        return f"what the script of {command.name} does with a value is not understood: {error}"
    found = (
        _split(each.words) or _misplaced(CommandWithValues(each.words, tainted=True), depth + 1)
        for each in inner
        if each.words
    )
    return next((why for why in found if why), "")


def _only_reads(words: Sequence[str]) -> bool:
    return judge_command(words).knowledge is Knowledge.READS


def _takes_whole_lines(words: Sequence[str]) -> bool:
    """Whether `xargs` is told what ends a word of its input."""
    return any(_DELIMITED.match(word) for word in words[1:])


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of an interpreter. end: where its operands begin. values: where options have values
    that are no program. program: whether an option gave the program. script: whether there was a `-c`."""

    end: int
    values: set[int]
    program: bool = False
    script: bool = False


def _options(words: Sequence[str], kind: Interpreter) -> _Options | None:
    """None where an option is not known, so that nobody can tell which word it takes."""
    values: set[int] = set()
    program = script = False
    index = 1
    while index < len(words):
        word = words[index]
        if word == "--":
            index += 1
            break
        if word in ("-", "") or word[0] not in "-+":
            break
        name, _, joined = word.partition("=")
        if word in kind.switches or not (name in kind.code or name in kind.values):
            name = "" if word in kind.switches else _last_of(word, kind)
            joined = ""
        if name is None:
            return None
        script = script or (not word.startswith("--") and "c" in word)
        program = program or name in kind.code
        index += 1
        if name and not joined:
            values.update({index} if name in kind.values else ())
            index += 1
        elif joined and name in kind.values:
            values.add(index - 1)
    return _Options(index, values, program, script)


def _last_of(word: str, kind: Interpreter) -> str | None:
    """Of a few one-letter options together, the last one where it takes the next word, and otherwise nothing.
    None where one is not known, or has its value joined to it."""
    *letters, last = word[1:]
    known = all(f"-{letter}" in kind.switches for letter in letters)
    option = word[0] + last
    if known and (option in kind.code or option in kind.values):
        return option
    return "" if known and f"-{last}" in kind.switches else None


def _in_wrapper(command: CommandWithValues, inner: str) -> str:
    """The words of a command up to the one that it hands on."""
    words = command.words
    end = words.index(inner, 1) if inner in words[1:] else len(words)
    if any(command.unsure(word) and _ASSIGNMENT.match(word) for word in words[1:end]):
        return f"a value in a variable that {command.name} sets may be code to what it runs; leave it out"
    return "" if is_known(words[0]) else _in_unknown(command, end)


def _in_unknown(command: CommandWithValues, end: int) -> str:
    """A program that nobody knows takes a value as a word of its own, as an option's value, or in a path."""
    for index, word in enumerate(command.words[1:end], 1):
        if not command.unsure(word) or VALUE not in word:
            continue
        before = command.words[index - 1]
        option = _option_of(word, before)
        if option in CODE_OPTIONS or (option[:2] in CODE_OPTIONS and option[:2] != "--" and option != before):
            return f"{option} of {command.name} may take a program, and this is a value; leave it out"
        if _PLAIN.fullmatch(word.replace(VALUE, "")) is None:
            return (
                f"{command.name} is not known, and may read the text that a value is a part of as a program; "
                "give the value as a word of its own"
            )
    return ""


def _reads_program(words: Sequence[str], depth: int) -> str:
    if not words or depth > DEEPEST:
        return ""
    name = words[0].rpartition("/")[2]
    if "monitor" in words[1:2] and name == "qm":
        return "qm monitor"
    kind = INTERPRETERS.get(name)
    if kind is not None and kind.stdin:
        options = _options(words, kind)
        if options is None or not (
            options.program or (kind.program and not _none_given(words[options.end :]))
        ):
            return name
        return _script_reads(words[options.end], depth) if kind is SHELL and options.script else ""
    handed = handed_on(words)
    inner = handed or tuple(
        tuple(words[index:])
        for index, word in enumerate(words[1:], 1)
        if not is_known(words[0]) and word.rpartition("/")[2] in INTERPRETERS
    )
    return next((found for each in inner if (found := _reads_program(each, depth + 1))), "")


def _none_given(operands: Sequence[str]) -> bool:
    """Whether the operands of an interpreter name no program."""
    return not operands or operands[0] in ("-", "/dev/stdin")


def _script_reads(script: str, depth: int) -> str:
    """The program in a script that would read the script's standard input as a program."""
    try:
        inner = parse(script)
    except ShellSyntaxError:
        return ""
    return next((found for each in inner if (found := _reads_program(each.words, depth + 1))), "")


def _hint(program: str) -> str:
    kind = INTERPRETERS.get(program)
    return kind.hint if kind is not None else "write the commands without a value"
