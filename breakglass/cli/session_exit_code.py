"""How a session ended, as an exit code."""

from typing import TYPE_CHECKING

from breakglass.engine.expected import unexpected
from breakglass.exit_codes import ExitCode

if TYPE_CHECKING:
    from breakglass.engine.session import Session
    from breakglass.journal.state import State

UNREACHABLE = frozenset({"timeout", "refused", "unreachable", "dns", "tls", "disconnected", "server-error"})
PERMISSION = frozenset({"forbidden", "authentication", "host-key"})


def code_of(session: "Session") -> ExitCode:
    """The exit code of a session that has ended. A rehearsal that ended as its scenario expects is done, even
    where that is to stop or to call somebody; one that did not is not, whatever the world looks like."""
    world, state = session.rehearsal, session.engine.state
    if world is None or state.mode == "dry-run":
        return exit_code(state, None)
    if not unexpected(session):
        return ExitCode.DONE
    code = exit_code(state, world.recovered())
    return ExitCode.NOT_RECOVERED if code is ExitCode.DONE else code


def exit_code(state: "State", recovered: bool | None) -> ExitCode:
    """The code for a session as it stands. `recovered` is the simulated world's word; None on a real site."""
    if state.unknown:
        return ExitCode.UNKNOWN
    if state.ended is None:
        return ExitCode.STOPPED
    result = state.ended.result
    if result == "stopped":
        return _stopped(state)
    if result == "escalate":
        return ExitCode.STOPPED
    if result in ("recovered", "completed") and recovered is False:
        return ExitCode.NOT_RECOVERED
    return ExitCode.DONE


def _stopped(state: "State") -> ExitCode:
    from breakglass.journal import events as e

    view = state.steps.get(state.current)
    asked = next((each.event for each in reversed(state.timeline) if isinstance(each.event, e.Asked)), None)
    failed = view is not None and view.status == "failed" and asked is not None and asked.question == "decide"
    if view is None or view.last is None or not failed:
        return ExitCode.STOPPED
    faults = {finish.fault for finish in view.last.finished if finish.fault}
    if faults & PERMISSION:
        return ExitCode.PERMISSION
    if faults & UNREACHABLE:
        return ExitCode.UNREACHABLE
    return ExitCode.NOT_RECOVERED
