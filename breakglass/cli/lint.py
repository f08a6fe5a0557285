"""Check runbooks, their scenarios and site files; every problem at once, with file, line and column.

examples:
  breakglass lint                         every runbook that can be found
  breakglass lint outpost-shm-purge       one, and its scenarios
  breakglass lint ./my/runbook.yaml ./site.yaml
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from breakglass.runbook.library import all_runbooks, find_runbook
from breakglass.runbook.load import read_runbook
from breakglass.runbook.position import InvalidFileError, Problem
from breakglass.runbook.yaml_source import MappingNode, parse, read_text

SITE_KEYS = frozenset({"site", "clusters", "endpoints", "secrets"})
"""One of these at the top makes a file a site, though its name may be missing."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", nargs="*", help="names of runbooks, or files")
    parser.add_argument("--json", action="store_true", help="one JSON object a problem")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")


def run(arguments: Namespace) -> int:
    files = [path for name in arguments.what for path in _files(name)] or list(_all())
    problems = [problem for path in files for problem in problems_of(path)]
    for problem in problems:
        print(json.dumps(_row(problem)) if arguments.json else str(problem))
    errors = [problem for problem in problems if arguments.strict or not problem.warning]
    if not arguments.json:
        warnings = sum(problem.warning for problem in problems)
        rows = ((len(files), "file"), (len(problems) - warnings, "error"), (warnings, "warning"))
        looked, *found = (f"{count} {word if count == 1 else word + 's'}" for count, word in rows)
        print(f"{looked}: {', '.join(found)}")
    return 2 if errors else 0


def problems_of(path: Path) -> list[Problem]:
    """Every problem of one file; what kind of file it is shows in its first keys."""
    try:
        text = read_text(path)
        node = parse(text, path)
    except InvalidFileError as error:
        return error.problems
    keys = {str(key.value) for key, _ in node.entries} if isinstance(node, MappingNode) else set[str]()
    try:
        if "scenario" in keys:
            from breakglass.rehearsal.scenario import load_scenario

            load_scenario(path)
        elif keys & SITE_KEYS and not keys & {"runbook", "steps"}:
            from breakglass.site.load import read_site

            return read_site(text, path)[1]
        else:
            return read_runbook(text, path)[1]
    except InvalidFileError as error:
        return error.problems
    return []


def _files(name: str) -> list[Path]:
    if Path(name).is_file():
        return [Path(name)]
    found = find_runbook(name)
    return [found.path, *found.scenarios]


def _all() -> Iterator[Path]:
    for found in all_runbooks():
        yield found.path
        yield from found.scenarios


def _row(problem: Problem) -> dict[str, object]:
    position = problem.position
    return {
        "file": str(position.file),
        "line": position.line,
        "column": position.column,
        "message": problem.message,
        "warning": problem.warning,
    }
