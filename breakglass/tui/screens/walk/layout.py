"""Which layout a terminal's size gets, and how its rows are shared out."""

from typing import Literal, TypeAlias

Layout: TypeAlias = Literal["wide", "medium", "narrow", "linear"]
LAYOUTS: tuple[Layout, ...] = ("wide", "medium", "narrow", "linear")

STEPS_WIDTH = 34

FINDINGS_WIDTH = 46
"""Cells of the third column, which stands beside card and output from WIDEST on."""

WIDEST = 160


def layout_of(width: int, height: int) -> Layout:
    """Wide: steps beside card and output. Medium: a strip of steps over both. Narrow: one pane at a time.
    Linear: everything in one column, for what is smaller than 40x12."""
    if width < 40 or height < 12:
        return "linear"
    if width >= 110 and height >= 30:
        return "wide"
    if width >= 70 and height >= 22:
        return "medium"
    return "narrow"


def has_third_column(layout: Layout, width: int) -> bool:
    return layout == "wide" and width >= WIDEST


def card_rows(room: int, wanted: int, least_output: int) -> int:
    """Rows for a card that wants `wanted`, so that the output keeps its least and the card a few."""
    return max(min(wanted, room - least_output), min(wanted, 6), 1)
