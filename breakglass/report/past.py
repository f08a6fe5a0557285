"""Reports of sessions that are over, and the best rehearsal of a scenario so far."""

import shlex
from pathlib import Path

from breakglass.engine.adhoc import NAME as ADHOC
from breakglass.engine.adhoc import adhoc_runbook
from breakglass.journal import events as e
from breakglass.journal.folders import all_sessions, state_folder
from breakglass.journal.state import State, fold
from breakglass.journal.store import FILE_NAME, JournalError, read
from breakglass.report.document import Block
from breakglass.report.html import page
from breakglass.report.markdown import markdown, unescaped
from breakglass.report.postmortem import post_mortem, title_of
from breakglass.report.review import Review, better, review, review_blocks
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.transport.sanitize import visible


def report_of(state: State, last_hash: str, runbook: Runbook | None = None) -> str:
    """The post-mortem draft of a session, as Markdown. Raises InvalidFileError when its runbook cannot be
    read any more."""
    return visible(markdown(_draft(state, last_hash, runbook or _runbook_of(state))))


def page_of(state: State, last_hash: str) -> str:
    """The same as an HTML page."""
    runbook = _runbook_of(state)
    return visible(page(title_of(runbook), _draft(state, last_hash, runbook)))


def _draft(state: State, last_hash: str, runbook: Runbook) -> tuple[Block, ...]:
    rehearsed = _review_of(state, runbook) if state.mode == "rehearsal" else ()
    return post_mortem(state, runbook, last_hash, rehearsed)


def _runbook_of(state: State) -> Runbook:
    assert state.started is not None and isinstance(state.started.event, e.SessionStarted)
    started = state.started.event
    if started.runbook == ADHOC and not started.runbook_path:
        return adhoc_runbook(shlex.split(started.title))
    return load_runbook(Path(started.runbook_path))


def review_of(state: State, runbook: Runbook) -> str:
    """The after-action review of a rehearsal in lines, beside the best earlier run of its scenario."""
    return "\n".join(map(unescaped, markdown(_review_of(state, runbook)).split("\n")))


def _review_of(state: State, runbook: Runbook) -> tuple[Block, ...]:
    return review_blocks(review(state, runbook), best_run(state_folder(), state, runbook))


def best_run(state_root: Path, than: State, runbook: Runbook) -> Review | None:
    """The best rehearsal of the same scenario, other than this one, that a person walked to its end."""
    best: Review | None = None
    for folder in all_sessions(state_root):
        if folder.name == than.session or f"-{than.runbook}-" not in folder.name:
            continue
        try:
            earlier = fold(read(folder.path / FILE_NAME).records)
        except JournalError:
            continue
        if earlier.scenario == than.scenario and earlier.mode == "rehearsal" and _walked_to_its_end(earlier):
            run = review(earlier, runbook)
            best = run if better(run, best) else best
    return best


def _walked_to_its_end(state: State) -> bool:
    """Whether a person walked it, did not give up, and the simulated world agrees where it says recovered."""
    started = state.started.event if state.started is not None else None
    headless = isinstance(started, e.SessionStarted) and started.headless
    if state.ended is None or state.ended.result == "stopped" or headless:
        return False
    over = any(
        isinstance(each.event, e.Happened) and each.event.kind == "recovered" for each in state.happened
    )
    return over or state.ended.result in ("not-this-incident", "escalate")
