"""The ways through a runbook: where a step can lead, what lies ahead of it, and how far it is to the end.

Pure functions of the runbook and the mode. A condition on the mode alone is settled from the start; any other
may come out either way.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from breakglass.runbook.actions import AskAction, ChooseAction, ManualAction
from breakglass.runbook.expression import EvaluationError, Expression, holds, names
from breakglass.runbook.steps import Step

DONE = "done"
"""Where `goto` ends the walk."""


def ways_on(step: Step, mode: str = "") -> tuple[str | None, ...]:
    """Where the walk can go from a step without a person's jump, each once: a step's id, `done`, or None for
    the next step in the list. Without a mode, every condition may come out either way."""
    return tuple(dict.fromkeys(_ways_on(step, mode)))


def _ways_on(step: Step, mode: str) -> Iterator[str | None]:
    applies = _settled(step.when, mode)
    if applies is not True:
        yield None
    if applies is False:
        return
    if step.ends is not None:
        yield DONE
        return
    options = step.action.options if isinstance(step.action, ChooseAction) else ()
    yield from (option.goto for option in options if option.goto is not None)
    if not options or any(option.goto is None for option in options):
        yield from _after_the_action(step, mode)


def _after_the_action(step: Step, mode: str) -> Iterator[str | None]:
    for following in step.next:
        holds_now = _settled(following.when, mode)
        if holds_now is not False:
            yield following.goto
        if holds_now is True:
            return
    yield None


def _settled(condition: Expression | None, mode: str) -> bool | None:
    """Whether a condition holds, where nothing that is read can change it. None where something can."""
    if condition is None:
        return True
    if not mode or names(condition) != frozenset({"session"}):
        return None
    try:
        return holds(condition, {"session": {"mode": mode}})
    except EvaluationError:
        return None


def answer_decides(step: Step, mode: str) -> bool:
    """Whether what the step finds chooses between ways on. Where a person answers, that person has chosen."""
    asks = isinstance(step.action, ManualAction | AskAction | ChooseAction)
    return not asks and step.ends is None and len(set(_after_the_action(step, mode))) > 1


def suggestions(step: Step) -> tuple[str, ...]:
    """The steps that a step offers where something did not come out as expected."""
    named = [each.suggest for each in step.expect] + [step.wait.suggest if step.wait is not None else None]
    return tuple(dict.fromkeys(each for each in named if each is not None))


@dataclass(frozen=True, slots=True)
class Ahead:
    """What lies ahead: the steps that come next in any case, and where the last of them can lead. `forks` is
    empty where the walk ends with it."""

    steps: tuple[str, ...] = ()
    forks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WayPlace:
    """Where a walk is. `steps` and `phases` count what was walked and the shortest way on to recovery."""

    steps: int
    phase: int
    phases: int


class Ways:
    """The ways between the steps of a runbook in one mode, with the shortest way to the end from each."""

    def __init__(self, steps: Sequence[Step], mode: str) -> None:
        self._order = [step.id for step in steps]
        self._phase = {step.id: step.phase for step in steps}
        following = dict(zip(self._order, [*self._order[1:], DONE], strict=True))
        self._on: dict[str, tuple[str, ...]] = {}
        for step in steps:
            targets = (following[step.id] if each is None else each for each in ways_on(step, mode))
            self._on[step.id] = tuple(dict.fromkeys(targets))
        recovered = [step.id for step in steps if step.ends == "recovered"]
        last = [step for step, targets in self._on.items() if DONE in targets]
        self._nearer = {**_towards(last, self._on), **_towards(recovered, self._on)}

    def on(self, step: str) -> tuple[str, ...]:
        """The steps that can follow this one; not the end."""
        return tuple(each for each in self._on.get(step, ()) if each != DONE)

    def ahead(self, step: str) -> Ahead:
        """What follows a step in any case, and the ways at the next fork."""
        chain: list[str] = []
        here = step
        while True:
            targets = self._on.get(here, ())
            if len(targets) != 1 or targets[0] == DONE or targets[0] in (step, *chain):
                return Ahead(tuple(chain), self.on(here) if len(targets) > 1 else ())
            here = targets[0]
            chain.append(here)

    def shortest(self, step: str) -> tuple[str, ...]:
        """The steps after this one on the shortest way to recovery; to any end, where none leads there."""
        way: list[str] = []
        while (nearer := self._nearer.get(step)) is not None:
            way.append(nearer)
            step = nearer
        return tuple(way)

    def place(self, walked: Sequence[str], current: str, goes_on: str, *, ended: bool = False) -> WayPlace:
        """Where a walk is that took these steps, is at `current`, and goes on from `goes_on`."""
        way = () if ended else self.shortest(goes_on)
        phases = list(dict.fromkeys(self._phase.get(step, "") for step in walked))
        ahead = [self._phase.get(step, "") for step in way if step not in walked]
        here = phases.index(self._phase.get(current, "")) + 1
        return WayPlace(len(walked) + len(ahead), here, len(dict.fromkeys([*phases, *ahead])))


def _towards(goals: Sequence[str], on: Mapping[str, Sequence[str]]) -> dict[str, str | None]:
    """For each step that can reach a goal, the next one on a shortest way there; None for the goals."""
    back: dict[str, list[str]] = {}
    for step, targets in on.items():
        for target in targets:
            back.setdefault(target, []).append(step)
    nearer: dict[str, str | None] = dict.fromkeys(goals)
    waiting = list(goals)
    for step in waiting:
        for before in back.get(step, ()):
            if before not in nearer:
                nearer[before] = step
                waiting.append(before)
    return nearer
