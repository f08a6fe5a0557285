"""Which programs of this machine a command starts, and whether the site names each of them.

A program stands first in a command, or behind one that hands on, such as `sudo`. In a list of words each is
put in by the path that the site has for it. In shell text that is so where a command begins; what a program
looks for by itself must be written as that path.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from breakglass.policy.commands import handed_on
from breakglass.policy.interpreters import INTERPRETERS, SHELL
from breakglass.policy.placeholders import WORDS, is_literal
from breakglass.policy.shell import ShellSyntaxError, parse
from breakglass.policy.site_rules import Programs

DEEPEST = 8
"""Programs that hand on to one another."""

BUILTINS = frozenset(
    (
        *(
            ":",
            "[",
            "break",
            "cd",
            "continue",
            "echo",
            "exit",
            "export",
            "false",
            "getopts",
            "local",
            "printf",
        ),
        *("pwd", "read", "readonly", "return", "set", "shift", "test", "true", "umask", "unset", "wait"),
    )
)
"""What `sh` does itself and no program is started for. None of them runs another."""

MULTI_CALL = frozenset({"busybox", "toybox", "coreutils"})
"""Programs that are whatever they are called by."""

SAME_MACHINE = frozenset(
    (
        *("sudo", "doas", "env", "timeout", "nice", "ionice", "nohup", "setsid", "stdbuf", "time", "xargs"),
        *("find", "flock", "chrt", "taskset", "sh", "bash", "dash", "ash"),
    )
)
"""Programs whose inner command is looked for where they are, and not in a container or on another machine."""

CODE_VARIABLES = re.compile(
    r"LD_.*|DYLD_.*|GCONV_PATH|BASH_ENV|BASH_FUNC_.*|BASHOPTS|SHELLOPTS|ENV|IFS|PS4|PROMPT_COMMAND|ZDOTDIR|FPATH"
    r"|PYTHON.*|PERL5.*|PERLLIB|RUBYOPT|RUBYLIB|NODE_OPTIONS|NODE_PATH|LUA_.*|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|CLASSPATH"
    r"|GIT_SSH.*|GIT_EXTERNAL_DIFF|GIT_CONFIG.*|LESSOPEN|LESSCLOSE|OPENSSL_.*"
)
"""Variables that make a program run other code than its own."""


@dataclass(frozen=True, slots=True)
class Started:
    """A program that a command starts, by the word for it. place: the word's place in the list of words; None
    where a program, or the shell, looks for it by itself. by: the program that does. elsewhere: it may run in
    a container or on another machine, as behind `docker exec`."""

    word: str
    place: int | None
    by: str = ""
    elsewhere: bool = False


def started_by(words: Sequence[str]) -> tuple[Started, ...]:
    """The programs that a list of words starts."""
    return tuple(_started(tuple(words), Started(words[0], 0), 0))


def started_in(text: str) -> tuple[Started, ...]:
    """The programs that shell text starts; those that begin a command have a place of 0, whichever it is.

    Raises ShellSyntaxError.
    """
    found: list[Started] = []
    for command in parse(text):
        if command.words and command.words[0] not in BUILTINS:
            first, *others = _started(command.words, Started(command.words[0], 0), 0)
            found += [first, *(replace(each, place=None) for each in others)]
    return tuple(found)


def _started(words: tuple[str, ...], first: Started, depth: int) -> Iterator[Started]:
    yield first
    if depth > DEEPEST or not is_literal(first.word):
        return
    name, place = first.word.rpartition("/")[2], first.place
    elsewhere = first.elsewhere or name not in SAME_MACHINE
    for handed in handed_on(words):
        inner = tuple(word for word in handed if word != WORDS)
        at = len(words) - len(inner)
        same = place is not None and bool(inner) and at > 0 and words[at:] == inner
        if inner:
            inner_place = place + at if same and place is not None else None
            yield from _started(inner, Started(inner[0], inner_place, name, elsewhere), depth + 1)
    if INTERPRETERS.get(name) is SHELL:
        yield from (Started(each, None, name, first.elsewhere) for each in _in_script(words))


def _in_script(words: tuple[str, ...]) -> Iterator[str]:
    """The programs in the script of `sh -c`. One that is not understood counts as not known, and asks."""
    for before, script in pairwise(words):
        if before.startswith("-") and "c" in before and not before.startswith("--"):
            try:
                found = started_in(script)
            except ShellSyntaxError:
                return
            yield from (each.word for each in found)
            return


def objection(started: Sequence[Started], programs: Programs) -> str:
    """Why a command must not run on this machine, with what to write; empty where the site names each program
    that it starts."""
    paths = {each[0] for each in programs.values()}
    for each in started:
        if not is_literal(each.word):
            return "which program this starts is not known; write its name"
        if each.place is not None and each.word in programs:
            continue
        if each.by and each.word in paths:
            continue
        if each.word in programs:
            path = programs[each.word][0]
            return f"{each.by} looks for {each.word} by itself; write {path}, which the site has for it"
        return f"{each.word} is not a program that the site names; {_how_to_name(each.word)}"
    return ""


def _how_to_name(word: str) -> str:
    name = word.rpartition("/")[2]
    path = word if word.startswith("/") else f"/usr/bin/{name}"
    return f"add it there: local: {{programs: {{{name}: {path}}}}}"


def other_readings(commands: Sequence[Sequence[str]], programs: Programs) -> Iterator[tuple[str, ...]]:
    """The commands again, each with what its program is called where it is, in place of the site's name."""
    for words in commands:
        yield from _other_readings(tuple(words), programs, 0)


def _other_readings(words: tuple[str, ...], programs: Programs, depth: int) -> Iterator[tuple[str, ...]]:
    if not words or depth > DEEPEST:
        return
    own = [(name, *words[1:]) for name in _called(words[0], programs)]
    yield from own
    for each in (words, *own):
        for handed in handed_on(each):
            yield from _other_readings(handed, programs, depth + 1)


def _called(name: str, programs: Programs) -> list[str]:
    """What a program is called where it is, if that is not the site's name for it."""
    path, *leads_to = programs.get(name, ("",))
    names = [path.rpartition("/")[2], *(each.rpartition("/")[2] for each in leads_to)]
    return [each for each in dict.fromkeys(names) if each and each != name and each not in MULTI_CALL]
