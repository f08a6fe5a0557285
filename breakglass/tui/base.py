"""What every screen of the cockpit has in common: keys from the table of actions, palette, help, themes, the
way back."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.screen import Screen
from textual.widget import Widget

from breakglass.tui.keys import Action, Place, actions_of

if TYPE_CHECKING:
    from breakglass.tui.app import Cockpit


def cockpit(widget: Widget) -> "Cockpit":
    """The application that a widget lives in."""
    return cast("Cockpit", widget.app)  # pyright: ignore[reportUnknownMemberType]


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
        from breakglass.tui.widgets.palette import Palette

        def chosen(name: str | None) -> None:
            if name is not None:
                self.call_later(self.run_action, name)

        cockpit(self).push_screen(Palette(self.available()), chosen)

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
