"""Whether a rehearsal came to what its scenario expects."""

from typing import TYPE_CHECKING

from breakglass.journal import events as e

if TYPE_CHECKING:
    from breakglass.engine.session import Session
    from breakglass.journal.state import State


def steps_begun(state: "State") -> set[str]:
    """The steps that were begun; one that was skipped was not."""
    return {each.event.step for each in state.timeline if isinstance(each.event, e.StepStarted)}


def unexpected(session: "Session") -> list[str]:
    """What a rehearsal's scenario expects of the walk's end and did not get, in words."""
    world, state = session.rehearsal, session.engine.state
    if world is None:
        return []
    if state.ended is None:
        return ["it did not end"]
    found = world.scenario.expect.unmet(state.ended.result, steps_begun(state))
    if state.unknown:
        names = ", ".join(step.id for step in state.steps.values() if step.status == "unknown")
        found.append(f"it is not known what became of {names}")
    if not world.recovered():
        found.append(f"the simulated world is not as `recovered` wants it: {world.scenario.recovered.source}")
    found += [f"the scenario itself is wrong: {fault}" for fault in world.faults]
    return found
