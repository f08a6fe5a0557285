"""From a YAML file to a runbook, with every problem that reading and looking at it can find.

A file goes through four stages, and each adds its problems and leaves as much as it can to the next: text to
a tree (`yamlio.source`), includes spliced in (`includes`), tree to model (`model`, `steps`, `actions`), and
what the parts mean together (`lint`).
"""

import hashlib
from dataclasses import replace
from pathlib import Path

from breakglass.runbook.includes import Included, with_includes
from breakglass.runbook.lint import lint
from breakglass.runbook.model import Runbook
from breakglass.runbook.probes import KnownProbes
from breakglass.values import Json
from breakglass.yamlio.json_schema import schema_of
from breakglass.yamlio.position import InvalidFileError, Problem
from breakglass.yamlio.record import shape_of
from breakglass.yamlio.shape import Unreadable
from breakglass.yamlio.source import Node, compose
from breakglass.yamlio.text_file import ReadText, read_text, read_trusted_text


def load_runbook(path: Path, *, probes: KnownProbes | None = None) -> Runbook:
    """The runbook in a file that only its owner may write, to be run. Raises InvalidFileError with every
    problem; warnings alone do not stop it.

    `probes` are the probes that there are; without them, actions that name one are not checked.
    """
    runbook, problems = read_runbook(read_trusted_text(path), path, probes=probes, read=read_trusted_text)
    if runbook is None:
        raise InvalidFileError(problems)
    return runbook


def read_runbook(
    text: str,
    path: Path,
    *,
    probes: KnownProbes | None = None,
    read: ReadText = read_text,
    tree: Node | None = None,
) -> tuple[Runbook | None, list[Problem]]:
    """The runbook in a text, and every problem, warnings included, in the order of the file.

    None when any problem is an error. Included files are read with `read` from beside `path`. `tree` is what
    `parse` gave for the text, where that is known.
    """
    problems: list[Problem] = []
    if tree is None:
        tree = compose(text, path, problems)
    runbook = _read(tree, text, path, problems, probes, read) if tree is not None else None
    if any(not problem.warning for problem in problems):
        runbook = None
    return runbook, sorted(set(problems))


def runbook_schema() -> dict[str, Json]:
    """JSON Schema, draft 2020-12. It knows keys and types; what parts mean together, only `lint` knows."""
    return schema_of(shape_of(Runbook), "A breakglass runbook")


def _read(
    tree: Node,
    text: str,
    path: Path,
    problems: list[Problem],
    probes: KnownProbes | None,
    read: ReadText,
) -> Runbook | None:
    included: list[Included] = []
    tree = with_includes(tree, path, included, problems, read)
    runbook = shape_of(Runbook).read(tree, problems)
    if isinstance(runbook, Unreadable):
        return None
    texts = tuple((each.name, each.text) for each in included)
    runbook = replace(runbook, path=path, source=text, included=texts)
    runbook = replace(runbook, digest=_digest(whole_text(runbook)))
    problems.extend(lint(runbook, probes=probes))
    return runbook


def whole_text(runbook: Runbook) -> str:
    """The text of a runbook and of all that it includes, so that a change of a shared file shows as well.
    NUL, which no file of these holds, stands around each name."""
    return runbook.source + "".join(f"\0{name}\0{text}" for name, text in runbook.included)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
