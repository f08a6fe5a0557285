"""A screen that is one page to scroll."""

from textual.containers import VerticalScroll

from breakglass.tui.base import CockpitScreen


class Page(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The page. It has no keys of its own: they are the screen's, and some move through fields instead."""


class PageScreen(CockpitScreen):
    """A screen with a page, and the keys to move in it."""

    DEFAULT_CSS = """
    PageScreen Page { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    """

    @property
    def page(self) -> Page:
        return self.query_one(Page)

    @property
    def page_width(self) -> int:
        """Cells for text in one line of the page; 0 before it is laid out."""
        return self.page.scrollable_content_region.width

    def action_move_down(self) -> None:
        self.page.scroll_down(animate=False)

    def action_move_up(self) -> None:
        self.page.scroll_up(animate=False)

    def action_scroll_down(self) -> None:
        self.page.scroll_page_down(animate=False)

    def action_scroll_up(self) -> None:
        self.page.scroll_page_up(animate=False)

    def action_top(self) -> None:
        self.page.scroll_home(animate=False)

    def action_bottom(self) -> None:
        self.page.scroll_end(animate=False)
