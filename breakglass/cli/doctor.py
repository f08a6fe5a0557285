"""Look before the incident whether everything that a runbook needs is there. Nothing is changed.

Looks in parallel at each cluster and each right there, each host with its key, sudo, clock and the
programs that steps start there, each endpoint with its certificate, each secret, and the folder for records.

examples:
  breakglass doctor --site site.yaml                       for every runbook that can be found
  breakglass doctor vault-raft-recovery --site site.yaml
  breakglass doctor --site site.yaml --json                one JSON object a line, for a nightly job
  breakglass doctor --terminal                             try the bell, a notification and the clipboard

Exit codes: 0 all is there, 1 something is missing, 2 the site or a runbook cannot be used, 3 something could
not be reached, 4 something is not allowed.
"""

import asyncio
import json
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from breakglass.cli.session_exit_code import PERMISSION, UNREACHABLE
from breakglass.engine.doctor import Check, checks, unused
from breakglass.exit_codes import ExitCode
from breakglass.journal.folders import state_folder
from breakglass.runbook.library import find_runbook, unique_runbooks
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.site.load import load_site
from breakglass.site.model import Site
from breakglass.transport.sanitize import visible_line

GLYPHS = {"ok": "[ok]", "suspect": "[?] ", "failed": "[XX]", "unknown": "[??]"}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("runbook", nargs="*", help="names of runbooks; else every one that can be found")
    parser.add_argument("--site", type=Path, help="the site file")
    parser.add_argument("--json", action="store_true", help="one JSON object a check")
    parser.add_argument("--terminal", action="store_true", help="try what this terminal lets through")


def run(arguments: Namespace) -> int:
    if arguments.terminal:
        return try_terminal()
    if arguments.site is None:
        print("give the site to look at: --site FILE; `breakglass site init` writes one", file=sys.stderr)
        return ExitCode.USAGE
    found = [find_runbook(name) for name in arguments.runbook] or unique_runbooks()
    runbooks = [load_runbook(each.path) for each in found]
    site = load_site(arguments.site)
    seen = asyncio.run(_look(site, runbooks, as_json=arguments.json))
    if not arguments.runbook:
        for check in unused(site, runbooks):
            seen.append(check)
            show(check, as_json=arguments.json)
    if not arguments.json:
        counted = ", ".join(f"{sum(c.state == state for c in seen)} {state}" for state in GLYPHS)
        print(f"\n{site.name}: {counted}")
    return code_of(seen)


async def _look(site: Site, runbooks: Iterable[Runbook], *, as_json: bool) -> list[Check]:
    seen: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="breakglass-doctor-") as output:
        async for check in checks(site, runbooks, state_folder(), Path(output)):
            seen.append(check)
            show(check, as_json=as_json)
    return seen


def show(check: Check, *, as_json: bool) -> None:
    """One check on standard output."""
    if as_json:
        print(json.dumps(asdict(check)), flush=True)
        return
    print(f"{GLYPHS[check.state]}  {visible_line(check.name):50}  {visible_line(check.words)}")
    if check.mend and check.state != "ok":
        print(f"      {'':50}  {visible_line(check.mend)}", flush=True)


def code_of(seen: Iterable[Check]) -> ExitCode:
    """The exit code for what was seen: the worst that failed."""
    failed = [check for check in seen if check.state == "failed"]
    if any(check.fault in PERMISSION for check in failed):
        return ExitCode.PERMISSION
    if any(check.fault in UNREACHABLE for check in failed):
        return ExitCode.UNREACHABLE
    return ExitCode.NOT_RECOVERED if failed else ExitCode.DONE


def try_terminal() -> int:
    """Ring, notify and copy, and say what must have happened."""
    if not sys.stdout.isatty():
        print("standard output is no terminal, so there is nothing to try", file=sys.stderr)
        return ExitCode.USAGE
    sys.stdout.write("\a\x1b]9;breakglass: this is the notification\x07\x1b]52;c;YnJlYWtnbGFzcw==\x07")
    sys.stdout.flush()
    print("The bell rang, if this terminal has one.")
    print("A notification appeared, if the terminal knows OSC 9.")
    print("The clipboard holds the word breakglass, if the terminal knows OSC 52. Paste it to see.")
    print("In tmux, these lines let both through:")
    print("  set -g allow-passthrough on")
    print("  set -g set-clipboard on")
    return ExitCode.DONE
