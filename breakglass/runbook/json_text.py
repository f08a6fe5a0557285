"""JSON text with values in it: a value is one JSON value, or a part of one text, and never a field.

The text is parsed with stand-ins in the places of its values, so it is JSON whatever they are. Then each
value is written in as JSON: escaped where it stands within quotes, by itself where it does not.
"""

import json
from collections.abc import Iterator
from typing import NoReturn

from breakglass.errors import NotUnderstoodError
from breakglass.policy.placeholders import VALUE
from breakglass.runbook.expression import EvaluationError, Expression, evaluate
from breakglass.runbook.template import Template, text_of
from breakglass.values import Json, Scope


class NotJsonError(NotUnderstoodError):
    """The text is not JSON whatever its values are, or a value names a field in it."""


def looks_like_json(template: Template) -> bool:
    """Whether the text begins as a JSON object or list does."""
    first = template.parts[0] if template.parts else ""
    return isinstance(first, str) and first.lstrip().startswith(("{", "["))


def check_json(template: Template) -> None:
    """Raises NotJsonError, with the reason, where the text is not JSON that a value cannot change."""
    text = "".join(
        part if isinstance(part, str) else VALUE if quoted else f'"{VALUE}"'
        for part, quoted in _parts(template)
    )
    try:
        json.loads(text, object_pairs_hook=_refuse_names, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(f"this is not JSON: {error}") from error


def render_json(template: Template, scope: Scope) -> str:
    """The text with its values. Raises EvaluationError for one that is missing, or where it is no JSON."""
    try:
        check_json(template)
    except NotJsonError as error:
        raise EvaluationError(f"{template.source[:80]}: {error}") from error
    return "".join(
        part
        if isinstance(part, str)
        else _dumped(text_of(part, scope))[1:-1]
        if quoted
        else _dumped(_one_value(part, scope))
        for part, quoted in _parts(template)
    )


def _parts(template: Template) -> Iterator[tuple[str | Expression, bool]]:
    """The parts, each with whether it begins within a JSON string."""
    quoted = False
    for part in template.parts:
        yield part, quoted
        escaped = False
        for character in part if isinstance(part, str) else "":
            if escaped:
                escaped = False
            elif quoted and character == "\\":
                escaped = True
            elif character == '"':
                quoted = not quoted


def _one_value(expression: Expression, scope: Scope) -> Json:
    value = evaluate(expression, scope)
    if value is None:
        raise EvaluationError(f"{expression.source}: is null")
    return value


def _dumped(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _refuse_names(pairs: list[tuple[str, Json]]) -> Json:
    for name, _ in pairs:
        if VALUE in name:
            raise NotJsonError("a value cannot name a field")
    return dict(pairs)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
