"""Text laid out by hand: nothing is lost, nothing is markup, nothing controls the terminal."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from breakglass.tui.widgets.text import clock, columns, flowed, folded, labelled, plain, seconds, shown_value

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=300)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300)


def without_blanks(text: str) -> str:
    return "".join(text.split(" "))


@given(ASCII, st.integers(2, 120))
def test_folding_leaves_nothing_out_but_blanks_at_its_breaks(text: str, width: int) -> None:
    lines = folded(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert without_blanks("".join(lines)) == without_blanks(text)


@given(WORDS, st.integers(2, 80))
def test_no_folded_line_is_too_wide_or_holds_a_control_character(text: str, width: int) -> None:
    for line in folded(text, width):
        assert cell_len(line) <= width
        assert not any(ord(character) < 32 or ord(character) == 127 for character in line)


def test_words_are_kept_whole_where_they_fit() -> None:
    assert folded("kubectl delete pod a -n b", 13) == ["kubectl", "delete pod a", "-n b"]


def test_a_word_that_is_too_wide_is_broken_and_not_cut() -> None:
    assert folded("abcdefghij", 4) == ["abcd", "efgh", "ij"]


def test_chunks_flow_and_are_broken_only_when_alone_too_wide() -> None:
    assert flowed(["LIVE", "main (prod)", "abcdefgh"], 12) == ["LIVE", "main (prod)", "abcdefgh"]
    assert flowed(["abcdefghij", "k"], 4) == ["abcd", "efgh", "ij", "k"]
    assert flowed(["a", "b", "c"], 80) == ["a  b  c"]


def test_a_label_stands_beside_the_first_line_only() -> None:
    lines = [line.plain for line in labelled("RUN", "one two three", 14, indent=6)]
    assert lines == ["RUN   one two", "      three"]


def test_columns_are_as_long_as_the_longer_one() -> None:
    rows = columns([Text("a")], [Text("b"), Text("c")], 3, "|", "")
    assert [row.plain for row in rows] == ["a   | b", "    | c"]


def test_what_looks_like_markup_is_text() -> None:
    assert "[bold]x[/]" in plain("[bold]x[/]")
    assert shown_value("[red]1[/red]") == "[red]1[/red]"


def test_escape_sequences_are_written_out() -> None:
    assert plain("a\x1b]52;c;eA==\x07b") == "a\\x1b]52;c;eA==\\x07b"


def test_values_read_as_people_write_them() -> None:
    assert shown_value(100.0) == "100"
    assert shown_value("") == '""'
    assert shown_value({"a": [1, True]}) == '{"a": [1, true]}'


def test_durations_have_units() -> None:
    assert [seconds(value) for value in (0.42, 12.0, 185.0)] == ["0.4 s", "12 s", "3 min 05 s"]
    assert [clock(value) for value in (-1.0, 402.0, 3661.0)] == ["00:00", "06:42", "1:01:01"]
