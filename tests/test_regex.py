"""Patterns of others: the same answers as CEL's `matches`, and no pattern that could take longer than its
text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.regex import MOST_MATCHES, compile_pattern
from breakglass.runbook.expression import Expression, evaluate
from breakglass.yamlio.position import Position

HERE = Position(Path("test"), 1, 1)
PATTERNS = st.sampled_from(["a+b", "(a|b)*c", "^a", "b$", "[^a]", "a{2}", r"\d", r"\w+é?", ".", "(?i)A"])


@given(PATTERNS, st.text(alphabet="abcé1\n", max_size=6))
def test_a_pattern_means_what_it_means_to_cel(pattern: str, text: str) -> None:
    expression = Expression("text.matches(pattern)", HERE)
    assert compile_pattern(pattern).occurs(text) is evaluate(expression, {"text": text, "pattern": pattern})


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("(", "missing )"),
        ("[a--b]", "a--"),
        ("(?=a)", "look-around"),
        (r"(a)\1", "backreferences"),
        (r"a\Z", "whole text is matched anyway"),
        ("(?P<n>a)(?P<n>b)", "two groups are called n"),
        ("(?P<1>a)", "no name for a group"),
        ("((a{100}){100}){100}", "repetition"),
        ("\ud800", "half of a UTF-16 pair"),
    ],
)
def test_what_cannot_be_held_to_its_time_is_refused_with_the_reason(source: str, why: str) -> None:
    with pytest.raises(ValueError, match="is not a regular expression") as caught:
        compile_pattern(source)
    assert why in str(caught.value)


def test_the_whole_text_must_fit_and_a_part_may_occur() -> None:
    pattern = compile_pattern("[a-z]+")
    assert pattern.fits("abc") and not pattern.fits("abc\n") and not pattern.fits("x1")
    assert pattern.occurs("1x1") and not pattern.occurs("11")


def test_matches_are_given_by_their_first_group() -> None:
    assert list(compile_pattern("<(.)>").all("<a><é>")) == ["a", "é"]
    assert list(compile_pattern("a|(b)").all("ab")) == ["", "b"]
    assert compile_pattern("(?P<a>x)?(?P<b>y)").names("y") == {"a": "", "b": "y"}


def test_there_is_an_end_to_matches() -> None:
    with pytest.raises(ValueError, match="more than 100,000 matches"):
        list(compile_pattern("a").all("a" * (MOST_MATCHES + 1)))


def test_text_that_is_no_utf_8_is_text() -> None:
    assert list(compile_pattern("a").all("\ud800a")) == ["a"]
    assert compile_pattern(".a").fits("\ud800a")
