"""What a walk says on a terminal or in a pipe: its events, the state of its record, and how it ended."""

import json
import os
import sys

from breakglass.engine.expected import unexpected
from breakglass.engine.session import Session
from breakglass.engine.walk import Engine
from breakglass.exit_codes import ExitCode
from breakglass.journal.events import encode
from breakglass.journal.state import Observer, Recorded, State
from breakglass.report.past import review_of
from breakglass.report.timeline import words_of
from breakglass.runbook.library import origin_words
from breakglass.transport.sanitize import visible


def runbook_words(session: Session) -> str:
    """Which runbook is walked, and where it comes from."""
    path = session.engine.runbook.path
    return f"runbook: {path} ({origin_words(path)})"


def tell(recorded: Recorded, *, as_json: bool) -> None:
    """One event on standard output: as JSON, or as a line for people."""
    if as_json:
        row = {
            "seq": recorded.sequence,
            "time": recorded.time.isoformat(),
            "elapsed": recorded.elapsed,
            "type": recorded.event.type,
            "data": encode(recorded.event),
        }
        print(json.dumps(row), flush=True)
        return
    words = words_of(recorded.event)
    if words is not None and words[1] > 0:
        step = getattr(recorded.event, "step", "")
        # What goes on over several lines must not look as if it were lines of its own.
        text = words[0].replace("\n", f"\n{'':31}")
        print(f"{recorded.time.strftime('%H:%M:%S')}  {step:20} {text}", flush=True)


def telling_of_the_disk(engine: Engine) -> Observer:
    """An observer that says on standard error when the journal cannot be written, and when it can again."""
    said = ""

    def told(recorded: Recorded, state: State) -> None:
        nonlocal said
        fault, where = engine.journal_fault, engine.writer.journal.path
        if fault == said:
            return
        said = fault
        words = (
            f"cannot be written ({fault}); reading goes on, nothing will be changed"
            if fault
            else "is being written again"
        )
        print(f"{where}: {words}", file=sys.stderr, flush=True)

    return told


def tell_the_end(session: Session, code: ExitCode) -> None:
    """Where the record is, and what the exit code means. Where nobody can be told, the record still has
    it."""
    try:
        _tell_the_end(session, code)
    except OSError:
        silence_output()


def silence_output() -> None:
    """Write no more to a terminal or a pipe that is gone; Python would try once more as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _tell_the_end(session: Session, code: ExitCode) -> None:
    state: State = session.engine.state
    if state.mode == "rehearsal":
        print("\n" + review_of(state, session.engine.runbook))
    result = state.ended.result if state.ended else "unfinished"
    if session.rehearsal is not None and state.mode == "rehearsal":
        differs = unexpected(session)
        result += ", but not as the scenario expects" if differs else ", as the scenario expects"
        for each in differs:
            print(visible(f"not as expected: {each}"))
    print(f"\n{result}; exit code {int(code)} ({code.name.lower().replace('_', ' ')})")
    print(record_words(session), file=sys.stderr)
    if not session.engine.writer.journal.nowhere:
        print(f"report: breakglass report {state.session}", file=sys.stderr)
    sys.stdout.flush()


def record_words(session: Session) -> str:
    """Where the record of a session is."""
    journal = session.engine.writer.journal
    return "no record was kept: there is nowhere to write" if journal.nowhere else f"record: {journal.path}"
