"""Getting into one hop: the connection, the greeting, the host's key, the login.

Whatever goes wrong is an `SshFaultError` that names the host, the way to it and what to do. paramiko raises
again, in the caller, whatever its own thread met: hence the broad exception in here.
"""

import shlex
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from breakglass.errors import RequestError
from breakglass.threads import in_thread
from breakglass.transport.ssh.algorithms import nothing_in_common, offer_algorithms
from breakglass.transport.ssh.certificates import (
    AUTHORITY_ALGORITHMS,
    CertificateError,
    HostCertificate,
    host_certificate,
)
from breakglass.transport.ssh.connection import Connection, ConnectionProgress, hang_up
from breakglass.transport.ssh.credentials import Offer
from breakglass.transport.ssh.dial import dial
from breakglass.transport.ssh.faults import SshFaultError, refused_connection, said
from breakglass.transport.ssh.host_keys import (
    HostKeyQuestion,
    KnownHost,
    fingerprint,
    is_revoked,
    judge,
    known_name,
    read_known_hosts,
)
from breakglass.transport.ssh.login import find_keys, log_in
from breakglass.transport.ssh.protocol import Client
from breakglass.transport.ssh.proxy_command import ProxyWire
from breakglass.transport.ssh.rate_limit import ConnectionBudget
from breakglass.transport.ssh.route import Hop, Route, via_of, words_of

HANDSHAKE = 15.0
"""Seconds for the far side to greet and to agree on keys."""
READ_FILES = 10.0
"""Seconds to read the known hosts; a home on a dead file server never answers."""
PROXY_ENDS = 1.0
"""Seconds for a ProxyCommand that has closed its output to end and say why."""
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
    client = Client(await _wire(hop, via, words, budget))
    try:
        progress.words = f"waiting for {words} to greet"
        await _greet(client, hop, words, entries, budget)
        await _check_host_key(client, route, words, entries)
        progress.words = f"logging in to {words}"
        await log_in(client, hop, words, offered, budget, progress)
    except BaseException:
        hang_up(client)
        raise
    client.set_keepalive(KEEP_ALIVE)
    return Connection(route, client, via)


async def _wire(
    hop: Hop, via: Connection | None, words: str, budget: ConnectionBudget
) -> socket.socket | paramiko.Channel:
    if via is not None:
        return await via.forward(hop, words)
    if hop.proxy_command is None:
        return await _dialled(hop, words, budget)
    command = hop.proxy_command
    try:
        return ProxyWire.started(command)
    except OSError as error:
        raise SshFaultError(
            "configuration", f"{words}: ProxyCommand {command} cannot be run: {error.strerror or error}"
        ) from error


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


async def _dialled(hop: Hop, words: str, budget: ConnectionBudget) -> socket.socket:
    given_up = threading.Event()

    def work() -> socket.socket:
        made = dial(hop.address, hop.port, hop.origin, hop.connect_timeout)
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
    client: Client, hop: Hop, words: str, entries: tuple[KnownHost, ...], budget: ConnectionBudget
) -> None:
    offer_algorithms(
        client,
        hop.algorithms,
        {entry.key_type for entry in entries if not entry.marker},
        any(entry.marker == "@cert-authority" for entry in entries),
    )
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
        missing = nothing_in_common(client) or f"no common algorithm: {said(error)}"
        raise SshFaultError("malformed", f"{words}: {missing}") from error
    except Exception as error:
        budget.no_answer(time.monotonic())
        ended = await _proxys_end(client)
        if ended:
            raise SshFaultError(
                "disconnected", f"{words}: its ProxyCommand {hop.proxy_command} {ended}"
            ) from error
        raise SshFaultError(
            "disconnected",
            f"{words}: closed the connection before the keys were agreed on ({said(error)}); it may not be "
            "an SSH server, or it turns connections away. Wait a minute before trying again",
        ) from error


async def _proxys_end(client: Client) -> str:
    """How the ProxyCommand of a connection ended, in words; empty where there is none, or it runs."""
    wire = client.sock
    if not isinstance(wire, ProxyWire):
        return ""
    return await in_thread(lambda: wire.said(PROXY_ENDS))


async def _check_host_key(client: Client, route: Route, words: str, entries: tuple[KnownHost, ...]) -> None:
    hop = route[-1]
    remote = client.get_remote_server_key()
    key, key_type = remote.asbytes(), remote.get_name()
    shown = f"{key_type} {fingerprint(key)}"
    certificate, why_not = _certificate_of(remote)
    if key_type == "ssh-rsa" and remote.get_bits() < hop.rsa_bits:
        raise SshFaultError(
            "host-key",
            f"{words}: refused, its host key {shown} has {remote.get_bits()} bits, and RequiredRSASize of "
            f"ssh_config wants {hop.rsa_bits}",
        )
    keys = [key, *([certificate.authority] if certificate is not None else [])]
    if hop.revoked_keys is not None:
        await _check_revoked(hop.revoked_keys, keys, words, shown)
    judgement = judge(entries, hop.known_as, hop.fallback, key)
    if certificate is not None:
        of_authority = judge(entries, hop.known_as, hop.fallback, certificate.authority)
        if of_authority.kind == "revoked":
            judgement = of_authority
        elif judgement.kind != "revoked":
            why_not = _why_not(certificate, hop, entries)
            if not why_not:
                return
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
        doubt=why_not,
    )
    raise UnknownHostKeyError(question, hop, key_type, key)


def _certificate_of(remote: paramiko.PKey) -> tuple[HostCertificate | None, str]:
    """The certificate that a host has shown with its key, and what is wrong where it cannot be read."""
    blob = getattr(remote, "public_blob", None)
    if blob is None:
        return None, ""
    try:
        return host_certificate(blob.key_blob), ""
    except CertificateError as error:
        return None, f"of its certificate, {error}"


def _why_not(certificate: HostCertificate, hop: Hop, entries: tuple[KnownHost, ...]) -> str:
    """Why a certificate does not speak for a hop, in words; empty where it does."""
    authorities = [each for each in entries if each.marker == "@cert-authority"]
    if all(each.key != certificate.authority for each in authorities):
        return f"its certificate is of the authority {fingerprint(certificate.authority)}, which is not known"
    name = hop.address if hop.known_as == known_name(hop.address, hop.port) else hop.known_as
    why = certificate.why_not(name, hop.authority_algorithms or AUTHORITY_ALGORITHMS, time.time())
    return f"its certificate does not count: {why}" if why else ""


async def _check_revoked(file: Path, keys: list[bytes], words: str, shown: str) -> None:
    """Refuse a key that RevokedHostKeys names, or whose authority it names; and any where the file cannot be
    read, as `ssh` does."""
    try:
        revoked = await in_thread(lambda: is_revoked(file, keys), deadline=READ_FILES)
    except (OSError, ValueError) as error:
        raise SshFaultError(
            "host-key", f"{words}: refused, RevokedHostKeys {file} cannot be read: {error}"
        ) from error
    if revoked:
        raise SshFaultError(
            "host-key",
            f"{words}: refused, its host key {shown} is revoked in {file}. Do not go in this way; use the "
            "console",
        )
