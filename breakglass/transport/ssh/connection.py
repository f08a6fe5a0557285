"""The connection that is kept to one hop: alive or not, and how many commands have room on it.

Every blocking call is in a thread of its own with a deadline. paramiko raises again, in the caller, whatever
its own thread met, and a far side that talks nonsense makes that any exception at all: hence the broad ones.
"""

import asyncio
import threading
import time
from collections.abc import Callable

import paramiko

from breakglass.errors import RequestError
from breakglass.threads import in_thread
from breakglass.transport.ssh.faults import (
    SshFaultError,
    no_answer,
    refused_forward,
    said,
)
from breakglass.transport.ssh.protocol import Client
from breakglass.transport.ssh.proxy_command import ProxyWire
from breakglass.transport.ssh.route import Hop, Route

OPEN = 10.0
"""Seconds for a channel on a connection that answers."""
PING = 5.0
"""Seconds for a kept connection to show that it is alive."""
FRESH = 5.0
"""Seconds after an answer within which a connection is taken to be alive."""
SESSION_PAUSES = (0.05, 0.2, 0.5)
"""Seconds between tries to get a session when none of ours is open: sshd frees one a moment after its end."""
MOST_SESSIONS = 10
"""Commands at once on one connection: what sshd's MaxSessions is unless somebody changed it."""


class SessionsFullError(RequestError):
    """The connection is up, but the far side gives no further session on it."""


class ConnectionLostError(RequestError):
    """The connection is gone, or does not answer any more."""


class ConnectionProgress:
    """What is waited for, in words, for whoever runs out of patience. `within` is what that waits for. `tell`
    says it at once, where somebody must do something; None: nobody listens."""

    def __init__(self, words: str) -> None:
        self.words = words
        self.tell: Callable[[str], None] | None = None
        self.within: ConnectionProgress | None = None

    def __str__(self) -> str:
        return self.words if self.within is None else str(self.within)


class Connection:
    """One kept connection. To be used in the event loop's thread."""

    def __init__(self, route: Route, client: Client, via: "Connection | None") -> None:
        self.route = route
        self.client = client
        self.retired = False
        self.suspect = False
        """Something ran into its deadline here; look whether the connection answers before using it."""
        self._via = via
        self._users = 0
        self._sessions = 0
        self._limit = MOST_SESSIONS
        self._given = False
        self._stranded = False
        self._heard = time.monotonic()
        self._changed = asyncio.Event()
        self._pinging = asyncio.Lock()
        if via is not None:
            via.enter()

    @property
    def active(self) -> bool:
        return self.client.is_active() and (self._via is None or self._via.active)

    async def answers(self) -> bool:
        """Whether the connection is alive; asks the far side when nothing was heard for a while."""
        async with self._pinging:
            if not self.active or self.retired:
                return False
            if not self.suspect and time.monotonic() - self._heard < FRESH:
                return True
            try:
                await in_thread(lambda: self.client.global_request("keepalive@openssh.com"), deadline=PING)
            except Exception:  # noqa: BLE001  (see the module)
                return False
            if not self.active:
                return False
            self.heard()
            return True

    def heard(self) -> None:
        self._heard = time.monotonic()
        self.suspect = False

    async def session(self) -> paramiko.Channel:
        """A channel for one command, once there is room for it.

        Raises SessionsFullError when the far side gives none although none of ours is open, and
        ConnectionLostError. Every channel is to be given back with `release`.
        """
        pauses = list(SESSION_PAUSES)
        while True:
            while self._sessions >= self._limit and not self.retired:
                self._changed.clear()
                await self._changed.wait()
            if self.retired:
                raise SessionsFullError
            self._sessions += 1
            self.enter()
            try:
                channel = await self._opened("session", None, OPEN)
            except Exception as error:
                self._give_back()
                if not isinstance(error, paramiko.SSHException) or not self.active:
                    raise ConnectionLostError from error
                if self._sessions:
                    self._limit = self._sessions
                elif pauses and self._given and not self._stranded:
                    await asyncio.sleep(pauses.pop(0))
                else:
                    raise SessionsFullError from error
            except asyncio.CancelledError:
                self.suspect = True
                self._give_back()
                raise
            else:
                self._given = True
                self.heard()
                return channel

    def release(self, *, stranded: bool) -> None:
        """A command has ended. stranded: it may live on at the far side and take up its session there."""
        if stranded:
            self._limit -= 1
            self._stranded = self.suspect = True
        else:
            self.heard()
        if self._limit <= 0:
            self.retire()
        self._give_back()

    def _give_back(self) -> None:
        self._sessions -= 1
        self.leave()
        self._changed.set()

    async def forward(self, hop: Hop, words: str) -> paramiko.Channel:
        """A connection from this host to the next one. Raises SshFaultError."""
        try:
            return await self._opened("direct-tcpip", (hop.address, hop.port), hop.connect_timeout)
        except paramiko.ChannelException as error:
            raise refused_forward(words, self.route[-1].name, error.text) from error
        except TimeoutError as error:
            raise SshFaultError("timeout", no_answer(words, hop.connect_timeout)) from error
        except Exception as error:
            name = self.route[-1].name
            raise SshFaultError(
                "unreachable", f"{words}: {name} did not make the connection: {said(error)}"
            ) from error

    async def _opened(self, kind: str, to: tuple[str, int] | None, seconds: float) -> paramiko.Channel:
        given_up = threading.Event()

        def work() -> paramiko.Channel:
            channel = self.client.open_channel(kind, to, ("127.0.0.1", 0), timeout=seconds)
            if given_up.is_set():
                channel.close()
            return channel

        try:
            return await in_thread(work, deadline=seconds)
        finally:
            given_up.set()

    def enter(self) -> None:
        """Somebody uses the connection."""
        self._users += 1

    def leave(self) -> None:
        self._users -= 1
        if self.retired and not self._users:
            self.close()

    def retire(self) -> None:
        """Take no further commands, and close when the last one has ended."""
        self.retired = True
        self._changed.set()
        if not self._users:
            self.close()

    def close(self) -> None:
        """Close at once, without waiting for the far side."""
        self.retired = True
        self._changed.set()
        hang_up(self.client)
        if self._via is not None:
            self._via.leave()
            self._via = None


def hang_up(client: Client) -> None:
    """Close a connection, in a thread: a far side that does not read can hold a goodbye up.

    A ProxyCommand is killed here and now, since the program may end before the thread has begun.
    """
    if isinstance(client.sock, ProxyWire):
        client.sock.end()

    def work() -> None:
        try:
            client.close()
            client.sock.close()
        except Exception:  # noqa: BLE001  (see the module; a traceback would land on the screen)
            return

    threading.Thread(target=work, name="ssh goodbye", daemon=True).start()
