"""How the program would get in somewhere: each value with the place that it is from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

DEFAULT = "default"
"""The place of a value that nobody has chosen."""

Places: TypeAlias = Callable[[str], str]
"""Where a key of this host or cluster stands in the site file, as FILE:LINE."""


@dataclass(frozen=True, slots=True)
class Fact:
    """value: text, or a list where there may be several. place: FILE:LINE or `default`, a list for a list.
    used: what the program makes of them, one of each, where that is something else."""

    name: str
    value: str | tuple[str, ...]
    place: str | tuple[str, ...]
    used: tuple[str, ...] = ()

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """Value, place and use, one row for each value."""
        values = (self.value,) if isinstance(self.value, str) else self.value
        places = (self.place,) if isinstance(self.place, str) else self.place
        return list(zip(values, places, self.used or values, strict=True))
