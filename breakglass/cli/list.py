"""List the runbooks that can be found, with their scenarios; given words, those that fit, the best first.

Any of the words will do, and a typo is forgiven. A line of a log finds its runbook too.

examples:
  breakglass list
  breakglass list vault down
  breakglass list 'no space left on device'
  breakglass list --json
"""

import contextlib
import json
import sys
import textwrap
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from breakglass.cli.table import toned, width
from breakglass.runbook.check_cache import CheckCache, Checked, FileReader, Head, open_cache
from breakglass.runbook.library import Found, all_runbooks, ambiguous, doubled
from breakglass.transport.sanitize import visible_line
from breakglass.yamlio.position import InvalidFileError

if TYPE_CHECKING:
    from breakglass.runbook.model import Runbook

NEW_LINE = "\n"
LONGEST_PHRASE = 110
"""Characters of the phrase that a search found."""

BEFORE_TITLE = 33
"""Cells of a row before its title."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", help="what is seen or said, such as `vault down` or an error")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: Namespace) -> int:
    broken = 0
    cache = open_cache()
    library = all_runbooks()
    twice = doubled(library)
    matches = _matches(library, " ".join(arguments.words)) if arguments.words else None
    if matches is not None:
        by_path = {found.path: found for found in library}
        library = [by_path[path] for path in matches]
        twice = {name: same for name, same in twice.items() if any(each in library for each in same)}
    if not library:
        print(f"no runbook fits {' '.join(arguments.words)!r}; `breakglass list` shows all", file=sys.stderr)
    for found in library:
        scenarios, origin = [path.stem for path in found.scenarios], found.origin
        try:
            runbook = _head(found.path, cache)
        except InvalidFileError as error:
            broken = 2
            row = {"name": found.name, "path": str(found.path), "problems": [str(p) for p in error.problems]}
            words = _wrapped(found.name, "", f"cannot be used; `breakglass lint {found.name}` says why")
        else:
            row = {**runbook._asdict(), "scenarios": scenarios, "path": str(found.path)}
            title = runbook.title if origin == "shipped" else f"{runbook.title}  ({origin})"
            words = _wrapped(runbook.name, runbook.severity, title)
            if matches is not None and matches[found.path]:
                words += NEW_LINE + _wrapped("", "", matches[found.path])
        row["origin"] = origin
        print(json.dumps(row) if arguments.json else words)
        if not arguments.json and scenarios:
            print(toned(_wrapped("", "", f"rehearse: {', '.join(scenarios)}"), "quiet"))
    for same in twice.values():
        broken = 2
        print(f"{ambiguous(same)}; only its path opens either", file=sys.stderr)
    cache.save()
    return broken


def _matches(library: list[Found], wanted: str) -> dict[Path, str]:
    """The runbooks that fit some words, the best first, with what was found beside name and title."""
    from breakglass.runbook.load import load_runbook
    from breakglass.runbook.text_search import index

    usable: list[Runbook] = []
    for found in library:
        with contextlib.suppress(InvalidFileError):
            usable.append(load_runbook(found.path))
    return {
        match.runbook.path: ""
        if match.kind in ("", "name", "title")
        else textwrap.shorten(f"{match.kind}: {match.phrase}", LONGEST_PHRASE)
        for match in index(usable).search(wanted)
    }


def _wrapped(name: str, severity: str, text: str) -> str:
    """A row: name, severity and text, which goes on below itself where the terminal is narrow."""
    room = width()
    text = visible_line(text)
    lines = textwrap.wrap(text, max(room - BEFORE_TITLE, 20)) if room is not None else [text]
    head = f"{toned(f'{name:26}', 'strong')} {toned(f'{severity:5}', 'ask' if severity == 'sev1' else '')} "
    return head + f"{NEW_LINE}{'':{BEFORE_TITLE}}".join(lines)


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
