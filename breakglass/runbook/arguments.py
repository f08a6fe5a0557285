"""Words of a command with values in them: each is one argument, and no value makes an option of it."""

import re
from collections.abc import Sequence

from breakglass.policy.placeholders import VALUE
from breakglass.runbook.expression import EvaluationError, Expression
from breakglass.runbook.json_text import render_json
from breakglass.runbook.template import Template, argument_of, render
from breakglass.values import Scope

_JSON = re.compile(r'\s*(\{\s*"|\[\s*[{"\[])')


def render_words(words: Sequence[Template], scope: Scope) -> tuple[str, ...]:
    """The words with their values.

    Raises EvaluationError for a value that is missing, that would make an option of its word, or that would
    lead elsewhere in a path.
    """
    return tuple(render_json(word, scope) if is_json(word) else _argument(word, scope) for word in words)


def render_stdin(text: Template, scope: Scope) -> str:
    """What a command reads from standard input. Raises EvaluationError for a value that is missing."""
    return render_json(text, scope) if is_json(text) else render(text, scope)


def is_json(word: Template) -> bool:
    """Whether a text with values in it is JSON, by its beginning."""
    return not word.is_literal and isinstance(word.parts[0], str) and _JSON.match(word.parts[0]) is not None


def _argument(word: Template, scope: Scope) -> str:
    form = "".join(part if isinstance(part, str) else VALUE for part in word.parts)
    text = ""
    for index, part in enumerate(word.parts):
        if isinstance(part, str):
            text += part
        else:
            before = "".join(each if isinstance(each, str) else VALUE for each in word.parts[:index])
            text += value_in_word(part, scope, in_path(form, len(before)))
    if text.startswith("-") and not word.source.startswith("-"):
        raise option_error(word.source, text)
    if "\0" in text:
        raise EvaluationError(f"{word.source}: a NUL cannot be part of an argument")
    return text


def in_path(word: str, at: int) -> bool:
    """Whether the stand-in at this place of a word is a part of a path: beside it is a slash."""
    return "/" in (word[at - 1 : at], word[at + 1 : at + 2])


def value_in_word(expression: Expression, scope: Scope, in_path: bool) -> str:
    """A value that is a word, or a part of one.

    Raises EvaluationError, also for a part of a path that would lead elsewhere: up, or nowhere.
    """
    text = argument_of(expression, scope)
    segments = text.strip().split("/")
    if text and in_path and (".." in segments or not set(segments) - {"", "."}):
        raise EvaluationError(
            f"{expression.source}: {text[:40]!r} leads to another place in the path that it stands in"
        )
    return text


def option_error(source: str, text: str) -> EvaluationError:
    """Why a word whose value begins with a `-` is refused."""
    return EvaluationError(f"{source}: {text[:40]!r} begins with '-' and would be read as an option")
