"""The parts of an HTTP request with values in them, each written so that it stays one value of its part."""

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias
from unicodedata import normalize
from urllib.parse import quote, quote_plus, unquote

from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.json_text import looks_like_json, render_json
from breakglass.runbook.template import Template, argument_of, only_expression, render, render_values
from breakglass.values import Scope

BodyForm: TypeAlias = Literal["as it is", "json", "form", "unknown"]
"""How the values of a textual body are written: there are none, or the body is one; as JSON; percent-encoded;
or nobody knows."""

_FORM = re.compile(r"\s*[^\s&=]+=[^\s&=]*(&[^\s&=]+=[^\s&=]*)*\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def render_path(template: Template, scope: Scope) -> str:
    """The path of a URL. A value is one segment, percent-encoded, or one value of a query in the path.

    A path that is one expression is taken as it is, and must begin with `/`. Raises EvaluationError, also for
    a value that would lead up, however that is spelled.
    """
    whole = only_expression(template)
    if whole is not None:
        path = argument_of(whole, scope)
        if not path.startswith("/"):
            raise EvaluationError(f"{whole.source}: a path begins with /, and this is {path[:40]!r}")
        _refuse_dots(path.partition("?")[0], whole.source)
        return path
    path = ""
    for part in template.parts:
        if isinstance(part, str):
            path += part
        elif "?" in path:
            path += quote(argument_of(part, scope), safe="")
        else:
            text = argument_of(part, scope)
            _refuse_dots(text, part.source)
            path += quote(text, safe=":@")
    _refuse_dots(path.partition("?")[0], template.source)
    return path


def _refuse_dots(path: str, source: str) -> None:
    """Raises EvaluationError where a segment is `.` or `..` to whoever decodes it, once or several times."""
    plain = path
    while (decoded := unquote(plain)) != plain:
        plain = decoded
    for segment in re.split(r"[/\\]", normalize("NFKC", plain)):
        if segment.partition(";")[0].strip() in (".", ".."):
            raise EvaluationError(f"{source}: {path[:40]!r} leads to another path with its {segment!r}")


def render_header(template: Template, scope: Scope) -> str:
    """A header's value. Raises EvaluationError for a line break, which would begin another header."""
    text = render_values(template, scope)
    if found := _CONTROL.search(text):
        raise EvaluationError(f"{template.source}: {found[0]!r} cannot stand in a header")
    return text


def body_form(body: Template, headers: Mapping[str, Template]) -> BodyForm:
    """How a body's values are written, from its `Content-Type`, or from its form where it has none."""
    if body.is_literal or only_expression(body) is not None:
        return "as it is"
    given = (value for name, value in headers.items() if name.lower() == "content-type" and value.is_literal)
    kind = next((value.source.lower() for value in given), "")
    if "json" in kind or looks_like_json(body):
        return "json"
    if kind.startswith("application/x-www-form-urlencoded"):
        return "form"
    plain = "".join(part if isinstance(part, str) else "value" for part in body.parts)
    return "form" if not kind and _FORM.fullmatch(plain) else "unknown"


def render_body(body: Template, headers: Mapping[str, Template], scope: Scope) -> bytes:
    """A textual body. Raises EvaluationError, also where nobody knows how a value is written in it."""
    match body_form(body, headers):
        case "as it is":
            return render(body, scope).encode()
        case "json":
            return render_json(body, scope).encode()
        case "form":
            text = ""
            for part in body.parts:
                text += part if isinstance(part, str) else quote_plus(argument_of(part, scope))
            return text.encode()
        case "unknown":
            raise EvaluationError(f"{body.source[:80]}: {UNKNOWN_BODY}")


UNKNOWN_BODY = (
    "how a value must be written in this body is not known; give the body as `json`, or as one expression"
)
