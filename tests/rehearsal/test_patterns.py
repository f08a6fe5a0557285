import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.rehearsal.patterns import compile_pattern, compile_regex


def test_a_named_word_is_kept() -> None:
    assert compile_pattern("qm reset {vmid}").match(["qm reset 203"]) == {"vmid": "203"}


def test_a_named_word_ends_at_a_blank() -> None:
    assert compile_pattern("qm reset {vmid}").match(["qm reset 203 --force"]) is None


def test_a_star_takes_anything_and_nothing() -> None:
    pattern = compile_pattern("qm reset*")
    assert pattern.match(["qm reset"]) == {}
    assert pattern.match(["qm reset 203 --skiplock"]) == {}


def test_a_name_in_a_path_ends_at_a_slash() -> None:
    pattern = compile_pattern("/repos/{id}/pipelines", "slash")
    assert pattern.match(["/repos/1/pipelines"]) == {"id": "1"}
    assert pattern.match(["/repos/1/2/pipelines"]) is None


def test_the_first_text_that_matches_counts() -> None:
    assert compile_pattern("{word}").match(["two words", "one"]) == {"word": "one"}


def test_a_regular_expression_must_match_the_whole() -> None:
    assert compile_regex(r"qm (?P<verb>stop|start) \d+").match(["qm stop 203"]) == {"verb": "stop"}
    assert compile_regex(r"qm \w+").match(["qm stop 203"]) is None


@pytest.mark.parametrize("source", ["(", "[a", "(?P<1>x)"])
def test_a_broken_regular_expression_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="not a regular expression"):
        compile_regex(source)


def test_a_name_used_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two groups are called a"):
        compile_pattern("{a} {a}")


@given(st.text(alphabet=st.characters(exclude_characters="{*", exclude_categories=("Cs",)), min_size=1))
def test_literal_text_matches_itself(text: str) -> None:
    assert compile_pattern(text).match([text]) == {}
