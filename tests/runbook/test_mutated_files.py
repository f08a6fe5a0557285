"""Files that went wrong in ways nobody thought of: always problems or a runbook, never anything else."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.runbook.load import read_runbook
from breakglass.yamlio.position import Problem
from breakglass.yamlio.source import MappingNode, Node, ScalarNode, SequenceNode, parse
from tests.runbook.format_support import PATH

EVERYTHING = (Path(__file__).parent / "everything.yaml").read_text(encoding="utf-8")
LINES = EVERYTHING.splitlines()
TREE = parse(EVERYTHING, PATH)

SNIPPETS = st.sampled_from(
    [
        *(
            "",
            " ",
            "\n",
            "\t",
            "~",
            "[]",
            "{}",
            "null",
            "true",
            "1",
            "-1",
            "1e999",
            "'",
            '"',
            "${{",
            "}}",
            "$${{",
        ),
        *(
            "${{ x }}",
            "${{ }}",
            "&a ",
            "*a",
            "!!str ",
            "- ",
            ": ",
            "? ",
            "|",
            ">",
            "#",
            "%",
            "@",
            "\0",
            "\u202e",
        ),
        *(
            "\ud800",
            "done",
            "read",
            "kubectl: ",
            "when: ",
            "\n  - id: x\n",
            "include: ../x.yaml",
            "(",
            ")",
            "a.b.c()",
        ),
    ]
)


def judged(text: str) -> list[Problem]:
    """Read a text; whatever it is, problems are inside the file and a runbook comes without errors."""
    runbook, problems = read_runbook(text, PATH)
    assert (runbook is None) == any(not problem.warning for problem in problems)
    assert problems == sorted(problems)
    for problem in problems:
        assert problem.position.line >= 1
        assert problem.position.column >= 1
        assert problem.message
    return problems


@settings(max_examples=120)
@given(
    st.lists(st.tuples(st.integers(0, len(EVERYTHING)), st.integers(0, 12), SNIPPETS), min_size=1, max_size=4)
)
def test_a_runbook_with_holes_and_patches_is_read_or_refused(edits: list[tuple[int, int, str]]):
    text = EVERYTHING
    for start, length, snippet in edits:
        text = text[:start] + snippet + text[start + length :]
    judged(text)


@settings(max_examples=80)
@given(st.data())
def test_a_runbook_with_lines_moved_is_read_or_refused(data: st.DataObject):
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        taken = lines.pop(data.draw(st.integers(0, len(lines) - 1)))
        lines.insert(
            data.draw(st.integers(0, len(lines))),
            data.draw(st.sampled_from([taken, f"  {taken}", taken.lstrip()])),
        )
    judged("\n".join(lines))


@settings(max_examples=150)
@given(st.data())
def test_a_runbook_with_a_part_of_the_wrong_kind_is_read_or_refused(data: st.DataObject):
    parts: list[Node] = list(_parts(TREE))
    wrong = data.draw(st.sampled_from(parts))
    others = ["~", "1", "x", "[]", "{}", "[x]", "{x: y}", "true", "'${{ nothing }}'", "''", "[[]]", "0.5"]
    judged(_written(TREE, wrong, data.draw(st.sampled_from(others))))


@settings(max_examples=100)
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str):
    assert judged(text)


def _parts(node: Node) -> list[Node]:
    parts = [node]
    if isinstance(node, SequenceNode):
        parts += [part for item in node.items for part in _parts(item)]
    elif isinstance(node, MappingNode):
        parts += [part for _, value in node.entries for part in _parts(value)]
    return parts


def _written(node: Node, wrong: Node, instead: str) -> str:
    """The tree as YAML in one line, with another text where the wrong part stood."""
    if node is wrong:
        return instead
    match node:
        case SequenceNode():
            return "[" + ", ".join(_written(item, wrong, instead) for item in node.items) + "]"
        case MappingNode():
            entries = (f"{key.text}: {_written(value, wrong, instead)}" for key, value in node.entries)
            return "{" + ", ".join(entries) + "}"
        case ScalarNode(value=str()):
            return "'" + node.text.replace("'", "''") + "'"
        case ScalarNode():
            return node.text or "~"
