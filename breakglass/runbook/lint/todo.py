"""What an author has left to be said: each TODO of a runbook or a scenario, where it stands."""

import re
from collections.abc import Iterator

from breakglass.yamlio.position import Problem
from breakglass.yamlio.record import Written
from breakglass.yamlio.source import MappingNode, Node, ScalarNode, SequenceNode

_TODO = re.compile(r"\bTODO\b[^\n]*")
_LONGEST = 120
"""Characters of a TODO that a message repeats."""


def todo_problems(written: Written) -> list[Problem]:
    """A warning for each text of a file in which something is still to be said."""
    return [problem for node in written.nodes.values() for problem in _in(node)]


def _in(node: Node) -> Iterator[Problem]:
    match node:
        case ScalarNode(value=str() as text):
            if found := _TODO.search(text):
                yield Problem(node.position, found[0][:_LONGEST].rstrip(), warning=True)
        case SequenceNode():
            for item in node.items:
                yield from _in(item)
        case MappingNode():
            for _, value in node.entries:
                yield from _in(value)
        case _:
            pass
