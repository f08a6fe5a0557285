"""The shape of a site's `reads`: commands of its own that only read, as patterns of whole words."""

from breakglass.policy.commands import judge_command
from breakglass.policy.placeholders import VALUE, is_literal
from breakglass.policy.risk import Knowledge
from breakglass.policy.site_rules import ANY_WORD, ReadPattern
from breakglass.yamlio.position import Problem
from breakglass.yamlio.shape import UNREADABLE, Shape, Unreadable, converted, list_of, text
from breakglass.yamlio.source import Node

NOT_A_WORD = frozenset("|;&<>()$`'\"\\\n")
"""Characters that a shell reads. A pattern is words, and no shell sees it."""


def _pattern(written: str, node: Node, problems: list[Problem]) -> ReadPattern | Unreadable:
    pattern = ReadPattern(tuple(written.split(" ")))
    wrong = _wrong(pattern)
    if wrong:
        problems.append(Problem(node.position, f"{written!r} {wrong}"))
        return UNREADABLE
    found = judge_command([VALUE if word == ANY_WORD else word for word in pattern.words])
    if found.knowledge is Knowledge.CHANGES:
        # No error: a later version may come to know it, and the site must still be of use then.
        message = f"{written!r} has no effect: it is known to change something: {found.why}"
        problems.append(Problem(node.position, message, warning=True))
    return pattern


def _wrong(pattern: ReadPattern) -> str:
    """Why this can be no pattern; empty where it is one."""
    if not all(pattern.words):
        return "has two blanks in a row, or one at an end; a pattern is words with one blank between them"
    if NOT_A_WORD.intersection(pattern.text) or not is_literal(pattern.text):
        return "is no list of plain words; name one command, without quotes and without a shell's characters"
    if ANY_WORD in pattern.words[0]:
        return "does not name a program; only the words after it may be *"
    if any(ANY_WORD in word and word != ANY_WORD for word in pattern.words):
        return "has a * within a word; * stands for a whole word"
    return ""


READS: Shape[tuple[ReadPattern, ...]] = list_of(
    converted(text("words with one blank between them", as_written=True), _pattern), "a list of commands"
)
HELP = "Commands of this site's own that only read: whole words, * for any one that is no option."
