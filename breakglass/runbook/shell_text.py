"""Shell text with values in it: the script stays as it is written, and each value is a parameter of it.

`${{ pod }}` becomes the expansion of a variable that is set beside the script, quoted as its place wants, so
that no shell reads a value as a part of the script. Where a value stands is decided by the shell's grammar:
the text is parsed with a stand-in in its place.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from breakglass.errors import NotUnderstoodError
from breakglass.policy.placeholders import EXPANSION, VALUE
from breakglass.policy.shell import ShellSyntaxError, SimpleCommand, parse
from breakglass.runbook.arguments import in_path, option_error, value_in_word
from breakglass.runbook.expression import EvaluationError, Expression
from breakglass.runbook.template import Template
from breakglass.values import Scope

PREFIX = "breakglass_"
"""What the names of the variables begin with."""

_OTHER = "another"
"""Stands for the values beside the one that is looked at."""

_SETTING = re.compile(rf"(?:{PREFIX}\w+=\$\{{\d+\}} ?)+; shift \d+\n", re.ASCII)
_SET = re.compile(rf"({PREFIX}\w+)=", re.ASCII)


@dataclass(frozen=True, slots=True)
class ShellText:
    """A script for `sh`, and the values of the variables that it expands.

    shown: the same as a person would type it, each value quoted in its place.
    """

    script: str
    values: Mapping[str, str]
    shown: str

    @property
    def argv(self) -> tuple[str, ...]:
        """The command that runs it. Each value is an argument of its own."""
        if not self.values:
            return ("sh", "-c", self.script)
        setting = " ".join(f"{name}=${{{number}}}" for number, name in enumerate(self.values, 1))
        script = f"{setting}; shift {len(self.values)}\n{self.script}"
        return ("sh", "-c", script, "sh", *self.values.values())


def with_values(script: str, arguments: Sequence[str]) -> str:
    """A script of `ShellText.argv` with its values in their places again. Any other stays as it is."""
    setting = _SETTING.match(script)
    if setting is None:
        return script
    text = script[setting.end() :]
    for name, value in zip(_SET.findall(setting[0]), arguments, strict=False):
        text = text.replace(f'"${{{name}}}"', shlex.quote(value)).replace(f"${{{name}}}", value)
    return text


class MisplacedValueError(NotUnderstoodError):
    """A value stands where it cannot be a parameter. `part` is its place among the template's parts."""

    def __init__(self, message: str, part: int) -> None:
        super().__init__(message)
        self.part = part


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands. quoted: within double quotes. begins: with it begins a word, and so might an
    option. in_path: it is a part of a path."""

    quoted: bool
    begins: bool
    in_path: bool


def render_shell(template: Template, scope: Scope) -> ShellText:
    """The text with its values. Raises EvaluationError for one that is missing, that would begin an option,
    or that stands where it cannot be a parameter."""
    try:
        places = places_of(template)
    except (MisplacedValueError, ShellSyntaxError) as error:
        raise EvaluationError(f"{template.source[:80]}: {error}") from error
    names = _names(template)
    script, shown = "", ""
    values: dict[str, str] = {}
    for index, part in enumerate(template.parts):
        if isinstance(part, str):
            script += part
            shown += part
            continue
        place, name = places[index], names[part.source]
        text = value_in_word(part, scope, place.in_path)
        if place.begins and text.startswith("-"):
            raise option_error(part.source, text)
        values[name] = text
        script += _expansion(name, place)
        shown += _shown(text, place)
    return ShellText(script, values, shown)


def places_of(template: Template) -> Mapping[int, Place]:
    """Where each value stands, by its place among the parts.

    Raises MisplacedValueError, and ShellSyntaxError for text that is not understood.
    """
    return _places(tuple(part if isinstance(part, str) else None for part in template.parts))


def commands_of(template: Template) -> tuple[SimpleCommand, ...]:
    """The commands of the text, with a stand-in for each value. Raises ShellSyntaxError."""
    return parse("".join(part if isinstance(part, str) else VALUE for part in template.parts))


_Texts = tuple[str | None, ...]
"""The parts of a template, None for each value."""


@lru_cache(maxsize=512)
def _places(texts: _Texts) -> Mapping[int, Place]:
    whole = parse(_filled(texts, VALUE, VALUE, -1))
    places = {index: _place(texts, index) for index, text in enumerate(texts) if text is None}
    written = "".join(
        text if text is not None else _expansion(f"{PREFIX}{index}", places[index])
        for index, text in enumerate(texts)
    )
    if places and parse(written) != tuple(_filled_command(each, VALUE, EXPANSION) for each in whole):
        raise MisplacedValueError("it cannot be told how the shell reads a value here", min(places))
    return places


def _place(texts: _Texts, index: int) -> Place:
    """Where one value stands. What the shell makes of a text in its place tells the kinds of quotes apart."""
    commands = parse(_filled(texts, VALUE, _OTHER, index))
    if any(VALUE in value for each in commands for _, value in each.assignments):
        raise MisplacedValueError("a value in an assignment; put it where it is used", index)
    words = [word for each in commands for word in (*each.words, *each.writes) if VALUE in word]
    if not words:
        raise MisplacedValueError("a value that is no part of a command's words", index)
    begins = any(not word.partition(VALUE)[0].replace(_OTHER, "") for word in words)
    probe = r"\$ \$"
    try:
        seen = parse(_filled(texts, probe, _OTHER, index))
    except ShellSyntaxError:
        seen = ()
    if seen == tuple(_filled_command(each, VALUE, probe) for each in commands):
        raise MisplacedValueError("a value within single quotes; use double quotes, or none", index)
    quoted = seen == tuple(_filled_command(each, VALUE, "$ $") for each in commands)
    return Place(quoted, begins, any(in_path(word, word.index(VALUE)) for word in words))


def _filled(texts: _Texts, value: str, others: str, index: int) -> str:
    """The text with `value` at `index` and `others` in the places of all other values."""
    return "".join(
        text if text is not None else value if at == index else others for at, text in enumerate(texts)
    )


def _filled_command(command: SimpleCommand, old: str, new: str) -> SimpleCommand:
    return SimpleCommand(
        tuple(word.replace(old, new) for word in command.words),
        tuple((name, value.replace(old, new)) for name, value in command.assignments),
        tuple(each.replace(old, new) for each in command.writes),
    )


def _expansion(name: str, place: Place) -> str:
    return f"${{{name}}}" if place.quoted else f'"${{{name}}}"'


def _shown(value: str, place: Place) -> str:
    """A value as a person would type it in its place."""
    quoted = shlex.quote(value)
    return f'"{quoted}"' if place.quoted and quoted != value else quoted


def _names(template: Template) -> Mapping[str, str]:
    """The variable of each expression, by the expression as it is written. The script has none of them."""
    literal = "".join(part for part in template.parts if isinstance(part, str))
    names: dict[str, str] = {}
    for source in _sources(template):
        stem = PREFIX + re.sub(r"[^A-Za-z0-9]+", "_", source).strip("_")[:40]
        name, number = stem, 1
        while name in names.values() or name in literal:
            number += 1
            name = f"{stem}_{number}"
        names[source] = name
    return names


def _sources(template: Template) -> Iterator[str]:
    for part in template.parts:
        if isinstance(part, Expression):
            yield part.source
