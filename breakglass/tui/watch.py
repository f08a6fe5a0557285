"""The cockpit of somebody who watches: the view of a walk, fed by its journal."""

from dataclasses import replace

from breakglass.journal.follow import Follower
from breakglass.tui.app import Cockpit
from breakglass.tui.screens.walk.view import WalkView
from breakglass.tui.walk_text import Move
from breakglass.tui.widgets.text import plain


class WatchView(WalkView):
    """The view of a walk that says who is asked, for nobody is asked here."""

    def move_words(self) -> Move:
        move = super().move_words()
        if self.walk.state.ended is not None:
            return replace(move, words="The walk has ended. q  go back")
        asked = self.walk.state.waiting
        if asked is None:
            return move
        return replace(
            move, words=plain(f"Waiting for {self.walk.state.operator}: {asked.text or asked.question}")
        )


class WatchCockpit(Cockpit):
    """Shows one session that another program walks, until the watcher leaves."""

    def __init__(self, following: Follower) -> None:
        super().__init__(lambda session: 0)
        self._following = following

    def first_screen(self) -> WatchView:
        return WatchView(self._following)

    def on_mount(self) -> None:
        self.run_worker(self._following.follow(), name="follow")
