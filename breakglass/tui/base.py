"""What every screen of the cockpit has in common: keys from the table of actions, palette, help, themes, the
way back."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import App
from textual.screen import Screen
from textual.widget import Widget

from breakglass.runbook.library import Found
from breakglass.tui.keys import Action, Place, actions_of
from breakglass.tui.theme import Appearance

if TYPE_CHECKING:
    from breakglass.engine.session import Request


class BaseApp(App[int], inherit_bindings=False):
    """What a screen may ask of the application. `app.Cockpit` does it; screens know only this."""

    @property
    def look(self) -> Appearance:
        """How things are drawn in the theme that is on."""
        raise NotImplementedError

    def show_preflight(self, found: Found) -> None:
        """Inputs, checks and mode of a runbook. It ends with `begin`, or with `go_back`."""
        raise NotImplementedError

    def show_help(self, place: Place) -> None:
        """What the keys of a place do."""
        raise NotImplementedError

    def show_palette(self, screen: "CockpitScreen") -> None:
        """Every action of a screen, found by typing; the one that is chosen is carried out."""
        raise NotImplementedError

    def go_back(self) -> None:
        """Leave the screen that is on top; leaving the first one ends the program."""
        raise NotImplementedError

    def begin(self, request: "Request") -> None:
        """Walk a new session, or resume one. One walk at a time."""
        raise NotImplementedError

    def leave_during_a_change(self) -> None:
        """End the program while a change is on its way. Its intent is on record; its outcome is not."""
        raise NotImplementedError

    def draw_attention(self, words: str) -> None:
        """Ring the bell; where the terminal is not in focus, also notify through it (OSC 9)."""
        raise NotImplementedError


def cockpit(widget: Widget) -> BaseApp:
    """The application that a widget lives in."""
    return cast(BaseApp, widget.app)  # pyright: ignore[reportUnknownMemberType]


class CockpitScreen(Screen[None], inherit_bindings=False):
    """A screen whose keys come from the table of actions.

    A subclass names its `place` and has `BINDINGS = bindings(place)`, and a method `action_NAME` for each
    action of that place. It may narrow `available` to what makes sense now.
    """

    ALLOW_SELECT = False
    place: ClassVar[Place]

    def recolour(self) -> None:
        """Draw what is in colours of its own again, since the theme is another one."""

    def available(self) -> tuple[Action, ...]:
        """What can be done now. Footer and palette show these."""
        return actions_of(self.place)

    def action_palette(self) -> None:
        cockpit(self).show_palette(self)

    def action_help(self) -> None:
        cockpit(self).show_help(self.place)

    def action_back(self) -> None:
        cockpit(self).go_back()

    def action_theme_dark(self) -> None:
        cockpit(self).theme = "dark"

    def action_theme_light(self) -> None:
        cockpit(self).theme = "light"

    def action_theme_high_contrast(self) -> None:
        cockpit(self).theme = "high-contrast"
