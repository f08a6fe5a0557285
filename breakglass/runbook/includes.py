"""`- include: ../shared/steps.yaml` among the steps: a file with a list of steps, spliced in where it stands.

Only files inside the folder that holds the runbooks' folders can be included, each at most once in a runbook,
so that a runbook can be read by reading one folder, and no chain of includes can grow without bound.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from breakglass.yamlio.position import InvalidFileError, Problem
from breakglass.yamlio.source import MappingNode, Node, ScalarNode, SequenceNode, compose
from breakglass.yamlio.text_file import ReadText

DEEPEST_INCLUDE = 8
"""How many files may include one another in a chain."""

MOST_INCLUDES = 50
"""Files included in one runbook, at all depths."""


@dataclass(frozen=True, slots=True)
class Included:
    """A file that was spliced in: its path as written, and its text."""

    name: str
    text: str


def with_includes(
    tree: Node, path: Path, included: list[Included], problems: list[Problem], read: ReadText
) -> Node:
    """The runbook's tree with every include in its list of steps replaced by the steps of that file.

    Files that were read are added to `included`, in order; what is wrong with them, to `problems`. The
    positions in spliced steps are those of their own file.
    """
    if not isinstance(tree, MappingNode) or not isinstance(steps := tree.get("steps"), SequenceNode):
        return tree
    if not any(_is_include(item) for item in steps.items):
        return tree
    splicer = _Splicer(path, included, problems, read)
    spliced = replace(steps, items=tuple(splicer.items(steps, path, 0)))
    entries = tuple((key, spliced if value is steps else value) for key, value in tree.entries)
    return replace(tree, entries=entries)


def _is_include(node: Node) -> bool:
    return isinstance(node, MappingNode) and node.get("include") is not None


class _Splicer:
    def __init__(self, path: Path, included: list[Included], problems: list[Problem], read: ReadText) -> None:
        self._root = path.absolute().parent.parent
        self._included = included
        self._problems = problems
        self._read = read
        self._seen = {_real(path)}

    def items(self, steps: SequenceNode, path: Path, depth: int) -> list[Node]:
        """The steps of a list, with those of its includes in their place."""
        items: list[Node] = []
        for item in steps.items:
            if isinstance(item, MappingNode) and _is_include(item):
                items += self._spliced(item, path, depth + 1)
            else:
                items.append(item)
        return items

    def _spliced(self, item: MappingNode, path: Path, depth: int) -> list[Node]:
        for key, _ in item.entries:
            if key.text != "include":
                self._problem(key, f"{key.text!r} cannot stand beside 'include'; an include stands alone")
        name = item.get("include")
        if not isinstance(name, ScalarNode) or not isinstance(name.value, str):
            self._problem(name or item, "expected the relative path of a file with a list of steps")
            return []
        target = self._target(name, path, depth)
        return self._steps_of(name, target, depth) if target is not None else []

    def _target(self, name: ScalarNode, path: Path, depth: int) -> Path | None:
        """The file that an include names, or None with a Problem when it must not be read."""
        if "\0" in name.text or not name.text.strip() or Path(name.text).is_absolute():
            self._problem(name, f"{name.text!r} is not a relative path")
            return None
        target = Path(os.path.normpath(path.parent / name.text))
        if not _real(target).is_relative_to(_real(self._root)):
            self._problem(name, f"{name.text!r} leads out of the folder of the runbooks, {self._root.name}")
        elif depth > DEEPEST_INCLUDE:
            self._problem(name, f"includes more than {DEEPEST_INCLUDE} deep")
        elif len(self._included) >= MOST_INCLUDES:
            self._problem(name, f"more than {MOST_INCLUDES} files are included")
        elif _real(target) in self._seen:
            self._problem(name, f"{name.text!r} is already part of this runbook; a file is included once")
        else:
            self._seen.add(_real(target))
            return target
        return None

    def _steps_of(self, name: ScalarNode, target: Path, depth: int) -> list[Node]:
        try:
            text = self._read(target)
        except InvalidFileError as error:
            reasons = "; ".join(problem.message for problem in error.problems)
            self._problem(name, f"{name.text!r}: {reasons}")
            return []
        self._included.append(Included(name.text, text))
        tree = compose(text, target, self._problems)
        if tree is None:
            return []
        if not isinstance(tree, SequenceNode):
            self._problems.append(
                Problem(tree.position, "an included file holds a list of steps, and nothing else")
            )
            return []
        return self.items(tree, target, depth)

    def _problem(self, node: Node, message: str) -> None:
        self._problems.append(Problem(node.position, message))


def _real(path: Path) -> Path:
    """The path without symbolic links, as far as it exists; a loop of links stays as it is written."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()
