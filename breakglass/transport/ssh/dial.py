"""A TCP connection to a name: its addresses are tried side by side, as RFC 8305 has it, in one deadline."""

import errno
import os
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeAlias

HEAD_START = 0.25
"""Seconds that an address has before the next one is tried as well: the Connection Attempt Delay."""
FAMILIES = {"any": socket.AF_UNSPEC, "inet": socket.AF_INET, "inet6": socket.AF_INET6}
"""Values of AddressFamily."""

_Address: TypeAlias = tuple[socket.AddressFamily, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """From where one connects: a value of AddressFamily, BindAddress and BindInterface."""

    family: str = "any"
    address: str | None = None
    interface: str | None = None


def dial(host: str, port: int, origin: Origin, seconds: float) -> socket.socket:
    """A connected socket that blocks. The first address that answers counts, and the rest is closed.

    Blocks for `seconds` at most, apart from looking the name up. Raises OSError: that of the first address
    that failed, and TimeoutError when none has answered in time.
    """
    until = time.monotonic() + seconds
    found = socket.getaddrinfo(host, port, FAMILIES[origin.family], socket.SOCK_STREAM)
    waiting = _in_turns((family, address) for family, _, _, _, address in found)
    failed: list[OSError] = []
    with selectors.DefaultSelector() as selector:
        try:
            while True:
                following = next(waiting, None)
                if following is not None:
                    try:
                        trying = _begun(following, origin)
                    except OSError as error:
                        failed.append(error)
                        continue
                    selector.register(trying, selectors.EVENT_WRITE)
                elif not selector.get_map():
                    raise failed[0]
                left = until - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                pause = min(left, HEAD_START) if following is not None else left
                connected = _first_of(selector, pause, failed)
                if connected is not None:
                    selector.unregister(connected)
                    connected.setblocking(True)
                    return connected
        finally:
            for key in tuple(selector.get_map().values()):
                _socket_of(key).close()


def _in_turns(found: Iterable[_Address]) -> Iterator[_Address]:
    """The addresses in their order, with the two families in turns, so that one that is dead costs little."""
    addresses = list(dict.fromkeys(found))
    first = addresses[0][0] if addresses else None
    ours = [each for each in addresses if each[0] == first]
    others = [each for each in addresses if each[0] != first]
    for pair in zip_longest(ours, others):
        yield from (each for each in pair if each is not None)


def _begun(to: _Address, origin: Origin) -> socket.socket:
    """A socket that is connecting. Raises OSError where that fails at once."""
    family, address = to
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        if origin.interface is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, origin.interface.encode() + b"\0")
        if origin.address is not None:
            made.bind(socket.getaddrinfo(origin.address, 0, family, socket.SOCK_STREAM)[0][4])
        code = made.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
    except BaseException:
        made.close()
        raise
    return made


def _first_of(
    selector: selectors.BaseSelector, seconds: float, failed: list[OSError]
) -> socket.socket | None:
    """The first that connects within the time; None when none does, or one failed and the next may begin."""
    for key, _ in selector.select(seconds):
        trying = _socket_of(key)
        code = trying.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0:
            return trying
        selector.unregister(trying)
        trying.close()
        failed.append(OSError(code, os.strerror(code)))
    return None


def _socket_of(key: selectors.SelectorKey) -> socket.socket:
    assert isinstance(key.fileobj, socket.socket)
    return key.fileobj
