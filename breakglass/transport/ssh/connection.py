"""Getting into one hop, and the connection that is kept.

Every blocking call is in a thread of its own with a deadline. Whatever goes wrong before a command has left
is an `SshFaultError` that names the host, the way to it and what to do. paramiko raises again, in the caller,
whatever its own thread met, and a far side that talks nonsense makes that any exception at all: hence the
broad ones in here.
"""

import asyncio
import shlex
import socket
import threading
import time
from collections.abc import Mapping

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from breakglass.threads import in_thread
from breakglass.transport.ssh.budget import Budget
from breakglass.transport.ssh.credentials import Offer
from breakglass.transport.ssh.faults import (
    SshFaultError,
    no_answer,
    refused_connection,
    refused_forward,
    said,
)
from breakglass.transport.ssh.host_keys import Entry, HostKeyQuestion, fingerprint, judge, read_known_hosts
from breakglass.transport.ssh.login import find_keys, log_in
from breakglass.transport.ssh.protocol import Client
from breakglass.transport.ssh.route import Hop, Route, via_of, words_of

HANDSHAKE = 15.0
"""Seconds for the far side to greet and to agree on keys."""
READ_FILES = 10.0
"""Seconds to read the known hosts; a home on a dead file server never answers."""
OPEN = 10.0
"""Seconds for a channel on a connection that answers."""
PING = 5.0
"""Seconds for a kept connection to show that it is alive."""
FRESH = 5.0
"""Seconds after an answer within which a connection is taken to be alive."""
KEEP_ALIVE = 15
SILENCE = 30_000
"""Milliseconds without acknowledgement after which the kernel gives the connection up: TCP_USER_TIMEOUT."""
SESSION_PAUSES = (0.05, 0.2, 0.5)
"""Seconds between tries to get a session when none of ours is open: sshd frees one a moment after its end."""
MOST_SESSIONS = 10
"""Commands at once on one connection: what sshd's MaxSessions is unless somebody changed it."""


class UnknownHostKeyError(Exception):
    """The host's key is not known; a person must look at it."""

    def __init__(self, question: HostKeyQuestion, hop: Hop, key_type: str, key: bytes) -> None:
        super().__init__(question.fingerprint)
        self.question = question
        self.hop = hop
        self.key_type = key_type
        self.key = key


class SessionsFullError(Exception):
    """The connection is up, but the far side gives no further session on it."""


class ConnectionLostError(Exception):
    """The connection is gone, or does not answer any more."""


class Progress:
    """What is waited for, in words, for whoever runs out of patience. `within` is what that waits for."""

    def __init__(self, words: str) -> None:
        self.words = words
        self.within: Progress | None = None

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
    """Close a connection, in a thread: a far side that does not read can hold a goodbye up."""

    def work() -> None:
        try:
            client.close()
            client.sock.close()
        except (OSError, EOFError, paramiko.SSHException):
            return

    threading.Thread(target=work, name="ssh goodbye", daemon=True).start()


async def connect(
    route: Route,
    via: Connection | None,
    budget: Budget,
    progress: Progress,
    passphrases: Mapping[str, str],
) -> Connection:
    """Connect to the last hop of a route, by way of the connection to the one before it.

    Raises SshFaultError, and UnknownHostKeyError or PassphraseWantedError when something must come from a
    person; then nothing is left open, since the far side would not wait for that long.
    """
    hop, words = route[-1], words_of(route)
    progress.words = f"connecting to {words}"
    entries = await _known_hosts(hop, words)
    offered = await find_keys(hop, words, passphrases)
    try:
        return await _made(route, via, words, entries, offered, budget, progress)
    finally:
        if offered.agent is not None:
            offered.agent.close()


async def _made(
    route: Route,
    via: Connection | None,
    words: str,
    entries: tuple[Entry, ...],
    offered: Offer,
    budget: Budget,
    progress: Progress,
) -> Connection:
    hop = route[-1]
    budget.take(time.monotonic())
    wire = await (via.forward(hop, words) if via is not None else _dial(hop, words, budget))
    client = Client(wire)
    try:
        progress.words = f"waiting for {words} to greet"
        await _greet(client, words, entries, budget)
        _check_host_key(client, route, words, entries)
        progress.words = f"logging in to {words}"
        await log_in(client, hop, words, offered, budget)
    except BaseException:
        hang_up(client)
        raise
    client.set_keepalive(KEEP_ALIVE)
    return Connection(route, client, via)


async def _known_hosts(hop: Hop, words: str) -> tuple[Entry, ...]:
    """What is known of the hop's names. Hashed names take time to compare, so that is done aside too."""
    names = [hop.known_as] + ([hop.fallback] if hop.fallback else [])

    def work() -> tuple[Entry, ...]:
        entries = read_known_hosts((*hop.known_hosts, *hop.global_known_hosts))
        return tuple(entry for entry in entries if any(entry.is_for(name) for name in names))

    try:
        return await in_thread(work, deadline=READ_FILES)
    except TimeoutError as error:
        raise SshFaultError("configuration", f"{words}: known_hosts cannot be read in time") from error
    except OSError as error:
        raise SshFaultError("configuration", f"{words}: {error.filename}: {error.strerror}") from error


async def _dial(hop: Hop, words: str, budget: Budget) -> socket.socket:
    given_up = threading.Event()

    def work() -> socket.socket:
        made = socket.create_connection((hop.address, hop.port), timeout=hop.connect_timeout)
        if given_up.is_set():
            made.close()
        else:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE)
        return made

    try:
        return await in_thread(work, deadline=hop.connect_timeout)
    except UnicodeError as error:
        raise SshFaultError("dns", f"{words}: that is not a name of a host; give an IP address") from error
    except OSError as error:
        if isinstance(error, TimeoutError):
            budget.no_answer(time.monotonic())
        raise refused_connection(words, error, hop.connect_timeout) from error
    finally:
        given_up.set()


async def _greet(client: Client, words: str, entries: tuple[Entry, ...], budget: Budget) -> None:
    _prefer(client, {entry.key_type for entry in entries if not entry.marker})
    client.banner_timeout = HANDSHAKE
    try:
        await in_thread(lambda: client.start_client(), deadline=HANDSHAKE)
    except TimeoutError as error:
        budget.no_answer(time.monotonic())
        raise SshFaultError(
            "timeout",
            f"{words}: accepts connections and says nothing for {HANDSHAKE:.0f} s; sshd or the machine "
            "hangs, or new connections came too fast. Look at the machine's console",
        ) from error
    except IncompatiblePeer as error:
        raise SshFaultError("malformed", f"{words}: no common algorithm: {said(error)}") from error
    except Exception as error:
        budget.no_answer(time.monotonic())
        raise SshFaultError(
            "disconnected",
            f"{words}: closed the connection before the keys were agreed on ({said(error)}); it may not be "
            "an SSH server, or it turns connections away. Wait a minute before trying again",
        ) from error


def _prefer(client: Client, types: set[str]) -> None:
    """Ask first for the kinds of host key that are known, as OpenSSH does: a host has several."""
    options = client.get_security_options()
    wanted = {name for each in types for name in _algorithms(each)}
    options.key_types = (
        *(each for each in options.key_types if each in wanted),
        *(each for each in options.key_types if each not in wanted),
    )


def _algorithms(key_type: str) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if key_type == "ssh-rsa" else (key_type,)


def _check_host_key(client: Client, route: Route, words: str, entries: tuple[Entry, ...]) -> None:
    hop = route[-1]
    remote = client.get_remote_server_key()
    key, key_type = remote.asbytes(), remote.get_name()
    shown = f"{key_type} {fingerprint(key)}"
    judgement = judge(entries, hop.known_as, hop.fallback, key)
    first = judgement.lines[0] if judgement.lines else None
    match judgement.kind:
        case "known":
            return
        case "revoked" if first is not None:
            raise SshFaultError(
                "host-key",
                f"{words}: refused, its host key {shown} is revoked in {first.file}:{first.line}. Do not go "
                "in this way; use the console",
            )
        case "changed" if first is not None:
            known = ", ".join(
                f"{each.key_type} {fingerprint(each.key)} ({each.file}:{each.line})"
                for each in judgement.lines
            )
            remove = f"ssh-keygen -R {shlex.quote(hop.known_as)} -f {shlex.quote(str(first.file))}"
            raise SshFaultError(
                "host-key",
                f"{words}: refused, its host key has changed. Known: {known}. Now: {shown}. Either the "
                "machine was reinstalled or somebody stands in between. Compare on its console with "
                f"`ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub`; if it is right: {remove}",
            )
        case _:
            pass
    if not hop.known_hosts:
        raise SshFaultError(
            "host-key",
            f"{words}: its host key {shown} is not known, and there is no known_hosts file to keep it in; "
            "give `known_hosts` in the site",
        )
    question = HostKeyQuestion(
        host=hop.name,
        address=hop.endpoint,
        key_type=key_type,
        fingerprint=fingerprint(key),
        known_hosts=hop.known_hosts[0],
        via=via_of(route),
    )
    raise UnknownHostKeyError(question, hop, key_type, key)
