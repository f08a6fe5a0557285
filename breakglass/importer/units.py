"""What a command of a page comes to: a step to be, another place, or a value that is noted."""

from dataclasses import dataclass
from typing import TypeAlias

from breakglass.importer.place import HERE, ShellPlace

Keys: TypeAlias = dict[str, object]
"""Some keys of a step, as they stand in YAML."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One step to be. text: the page's words. runs: what runs, as a template, to judge it by. place: where.
    ways: keys of the step, best first; without any, a person does it. captured: the name that its output
    gets, where a later line needs that."""

    text: str
    place: ShellPlace = HERE
    runs: str = ""
    ways: tuple[Keys, ...] = ()
    captured: str = ""


@dataclass(frozen=True, slots=True)
class Went:
    """The lines after it run in another place."""

    place: ShellPlace


@dataclass(frozen=True, slots=True)
class Noted:
    """A line that sets a value, and is no step."""

    text: str
