"""The terminal, which may be slow, stuck or gone. None of it holds the program up.

A session runs on the same event loop as the screen. A link that has stalled must not keep an answer from
being read, a deadline from passing or an outcome from being recorded; so what cannot be written now is
dropped, and the whole screen is drawn again when the terminal reads again.
"""

import termios
from queue import Full
from types import FrameType

from textual.drivers.linux_driver import LinuxDriver

LAST_WORDS = 2.0
"""Seconds that a terminal gets to take what restores it, at the end."""


class Terminal(LinuxDriver):
    """Textual's driver for Linux and macOS terminals, never waiting for the other side."""

    _behind = False
    """Whether something was dropped, so that the screen must be drawn again."""

    def write(self, data: str) -> None:
        """Write, or drop what a stuck or vanished terminal does not take."""
        writer = self._writer_thread
        if writer is None or not writer.is_alive():
            return
        try:
            writer._queue.put_nowait(data)  # pyright: ignore[reportPrivateUsage]
        except Full:
            self._behind = True
            return
        if self._behind and writer._queue.qsize() <= 1:  # pyright: ignore[reportPrivateUsage]
            self._behind = False
            self._app.call_later(self._draw_again)

    def _draw_again(self) -> None:
        for screen in self._app.screen_stack[-1:]:
            screen.refresh(layout=True)

    def hang_up(self) -> None:
        """The terminal is gone: read no more from it."""
        self.exit_event.set()

    def close(self) -> None:
        """Let the writer come to its end, for as long as a terminal may take to be restored."""
        writer = self._writer_thread
        if writer is None or not writer.is_alive():
            return
        try:
            writer._queue.put(None, timeout=LAST_WORDS)  # pyright: ignore[reportPrivateUsage]
        except Full:
            return
        writer.join(LAST_WORDS)

    def _sigcont_application(self, *_: int | FrameType | None) -> None:
        """Take the terminal over again after a stop. A hangup continues the program too: then it is gone."""
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            self.hang_up()
            return
        if not self._must_signal_resume:
            self.suspend_application_mode()
        super()._sigcont_application()  # pyright: ignore[reportUnknownMemberType]
