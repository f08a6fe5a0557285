"""Run one action that is in no runbook: the same risk, the same question, the same journal.

What came back goes to standard output, everything else to standard error.

examples:
  breakglass exec --site site.yaml kubectl get pods -n vault
  breakglass exec --site site.yaml ssh node2 -- uptime
  breakglass exec --site site.yaml local vault status
  breakglass exec --site site.yaml http get vault /v1/sys/health
  breakglass exec --site site.yaml --dry-run kubectl delete pod vault-0 -n vault
"""

import asyncio
import sys
from argparse import REMAINDER, ArgumentParser, Namespace
from pathlib import Path

from breakglass.cli.plain import Given, answer_confirmation, answer_questions
from breakglass.cli.session_exit_code import exit_code
from breakglass.cli.signals import ending_on_signals
from breakglass.cli.terminal_input import TerminalInput, on_a_terminal
from breakglass.cli.walk_output import record_words, telling_of_the_disk
from breakglass.engine import commands as c
from breakglass.engine.adhoc import adhoc_runbook
from breakglass.engine.gateway import Prompts
from breakglass.engine.opening import open_session
from breakglass.engine.session import Request, Session, operator_name
from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State
from breakglass.report.timeline import words_of


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--site", type=Path, required=True, help="the site file")
    parser.add_argument("--cluster", help="a cluster of the site; needed where it has several")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="default: 30")
    parser.add_argument("--dry-run", action="store_true", help="show a change, and ask the API server")
    parser.add_argument(
        "words", nargs=REMAINDER, metavar="ACTION", help="kubectl …, ssh HOST -- …, local …, http …"
    )


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
        request, Prompts(secret=lines.ask_secret if on_a_terminal() else None, tell=lines.say)
    ) as session:
        engine = session.engine
        engine.subscribe(lambda recorded, _: _tell(recorded, session))
        engine.subscribe(telling_of_the_disk(engine))
        answering = answer_questions(engine, lines, lambda asked: _answer(asked, engine.state, lines))
        try:
            with ending_on_signals(engine):
                await engine.run()
        finally:
            answering.cancel()
        print(record_words(session), file=sys.stderr)
        return exit_code(engine.state, None)


async def _answer(asked: e.Asked, state: State, lines: TerminalInput) -> Given:
    """A confirmation is asked of whoever is at the terminal; nothing else goes on."""
    if asked.question == "confirm":
        return await answer_confirmation(asked, state, lines, operator_name())
    return c.Stop(asked.text or "needs a person at a terminal", operator_name())


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
