"""The cockpit of somebody who watches: the view of a walk, fed by its journal."""

from dataclasses import replace

from breakglass.journal.follow import Follower
from breakglass.tui.app import Cockpit
from breakglass.tui.screens.walk.view import WalkView
from breakglass.tui.walk_text import Move, state_words
from breakglass.tui.widgets.text import plain


class WatchView(WalkView):
    """The view of a walk that says who is asked, for nobody is asked here, and when nobody walks any more."""

    def __init__(self, following: Follower) -> None:
        super().__init__(following)
        self._following = following

    def header(self) -> list[str]:
        """The state of the walk, as it is for somebody who is not the walker."""
        state = self.walk.state
        theirs = state_words(state)
        if self._following.walker_gone:
            words = "WALKER GONE"
        elif state.waiting is not None:
            words = plain(f"waiting for {state.operator}")
        else:
            words = theirs
        return [words if piece == theirs else piece for piece in super().header()]

    def move_words(self) -> Move:
        state = self.walk.state
        if state.ended is not None:
            return replace(super().move_words(), words="The walk has ended. q  go back")
        if self._following.walker_gone:
            words = f"The walker is gone: {self._following.walker_gone}. {self._following.goes_on}"
            return Move(plain(words), urgent=True)
        asked = state.waiting
        if asked is None:
            return super().move_words()
        words = plain(f"Waiting for {state.operator}: {asked.text or asked.question}")
        return replace(super().move_words(), words=words)


class WatchCockpit(Cockpit):
    """Shows one session that another program walks, until the watcher leaves."""

    def __init__(self, following: Follower) -> None:
        super().__init__(lambda session: 0)
        self._following = following

    def first_screen(self) -> WatchView:
        return WatchView(self._following)

    def on_mount(self) -> None:
        self.run_worker(self._following.follow(), name="follow")
