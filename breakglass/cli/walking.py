"""What `run`, `rehearse` and `resume` have in common: choosing a front end, and ending with the right
code."""

import asyncio
import json
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from breakglass.cli.exit_codes import ExitCode, exit_code
from breakglass.engine.autopilot import Script, walk
from breakglass.engine.commands import Stop
from breakglass.engine.opening import Request, Session, open_session, operator_name
from breakglass.engine.walk import Engine
from breakglass.errors import CommandRefusedError
from breakglass.journal.events import encode
from breakglass.journal.state import Observer, Recorded, State
from breakglass.report.past import review_of
from breakglass.report.timeline import words_of

ScriptOf = Callable[[Session], Script]


def add_walk_arguments(parser: ArgumentParser) -> None:
    """Options of every command that walks a runbook."""
    parser.add_argument(
        "--input", action="append", default=[], metavar="NAME=VALUE", help="an input of the runbook"
    )
    parser.add_argument("--plain", action="store_true", help="no full screen: lines and numbered choices")
    parser.add_argument("--json", action="store_true", help="headless, every event as a JSON line")


def given_inputs(arguments: Namespace) -> dict[str, str]:
    """`--input NAME=VALUE` as a mapping. Exits with a usage error when there is no `=`."""
    pairs: dict[str, str] = {}
    for each in arguments.input:
        name, separator, value = each.partition("=")
        if not separator:
            print(f"--input {each}: write NAME=VALUE", file=sys.stderr)
            raise SystemExit(ExitCode.USAGE)
        pairs[name] = value
    return pairs


def on_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def walk_with(request: Request, arguments: Namespace, script_of: ScriptOf, *, headless: bool) -> int:
    """Walk in the cockpit, in plain lines, or headless where nobody can be asked."""
    if headless or arguments.json or not (on_a_terminal() or arguments.plain):
        return asyncio.run(walk_headless(request, script_of, as_json=arguments.json))
    if arguments.plain:
        from breakglass.cli.plain import walk_plain

        return asyncio.run(walk_plain(request))
    from breakglass.cli.library import open_cockpit

    return open_cockpit(request)


async def walk_headless(request: Request, script_of: ScriptOf, *, as_json: bool) -> int:
    """Walk with nobody at the keyboard, telling the events as they come."""
    async with open_session(request) as session:
        engine = session.engine
        for recorded in engine.state.timeline:
            tell(recorded, as_json=as_json)
        engine.subscribe(lambda recorded, _: tell(recorded, as_json=as_json))
        engine.subscribe(telling_of_the_disk(engine))
        with ending_on_signals(engine):
            await walk(engine, script_of(session), operator_name())
        code = code_of(session)
        if not as_json:
            tell_the_end(session, code)
        return code


def telling_of_the_disk(engine: Engine) -> Observer:
    """An observer that says on standard error when the journal cannot be written, and when it can again."""
    said = ""

    def told(recorded: Recorded, state: State) -> None:
        nonlocal said
        fault, where = engine.journal_fault, engine.desk.journal.path
        if fault == said:
            return
        said = fault
        words = (
            f"cannot be written ({fault}); reading goes on, nothing will be changed" if fault else "is whole"
        )
        print(f"{where}: {words}", file=sys.stderr, flush=True)

    return told


@contextmanager
def ending_on_signals(engine: Engine) -> Generator[None]:
    """Let SIGTERM and SIGHUP end the walk as a person would: a read is given up, the outcome of a change is
    waited for and recorded."""
    loop = asyncio.get_running_loop()

    def end(received: signal.Signals) -> None:
        with suppress(CommandRefusedError):
            engine.command(Stop(f"the program was told to end ({received.name})", engine.state.operator))

    received = (signal.SIGTERM, signal.SIGHUP)
    for each in received:
        loop.add_signal_handler(each, end, each)
    try:
        yield
    finally:
        for each in received:
            loop.remove_signal_handler(each)


def code_of(session: Session) -> ExitCode:
    """The exit code of a session that has ended. A rehearsal that ended as its scenario expects is done, even
    where that is to stop or to call somebody."""
    world, state = session.rehearsal, session.engine.state
    if world is None or state.mode == "dry-run":
        return exit_code(state, None)
    return ExitCode.DONE if as_expected(session) else exit_code(state, world.recovered())


def as_expected(session: Session) -> bool:
    """Whether a rehearsal came to the end that its scenario expects, by the steps that it expects, and left
    the simulated world as it should be, with nothing unknown."""
    world, state = session.rehearsal, session.engine.state
    if world is None or state.mode == "dry-run" or state.ended is None or state.unknown:
        return False
    return world.recovered() and world.scenario.expect.met(state.ended.result, state.steps)


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
    if as_expected(session):
        result += ", as the scenario expects"
    print(f"\n{result}; exit code {int(code)} ({code.name.lower().replace('_', ' ')})")
    print(record_words(session), file=sys.stderr)
    if not session.engine.desk.journal.nowhere:
        print(f"report: breakglass report {state.session}", file=sys.stderr)
    sys.stdout.flush()


def record_words(session: Session) -> str:
    """Where the record of a session is."""
    journal = session.engine.desk.journal
    return "no record was kept: there is nowhere to write" if journal.nowhere else f"record: {journal.path}"
