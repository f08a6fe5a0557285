"""The names that an expression can use, and the shape of `result`."""

import json
import re
from collections.abc import Mapping
from typing import cast

from breakglass.journal.state import State
from breakglass.site.model import Site
from breakglass.transport.base import Result
from breakglass.values import Json, Scope

LARGEST_TEXT_PARSED = 4 * 1024 * 1024
"""Characters of output that are looked at as JSON when the transport did not parse it."""

DEEPEST_JSON = 100
"""Levels of lists and mappings inside each other. No API answers with more, and walking them costs stack."""

_INEXPRESSIBLE = re.compile("[\\x00\\ud800-\\udfff]")


class _TooDeepError(Exception):
    """Data is nested deeper than DEEPEST_JSON."""


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


def with_result(scope: Scope, result: Mapping[str, Json]) -> dict[str, Json]:
    return {**scope, "result": dict(result)}


def result_value(result: Result, stdout: str, stderr: str) -> dict[str, Json]:
    """A transport's result as an expression sees it. Texts are already free of secrets."""
    return {
        "exit": result.exit,
        "status": result.status,
        "text": stdout,
        "stderr": stderr,
        "json": _expressible(result.data if result.data is not None else _maybe_json(stdout)),
        "headers": {name.lower(): value for name, value in result.headers.items()},
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
        return cast(Json, json.loads(text))
    except (ValueError, RecursionError):
        return None
