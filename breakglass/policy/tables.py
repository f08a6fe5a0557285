"""The tables of known programs, read from `programs/*.yaml`: what every word of their commands may be.

A file's top level names programs, several on one line where they take the same words. A program has one
usage, or a list of them as in the synopsis of its manual; a usage is a line of words, or a mapping with more
to say. `programs/README.md` describes the format.

Only names are found at first; the table of a program is built when it is asked for.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import cast

import yaml

from breakglass.errors import NotUnderstoodError
from breakglass.policy.risk import Risk

FOLDER = Path(__file__).with_name("programs")

ANY = "any"
COMMAND = "<command>"
"""This word and all that follow are a command that is handed on."""
SHELL_WORDS = "<shell-words>"
"""This word and all that follow, joined by blanks, are shell text that is handed on."""
COMMAND_AND_INPUT = "<command-and-input>"
"""A command that is handed on with words of unknown text after it, as by `xargs`."""
REPLACED = "<replaced>"
"""The text in such a command that stands for those words."""
HANDED_ON = frozenset((COMMAND, SHELL_WORDS, COMMAND_AND_INPUT))
EXEC = "<exec>"
"""The words up to `;` or `{} +` are a command that is handed on, as in `find -exec`."""
ASSIGNMENT = "<assignment>"
"""NAME=value, of a variable on the list of those that are harmless."""
WORDS = "<words>"
"""All words, whatever they are: not even options mean anything here."""
TEST = "<test>"
"""All words are an expression of `test`."""
SHELL, SED, AWK, JQ = "<shell>", "<sed>", "<awk>", "<jq>"
LANGUAGES = frozenset((SHELL, SED, AWK, JQ))
"""Program texts, which have grammars of their own."""
SEPARATOR = "--"
"""As a slot: the `--` must stand there."""
SPECIAL = frozenset((ANY, EXEC, REPLACED, ASSIGNMENT, WORDS, TEST)) | HANDED_ON | LANGUAGES

STYLES = frozenset(("getopt", "pflag", "go", "whole"))
KEYS = frozenset(
    [
        *("usage", "is", "why", "changes", "destroys", "unsure", "needs", "harmless", "style", "strict"),
        *("global", "subcommands", "bare", "unknown"),
    ]
)
RISKS = {"read": Risk.READ, "probe": Risk.PROBE, "change": Risk.CHANGE, "destructive": Risk.DESTRUCTIVE}
WHY = {
    Risk.READ: "reads",
    Risk.PROBE: "observes, and may leave something behind",
    Risk.CHANGE: "changes something",
    Risk.DESTRUCTIVE: "interrupts or removes something",
}
_OPTION = re.compile(r"(--?[^-=\[\]\s][^=\[\]\s]*)(?:(=+)(\S*)|\[=(\S*)\])?")
_NAMES = re.compile(r"^(\"[^\"\n]+\"|[^\s#\"':][^:\n]*):(?=\s|$)", re.MULTILINE)
NUMBER_OPTION = "-<number>"
"""An option that is a number, as in `head -20`."""


class TableError(NotUnderstoodError):
    """A table that is not of the format. Names the program and what is wrong."""


@dataclass(frozen=True, slots=True)
class ProgramOption:
    """One option as its program takes it.

    values: how many words it takes. joined: it takes one only where that is joined to it, as `--color=auto`.
    form: what the value must look like. risk: what it makes of the command; one that is not `known` makes it
    not known, and is listed only so that its value is not taken for something else.
    """

    name: str
    values: int = 0
    joined: bool = False
    form: str = ANY
    risk: Risk = Risk.READ
    known: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for an operand."""

    form: str
    optional: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """One way of calling a program, or a subcommand of it.

    needs: options of which one must be given. harmless: no option that the program has could do anything but
    read, so that a word of unknown text may stand where an option could. strict: options end at the first
    operand. bare: it is a read without a subcommand, where it has any. unknown: why it is not known to read,
    whatever its words are.
    """

    risk: Risk = Risk.READ
    why: str = ""
    style: str = "getopt"
    options: Mapping[str, tuple[ProgramOption, ...]] = field(
        default_factory=dict[str, tuple[ProgramOption, ...]]
    )
    slots: tuple[Slot, ...] = ()
    needs: frozenset[str] = frozenset()
    harmless: bool = False
    strict: bool = False
    bare: bool = False
    unknown: str = ""
    subcommands: "Mapping[str, tuple[Usage, ...]]" = field(default_factory=dict[str, "tuple[Usage, ...]"])


def usages(program: str) -> tuple[Usage, ...]:
    """The usages of a program, in the order of its table; none of one that has no table.

    Raises TableError for a table that is not of the format.
    """
    text = _blocks().get(program)
    return () if text is None else built(text)


def programs() -> tuple[str, ...]:
    """The names of all programs that have a table."""
    return tuple(_blocks())


@lru_cache(maxsize=1)
def _blocks() -> Mapping[str, str]:
    """The text of each program's table, by its name."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("[a-z]*.yaml")):
        text = path.read_text()
        starts = list(_NAMES.finditer(text))
        ends = [*(each.start() for each in starts[1:]), len(text)]
        for start, end in zip(starts, ends, strict=True):
            for name in start[1].strip('"').split():
                if name in found:
                    raise TableError(f"{path.name}: {name} has a table already")
                found[name] = text[start.start() : end]
    return found


@cache
def built(text: str) -> tuple[Usage, ...]:
    """The usages that the text of one table says. Raises TableError for a text that is not of the format."""
    ((names, value),) = _mapping(text).items()
    return _usages(value, names, Usage())


@lru_cache(maxsize=1)
def forms() -> Mapping[str, re.Pattern[str]]:
    """The named forms of values and operands, each a pattern for the whole text."""
    return {f"<{name}>": re.compile(text) for name, text in _patterns("_forms.yaml").items()}


@lru_cache(maxsize=1)
def assignments() -> Mapping[str, re.Pattern[str]]:
    """Variables that may be set for a command, with what their values may be."""
    return {name: re.compile(text) for name, text in _patterns("_assignments.yaml").items()}


def _patterns(name: str) -> Mapping[str, str]:
    return {key: str(value) for key, value in _mapping((FOLDER / name).read_text()).items()}


def allows(form: str, text: str) -> bool:
    """Whether a text is of a form. Those of SPECIAL that hand something on allow any text."""
    if form == ASSIGNMENT:
        name, _, value = text.partition("=")
        pattern = assignments().get(name)
        return pattern is not None and pattern.fullmatch(value) is not None
    if form in SPECIAL:
        return True
    if form.startswith("<"):
        return forms()[form].fullmatch(text) is not None
    return text in form.split("|")


def _mapping(text: str) -> Mapping[str, object]:
    loaded: object = yaml.load(text, yaml.CBaseLoader)
    if not isinstance(loaded, dict):
        raise TableError(f"no mapping: {text[:40]!r}")
    return cast("Mapping[str, object]", loaded)


def _usages(value: object, name: str, above: Usage) -> tuple[Usage, ...]:
    if isinstance(value, list):
        found = [
            (each, usage) for each in cast("list[object]", value) for usage in _usages(each, name, above)
        ]
        # What hands a command on reads no option behind that command's name, whichever usage is meant.
        strict = any(usage.strict for _, usage in found)
        return tuple(usage if _may_follow(each) else replace(usage, strict=strict) for each, usage in found)
    if isinstance(value, dict):
        given = cast("Mapping[str, object]", value)
        return usages(str(given["as"])) if list(given) == ["as"] else (_usage(given, name, above),)
    return (_usage(value, name, above),)


def _may_follow(usage: object) -> bool:
    """Whether a usage says that its options may stand behind operands though those of another may not."""
    return isinstance(usage, dict) and cast("Mapping[str, object]", usage).get("strict") == "false"


def _usage(value: object, name: str, above: Usage) -> Usage:
    """A usage from its text. above: the one that it is a subcommand of, whose global options it takes."""
    if isinstance(value, str):
        given: Mapping[str, object] = {"is" if value in RISKS else "usage": value}
    elif isinstance(value, dict):
        given = cast("Mapping[str, object]", value)
    else:
        raise TableError(f"{name}: {value!r} is no usage")
    if unknown := given.keys() - KEYS:
        raise TableError(f"{name}: unknown keys {', '.join(sorted(unknown))}")
    risk = RISKS.get(_text(given, "is", "read"))
    style = _text(given, "style", above.style)
    if risk is None or style not in STYLES:
        raise TableError(f"{name}: is no risk, or no style")
    line = _line(given).split()
    glob = _text(given, "global", "").split()
    last = line[-1].removesuffix("?") if line else ""
    own = _by_name(
        name,
        [
            *_options(name, [word for word in line if _is_option(word)], Risk.READ, True, ""),
            *_marked(name, given.get("destroys"), Risk.DESTRUCTIVE, True),
            *_marked(name, given.get("changes"), Risk.CHANGE, True),
            *_marked(name, given.get("unsure"), Risk.CHANGE, False),
        ],
    )
    handed_down = {**above.options, **_by_name(name, _options(name, glob, Risk.READ, True, ""))}
    usage = Usage(
        risk,
        _text(given, "why", WHY[risk]),
        style,
        _merged(handed_down, own),
        tuple(_slot(name, word) for word in line if not _is_option(word)),
        frozenset(_text(given, "needs", "").split()),
        _true(name, given, "harmless"),
        _true(name, given, "strict") or (last in HANDED_ON and SEPARATOR not in line),
        _true(name, given, "bare"),
        _text(given, "unknown", ""),
    )
    if missing := usage.needs - usage.options.keys():
        raise TableError(f"{name}: needs {', '.join(sorted(missing))}, which is no option of it")
    return replace(usage, subcommands=_subcommands(name, given, replace(usage, options=handed_down)))


def _subcommands(name: str, given: Mapping[str, object], above: Usage) -> Mapping[str, tuple[Usage, ...]]:
    found: dict[str, tuple[Usage, ...]] = {}
    children = given.get("subcommands", {})
    if not isinstance(children, dict):
        raise TableError(f"{name}: `subcommands` is no mapping")
    for names, value in cast("Mapping[str, object]", children).items():
        below = _usages(value, f"{name} {names}", above)
        for word in names.split():
            if word in found:
                raise TableError(f"{name}: {word} is listed twice")
            found[word] = below
    return found


def _line(given: Mapping[str, object]) -> str:
    """The words of a usage: a line, or several that are read as one."""
    lines = given.get("usage", "")
    if isinstance(lines, list):
        return " ".join(map(str, cast("list[object]", lines)))
    return _text(given, "usage", "")


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != SEPARATOR


def _text(given: Mapping[str, object], key: str, default: str) -> str:
    value = given.get(key, default)
    if not isinstance(value, str):
        raise TableError(f"{key}: {value!r} is no text")
    return value


def _true(name: str, given: Mapping[str, object], key: str) -> bool:
    value = given.get(key, "false")
    if value not in ("true", "false"):
        raise TableError(f"{name}: {key} is true or false")
    return value == "true"


def _marked(name: str, value: object, risk: Risk, known: bool) -> list[ProgramOption]:
    """Options that do not read: a line of them, or lines with what each does."""
    if value is None or isinstance(value, str):
        value = {} if value is None else {value: ""}
    if not isinstance(value, dict):
        raise TableError(f"{name}: options are a line, or lines with reasons")
    default = WHY[risk] if known else "is not known to read"
    found: list[ProgramOption] = []
    for line, why in cast("Mapping[str, object]", value).items():
        found += _options(name, line.split(), risk, known, str(why) or default)
    return found


def _options(name: str, words: Iterable[str], risk: Risk, known: bool, why: str) -> list[ProgramOption]:
    return [_option(name, word, risk, known, why) for word in words]


def _option(program: str, word: str, risk: Risk, known: bool, why: str) -> ProgramOption:
    if word == NUMBER_OPTION:
        return ProgramOption(word)
    match = _OPTION.fullmatch(word)
    if match is None:
        raise TableError(f"{program}: {word!r} is no option")
    name, equals, form, joined = match.groups()
    if equals is None and joined is None:
        return ProgramOption(name, 0, False, ANY, risk, known, why)
    form = form or joined or ANY
    _check_form(program, form)
    return ProgramOption(name, len(equals) if equals else 0, equals is None, form, risk, known, why)


def _by_name(name: str, options: Sequence[ProgramOption]) -> Mapping[str, tuple[ProgramOption, ...]]:
    """Options by their names. One name may have several forms of value, each with its own meaning."""
    found: dict[str, tuple[ProgramOption, ...]] = {}
    for option in options:
        before = found.get(option.name, ())
        if option in before:
            continue
        if any((each.values, each.joined) != (option.values, option.joined) for each in before):
            raise TableError(f"{name}: {option.name} is listed with a value and without")
        found[option.name] = (*before, option)
    return found


def _merged(
    above: Mapping[str, tuple[ProgramOption, ...]], own: Mapping[str, tuple[ProgramOption, ...]]
) -> Mapping[str, tuple[ProgramOption, ...]]:
    """Options of a usage beside those that it takes from above. What they read comes first; one of its own
    that takes another number of values has that place alone."""
    found = {**above, **own}
    for name in above.keys() & own.keys():
        if (above[name][0].values, above[name][0].joined) == (own[name][0].values, own[name][0].joined):
            found[name] = (*above[name], *own[name])
    return found


def _slot(name: str, word: str) -> Slot:
    repeated, optional = word.endswith("..."), word.endswith("?")
    form = word.removesuffix("...").removesuffix("?")
    _check_form(name, form)
    return Slot(form, optional, repeated)


def _check_form(name: str, form: str) -> None:
    if form.startswith("<") and form not in SPECIAL and form not in forms():
        raise TableError(f"{name}: there is no form {form}")
