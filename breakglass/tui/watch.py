"""The cockpit of somebody who watches: the view of a walk, fed by its journal."""

from breakglass.session.following import Follower
from breakglass.tui.app import Cockpit
from breakglass.tui.walk.view import WalkView


class WatchCockpit(Cockpit):
    """Shows one session that another program walks, until the watcher leaves."""

    def __init__(self, following: Follower) -> None:
        super().__init__(lambda session: 0)
        self._following = following

    def open_first(self) -> None:
        self.push_screen(WalkView(self._following))
        self.run_worker(self._following.follow(), name="follow")
