"""List the sessions that are on record, the newest last: what, where, when, and how each ended.

SESSION is what one types for it; any beginning that is unique will do, and `last` is the newest walk.

examples:
  breakglass sessions
  breakglass sessions vault            those of a runbook, a site or a scenario
  breakglass sessions --json           one JSON object a session, with the whole name
"""

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from breakglass.cli.table import Tone, table, width
from breakglass.exit_codes import ExitCode
from breakglass.journal.folders import all_sessions, state_folder
from breakglass.journal.sessions import How, Summary, shortest, summary_of
from breakglass.transport.sanitize import visible_line

HEAD = ("SESSION", "MODE", "WHAT", "WHERE", "HOW IT ENDED")

WORDS: dict[How, str] = {
    "recovered": "recovered",
    "not recovered": "not recovered",
    "not-this-incident": "not this incident",
    "escalate": "escalated",
    "completed": "complete",
    "stopped": "stopped",
    "running": "running now",
    "interrupted": "interrupted",
    "damaged": "cannot be read; `breakglass verify` says why",
}

TONES: dict[How, Tone] = {
    "recovered": "good",
    "not-this-incident": "good",
    "completed": "good",
    "not recovered": "bad",
    "damaged": "bad",
    "escalate": "ask",
    "stopped": "ask",
    "interrupted": "ask",
    "running": "strong",
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("of", nargs="?", default="", help="only those of a runbook, a site or a scenario")
    parser.add_argument("--json", action="store_true", help="one JSON object a session")


def run(arguments: Namespace) -> int:
    folders = all_sessions(state_folder())
    short = shortest(folder.name for folder in folders)
    found = [summary for summary in map(summary_of, folders) if _is_of(summary, arguments.of)]
    if arguments.json:
        for each in found:
            times = {"began": _iso(each, "began"), "last": _iso(each, "last")}
            print(json.dumps({**asdict(each), **times, "can_be_resumed": each.can_be_resumed}))
        return ExitCode.DONE
    if not found:
        of = f" of {arguments.of!r}" if arguments.of else ""
        print(f"no session{of} is on record; a walk begins one: breakglass rehearse RUNBOOK")
        return ExitCode.DONE
    rows = [_row(short[each.session], each) for each in found]
    tones: list[list[Tone]] = [["strong", "", "", "", TONES[each.how]] for each in found]
    print("\n".join(table(HEAD, rows, tones, width())))
    return ExitCode.DONE


def _is_of(summary: Summary, of: str) -> bool:
    return not of or any(of in each for each in (summary.runbook, summary.site, summary.scenario))


def _iso(summary: Summary, field: str) -> str | None:
    value = {"began": summary.began, "last": summary.last}[field]
    return value.isoformat() if value is not None else None


def _row(name: str, each: Summary) -> tuple[str, ...]:
    what = f"exec {each.title}" if each.by_hand and each.how != "damaged" else each.runbook
    where = f"scenario {each.scenario}" if each.scenario else each.site
    how = WORDS[each.how] + (", can be resumed" if each.can_be_resumed else "")
    mode = each.mode if each.how != "damaged" else ""
    return tuple(visible_line(cell) for cell in (name, mode, what, where, how))
