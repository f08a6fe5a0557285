"""What is typed into and chosen from, with the keys that every terminal sends the same."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList


class TextLine(Input, inherit_bindings=False):
    """A line to type in, with the keys that every terminal sends the same. ^A and ^H stay unbound."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "cursor_left", show=False),
        Binding("right", "cursor_right", show=False),
        Binding("home", "home", show=False),
        Binding("end", "end", show=False),
        Binding("backspace", "delete_left", show=False),
        Binding("delete", "delete_right", show=False),
        Binding("ctrl+u", "delete_left_all", show=False),
        Binding("ctrl+w", "delete_left_word", show=False),
        Binding("enter", "submit", show=False),
    ]


class Choices(OptionList, inherit_bindings=False):
    """A list to choose from."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "cursor_down", show=False),
        Binding("up,k", "cursor_up", show=False),
        Binding("g,home", "first", show=False),
        Binding("G,end", "last", show=False),
        Binding("pagedown,space", "page_down", show=False),
        Binding("pageup,b", "page_up", show=False),
        Binding("enter", "select", show=False),
    ]
