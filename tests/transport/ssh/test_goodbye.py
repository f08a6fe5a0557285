"""However a connection ends, no thread of it writes a traceback over the screen."""

import socket
import threading

import pytest

from breakglass.transport.ssh.connection import hang_up
from breakglass.transport.ssh.protocol import Client


class Broken(Client):
    """A connection whose goodbye meets what nobody expected."""

    def close(self) -> None:
        raise RuntimeError("the far side talks nonsense")


def test_a_goodbye_that_goes_wrong_writes_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    monkeypatch.setattr(threading, "excepthook", written.append)
    one, other = socket.socketpair()
    with one, other:
        before = set(threading.enumerate())
        hang_up(Broken(one))
        for thread in set(threading.enumerate()) - before:
            thread.join()
    assert written == []
