"""Ask which runbook it is: run every runbook's triage checks on a site at once. Nothing is changed or asked.

Only reads are sent. No session is begun and nothing is recorded. A runbook that cannot be used, or that the
site cannot serve, is shown with the reason beside the others.

examples:
  breakglass triage --site site.yaml                       every runbook that can be found
  breakglass triage vault-raft-recovery --site site.yaml
  breakglass triage --about 'sso 400' --site site.yaml     only those that these words find
  breakglass triage --site site.yaml --json                one JSON object a runbook, the worst first

Exit codes: 0 every runbook that was looked at says that it is not this incident, 1 one is confirmed, suspect
or cannot be told, 2 the site or a runbook cannot be used, 3 something could not be reached, 4 something is
not allowed. What is confirmed or suspect comes before all others; 2, 3 and 4 say that nothing was found and
that not all was seen.
"""

import asyncio
import json
import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from breakglass.cli.session_exit_code import PERMISSION, UNREACHABLE
from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.triage import WORST_FIRST, Finding, Triage, triage
from breakglass.errors import UserError
from breakglass.exit_codes import ExitCode
from breakglass.runbook.library import find_runbook, unique_runbooks
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.runbook.text_search import index
from breakglass.site.load import load_site
from breakglass.site.model import Site
from breakglass.transport.sanitize import visible_line

WORDS = {
    "confirmed": "[XX]  confirmed",
    "suspect": "[?]   suspect",
    "unknown": "[??]  unknown",
    "ok": "[ok]  not this incident",
}
INDENT = " " * 6


class TriageError(UserError):
    """There is nothing to look at."""


NOWHERE = Path("/dev/null/output")
"""A folder in which nothing can be written: what comes back stays in memory then."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("runbook", nargs="*", help="names of runbooks; else every one that can be found")
    parser.add_argument("--about", metavar="TEXT", help="only runbooks that fit what is seen, as `list TEXT`")
    parser.add_argument("--site", type=Path, required=True, help="the site file")
    parser.add_argument("--json", action="store_true", help="one JSON object a runbook")


def run(arguments: Namespace) -> int:
    paths = {name: find_runbook(name).path for name in arguments.runbook}
    site = load_site(arguments.site)
    runbooks: dict[str, Runbook] = {}
    broken: list[Triage] = []
    for name, path in (paths or {each.name: each.path for each in unique_runbooks()}).items():
        try:
            runbooks[name] = load_runbook(path)
        except UserError as error:
            reason = f"it cannot be used: {str(error).splitlines()[0]}; `breakglass lint {name}` says all"
            broken.append(Triage(name, reason=reason))
    if arguments.about:
        runbooks = about(arguments.about, runbooks)
    rows = sorted([*broken, *asyncio.run(_looked(site, runbooks))], key=_urgency)
    for row in rows:
        command = command_for(row, arguments.site)
        if arguments.json:
            print(json.dumps({**asdict(row), "verdict": row.verdict, "command": command}))
        else:
            print("\n".join(lines_of(row, command)))
    if not arguments.json:
        counted = ", ".join(f"{sum(r.verdict == v for r in rows)} {WORDS[v][6:]}" for v in WORST_FIRST)
        print(f"\n{visible_line(site.name)}{' (prod)' if site.production else ''}: {counted}")
    return code_of(rows, broken=bool(broken))


def about(text: str, runbooks: Mapping[str, Runbook]) -> dict[str, Runbook]:
    """Those of the runbooks that a text finds. Raises TriageError where there is none."""
    found = {match.runbook.path for match in index(runbooks.values()).search(text)}
    kept = {name: runbook for name, runbook in runbooks.items() if runbook.path in found}
    if not kept:
        raise TriageError(f"no runbook fits {text!r}; without --about all of them are looked at")
    return kept


async def _looked(site: Site, runbooks: Mapping[str, Runbook]) -> list[Triage]:
    """What each runbook's checks say. Whoever waits at a terminal is told how many are done."""
    done = 0

    def told(row: Triage) -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty():
            words = f"\r{done} of {len(runbooks)} runbooks looked at"
            print(words, end="\n" if done == len(runbooks) else "", file=sys.stderr, flush=True)

    with ExitStack() as stack:
        try:
            output = Path(stack.enter_context(TemporaryDirectory(prefix="breakglass-triage-")))
        except OSError:
            output = NOWHERE
        gateway = Gateway(site, output, Clock(), Prompts())
        try:
            return await triage(gateway, runbooks, told=told)
        finally:
            await gateway.close()


def _urgency(row: Triage) -> tuple[int, str, str]:
    return WORST_FIRST.index(row.verdict), row.severity or "sev9", row.name


def command_for(row: Triage, site: Path) -> str:
    """The command line that walks the runbook. An input that has no default is left to be filled in."""
    inputs = [word for name in row.wanted for word in ("--input", f"{name}=…")]
    return shlex.join(["breakglass", "run", row.name, "--site", str(site), *inputs])


def lines_of(row: Triage, command: str) -> Iterator[str]:
    """A runbook's row, and below it what was seen and how to go on, or why it is unknown."""
    yield visible_line(f"{WORDS[row.verdict]:23}  {row.severity:4}  {row.name:24}  {row.title}").rstrip()
    if row.reason:
        yield INDENT + visible_line(row.reason)
    if row.verdict == "ok":
        return
    for each in row.findings:
        if each.verdict != "ok":
            yield INDENT + visible_line(f"{each.title}: {_seen(each)}")
    if row.verdict in ("confirmed", "suspect"):
        yield INDENT + visible_line(command)


def _seen(finding: Finding) -> str:
    values = ", ".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in finding.seen.items()
    )
    found = finding.means or values
    return "; ".join(each for each in (found, finding.message) if each) or "none of its conditions holds"


def code_of(rows: Iterable[Triage], *, broken: bool) -> ExitCode:
    """The exit code for what the runbooks say. What was found comes first, then why not all was seen."""
    looked_at = [row for row in rows if row.findings]
    unknown = [row for row in looked_at if row.verdict == "unknown"]
    faults = {each.fault for row in unknown for each in row.findings if each.verdict == "unknown"}
    if any(row.verdict in ("confirmed", "suspect") for row in looked_at):
        return ExitCode.NOT_RECOVERED
    if faults & PERMISSION:
        return ExitCode.PERMISSION
    if faults & UNREACHABLE:
        return ExitCode.UNREACHABLE
    if broken or not looked_at:
        return ExitCode.USAGE
    return ExitCode.NOT_RECOVERED if unknown else ExitCode.DONE
