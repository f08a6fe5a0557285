"""The HTML page: one file in which whatever comes from outside is text."""

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from breakglass.report.document import Code, Fold, Heading, Paragraph, Prompt, points, table
from breakglass.report.html import page

OUTSIDE = st.text(
    st.one_of(
        st.sampled_from("<>&\"'/=; script"), st.characters(exclude_categories=["C"], exclude_characters="\r")
    ),
    min_size=1,
)


class Read(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def blocks(text: str) -> tuple[str, list[str]]:
    html = page(
        text,
        [
            Heading(1, text),
            Paragraph((text, Code(text), Prompt(text))),
            points(text),
            Fold(text, (table((text,), (text,)),)),
        ],
    )
    read = Read(html)
    return "".join(read.texts), read.tags


@given(OUTSIDE)
def test_every_text_from_outside_is_shown_and_makes_no_tag(text: str) -> None:
    shown, tags = blocks(text)
    assert tags == blocks("x")[1]
    assert shown.count(text) >= 8


def test_the_page_runs_nothing_and_loads_nothing() -> None:
    html = page("Post-mortem", [Paragraph(("x",))])
    assert "default-src &#x27;none&#x27;" in html
    assert not re.search(r"<script|<link|<img|url\(|@import|\son\w+=", html)
