"""The window onto lines: what is in view, however many there are."""

from hypothesis import given
from hypothesis import strategies as st

from breakglass.tui.output_lines import FixedLines, Joined, Search, Viewport, spans

LINES = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60), max_size=40)
MOVES = st.lists(st.integers(-15, 15), max_size=20)


class Endless:
    """A million lines that nobody keeps. Remembers the largest number of lines that was asked for at once."""

    line_count = 1_000_000

    def __init__(self) -> None:
        self.most = 0

    def lines(self, start: int, stop: int) -> list[str]:
        stop = min(stop, self.line_count)
        self.most = max(self.most, stop - start)
        return [f"line {number}" for number in range(start, stop)]


def window(lines: list[str], *, width: int = 20, height: int = 5, wrap: bool = False) -> Viewport:
    view = Viewport()
    view.width, view.height = width, height
    view.show(FixedLines(lines), follow=False)
    view.set_wrap(wrap)
    return view


def test_a_million_lines_cost_what_is_in_view() -> None:
    source, view = Endless(), Viewport()
    view.show(source, follow=True)
    assert [row.text for row in view.rows()] == [f"line {number}" for number in range(999_990, 1_000_000)]
    view.move(-5000)
    view.set_wrap(True)
    view.rows()
    assert source.most <= 5000


def test_following_stays_at_the_end_as_lines_come() -> None:
    lines = ["a"] * 9
    view = window(lines)
    view.to_end()
    assert view.rows()[-1].line == 8
    lines += ["b"] * 5
    assert [row.line for row in view.rows()] == [9, 10, 11, 12, 13]


def test_moving_up_ends_following_and_new_lines_do_not_move_the_view() -> None:
    lines = [str(number) for number in range(20)]
    view = window(lines)
    view.to_end()
    view.rows()
    view.move(-3)
    before = view.rows()
    lines += ["more"] * 50
    assert view.rows() == before


def test_a_long_line_is_marked_at_the_edge_and_can_be_reached_sideways() -> None:
    view = window(["0123456789" * 5], width=10)
    assert view.rows()[0].text == "012345678>"
    view.sideways(45)
    assert view.rows()[0].text == "56789"


@given(LINES, st.integers(1, 30), st.integers(1, 8), st.booleans(), MOVES)
def test_rows_are_never_too_many_or_too_wide_and_in_order(
    lines: list[str], width: int, height: int, wrap: bool, moves: list[int]
) -> None:
    view = window(lines, width=width, height=height, wrap=wrap)
    for move in moves:
        view.move(move)
        rows = view.rows()
        assert len(rows) <= height
        assert all(len(row.text) <= width for row in rows)
        places = [(row.line, row.start) for row in rows]
        assert places == sorted(set(places))


@given(LINES, st.integers(3, 30), st.integers(1, 8))
def test_wrapped_rows_from_top_to_end_are_the_lines_themselves(
    lines: list[str], width: int, height: int
) -> None:
    view = window(lines, width=width, height=height, wrap=True)
    seen: dict[tuple[int, int], str] = {}
    for _ in range(sum(len(line) // width + 1 for line in lines) + 1):
        seen |= {(row.line, row.start): row.text for row in view.rows()}
        view.move(1)
    whole = ["".join(seen[place] for place in sorted(seen) if place[0] == at) for at in range(len(lines))]
    assert whole == lines


@given(LINES, st.integers(3, 30), st.integers(1, 8), st.booleans(), st.integers(0, 30))
def test_down_and_up_again_is_where_it_was(
    lines: list[str], width: int, height: int, wrap: bool, rows: int
) -> None:
    view = window(lines, width=width, height=height, wrap=wrap)
    view.move(200)
    end = view.rows()
    view.move(-rows)
    view.move(rows)
    assert view.rows() == end


def test_joined_sources_read_as_one() -> None:
    joined = Joined([FixedLines(["a", "b"]), FixedLines([]), FixedLines(["c"])])
    assert joined.line_count == 3
    assert joined.lines(1, 3) == ["b", "c"]
    assert joined.lines(0, 1) == ["a"]


def test_search_goes_around_and_ignores_case() -> None:
    search = Search("No Space")
    search.scan(FixedLines(["x", "no space left", "y", "NO SPACE"]))
    assert [search.go(True), search.go(True), search.go(True)] == [1, 3, 1]
    assert search.go(False) == 3
    assert search.words() == "/No Space: 2 of 2"


def test_search_finds_what_came_later() -> None:
    lines = ["a"]
    search = Search("b")
    search.scan(FixedLines(lines))
    assert search.go(True) is None
    lines.append("b")
    search.scan(FixedLines(lines))
    assert search.go(True) == 1


def test_matches_in_a_row() -> None:
    assert list(spans("abcABC", "c")) == [(2, 3), (5, 6)]
    assert list(spans("abc", "")) == []
