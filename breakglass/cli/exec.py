"""Run one action that is in no runbook: the same risk, the same question, the same journal.

What came back goes to standard output, everything else to standard error.

examples:
  breakglass exec --site site.yaml kubectl get pods -n vault
  breakglass exec --site site.yaml ssh node2 -- uptime
  breakglass exec --site site.yaml http get vault /v1/sys/health
  breakglass exec --site site.yaml --dry-run kubectl delete pod vault-0 -n vault
"""

import asyncio
import sys
from argparse import REMAINDER, ArgumentParser, Namespace
from pathlib import Path

from breakglass.cli.plain import Given, answer_confirmation, give, or_stop
from breakglass.cli.session_exit_code import exit_code
from breakglass.cli.signals import ending_on_signals
from breakglass.cli.terminal_input import TerminalInput, on_a_terminal
from breakglass.cli.walk_output import record_words, telling_of_the_disk
from breakglass.engine import commands as c
from breakglass.engine.adhoc import adhoc_runbook
from breakglass.engine.gateway import Prompts
from breakglass.engine.opening import Request, Session, open_session, operator_name
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State
from breakglass.report.timeline import words_of


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--site", type=Path, required=True, help="the site file")
    parser.add_argument("--cluster", help="a cluster of the site; needed where it has several")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="default: 30")
    parser.add_argument("--dry-run", action="store_true", help="show a change, and ask the API server")
    parser.add_argument("words", nargs=REMAINDER, metavar="ACTION", help="kubectl …, ssh HOST -- …, http …")


def run(arguments: Namespace) -> int:
    request = Request(
        mode="dry-run" if arguments.dry_run else "live",
        runbook=adhoc_runbook(arguments.words, cluster=arguments.cluster, timeout=arguments.timeout),
        site=arguments.site,
        pace="never",
    )
    return asyncio.run(_run(request))


async def _run(request: Request) -> int:
    lines = TerminalInput(sys.stderr)
    async with open_session(
        request, Prompts(secret=lines.ask_secret if on_a_terminal() else None)
    ) as session:
        engine = session.engine
        asked: asyncio.Queue[e.Asked] = asyncio.Queue()

        def told(recorded: Recorded, state: State) -> None:
            _tell(recorded, session)
            if isinstance(recorded.event, e.Asked):
                asked.put_nowait(recorded.event)
            elif isinstance(recorded.event, e.Confirmed) and state.waiting is not None:
                asked.put_nowait(state.waiting)

        engine.subscribe(told)
        engine.subscribe(telling_of_the_disk(engine))
        answering = asyncio.create_task(_answer(session, asked, lines))
        try:
            with ending_on_signals(engine):
                await engine.run()
        finally:
            answering.cancel()
        print(record_words(session), file=sys.stderr)
        return exit_code(engine.state, None)


async def _answer(session: Session, asked: "asyncio.Queue[e.Asked]", lines: TerminalInput) -> None:
    """A confirmation is asked of whoever is at the terminal; nothing else goes on."""
    engine, by = session.engine, operator_name()
    while True:
        question = await asked.get()
        while engine.state.waiting is question:
            command: Given = c.Stop(question.text or "needs a person at a terminal", by)
            if question.question == "confirm":
                command = await or_stop(answer_confirmation(question, engine.state, lines, by))
            try:
                await give(engine, command)
                break
            except CommandRefusedError as error:
                print(f"  {error}", file=sys.stderr)


def _tell(recorded: Recorded, session: Session) -> None:
    event = recorded.event
    if isinstance(event, e.ActionFinished) and event.output:
        with (session.folder.output / event.output).open() as file:
            for block in iter(lambda: file.read(65536), ""):
                sys.stdout.write(block)
        sys.stdout.flush()
    words = words_of(event)
    told = isinstance(event, e.ActionPrepared) or (words is not None and words[1] > 1)
    if words is not None and told and not isinstance(event, e.SessionStarted):
        print(words[0], file=sys.stderr)
