"""The one shape of data that crosses the borders between packages: JSON.

Captured values, results of actions, event data and the scope of an expression are all `Json`, so that
whatever the engine knows can be written to the journal and read back the same.
"""

import json
from collections.abc import Mapping
from typing import NoReturn, TypeAlias, cast

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Scope: TypeAlias = Mapping[str, Json]


def parse_json(text: str | bytes) -> Json:
    """JSON from outside as data (RFC 8259, without NaN and infinities). Raises ValueError for what is not
    JSON, is nested deeper than Python's stack goes, or has a number of more than 4300 digits."""
    try:
        return cast(Json, json.loads(text, parse_constant=_no_constant))
    except RecursionError:
        raise ValueError("nested too deep") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
