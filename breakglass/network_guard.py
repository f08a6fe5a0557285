"""How far a session may reach: anywhere, or only to the servers of a simulated world.

This holds where connections are made and not where they are asked for, since a scenario's `Location`, an
address, a variable of the environment or a library may lead anywhere. Python tells audit hooks of every
connection and every name that is looked up, whichever library wants it, and what a hook raises is what the
library gets. The limit belongs to a task and to all that it starts, so that a rehearsal and a real session in
one program do not mix.
"""

import errno
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import ip_address
from typing import TypeAlias, cast

Servers: TypeAlias = frozenset[tuple[str, int]]
"""Addresses and ports of the servers that there are."""

_world: ContextVar[Servers | None] = ContextVar("the servers that may be connected to", default=None)


@contextmanager
def only_to(servers: Servers | None) -> Generator[None]:
    """Let what is begun here connect to these servers and to nothing else. None: anywhere."""
    if servers is not None:
        _watch()
    token = _world.set(servers)
    try:
        yield
    finally:
        _world.reset(token)


def simulated() -> bool:
    """Whether what runs here is held to a simulated world."""
    return _world.get() is not None


@lru_cache(maxsize=1)
def _watch() -> None:
    """Hear of connections. A hook stays for as long as the program runs, so there is one."""
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    if event not in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"):
        return
    world = _world.get()
    if world is None:
        return
    if event == "socket.getaddrinfo":
        if not _is_address(arguments[0]):
            raise _outside(f"{arguments[0]}:{arguments[1]}")
        return
    address = arguments[1]
    if isinstance(address, tuple):  # anything else is no address of a network
        host, port = cast("tuple[object, ...]", address)[:2]
        if (host, port) not in world:
            raise _outside(f"{host}:{port}")


def _is_address(host: object) -> bool:
    try:
        ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return True


def _outside(where: str) -> OSError:
    return OSError(errno.EHOSTUNREACH, f"a rehearsal reaches only its own world, which has no {where}")
