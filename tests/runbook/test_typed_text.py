"""Which texts a person can be asked to type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.runbook.typed_text import SHORTEST_TYPED, seen, typing_problem

BLANK = [
    *(
        "",
        " ",
        "    ",
        "\t\n",
        "\u00a0\u2003\u3000",
        "\u200b\u200c\u200d\u2060\ufeff",
        "\u00ad\u00ad\u00ad\u00ad",
    ),
    *("\u115f\u1160\u3164\uffa0", "\u2800" * 9, "\u202e\u202c\u2066\u2069", "\ufe0f\U000e0100\u034f\u180b"),
    *("\x00\x1b\x7f\x9b", "\U000e0041\U000e0042", "\u17b4\u17b5\u17b4\u17b5", "\u0301\u0301\u0301\u0301"),
]


@pytest.mark.parametrize("text", BLANK)
def test_what_shows_nothing_is_blank(text: str) -> None:
    assert typing_problem(text) == "is blank"


@pytest.mark.parametrize("text", ["a", "h@l", "abc", "a b", "1 x", "e\u0301e\u0301e\u0301"])
def test_fewer_than_four_characters_are_too_few(text: str) -> None:
    assert typing_problem(text) == "is shorter than 4 characters"


@pytest.mark.parametrize(
    "text", ["web\u200b-0", "\ufeffweb-0", "web-0\n", "w\u3164eb-0", "web\u00a0zero", "web-0\ufe0f"]
)
def test_what_nobody_can_type_is_named(text: str) -> None:
    assert "cannot be typed" in typing_problem(text)
    assert "U+" in typing_problem(text)


@pytest.mark.parametrize("text", [" web-0", "web-0 "])
def test_a_space_at_an_end_is_not_seen(text: str) -> None:
    assert "not seen" in typing_problem(text)


@pytest.mark.parametrize("text", ["h@lab", "web-0", "3 on node-1", "größe", "узел", "กำลังใจ", "4711"])
def test_a_name_can_be_typed(text: str) -> None:
    assert typing_problem(text) == ""


@given(st.text())
def test_what_can_be_typed_shows_at_least_four_characters(text: str) -> None:
    if not typing_problem(text):
        assert len(seen(text)) >= SHORTEST_TYPED
        assert text.isprintable()
