"""How expressions, templates and command lines are written in a file.

A record's field that is annotated with `Expression`, `Template` or `TemplateTree` is read by these.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from breakglass.regex import compile_pattern
from breakglass.runbook.expression import Expression
from breakglass.runbook.template import OPEN, Template, TemplateTree, parse_template, split_words
from breakglass.yamlio.position import InvalidFileError, Position, Problem
from breakglass.yamlio.shape import (
    TYPES,
    UNREADABLE,
    Definitions,
    Schema,
    Shape,
    Unreadable,
    converted,
    made,
    text,
)
from breakglass.yamlio.source import MappingNode, Node, ScalarNode, SequenceNode

T = TypeVar("T")

STEP_ID = text("a step's id in lower case", pattern=r"[a-z0-9][a-z0-9_-]*")


def _expression(source: str, node: Node, problems: list[Problem]) -> Expression | Unreadable:
    if OPEN in source:
        problems.append(Problem(node.position, "an expression stands here as it is, without ${{ }}"))
        return UNREADABLE
    assert isinstance(node, ScalarNode)
    return Expression(source.rstrip(), node.text_position)


EXPRESSION: Shape[Expression] = converted(
    text("a CEL expression", as_written=True, title="expression"), _expression
)


def _parsed(node: Node, problems: list[Problem], parse: Callable[[str, Position], T]) -> T | Unreadable:
    """What the text of a scalar is, with the places of the text itself."""
    assert isinstance(node, ScalarNode)
    try:
        return parse(node.text, node.text_position)
    except InvalidFileError as error:
        problems.extend(error.problems)
        return UNREADABLE


def template(what: str = "text", *, may_be_empty: bool = False) -> Shape[Template]:
    """Text with expressions in it. `what` names it in messages."""
    return converted(
        text(what, as_written=True, may_be_empty=may_be_empty, title="template"),
        lambda source, node, problems: _parsed(node, problems, parse_template),
    )


TEMPLATE = template()
MAYBE_EMPTY_TEMPLATE = template(may_be_empty=True)
COMMAND_LINE: Shape[tuple[Template, ...]] = converted(
    text("a kubectl command line"), lambda source, node, problems: _parsed(node, problems, split_words)
)
"""Text that is split into words before anything is put in."""


class _Tree(Shape[TemplateTree]):
    """JSON whose strings are templates."""

    what = "any data"

    def read(self, node: Node, problems: list[Problem]) -> "TemplateTree | Unreadable":
        match node:
            case ScalarNode(value=value):
                return _parsed(node, problems, parse_template) if isinstance(value, str) else value
            case SequenceNode():
                items = [self.read(item, problems) for item in node.items]
                return [item for item in items if not isinstance(item, Unreadable)]
            case MappingNode():
                entries = [(key.text, self.read(value, problems)) for key, value in node.entries]
                return {name: value for name, value in entries if not isinstance(value, Unreadable)}

    def schema(self, definitions: Definitions) -> Schema:
        return {}


TREE: Shape[TemplateTree] = _Tree()


def _pattern(source: str) -> str:
    compile_pattern(source)
    return source


PATTERN: Shape[str] = made(text(title="regular expression"), _pattern)
"""A regular expression that the whole of a value must match."""

TYPES.update({Expression: EXPRESSION, Template: TEMPLATE, cast(str, TemplateTree): TREE})
