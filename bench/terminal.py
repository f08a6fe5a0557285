"""A program in a pseudo-terminal, and the moment when it has painted something."""

import os
import select
import subprocess
import termios
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

COLUMNS: Final = 120
ROWS: Final = 40
PATIENCE: Final = 60.0
"""Seconds after which a program that has not painted is given up."""


class Screen:
    """What a program writes to its terminal, as bytes that were read so far."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self.written = b""

    def type(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def until(self, wanted: bytes, seconds: float = PATIENCE) -> None:
        """Read until the text was written. Raises RuntimeError when it does not come."""
        end = time.monotonic() + seconds
        while wanted not in self.written:
            left = end - time.monotonic()
            if left <= 0 or not self.read(left):
                raise RuntimeError(f"{wanted!r} was not painted; at last came {self.written[-500:]!r}")

    def read(self, seconds: float) -> bool:
        """Read what comes next, within some seconds. False when nothing did, or the program ended."""
        if not select.select([self._terminal], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self._terminal, 1 << 16)
        except OSError:  # Linux says EIO when the other side is closed
            return False
        self.written += piece
        return bool(piece)


@contextmanager
def in_terminal(
    argv: Sequence[str | Path], environment: Mapping[str, str], folder: Path
) -> Generator[tuple[Screen, "subprocess.Popen[bytes]"]]:
    """Start a program in a terminal of 120x40; it is killed at the end."""
    terminal, inside = os.openpty()
    termios.tcsetwinsize(inside, (ROWS, COLUMNS))
    process = subprocess.Popen(
        [str(word) for word in argv],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
        cwd=folder,
        env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environment},
    )
    os.close(inside)
    try:
        yield Screen(terminal), process
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
