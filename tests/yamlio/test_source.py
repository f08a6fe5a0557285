import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.yamlio.position import InvalidFileError, Problem
from breakglass.yamlio.source import (
    DEEPEST,
    MappingNode,
    ScalarNode,
    SequenceNode,
    compose,
    parse,
)
from breakglass.yamlio.text_file import LARGEST_FILE, read_text
from tests.runbook.format_support import place, unmarked

PATH = Path("file.yaml")


def scalar(text: str) -> ScalarNode:
    node = parse(text, PATH)
    assert isinstance(node, ScalarNode)
    return node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("on", "off", "yes", "no", "y", "n", "On", "NO", "nUll", "tRue")],
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        *[("true", True), ("True", True), ("FALSE", False)],
        *[("12", 12), ("-12", -12), ("+3", 3), ("0o17", 15), ("0x1F", 31), ("007", 7), ("0b11", "0b11")],
        *[
            ("1.5", 1.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("-1.5e-2", -0.015),
            (".", "."),
            ("-", []),
        ],
        *[("12:30:45", "12:30:45"), ("2020-01-01", "2020-01-01"), ("1_000", "1_000"), ("1.2.3", "1.2.3")],
        *[("'12'", "12"), ('"true"', "true"), ("'~'", "~"), ("9223372036854775807", 2**63 - 1)],
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, value: object):
    if value == []:
        assert isinstance(parse(text, PATH), SequenceNode)
    else:
        node = scalar(text)
        assert (node.value, type(node.value)) == (value, type(value))


def test_keys_keep_their_text_whatever_they_look_like():
    node = parse("on: 1\n404: 2\n", PATH)
    assert isinstance(node, MappingNode)
    assert [key.text for key, _ in node.entries] == ["on", "404"]
    assert node.get("404") is not None
    assert node.get("missing") is None


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("plain", 1, 1),
        ("'quoted'", 1, 2),
        ('\n\n  "quoted"', 3, 4),
        ("|\n   block\n   text\n", 2, 4),
        (">-\n\n  folded\n", 2, 3),
        ("- é: x", 1, 6),
    ],
)
def test_the_text_of_a_scalar_has_its_own_place(text: str, line: int, column: int):
    node = parse(text, PATH)
    if isinstance(node, SequenceNode):
        inner = node.items[0]
        assert isinstance(inner, MappingNode)
        node = inner.entries[0][1]
    assert isinstance(node, ScalarNode)
    assert (node.text_position.line, node.text_position.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("a: 1\n§a: 2\nb: {c: 1, §c: 2}\n", ["'a' is here twice", "'c' is here twice"]),
        ("a: §!!str 5\nb: §!env X\n§!t c: [§!u d]\n", ["!!str", "!env", "!t", "!u"]),
        ("§<<: {a: 1}\n", ["merge keys"]),
        ("§[a, b]: 1\n§{c: d}: 2\n", ["a key must be a word"] * 2),
        ("a: 1\n§---\nb: 2\n", ["a second document"]),
        ("a: §*b\n", ["no anchor &b"]),
        ("a: &b [§*b]\n", ["inside itself"]),
        ("a: §.inf\nb: §-.INF\nc: §.nan\nd: §1e999\n", ["finite"] * 4),
        ("a: §9223372036854775808\nb: §" + "9" * 5000, ["64 bits"] * 2),
        ("a: [1,\n§", ["not YAML"]),
        ("a: 1\n b§: 2\n", ["not YAML"]),
        ("§\ta: 1\n", ["not YAML"]),
        ("a: é§\x07\n", ["control characters"]),
        ("a: é§\ud800\n", ["surrogate"]),
        ("a: " + "[" * (DEEPEST - 1) + "§[", ["levels deep"]),
    ],
)
def test_what_is_beyond_plain_data_is_a_problem_at_its_place(text: str, messages: list[str]):
    clean, places = unmarked(text)
    with pytest.raises(InvalidFileError) as caught:
        parse(clean, PATH)
    problems = caught.value.problems
    assert [place(problem) for problem in problems] == places
    for problem, message in zip(problems, messages, strict=True):
        assert message in problem.message


def test_the_rest_of_a_file_with_a_problem_is_still_given():
    problems: list[Problem] = []
    node = compose("a: 1\na: 2\nb: !!str x\n", PATH, problems)
    assert len(problems) == 2
    assert isinstance(node, MappingNode)
    assert [(key.text, value.text) for key, value in node.entries if isinstance(value, ScalarNode)] == [
        ("a", "1"),
        ("b", "x"),
    ]


def test_an_alias_repeats_its_anchor():
    node = parse("a: &x [1, 2]\nb: *x\n", PATH)
    assert isinstance(node, MappingNode)
    assert node.get("a") is node.get("b")


def test_an_alias_bomb_is_refused_before_it_unfolds():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    with pytest.raises(InvalidFileError, match="unfolds into more than"):
        parse("\n".join(lines), PATH)


def test_a_file_of_opening_brackets_is_refused():
    with pytest.raises(InvalidFileError, match=r"levels deep|nesting depth"):
        parse("[" * (LARGEST_FILE - 1), PATH)


def test_a_text_above_the_limit_is_refused():
    with pytest.raises(InvalidFileError, match="larger than 1 MiB"):
        parse("#" * (LARGEST_FILE + 1), PATH)


def test_files_are_read_as_utf_8_with_or_without_a_mark(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\n")
    assert read_text(path) == "a: é\n"


def test_a_byte_that_is_not_utf_8_is_named_with_its_place(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\nb\xc3\xa9: \xff\n")
    with pytest.raises(InvalidFileError) as caught:
        read_text(path)
    assert [place(problem) for problem in caught.value.problems] == [(2, 5)]
    assert "0xff" in str(caught.value)


def test_a_file_above_the_limit_is_not_read_to_its_end(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(InvalidFileError, match="larger than 1 MiB"):
        read_text(path)


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (
        ("pipe", "ordinary"),
        (".", "ordinary"),
        ("missing", "No such file"),
        ("a\0b", "null"),
    ):
        with pytest.raises(InvalidFileError, match=reason):
            read_text(tmp_path / name)


@settings(max_examples=200)
@given(st.text(max_size=60) | st.text(alphabet=" \n\t:-[]{}&*!|>'\"#ab1<?,%@`", max_size=60))
def test_any_text_is_a_tree_or_has_problems_inside_it(text: str):
    problems: list[Problem] = []
    node = compose(text, PATH, problems)
    assert node is not None or problems
    lines = text.count("\n") + text.count("\r") + text.count("\x85") + 3
    lines += text.count("\u2028") + text.count("\u2029")
    for problem in problems:
        assert 1 <= problem.position.line <= lines
        assert problem.position.column >= 1
