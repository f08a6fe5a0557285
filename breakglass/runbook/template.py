"""`${{ expression }}` in text: the one interpolation. A value is put in once and never evaluated again.

A command is split into words before anything is put in, so that a value is always exactly one argument. How
it is written in an argument, in shell text, in JSON and in a URL is said by the modules of these names.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from types import MappingProxyType
from typing import TypeAlias, TypeVar, cast

from breakglass.policy.placeholders import VALUE
from breakglass.runbook.expression import EvaluationError, Expression, evaluate
from breakglass.values import Json, Scope
from breakglass.yamlio.position import InvalidFileError, Position, Problem

T = TypeVar("T")

OPEN, CLOSE, ESCAPED = "${{", "}}", "$${{"
MOST_WORDS = 2000
"""Words of one command line. Each is looked at many times before anything runs."""


@dataclass(frozen=True, slots=True)
class Template:
    """Text with `${{ expression }}` in it. `parts` alternates freely between literal text and expressions."""

    source: str
    position: Position
    parts: tuple[str | Expression, ...]

    @property
    def is_literal(self) -> bool:
        return all(isinstance(part, str) for part in self.parts)


TemplateTree: TypeAlias = (
    "bool | int | float | Template | list[TemplateTree] | dict[str, TemplateTree] | None"
)
"""JSON whose strings are templates. A string that is one expression and nothing else keeps the value's
own type."""


def parse_template(text: str, position: Position) -> Template:
    """Text with its expressions found. Raises InvalidFileError for one that is not closed or empty."""
    parts: list[str | Expression] = []
    literal = ""
    index = 0
    while (opened := text.find(OPEN, index)) >= 0:
        if text.startswith(ESCAPED, opened - 1) and opened > index:
            literal += text[index : opened - 1] + OPEN
            index = opened + len(OPEN)
            continue
        end = _close(text, opened + len(OPEN))
        if end < 0:
            raise _invalid(text, opened, position, "${{ is not closed with }}")
        inner = text[opened + len(OPEN) : end]
        if not inner.strip():
            raise _invalid(text, opened, position, "${{ }} holds no expression")
        literal += text[index:opened]
        if literal:
            parts.append(literal)
            literal = ""
        offset = opened + len(OPEN) + len(inner) - len(inner.lstrip())
        parts.append(Expression(inner.strip(), moved(position, text, offset)))
        index = end + len(CLOSE)
    literal += text[index:]
    if literal:
        parts.append(literal)
    return Template(text, position, tuple(parts))


def _close(text: str, index: int) -> int:
    """Where the `}}` of an expression stands, one inside a string literal or a map literal not counted."""
    quote = ""
    depth = 0
    while index < len(text):
        character = text[index]
        if quote:
            if character == "\\":
                index += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif text.startswith(CLOSE, index):
            return index
        index += 1
    return -1


def split_words(text: str, position: Position) -> tuple[Template, ...]:
    """A command line as words, each a template. Quotes group; there is no shell behind it.

    Raises InvalidFileError for an unclosed quote, for shell operators outside quotes, and past MOST_WORDS.
    """
    words: list[Template] = []
    for word, offset in _split(text, position):
        if len(words) == MOST_WORDS:
            raise _invalid(text, offset, position, f"more than {MOST_WORDS} words in one command")
        words.append(parse_template(word, moved(position, text, offset)))
    return tuple(words)


def _split(text: str, position: Position) -> Iterator[tuple[str, int]]:
    word: list[str] = []
    start = -1
    quote = ""
    index = 0
    while index < len(text):
        character = text[index]
        if text.startswith(OPEN, index) and not text.startswith(ESCAPED, index - 1):
            end = _close(text, index + len(OPEN))
            if end < 0:
                raise _invalid(text, index, position, "${{ is not closed with }}")
            start = index if start < 0 else start
            word.append(text[index : end + len(CLOSE)])
            index = end + len(CLOSE)
            continue
        if quote:
            if character == quote:
                quote = ""
            elif character == "\\" and quote == '"' and text[index + 1 : index + 2] in ('"', "\\"):
                index += 1
                word.append(text[index])
            else:
                word.append(character)
        elif character in "'\"":
            quote = character
            start = index if start < 0 else start
        elif character == "\\" and index + 1 < len(text):
            start = index if start < 0 else start
            index += 1
            word.append(text[index])
        elif character.isspace():
            if start >= 0:
                yield "".join(word), start
            word, start = [], -1
        elif character in "|;<>&`" or text.startswith("$(", index):
            raise _invalid(
                text,
                index,
                position,
                f"{character!r} is for a shell, and there is none here; quote it",
            )
        else:
            start = index if start < 0 else start
            word.append(character)
        index += 1
    if quote:
        raise _invalid(text, len(text) - 1, position, f"the quote {quote} is not closed")
    if start >= 0:
        yield "".join(word), start


def moved(position: Position, text: str, offset: int) -> Position:
    """The place in the file of a place in a text that begins at `position`."""
    breaks = text.count("\n", 0, offset)
    column = offset - text.rfind("\n", 0, offset) if breaks else position.column + offset
    return Position(position.file, position.line + breaks, column)


def place_in(template: Template, offset: int) -> Position:
    """The place in the file of a character of the template, where each expression counts as one character."""
    at = 0
    for part in template.parts:
        text = part if isinstance(part, str) else part.source
        at = max(template.source.find(text, at), at)
        length = len(part) if isinstance(part, str) else 1
        if offset < length:
            return (
                part.position
                if isinstance(part, Expression)
                else moved(template.position, template.source, at + offset)
            )
        offset -= length
        at += len(text)
    return moved(template.position, template.source, len(template.source))


def _invalid(text: str, offset: int, position: Position, message: str) -> InvalidFileError:
    return InvalidFileError([Problem(moved(position, text, offset), message)])


def render(template: Template, scope: Scope) -> str:
    """The template with its values. Raises EvaluationError for a value that is missing or null."""
    return "".join(part if isinstance(part, str) else text_of(part, scope) for part in template.parts)


_UNKNOWN = "\0"
_UNKNOWN_ASIDE = re.compile(r" ?\([^()]*\0[^()]*\)")


def render_known(template: Template, scope: Scope) -> str:
    """The template for people before all of its values are there.

    Brackets that hold a value that is not known yet are left out: `/dev/shm is full (${{ used }} %)` reads
    `/dev/shm is full`. Elsewhere such a value stands as `…`.
    """

    def known(part: str | Expression) -> str:
        if isinstance(part, str):
            return part
        try:
            return text_of(part, scope)
        except EvaluationError:
            return _UNKNOWN

    return _UNKNOWN_ASIDE.sub("", "".join(map(known, template.parts))).replace(_UNKNOWN, "…")


def meant(means: Template | None, condition: Expression, scope: Scope = MappingProxyType({})) -> str:
    """What a condition means, with the values that are there; itself where its author does not say."""
    return condition.source if means is None else render_known(means, scope)


def text_of(expression: Expression, scope: Scope) -> str:
    """A value as text: JSON where it is none. Raises EvaluationError for one that is missing or null."""
    value = evaluate(expression, scope)
    if value is None:
        raise EvaluationError(f"{expression.source}: is null")
    if isinstance(value, str):
        return value
    # The order of a CEL map differs from one evaluation to the next; what is confirmed must read as it did.
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def argument_of(expression: Expression, scope: Scope) -> str:
    """A value as text that goes into a command or a URL.

    Raises EvaluationError also for one that is empty, unless the step says that it may be: `rm -rf /srv/$v`
    with nothing for `v` is another command.
    """
    text = text_of(expression, scope)
    if "\0" in text:
        raise EvaluationError(f"{expression.source}: a NUL cannot be part of an argument")
    if not text and not expression.optional:
        raise EvaluationError(
            f"{expression.source}: is empty, so that this would be another command. Where it may be empty, "
            f"the step says so: `optional: [{expression.source}]`"
        )
    return text


def render_values(template: Template, scope: Scope) -> str:
    """A template that goes into a command or a URL. Raises EvaluationError as `argument_of` does."""
    return "".join(part if isinstance(part, str) else argument_of(part, scope) for part in template.parts)


def only_expression(template: Template) -> Expression | None:
    """The expression that the template is, where it is nothing else."""
    match template.parts:
        case (Expression() as whole,):
            return whole
        case _:
            return None


def render_tree(tree: TemplateTree, scope: Scope) -> Json:
    """JSON with its templates rendered. A string that is one expression and nothing else keeps its type."""
    if isinstance(tree, Template):
        if len(tree.parts) == 1 and isinstance(tree.parts[0], Expression):
            return evaluate(tree.parts[0], scope)
        return render(tree, scope)
    if isinstance(tree, list):
        return [render_tree(each, scope) for each in tree]
    if isinstance(tree, dict):
        return {name: render_tree(each, scope) for name, each in tree.items()}
    return cast(Json, tree)


def with_expressions(template: Template, change: Callable[[Expression], Expression]) -> Template:
    """The template with other expressions in the places of its own."""
    parts = tuple(part if isinstance(part, str) else change(part) for part in template.parts)
    return replace(template, parts=parts)


def with_templates(value: T, change: Callable[[Template], Template]) -> T:
    """A value with every template inside it changed."""
    whole: object = value
    match value:
        case Template():
            whole = change(value)
        case Mapping():
            entries = cast("Mapping[object, object]", value)
            whole = {name: with_templates(each, change) for name, each in entries.items()}
        case list():
            whole = [with_templates(each, change) for each in cast("list[object]", value)]
        case tuple() if type(cast(object, value)) is tuple:  # a named tuple, as a Position is, stays one
            whole = tuple(with_templates(each, change) for each in cast("tuple[object, ...]", value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            parts = {each.name: with_templates(getattr(value, each.name), change) for each in fields(value)}
            whole = replace(value, **parts)
        case _:
            pass
    return cast(T, whole)


def placeholder(template: Template) -> str:
    """The template with a stand-in for every value, for looking at its form."""
    return "".join(part if isinstance(part, str) else VALUE for part in template.parts)


def placeholder_tree(tree: TemplateTree) -> Json:
    """The tree with a stand-in for every value, for looking at its form."""
    if isinstance(tree, Template):
        return placeholder(tree)
    if isinstance(tree, list):
        return [placeholder_tree(each) for each in tree]
    if isinstance(tree, dict):
        return {name: placeholder_tree(each) for name, each in tree.items()}
    return cast(Json, tree)


def placeholder_words(words: Sequence[Template]) -> tuple[str, ...]:
    """The words with stand-ins, for looking at a command's form."""
    return tuple(placeholder(word) for word in words)
