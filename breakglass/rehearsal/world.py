"""The variables of a simulated world, and what its expressions can see.

| name | what it is |
|---|---|
| `world` | the scenario's variables, as they stand |
| `event` | what just happened (in rules and traps) |
| `request` | what is asked for (where something answers) |
| `objects` | Kubernetes objects of all clusters, by plural: `objects.pods` |
| `clusters` | the same by cluster: `clusters.main.pods` |
| `clock` | `now` (RFC 3339) and `elapsed` (seconds), simulated |
| `site` | the rehearsal's `name` and `variables` |
| `item` | the element, under `each`; `n`, the number of a repeated log line |
| `collected` | what a registry's garbage collection has just said |
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence

from breakglass.errors import BreakglassError
from breakglass.runbook.expression import Expression, holds
from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.kubernetes.objects import timestamp
from breakglass.values import Json, Scope

NAMES = frozenset(
    {"world", "event", "request", "objects", "clusters", "clock", "site", "item", "n", "collected"}
)
"""All the names of the table above."""


class WorldFaultError(BreakglassError):
    """The scenario itself is wrong; the message names the rule and what could not be done."""


class World:
    """Variables and clock of one rehearsal. To be touched in the event loop's thread only."""

    def __init__(
        self, variables: Mapping[str, Json], clock: SimulatedClock, site: Mapping[str, Json]
    ) -> None:
        self.variables: dict[str, Json] = copy.deepcopy(dict(variables))
        self.clock = clock
        self._site: dict[str, Json] = dict(site)
        self._more: dict[str, Callable[[], Json]] = {
            "world": lambda: self.variables,
            "clock": self._time,
            "site": lambda: self._site,
        }

    def offer(self, name: str, value: Callable[[], Json]) -> None:
        """Let expressions see a value, made when one asks for it."""
        self._more[name] = value

    def scope(self, **more: Json) -> Scope:
        """What an expression sees now."""
        return _Seen(self._more, more)

    def holds(self, condition: Expression | None, scope: Scope) -> bool:
        """Whether a condition is true; none always is. Raises EvaluationError."""
        return condition is None or holds(condition, scope)

    def assign(self, path: Sequence[str], value: Json) -> None:
        """Set the variable at a path of keys, or of positions in a list; mappings on the way are made.

        Raises WorldFaultError where the path leads through something that has no such place.
        """
        place: Json = self.variables
        for part in path[:-1]:
            place = _inside(place, part, path)
        last = path[-1]
        if isinstance(place, dict):
            place[last] = value
        elif isinstance(place, list) and last.isdigit() and int(last) < len(place):
            place[int(last)] = value
        else:
            raise WorldFaultError(f"set: {'.'.join(path)}: there is no place {last!r}")

    def _time(self) -> Json:
        return {"now": timestamp(self.clock.now()), "elapsed": round(self.clock.elapsed(), 3)}


def _inside(place: Json, part: str, path: Sequence[str]) -> Json:
    if isinstance(place, dict):
        inner = place.get(part)
        if inner is None:
            inner = {}
            place[part] = inner
        return inner
    if isinstance(place, list) and part.isdigit() and int(part) < len(place):
        return place[int(part)]
    raise WorldFaultError(f"set: {'.'.join(path)}: there is no place {part!r}")


def overlaid(scope: Scope, **more: Json) -> Scope:
    """A scope with more names, which hide those of the scope."""
    made = {name: (lambda name=name: scope[name]) for name in scope}
    return _Seen(made, more)


class _Seen(Mapping[str, Json]):
    """A scope whose costly parts are made only when an expression names them."""

    def __init__(self, made: Mapping[str, Callable[[], Json]], given: Mapping[str, Json]) -> None:
        self._made = made
        self._given = given

    def __getitem__(self, name: str) -> Json:
        if name in self._given:
            return self._given[name]
        return self._made[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._given.keys() | self._made.keys())

    def __len__(self) -> int:
        return len(self._given.keys() | self._made.keys())

    def __contains__(self, name: object) -> bool:
        return name in self._given or name in self._made
