"""The names that an expression can use, and the shape of `result`; each as it is, and as it may be shown."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from breakglass.errors import BreakglassError
from breakglass.journal.state import State
from breakglass.runbook.expression import EvaluationError, Expression, evaluate
from breakglass.runbook.template import Template, with_expressions
from breakglass.site.model import Site
from breakglass.site.redaction import MARK
from breakglass.transport.base import Result
from breakglass.values import Json, Scope, parse_json

LARGEST_TEXT_PARSED = 4 * 1024 * 1024
"""Characters of output that are looked at as JSON when the transport did not parse it."""

DEEPEST_JSON = 100
"""Levels of lists and mappings inside each other. No API answers with more, and walking them costs stack."""

_INEXPRESSIBLE = re.compile("[\\x00\\ud800-\\udfff]")


class _TooDeepError(BreakglassError):
    """Data is nested deeper than DEEPEST_JSON."""


@dataclass(frozen=True, slots=True)
class Scopes:
    """What expressions see, twice. `real` decides and is sent. `shown` is the same with every secret taken
    out: all that is recorded or shown is made from it alone, so that nothing derived from a secret gets out
    either. One object twice where no secret is in it.

    lost: names of which `real` too has only the mark of a secret, each with something else in its place. What
    differs with these is made from a secret that is gone.
    """

    real: Scope
    shown: Scope
    lost: Scope = field(default_factory=dict[str, Json])

    @property
    def same(self) -> bool:
        return self.real is self.shown

    def plus(self, **names: tuple[Json, Json]) -> "Scopes":
        """These names as well, each with its real value and the one that may be shown."""
        real = {**self.real, **{name: value for name, (value, _) in names.items()}}
        if self.same and all(value is shown for value, shown in names.values()):
            return Scopes(real, real, self.lost)
        shown = {**self.shown, **{name: shown for name, (_, shown) in names.items()}}
        return Scopes(real, shown, self.lost)

    def evaluated(self, expression: Expression) -> tuple[Json, Json]:
        """An expression's value, and what of it may be shown. Raises EvaluationError.

        What has no value without the secret is shown as a mark.
        """
        try:
            value = evaluate(expression, self.real)
        except EvaluationError as error:
            raise EvaluationError(self.why_not(expression, error)) from None
        return value, self.shown_of(value, lambda: evaluate(expression, self.shown))

    def why_not(self, expression: Expression, error: EvaluationError) -> str:
        """Why an expression has no value, without the secret that may be in the reason."""
        if self.same:
            return str(error)
        try:
            evaluate(expression, self.shown)
        except EvaluationError as shown:
            return str(shown)
        return f"{expression.source}: has no value, and what it is made from holds a secret"

    def shown_template(self, template: Template) -> Template:
        """A template to be rendered with `shown`. Expressions that have a value only with the secret give a
        mark."""
        return template if self.same else with_expressions(template, self._or_mark)

    def shown_of(self, value: Json, without_secrets: Callable[[], Json]) -> Json:
        """What may be shown of a value. `without_secrets` makes it again, from `shown`."""
        if self.same:
            return value
        try:
            return truthful(value, without_secrets())
        except EvaluationError:
            return MARK

    def _or_mark(self, expression: Expression) -> Expression:
        try:
            value = evaluate(expression, self.real)
        except EvaluationError:
            return expression
        marked = Expression(f"'{MARK}'", expression.position)
        try:
            shown = evaluate(expression, self.shown)
        except EvaluationError:
            return marked
        return expression if truthful(value, shown) == shown else marked


def truthful(value: Json, shown: Json) -> Json:
    """What a value became without secrets, as far as it is the truth: each part is as it really is, or a text
    that shows by its mark that something is missing."""
    if type(value) is type(shown) and value == shown:
        return value
    match value, shown:
        case str(), str() if MARK in shown:
            return shown
        case list(), list() if len(value) == len(shown):
            return [truthful(one, other) for one, other in zip(value, shown, strict=True)]
        case dict(), dict() if value.keys() == shown.keys():
            return {name: truthful(each, shown[name]) for name, each in value.items()}
        case _:
            return MARK


def alike(scope: Scope) -> Scopes:
    """Scopes in which nothing is secret."""
    return Scopes(scope, scope)


def base_scope(state: State, site: Site) -> dict[str, Json]:
    """What every expression of a session sees: inputs, the site, the session and captured values."""
    return {
        **state.values,
        "inputs": dict(state.inputs),
        "site": {
            "name": site.name,
            "production": site.production,
            "variables": dict(site.variables),
            "hosts": list(site.hosts),
            "clusters": list(site.clusters),
            "endpoints": list(site.endpoints),
        },
        "session": {"id": state.session, "mode": state.mode, "operator": state.operator},
    }


def result_value(result: Result, stdout: str, stderr: str) -> dict[str, Json]:
    """A transport's result as an expression sees it. The texts are safe to draw; secrets are still in it."""
    return {
        "exit": result.exit,
        "status": result.status,
        "text": stdout,
        "stderr": stderr,
        "json": _expressible(result.data if result.data is not None else _maybe_json(stdout)),
        "headers": {name.lower(): value for name, value in result.headers.items()},
        "tls": dict(result.tls) if result.tls is not None else None,
        "seconds": round(result.seconds, 3),
        "fault": result.fault.kind if result.fault else "",
        "message": result.fault.message if result.fault else "",
    }


def _expressible(value: Json) -> Json:
    """Data without what an expression cannot hold; None where it is nested too deep."""
    try:
        return _written_out(value, DEEPEST_JSON)
    except _TooDeepError:
        return None


def _written_out(value: Json, left: int) -> Json:
    """Data in which NUL, where CEL's texts would end, and single halves of UTF-16 pairs, at which it fails,
    are written out. Raises _TooDeepError past `left` levels."""
    if left < 0:
        raise _TooDeepError
    if isinstance(value, str):
        return _INEXPRESSIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", value)
    if isinstance(value, list):
        return [_written_out(each, left - 1) for each in value]
    if isinstance(value, dict):
        return {str(_written_out(name, left)): _written_out(each, left - 1) for name, each in value.items()}
    return value


def answer_value(value: Json, note: str, *, choice: bool) -> dict[str, Json]:
    """An operator's answer as an expression sees it."""
    return {"answer": value, "choice": value if choice else None, "note": note, "fault": "", "text": note}


def _maybe_json(text: str) -> Json:
    if len(text) > LARGEST_TEXT_PARSED or not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return parse_json(text)
    except ValueError:
        return None
