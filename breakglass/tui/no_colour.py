"""Drawing without colours, for `NO_COLOR`: grounds that mean something become reverse video, the rest is bold
or plain."""

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

STANDS_OUT = 0.1
"""Difference in brightness from which a ground is more than the screen's own."""


class NoColour(LineFilter):
    """Takes every colour away. `ground` gives the screen's own background, which becomes the terminal's."""

    def __init__(self, ground: Callable[[], Color]) -> None:
        super().__init__()
        self._ground = ground
        self._known: dict[tuple[Style, Color], Style] = {}

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        ground = self._ground()
        return [Segment(text, self._plain(style or Style(), ground), None) for text, style, _ in segments]

    def _plain(self, style: Style, ground: Color) -> Style:
        key = (style, ground)
        if key not in self._known:
            self._known[key] = uncoloured(style, ground)
        return self._known[key]


def uncoloured(style: Style, ground: Color) -> Style:
    """A style without its colours, in reverse where its background stood out from the ground."""
    behind = Color.from_rich_color(style.bgcolor) if style.bgcolor is not None else ground
    stands_out = abs(behind.brightness - ground.brightness) > STANDS_OUT
    return Style(
        bold=style.bold,
        underline=style.underline,
        italic=style.italic,
        reverse=bool(style.reverse) != stands_out or None,
    )
