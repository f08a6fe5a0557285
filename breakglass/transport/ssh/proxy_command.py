"""ProxyCommand: a program whose standard input and output are the connection.

It runs as `ssh` runs it, under the user's shell. It has no terminal, and it ends with the connection, with
all that it has started.
"""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from typing import Self

from breakglass.network_guard import simulated

HEARD = 2_000
"""Bytes of what it says on standard error that are kept."""


class ProxyWire(socket.socket):
    """Our end of the connection. Closing it, from whatever side that comes, kills the command."""

    _process: "subprocess.Popen[bytes]"
    _listening: threading.Thread
    _said: bytearray

    @classmethod
    def started(cls, command: str) -> Self:
        """Start a command. Raises OSError."""
        if simulated():
            raise PermissionError("a rehearsal starts no ProxyCommand")
        ours, theirs = socket.socketpair()
        wire = cls(ours.family, ours.type, ours.proto, ours.detach())
        with theirs:
            try:
                wire._process = subprocess.Popen(
                    [os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError:
                socket.socket.close(wire)
                raise
        wire._said = bytearray()
        wire._listening = threading.Thread(target=wire._listen, name="ProxyCommand", daemon=True)
        wire._listening.start()
        return wire

    def _listen(self) -> None:
        """Keep the first of what it says, and drop the rest, so that it never waits for us."""
        assert self._process.stderr is not None
        with self._process.stderr as pipe, contextlib.suppress(OSError, ValueError):
            while piece := os.read(pipe.fileno(), 4096):
                self._said += piece[: HEARD - len(self._said)]

    def said(self, seconds: float) -> str:
        """How the command ended and what it said; empty while it runs. Blocks for `seconds` at most."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return ""
        self._listening.join(seconds)
        words = " ".join(self._said.decode(errors="replace").split())
        how = f"ended with {code}" if code >= 0 else f"was killed by signal {-code}"
        return f"{how}: {words}" if words else how

    def close(self) -> None:
        super().close()
        self.end()

    def end(self) -> None:
        """Kill the command at once, with what it has started. Does not wait."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            threading.Thread(target=self._process.wait, name="ProxyCommand end", daemon=True).start()
