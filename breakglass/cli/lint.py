"""Check runbooks, their scenarios and site files; every problem at once, with file, line and column.

examples:
  breakglass lint                         every runbook that can be found
  breakglass lint outpost-shm-purge       one, and its scenarios
  breakglass lint ./my/runbook.yaml ./site.yaml
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from breakglass.runbook.check_cache import CheckCache, Checked, FileReader, Head, open_cache
from breakglass.runbook.library import (
    Found,
    RunbookNotFoundError,
    all_runbooks,
    ambiguous,
    doubled,
    find_runbook,
    runbook_beside,
)
from breakglass.yamlio.position import InvalidFileError, Position, Problem

if TYPE_CHECKING:
    from breakglass.runbook.model import Runbook

SITE_KEYS = frozenset({"site", "clusters", "endpoints", "secrets"})
"""One of these at the top makes a file a site, though its name may be missing."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", nargs="*", help="names of runbooks, or files")
    parser.add_argument("--json", action="store_true", help="one JSON object a problem")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument("--no-cache", action="store_true", help="check again what has not changed")


def run(arguments: Namespace) -> int:
    _runbook.cache_clear()
    library = [] if arguments.what else all_runbooks()
    files = [path for name in arguments.what for path in _files(name)]
    files += [path for found in library for path in (found.path, *found.scenarios)]
    cache = CheckCache() if arguments.no_cache else open_cache()
    # What is wrong with the base of several scenarios is said once.
    problems = list(dict.fromkeys(problem for path in files for problem in _problems(path, cache)))
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
        if len(problems) > warnings:
            print(
                "every key: breakglass help runbook, scenario or site; an expression: "
                "breakglass help expressions"
            )
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
        return _check_scenario(path, reading, cache).problems
    from breakglass.probe import PROBES
    from breakglass.runbook.lint.safety import unguarded_problems
    from breakglass.runbook.load import read_runbook

    runbook, problems = read_runbook(text, path, probes=PROBES, read=reading, tree=tree)
    if runbook is not None:
        problems += _folder_problems(runbook)
        problems += [problem for step in runbook.steps for problem in unguarded_problems(step)]
    checked = Checked(problems, Head.of(runbook) if runbook is not None else None)
    cache.keep(reading, checked)
    return checked.problems


def _folder_problems(runbook: "Runbook") -> Iterator[Problem]:
    """A folder with another name than its runbook: commands go by the folder, records by the name."""
    folder = runbook.path.absolute().parent.name
    if runbook.path.name == "runbook.yaml" and folder != runbook.name:
        found_by = f"`runbook: {runbook.name}` is in folder {folder!r}, by which commands find it"
        message = f"{found_by}; give both one name"
        yield Problem(runbook.written.at("runbook"), message)


def _check_scenario(path: Path, reading: FileReader, cache: CheckCache) -> Checked:
    """What is wrong with a scenario, also in what it says of its runbook. Where that cannot be used, what is
    wrong with it is said of itself."""
    from breakglass.rehearsal.load import load_scenario
    from breakglass.rehearsal.names import name_problems
    from breakglass.runbook.lint.todo import todo_problems

    scenario = load_scenario(path, read=reading)
    beside = runbook_beside(path)
    try:
        runbook, texts = _runbook(beside or find_runbook(scenario.runbook).path)
    except RunbookNotFoundError as error:
        return Checked([Problem(scenario.written.at("runbook"), str(error))])
    if runbook is None:
        message = "the runbook has errors, so the names here are not checked"
        return Checked([Problem(scenario.written.at("runbook"), message, warning=True)])
    checked = Checked([*name_problems(scenario, runbook), *todo_problems(scenario.written)])
    if beside is not None:  # where else it may be found, does not follow from the texts
        reading.texts.update({each: text for each, text in texts.items() if each not in reading.texts})
        cache.keep(reading, checked)
    return checked


@cache
def _runbook(path: Path) -> "tuple[Runbook | None, dict[Path, str]]":
    """A runbook that several scenarios belong to, and the texts that it was read from."""
    from breakglass.runbook.load import read_runbook

    reading = FileReader()
    return read_runbook(reading(path), path, read=reading)[0], reading.texts


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
