"""Getting into one hop: the connection, the greeting, the host's key, the login.

Whatever goes wrong is an `SshFaultError` that names the host, the way to it and what to do. paramiko raises
again, in the caller, whatever its own thread met: hence the broad exception in here.
"""

import shlex
import socket
import threading
import time
from collections.abc import Mapping

from paramiko.ssh_exception import IncompatiblePeer

from breakglass.errors import RequestError
from breakglass.threads import in_thread
from breakglass.transport.ssh.connection import Connection, ConnectionProgress, hang_up
from breakglass.transport.ssh.credentials import Offer
from breakglass.transport.ssh.faults import SshFaultError, refused_connection, said
from breakglass.transport.ssh.host_keys import (
    HostKeyQuestion,
    KnownHost,
    fingerprint,
    judge,
    read_known_hosts,
)
from breakglass.transport.ssh.login import find_keys, log_in
from breakglass.transport.ssh.protocol import Client
from breakglass.transport.ssh.rate_limit import ConnectionBudget
from breakglass.transport.ssh.route import Hop, Route, via_of, words_of

HANDSHAKE = 15.0
"""Seconds for the far side to greet and to agree on keys."""
READ_FILES = 10.0
"""Seconds to read the known hosts; a home on a dead file server never answers."""
KEEP_ALIVE = 15
SILENCE = 30_000
"""Milliseconds without acknowledgement after which the kernel gives the connection up: TCP_USER_TIMEOUT."""


class UnknownHostKeyError(RequestError):
    """The host's key is not known; a person must look at it."""

    def __init__(self, question: HostKeyQuestion, hop: Hop, key_type: str, key: bytes) -> None:
        super().__init__(question.fingerprint)
        self.question = question
        self.hop = hop
        self.key_type = key_type
        self.key = key


async def connect(
    route: Route,
    via: Connection | None,
    budget: ConnectionBudget,
    progress: ConnectionProgress,
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
    entries: tuple[KnownHost, ...],
    offered: Offer,
    budget: ConnectionBudget,
    progress: ConnectionProgress,
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


async def _known_hosts(hop: Hop, words: str) -> tuple[KnownHost, ...]:
    """What is known of the hop's names. Hashed names take time to compare, so that is done aside too."""
    names = [hop.known_as] + ([hop.fallback] if hop.fallback else [])

    def work() -> tuple[KnownHost, ...]:
        entries = read_known_hosts((*hop.known_hosts, *hop.global_known_hosts))
        return tuple(entry for entry in entries if any(entry.is_for(name) for name in names))

    try:
        return await in_thread(work, deadline=READ_FILES)
    except TimeoutError as error:
        raise SshFaultError("configuration", f"{words}: known_hosts cannot be read in time") from error
    except OSError as error:
        raise SshFaultError("configuration", f"{words}: {error.filename}: {error.strerror}") from error


async def _dial(hop: Hop, words: str, budget: ConnectionBudget) -> socket.socket:
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


async def _greet(
    client: Client, words: str, entries: tuple[KnownHost, ...], budget: ConnectionBudget
) -> None:
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
    """Ask first for the kinds of host key that are known, as OpenSSH does: a host has several.

    And for AES-GCM before AES-CTR, as OpenSSH 10.0 does: it needs no second pass over what came.
    """
    options = client.get_security_options()
    wanted = {name for each in types for name in _algorithms(each)}
    options.key_types = tuple(sorted(options.key_types, key=lambda each: each not in wanted))
    options.ciphers = tuple(sorted(options.ciphers, key=lambda each: "-gcm" not in each))


def _algorithms(key_type: str) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if key_type == "ssh-rsa" else (key_type,)


def _check_host_key(client: Client, route: Route, words: str, entries: tuple[KnownHost, ...]) -> None:
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
