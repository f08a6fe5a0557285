"""What comes from outside is text in the draft, whatever Markdown it holds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from breakglass.report.document import Code, Fold, Paragraph, Prompt, points, table
from breakglass.report.markdown import cell, code, inline, markdown, unescaped

MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")
OUTSIDE = st.text(
    st.one_of(
        st.sampled_from("`*_~[]()<>&\\|#!-:/\n ab1."),
        st.characters(exclude_categories=["C", "Z"], exclude_characters="\u00ad"),
    ),
    min_size=1,
).map(lambda text: f"x{text}x")


def children(source: str, kind: str) -> list[Token]:
    """What the only cell or list item of a document is made of."""
    (found,) = [token for token in MARKDOWN.parse(source) if token.type == "inline" and token.content != "h"]
    assert kind in {token.type for token in MARKDOWN.parse(source)}
    return found.children or []


def shown(tokens: list[Token]) -> str:
    assert {token.type for token in tokens} <= {"text", "text_special"}
    return "".join(token.content for token in tokens)


@given(OUTSIDE)
def test_every_character_is_shown_and_none_of_them_means_anything(text: str) -> None:
    assert shown(children(f"- {inline(text)}", "list_item_open")) == text.replace("\n", " ⏎ ")


@given(OUTSIDE)
def test_a_cell_of_a_table_stays_one_cell(text: str) -> None:
    source = f"| h |\n|---|\n| {cell(text)} |"
    assert shown(children(source, "td_open")) == text.replace("\n", " ⏎ ")


@given(OUTSIDE)
def test_code_ends_where_it_should(text: str) -> None:
    (token,) = children(f"- {code(text)}", "list_item_open")
    assert token.type == "code_inline"
    assert token.content == text.replace("\n", " ⏎ ")


@pytest.mark.parametrize("address", ["http://evil.example/x", "see https://evil.example", "www.evil.example"])
def test_an_address_does_not_become_a_link_by_itself(address: str) -> None:
    # As GitHub's Markdown finds them: https://github.github.com/gfm/#autolinks-extension-
    assert not re.search(r"https?://|www\.", inline(address))
    assert shown(children(f"- {inline(address)}", "list_item_open")) == address


@given(OUTSIDE, OUTSIDE)
def test_the_screen_shows_a_line_without_its_escapes(text: str, command: str) -> None:
    flat, sent = (each.replace("\n", " ⏎ ") for each in (text, command))
    assert unescaped(f"- {inline(text)}") == f"- {flat}"
    assert unescaped(cell(text)) == flat
    assert sent in unescaped(f"- {code(command)} on {inline(text)}")


@given(st.text(st.sampled_from("#>-+=1.) \tab`*|<"), min_size=1).map(lambda text: f"{text}x"))
def test_a_line_from_outside_begins_no_block(text: str) -> None:
    for source in (markdown([points(text)]), markdown([Paragraph((text,))])):
        (line,) = [token for token in MARKDOWN.parse(source) if token.type == "inline"]
        assert shown(line.children or []) == text.lstrip().replace("\n", " ⏎ ")
        assert len(MARKDOWN.parse(source)) in (3, 7)


def test_a_fold_holds_a_table_with_code_and_prompts() -> None:
    rows = table(("UTC", "What"), ("09:00", (Code("a | b"), " c|d ", Prompt("who"))))
    tokens = MARKDOWN.parse(markdown([Fold("All <of> it", (rows,)), Paragraph(("after",))]))
    assert [token.type for token in tokens if token.level == 0 and token.nesting >= 0] == [
        "html_block",
        "table_open",
        "html_block",
        "paragraph_open",
    ]
    cells = [token for token in tokens if token.type == "inline"]
    assert [token.content for token in cells[:3]] == ["UTC", "What", "09:00"]
    assert [token.content for token in cells[3].children or [] if token.type == "code_inline"] == ["a | b"]
    assert [token.type for token in cells[3].children or []].count("em_open") == 1
