"""The one shape of data that crosses the borders between packages: JSON.

Captured values, results of actions, event data and the scope of an expression are all `Json`, so that
whatever the engine knows can be written to the journal and read back the same.
"""

from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Scope: TypeAlias = Mapping[str, Json]
