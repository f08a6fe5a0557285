"""Say say what a command may do, and which word decides: the risk that a step with it has, unless a site
counts it as a read.

A single argument is shell text, as it stands in a runbook; several are the words of one command. With - as
the only argument, each line of standard input is one command.

examples:
  breakglass risk 'journalctl -u nginx --since today | tail'
  breakglass risk -- kubectl delete pod front
  breakglass risk --json - < commands.txt
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence

from breakglass.exit_codes import ExitCode
from breakglass.policy.commands import judge_command, judge_shell
from breakglass.policy.risk import Judgement, Knowledge, Risk
from breakglass.transport.sanitize import visible_line


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("command", nargs="+", help="shell text, or the words of a command, or - for many")


def run(arguments: Namespace) -> int:
    several = arguments.command == ["-"]
    for text, judgement in _judged(arguments.command):
        line = as_json(judgement) if arguments.json else as_text(judgement, text if several else "")
        print(line, flush=several)
    return ExitCode.DONE


def _judged(words: Sequence[str]) -> Iterator[tuple[str, Judgement]]:
    """Each command with what it was judged to do."""
    match words:
        case ["-"]:
            for line in sys.stdin.buffer:
                text = line.decode(errors="replace").removesuffix("\n")
                yield text, judge_shell(text)
        case [text]:
            yield text, judge_shell(text)
        case _:
            yield " ".join(words), judge_command(words)


def as_json(judgement: Judgement) -> str:
    return json.dumps(
        {
            "risk": judgement.risk.word,
            "knowledge": judgement.knowledge.value,
            "why": judgement.why,
            "word": judgement.word,
        }
    )


def as_text(judgement: Judgement, command: str = "") -> str:
    """One line for people: the risk, the command where it is one of many, why, and the word that decided."""
    known = ", not known" if judgement.knowledge is Knowledge.UNKNOWN else ""
    parts = [f"{judgement.risk.word}{known}", *([command] if command else []), judgement.why]
    if judgement.risk > Risk.READ and judgement.word:
        parts.append(f"decided by {judgement.word}")
    return visible_line("  ".join(parts))
