"""`${{ expression }}` in text: the one interpolation. A value is put in once and never evaluated again.

A command is split into words before anything is put in, so that a value is always exactly one argument,
never an option and never a second command.
"""

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

from breakglass.policy.shell import quote_state
from breakglass.policy.stand_ins import VALUE
from breakglass.runbook.expression import EvaluationError, evaluate
from breakglass.runbook.model import Expression, Template, TemplateTree
from breakglass.values import Json, Scope
from breakglass.yamlio.position import InvalidFileError, Position, Problem

OPEN, CLOSE, ESCAPED = "${{", "}}", "$${{"
MOST_WORDS = 2000
"""Words of one command line. Each is looked at many times before anything runs."""


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


def _invalid(text: str, offset: int, position: Position, message: str) -> InvalidFileError:
    return InvalidFileError([Problem(moved(position, text, offset), message)])


def render(template: Template, scope: Scope) -> str:
    """The template with its values. Raises EvaluationError for a value that is missing or null."""
    return "".join(part if isinstance(part, str) else _text(part, scope) for part in template.parts)


def render_known(template: Template, scope: Scope) -> str:
    """The template for people before all of its values are there: one that is not known yet stands as
    `<its expression>`."""

    def known(part: str | Expression) -> str:
        if isinstance(part, str):
            return part
        try:
            return _text(part, scope)
        except EvaluationError:
            return f"<{part.source}>"

    return "".join(map(known, template.parts))


def _text(expression: Expression, scope: Scope) -> str:
    value = evaluate(expression, scope)
    if value is None:
        raise EvaluationError(f"{expression.source}: is null")
    if isinstance(value, str):
        return value
    # The order of a CEL map differs from one evaluation to the next; what is confirmed must read as it did.
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def render_words(words: Sequence[Template], scope: Scope) -> tuple[str, ...]:
    """The words with their values, each one exactly one argument.

    Raises EvaluationError for a word whose beginning comes from a value and is a `-`: it would be an option.
    """
    return tuple(_argument(word, scope) for word in words)


def _argument(word: Template, scope: Scope) -> str:
    text = render(word, scope)
    if "\0" in text:
        raise EvaluationError(f"{word.source}: a NUL cannot be part of an argument")
    if text.startswith("-") and not (isinstance(word.parts[0], str) and word.parts[0].startswith("-")):
        raise EvaluationError(f"{word.source}: {text[:40]!r} begins with '-' and would be read as an option")
    if not text and not word.is_literal:
        raise EvaluationError(f"{word.source}: is empty, and an empty argument may mean something else")
    return text


def render_shell(template: Template, scope: Scope) -> str:
    """Shell text with every value quoted as one word. Raises EvaluationError where one stands inside
    quotes."""
    state = ""
    out: list[str] = []
    for part in template.parts:
        if isinstance(part, str):
            state = quote_state(part, state)
            out.append(part)
            continue
        if state:
            raise EvaluationError(f"{part.source}: stands inside {state} quotes; leave the quotes away")
        text = _text(part, scope)
        if "\0" in text:
            raise EvaluationError(f"{part.source}: a NUL cannot be part of an argument")
        starts_word = not out or out[-1][-1:].isspace()
        if text.startswith("-") and starts_word:
            raise EvaluationError(
                f"{part.source}: {text[:40]!r} begins with '-' and would be read as an option"
            )
        out.append(shlex.quote(text))
    return "".join(out)


def render_path(template: Template, scope: Scope) -> str:
    """The path of a URL with its values. One that is an expression and nothing else is taken as it is.

    Raises EvaluationError for a value that would begin a query, or another parameter of the one that it
    stands in.
    """
    if len(template.parts) == 1:
        return render(template, scope)
    path = ""
    for part in template.parts:
        if isinstance(part, str):
            path += part
            continue
        text = _text(part, scope)
        separator = "&" if "?" in path else "?"
        if separator in text:
            raise EvaluationError(
                f"{part.source}: {text[:40]!r} holds {separator!r} and would add to the query; use `query`"
            )
        path += text
    return path


def quoted_interpolations(template: Template) -> list[Expression]:
    """The expressions of shell text that stand inside quotes, where they could not be quoted safely."""
    state = ""
    found: list[Expression] = []
    for part in template.parts:
        if isinstance(part, str):
            state = quote_state(part, state)
        elif state:
            found.append(part)
    return found


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


def placeholder(template: Template) -> str:
    """The template with a stand-in for every value, for looking at its form."""
    return "".join(part if isinstance(part, str) else VALUE for part in template.parts)


def placeholder_words(words: Sequence[Template]) -> tuple[str, ...]:
    """The words with stand-ins, for looking at a command's form."""
    return tuple(placeholder(word) for word in words)
