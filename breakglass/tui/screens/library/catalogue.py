"""What the library shows, read from disk: runbooks, and what the journals say of past sessions.

Both readings block, so the screen makes them in threads: the runbooks come at once, the past when it is read.
What they need, they import there, so that the first frame does not wait for it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from breakglass.runbook.library import Found, all_runbooks, ambiguous, doubled, origin_words

if TYPE_CHECKING:
    from breakglass.journal.state import State
    from breakglass.runbook.model import Runbook
    from breakglass.runbook.text_search import Index

RehearsalResult: TypeAlias = Literal[
    "recovered", "not recovered", "not this incident", "escalated", "stopped"
]


class CatalogueEntry(NamedTuple):
    """A runbook that was found. One that cannot be used has its first problem, and how many there are.

    Two of one name are one entry that names both, and neither can be opened; `lint` has nothing to say there.
    """

    found: Found
    runbook: "Runbook | None"
    problem: str = ""
    problems: int = 0
    origin: str = ""
    """Where one that can be used comes from, in words. Drawing it does not look at the disk again."""


class Rehearsed(NamedTuple):
    """The newest rehearsal of a runbook."""

    session: str
    began: datetime
    scenario: str
    result: RehearsalResult


class Past(NamedTuple):
    """What the sessions in the state folder say. `rehearsed` goes by the runbook's name."""

    unfinished: "tuple[State, ...]" = ()
    rehearsed: Mapping[str, Rehearsed] = MappingProxyType({})
    latest: Mapping[str, str] = MappingProxyType({})
    """Each runbook's newest session."""
    damaged: tuple[str, ...] = ()
    """Why a journal was left out."""


def read_entries() -> "tuple[tuple[CatalogueEntry, ...], Index]":
    """Every runbook that can be found, by name, and what finds those that can be used."""
    from breakglass.runbook.text_search import index

    library = all_runbooks()
    twice = doubled(library)
    entries = [_entry(found) for found in library if found.name not in twice]
    entries += [
        CatalogueEntry(same[0], None, f"{ambiguous(same)}; rename one, or open one by its path")
        for same in twice.values()
    ]
    entries.sort(key=lambda entry: entry.found.name)
    return tuple(entries), index(entry.runbook for entry in entries if entry.runbook is not None)


def _entry(found: Found) -> CatalogueEntry:
    from breakglass.runbook.load import load_runbook
    from breakglass.yamlio.position import InvalidFileError

    try:
        return CatalogueEntry(found, load_runbook(found.path), origin=origin_words(found.path))
    except InvalidFileError as error:
        errors = [problem for problem in error.problems if not problem.warning]
        first = (errors or error.problems)[0]
        return CatalogueEntry(found, None, str(first), len(errors) or len(error.problems))


def read_past(state_root: Path) -> Past:
    """All sessions of a state folder. A journal that is damaged or unreadable is named, and left out."""
    from breakglass.engine.resume import unfinished
    from breakglass.journal.folders import all_sessions
    from breakglass.journal.state import fold
    from breakglass.journal.store import FILE_NAME, JournalError, read

    states: dict[str, State] = {}
    damaged: list[str] = []
    for folder in all_sessions(state_root):
        try:
            states[folder.name] = fold(read(folder.path / FILE_NAME).records)
        except JournalError as error:
            damaged.append(str(error))
    begun = [state for state in states.values() if state.started is not None]
    return Past(
        unfinished=tuple(unfinished(states)),
        rehearsed=dict(_rehearsed(begun)),
        latest={state.runbook: state.session for state in begun},
        damaged=tuple(damaged),
    )


def _rehearsed(states: "Iterable[State]") -> Iterable[tuple[str, Rehearsed]]:
    """Rehearsals by runbook; of several, the last one given."""
    for state in states:
        if state.mode == "rehearsal" and state.scenario and state.started is not None:
            result = rehearsal_result(state)
            yield state.runbook, Rehearsed(state.session, state.started.time, state.scenario, result)


def rehearsal_result(state: "State") -> RehearsalResult:
    """How a rehearsal went: what the walk claims counts only where the simulated world agrees."""
    result = state.ended.result if state.ended is not None else "stopped"
    if result == "stopped":
        return "stopped"
    if result == "not-this-incident":
        return "not this incident"
    if result == "escalate":
        return "escalated"
    from breakglass.journal.events import Happened

    recovered = any(
        isinstance(each.event, Happened) and each.event.kind == "recovered" for each in state.happened
    )
    return "recovered" if recovered else "not recovered"
