"""Values in commands: always one argument, never an option, never evaluated again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from breakglass.policy.placeholders import VALUE
from breakglass.runbook.arguments import render_words
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.template import (
    TemplateTree,
    parse_template,
    placeholder_words,
    render,
    render_known,
    render_tree,
    split_words,
    with_expressions,
    with_templates,
)
from breakglass.values import Json
from breakglass.yamlio.position import InvalidFileError, Position

PLACE = Position(Path("runbook.yaml"), 7, 10)
VALUES = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def test_words_are_split_before_values_are_put_in() -> None:
    words = split_words("get pods -n ${{ ns }} -l 'a=${{ v }}'", PLACE)
    scope: dict[str, Json] = {"ns": "x --all-namespaces; rm", "v": "1 -A"}
    assert render_words(words, scope) == ("get", "pods", "-n", "x --all-namespaces; rm", "-l", "a=1 -A")


@pytest.mark.parametrize("value", ["--all", "-A", "-"])
def test_a_value_that_would_be_an_option_is_refused(value: str) -> None:
    words = split_words("delete pod ${{ pod }}", PLACE)
    with pytest.raises(EvaluationError, match="option"):
        render_words(words, {"pod": value})


def test_a_value_after_the_words_own_dash_is_not_an_option_of_its_own() -> None:
    words = split_words("delete --grace-period=${{ g }}", PLACE)
    assert render_words(words, {"g": "-1"}) == ("delete", "--grace-period=-1")


def test_an_empty_value_is_refused_as_an_argument() -> None:
    with pytest.raises(EvaluationError, match="empty"):
        render_words(split_words("delete pod ${{ pod }}", PLACE), {"pod": ""})


@pytest.mark.parametrize("word", ["--flag=${{ v }}", "/srv/${{ v }}/x", "${{ v }}"])
def test_an_empty_part_of_a_word_is_refused_unless_the_step_lets_it_be_empty(word: str) -> None:
    (template,) = split_words(word, PLACE)
    with pytest.raises(EvaluationError, match=r"empty.*optional: \[v\]"):
        render_words([template], {"v": ""})
    optional = with_expressions(template, lambda each: replace(each, optional=True))
    assert render_words([optional], {"v": ""}) == (word.replace("${{ v }}", ""),)


@pytest.mark.parametrize("value", ["..", "../etc", "a/../../etc", ".", "/", " ", "\n", "//"])
@pytest.mark.parametrize("word", ["/srv/${{ v }}", "${{ v }}/x", "/srv/${{ v }}/x"])
def test_a_part_of_a_path_leads_nowhere_else(word: str, value: str) -> None:
    with pytest.raises(EvaluationError, match="leads to another place"):
        render_words(split_words(word, PLACE), {"v": value})


@pytest.mark.parametrize("value", ["a/b", "a b", "..a", "a..b", ".hidden"])
def test_a_part_of_a_path_may_be_a_path(value: str) -> None:
    assert render_words(split_words("/srv/${{ v }}/x", PLACE), {"v": value}) == (f"/srv/{value}/x",)


def test_a_part_of_a_path_that_may_be_empty_may_be_empty() -> None:
    (template,) = split_words("/srv/${{ v }}", PLACE)
    optional = with_expressions(template, lambda each: replace(each, optional=True))
    assert render_words([optional], {"v": ""}) == ("/srv/",)


PATCH = """patch deployment web -p '{"metadata":{"labels":{"a":"${{ v }}","n":${{ n }}}}}'"""


@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@example(value='b"}},"spec":{"replicas":0},"x":{"y":{"z":"1')
@example(value="\\")
def test_a_value_in_a_patch_is_one_text_and_adds_no_field(value: str) -> None:
    words = render_words(split_words(PATCH, PLACE), {"v": value, "n": 3})
    assert json.loads(words[-1]) == {"metadata": {"labels": {"a": value, "n": 3}}}


@given(value=VALUES)
@example(value="; rm -rf /")
@example(value="${{ 1 + 1 }}")
def test_any_value_stays_one_argument(value: str) -> None:
    words = split_words("echo x${{ v }}y", PLACE)
    assert render_words(words, {"v": value}) == ("echo", f"x{value}y")


def test_a_value_is_never_evaluated_again() -> None:
    template = parse_template("${{ v }}", PLACE)
    assert render(template, {"v": "${{ used }}", "used": "secret"}) == "${{ used }}"


def test_two_dollars_write_the_opening_itself() -> None:
    assert render(parse_template("$${{ v }}", PLACE), {}) == "${{ v }}"


def test_a_closing_brace_inside_a_string_or_map_does_not_end_the_expression() -> None:
    template = parse_template("${{ {'a': '}}'}['a'] }}!", PLACE)
    assert render(template, {}) == "}}!"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("get ${{ pod", "not closed"),
        ("get ${{ }}", "no expression"),
        ("get pods | grep x", "shell"),
        ("get pods; reboot", "shell"),
        ("get $(id)", "shell"),
        ("get 'pods", "quote"),
    ],
)
def test_a_line_that_only_a_shell_would_understand_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidFileError, match=message) as caught:
        split_words(text, PLACE)
    assert caught.value.problems[0].position.line == 7


def test_an_expression_knows_its_own_place() -> None:
    words = split_words("get pods -n ${{ ns }}", PLACE)
    (part,) = words[3].parts
    assert not isinstance(part, str)
    assert (part.position.line, part.position.column) == (7, 10 + len("get pods -n ${{ "))


def test_a_tree_keeps_the_type_of_a_lone_expression() -> None:
    tree: TemplateTree = {"n": parse_template("${{ n }}", PLACE), "s": parse_template("n=${{ n }}", PLACE)}
    assert render_tree(tree, {"n": 3}) == {"n": 3, "s": "n=3"}


def test_a_null_has_no_text() -> None:
    with pytest.raises(EvaluationError, match="null"):
        render(parse_template("${{ v }}", PLACE), {"v": None})


def test_stand_ins_show_the_form_of_a_command() -> None:
    assert placeholder_words(split_words("delete pod ${{ p }}", PLACE)) == ("delete", "pod", VALUE)


def test_for_people_a_value_that_is_not_known_yet_stands_as_a_gap() -> None:
    template = parse_template("uid ${{ uid }}, ${{ used }} % of ${{ size }}", PLACE)
    assert render_known(template, {"uid": "a1", "size": None}) == "uid a1, … % of …"


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, "full, on node (not local)"),
        ({"used": 97}, "full (97 %), on node (not local)"),
        ({"used": 97, "free": "(none)"}, "full (97 %), on node (not local) (free (none))"),
        ({"free": "(none)"}, "full, on node (not local) (free (none))"),
    ],
)
def test_brackets_around_a_value_that_is_not_known_yet_are_left_out(
    known: dict[str, Json], words: str
) -> None:
    source = "full (${{ used }} %), on node (not local) (free ${{ free }})"
    assert render_known(parse_template(source, PLACE), known) == words


def test_a_template_that_is_changed_keeps_its_place() -> None:
    (word,) = split_words("${{ a }}", PLACE)
    changed = with_templates((word, PLACE), lambda each: replace(each, source="b"))
    assert changed[0].source == "b"
    assert changed[0].position.line == changed[1].line == 7
