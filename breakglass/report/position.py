"""Where a walk is in its runbook: the path taken, what lies ahead on this branch, and the count of both."""

from dataclasses import dataclass

from breakglass.journal.state import State
from breakglass.runbook.model import Runbook
from breakglass.runbook.ways import Ways


@dataclass(frozen=True, slots=True)
class WalkPosition:
    """The walk's place. `taken` are the steps that applied, in the order in which they were reached; `ahead`
    come next in any case; `forks` are the ways after them, of which an answer chooses one."""

    taken: tuple[str, ...]
    ahead: tuple[str, ...]
    forks: tuple[str, ...]
    step: int
    steps: int
    phase: int
    phases: int
    certain: bool
    """Whether nothing ahead can change the count."""

    @property
    def words(self) -> list[str]:
        """`step 12 of about 20`, and `phase 2 of 5` where there are several."""
        about = "" if self.certain else "about "
        steps = f"step {self.step} of {about}{self.steps}"
        return [steps, f"phase {self.phase} of {self.phases}"] if self.phases > 1 else [steps]

    @property
    def listed(self) -> tuple[str, ...]:
        """All steps of this branch, in the order in which they are walked."""
        return (*self.taken, *self.ahead, *self.forks)


def position_of(state: State, runbook: Runbook, ways: Ways) -> WalkPosition:
    """Where the walk is."""
    current = state.current or runbook.steps[0].id
    passed = (view.id for view in state.steps.values() if view.status != "skipped" or view.left_out)
    taken = list(dict.fromkeys([*passed, current]))
    # Where an answer has chosen the way, it goes on from there.
    chosen = state.following if state.following not in ("", "done") else ""
    ended = state.ended is not None or state.following == "done"
    beyond = ways.ahead(chosen or current)
    following = () if ended else ((chosen, *beyond.steps) if chosen else beyond.steps)
    ahead = tuple(each for each in following if each not in taken)
    forks = () if ended else tuple(each for each in beyond.forks if each not in (*taken, *ahead))
    place = ways.place([*taken, *([chosen] if chosen else [])], current, chosen or current, ended=ended)
    certain = ended or not beyond.forks
    return WalkPosition(
        tuple(taken), ahead, forks, len(taken), place.steps, place.phase, place.phases, certain
    )


def ahead_words(position: WalkPosition, runbook: Runbook) -> str:
    """What lies ahead on this branch, as a sentence for plain lines; empty at the end of it."""
    titles = [runbook.step(each).title for each in position.ahead]
    forks = [runbook.step(each).title for each in position.forks]
    which = f"one of {len(forks)}" if len(forks) > 1 else "this, or back"
    ways = f"then {which}: {' | '.join(forks)}" if forks else ""
    return "; ".join(part for part in ("; ".join(titles), ways) if part)
