"""Check runbooks, their scenarios and site files; every problem at once, with file, line and column.

examples:
  breakglass lint                         every runbook that can be found
  breakglass lint outpost-shm-purge       one, and its scenarios
  breakglass lint ./my/runbook.yaml ./site.yaml
"""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from breakglass.runbook.check_cache import CheckCache, Checked, FileReader, Head, open_cache
from breakglass.runbook.library import Found, all_runbooks, ambiguous, doubled, find_runbook
from breakglass.yamlio.position import InvalidFileError, Position, Problem

SITE_KEYS = frozenset({"site", "clusters", "endpoints", "secrets"})
"""One of these at the top makes a file a site, though its name may be missing."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", nargs="*", help="names of runbooks, or files")
    parser.add_argument("--json", action="store_true", help="one JSON object a problem")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument("--no-cache", action="store_true", help="check again what has not changed")


def run(arguments: Namespace) -> int:
    library = [] if arguments.what else all_runbooks()
    files = [path for name in arguments.what for path in _files(name)]
    files += [path for found in library for path in (found.path, *found.scenarios)]
    cache = CheckCache() if arguments.no_cache else open_cache()
    problems = [problem for path in files for problem in _problems(path, cache)]
    problems += [_one_name(same) for same in doubled(library).values()]
    cache.save()
    for problem in problems:
        print(json.dumps(_row(problem)) if arguments.json else str(problem))
    errors = [problem for problem in problems if arguments.strict or not problem.warning]
    if not arguments.json:
        warnings = sum(problem.warning for problem in problems)
        rows = ((len(files), "file"), (len(problems) - warnings, "error"), (warnings, "warning"))
        looked, *found = (f"{count} {word if count == 1 else word + 's'}" for count, word in rows)
        print(f"{looked}: {', '.join(found)}")
    return 2 if errors else 0


def _problems(path: Path, cache: CheckCache) -> list[Problem]:
    """Every problem of one file; what kind of file it is shows in its first keys."""
    kept = cache.find(path)
    if kept is not None:
        return kept.problems
    try:
        return _check(path, cache)
    except InvalidFileError as error:
        return error.problems


def _check(path: Path, cache: CheckCache) -> list[Problem]:
    from breakglass.yamlio.source import MappingNode, parse

    reading = FileReader()
    text = reading(path)
    tree = parse(text, path)
    keys = {str(key.value) for key, _ in tree.entries} if isinstance(tree, MappingNode) else set[str]()
    if keys & SITE_KEYS and not keys & {"scenario", "runbook", "steps"}:
        from breakglass.site.load import read_site

        return read_site(text, path)[1]
    if "scenario" in keys:
        from breakglass.rehearsal.load import load_scenario

        load_scenario(path, read=reading)
        checked = Checked([])
    else:
        from breakglass.runbook.load import read_runbook

        runbook, problems = read_runbook(text, path, read=reading, tree=tree)
        checked = Checked(problems, Head.of(runbook) if runbook is not None else None)
    cache.keep(reading, checked)
    return checked.problems


def _files(name: str) -> list[Path]:
    if Path(name).is_file():
        return [Path(name)]
    found = find_runbook(name)
    return [found.path, *found.scenarios]


def _one_name(same: list[Found]) -> Problem:
    return Problem(Position(same[-1].path, 1, 1), f"{ambiguous(same)}; rename one, or give paths")


def _row(problem: Problem) -> dict[str, object]:
    position = problem.position
    return {
        "file": str(position.file),
        "line": position.line,
        "column": position.column,
        "message": problem.message,
        "warning": problem.warning,
    }
