"""List the runbooks that can be found, with their scenarios.

examples:
  breakglass list
  breakglass list --json
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from breakglass.runbook.check_cache import CheckCache, Checked, FileReader, Head, open_cache
from breakglass.runbook.library import all_runbooks, ambiguous, doubled
from breakglass.yamlio.position import InvalidFileError


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: Namespace) -> int:
    broken = 0
    cache = open_cache()
    library = all_runbooks()
    twice = doubled(library)
    for found in library:
        scenarios, origin = [path.stem for path in found.scenarios], found.origin
        try:
            runbook = _head(found.path, cache)
        except InvalidFileError as error:
            broken = 2
            row = {"name": found.name, "path": str(found.path), "problems": [str(p) for p in error.problems]}
            words = f"{found.name:26} cannot be used; `breakglass lint {found.name}` says why"
        else:
            row = {**runbook._asdict(), "scenarios": scenarios, "path": str(found.path)}
            words = f"{runbook.name:26} {runbook.severity:5} {runbook.title}"
            if origin != "shipped":
                words += f"  ({origin})"
        row["origin"] = origin
        print(json.dumps(row) if arguments.json else words)
        if not arguments.json and scenarios:
            print(f"{'':26}       rehearse: {', '.join(scenarios)}")
    for same in twice.values():
        broken = 2
        print(f"{ambiguous(same)}; only its path opens either", file=sys.stderr)
    cache.save()
    return broken


def _head(path: Path, cache: CheckCache) -> Head:
    """The head of a runbook that can be used. Raises InvalidFileError with every problem of another."""
    kept = cache.find(path)
    if kept is not None and kept.head is not None:
        return kept.head
    from breakglass.runbook.load import read_runbook

    reading = FileReader()
    runbook, problems = read_runbook(reading(path), path, read=reading)
    if runbook is None:
        raise InvalidFileError(problems)
    head = Head.of(runbook)
    cache.keep(reading, Checked(problems, head))
    return head
