"""The SSH transport of a session: keeps one connection a host, and sends commands over it.

Connections are shared by all that want the same host, made at a pace that careful doors allow, and made anew
when one has died before anything was sent. A command is never sent twice.
"""

import asyncio
import base64
import re
import shlex
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager

import paramiko

from breakglass.errors import UserError
from breakglass.policy.login_shell import LONGEST, wire_of
from breakglass.site.model import Host, Site
from breakglass.threads import in_thread
from breakglass.transport.base import Delivery, Request, Result, SecretResolver, Sink, SshRequest
from breakglass.transport.ssh.command import run_command
from breakglass.transport.ssh.connect import UnknownHostKeyError, connect
from breakglass.transport.ssh.connection import (
    Connection,
    ConnectionLostError,
    ConnectionProgress,
    SessionsFullError,
)
from breakglass.transport.ssh.faults import SshFaultError
from breakglass.transport.ssh.host_keys import HostKeyQuestion, remember
from breakglass.transport.ssh.login import PassphraseWantedError
from breakglass.transport.ssh.rate_limit import REFUSED_LOGINS, ConnectionBudget
from breakglass.transport.ssh.route import Hop, Route, route_to, words_of

READ_CONFIGURATION = 10.0
"""Seconds for `ssh -G` and the files; a home on a dead file server never answers."""
READ_AT_ONCE = 16
"""Hosts for which `ssh -G` is asked at once; each is a process."""
TRIES = 3
"""Connections that one request may find dead or full before it gives up. Nothing was sent on any of them."""
BARE_VERB = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")

HostKeyPrompt = Callable[[HostKeyQuestion], Awaitable[bool]]


class _Patience:
    """How long a request still waits. Time that a person takes to answer is not the far side's."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self._until - time.monotonic())

    @contextmanager
    def paused(self) -> Generator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._until += time.monotonic() - began


class _Shared:
    """A connection being made, for all that wait for it. It ends when nobody does any more."""

    def __init__(
        self,
        connected: "Callable[[Route, ConnectionProgress], Coroutine[None, None, Connection]]",
        route: Route,
    ) -> None:
        self.progress = ConnectionProgress(f"connecting to {words_of(route)}")
        self.task = asyncio.create_task(connected(route, self.progress))
        self._waiting = 0
        # A failure that nobody waits for any more is nobody's.
        self.task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.abandoned = False

    async def wait(self) -> Connection:
        self._waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.abandoned = True
                self.task.cancel()


class Ssh:
    """The transport for `SshRequest`. `host_key_prompt` shows an unknown key to a person; None: nobody can be
    asked, and unknown keys are refused. `tell` says what a person must do while the program waits."""

    def __init__(
        self,
        site: Site,
        secrets: SecretResolver,
        host_key_prompt: HostKeyPrompt | None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._site = site
        self._secrets = secrets
        self._prompt = host_key_prompt
        self._tell = tell
        self._routes: dict[str, Route] = {}
        self._kept: dict[Route, Connection] = {}
        self._connecting: dict[Route, _Shared] = {}
        self._budgets: dict[tuple[str, int], ConnectionBudget] = {}
        self._passphrases: dict[str, str] = {}
        self._reading = asyncio.Semaphore(READ_AT_ONCE)
        self._asking = asyncio.Lock()
        self._answers: dict[HostKeyQuestion, tuple[float, bool]] = {}

    async def send(self, request: Request, sink: Sink) -> Result:
        """Run a command, and return within its timeout. The time in which a person looks at an unknown host
        key does not count."""
        assert isinstance(request, SshRequest)
        started = time.monotonic()
        patience = _Patience(request.timeout)
        try:
            host = self._host(request)
            command = _command(host, request)
            connection, channel = await self._session(host, patience)
        except SshFaultError as error:
            return Result(Delivery.NOT_SENT, time.monotonic() - started, fault=error.fault)
        ended = False
        try:
            words = words_of(connection.route)
            result = await run_command(
                connection.client, channel, request, command, sink, words, patience.left()
            )
            ended = result.exit is not None or result.delivery is Delivery.ANSWERED
            return result
        finally:
            connection.release(stranded=not ended)

    async def close(self) -> None:
        """Close every connection, without waiting for the far sides."""
        for shared in tuple(self._connecting.values()):
            shared.task.cancel()
        for connection in tuple(self._kept.values()):
            connection.close()
        self._kept.clear()

    def _host(self, request: SshRequest) -> Host:
        """The host of a request. Raises SshFaultError for one that the site does not have."""
        host = self._site.hosts.get(request.host)
        if host is None:
            raise SshFaultError("configuration", self._site.lacks("host", request.host, self._site.hosts))
        return host

    async def _session(self, host: Host, patience: _Patience) -> tuple[Connection, paramiko.Channel]:
        while True:
            progress = ConnectionProgress(f"reading the SSH configuration for {host.name}")
            try:
                async with asyncio.timeout(patience.left()):
                    return await self._opened(host, patience, progress)
            except TimeoutError:
                raise SshFaultError(
                    "timeout", f"{progress}: not done within the time that the step has; nothing was sent"
                ) from None
            except UnknownHostKeyError as unknown:
                with patience.paused():
                    await self._decide(unknown)
            except PassphraseWantedError as wanted:
                with patience.paused():
                    await self._open_key(wanted.secret, host)

    async def _opened(
        self, host: Host, patience: _Patience, progress: ConnectionProgress
    ) -> tuple[Connection, paramiko.Channel]:
        route = await self._route(host)
        for _ in range(TRIES):
            connection = await self._connection(route, patience.left(), progress)
            progress.words = f"waiting for a free session on {words_of(route)}"
            try:
                return connection, await connection.session()
            except (SessionsFullError, ConnectionLostError):
                self._forget(connection)
        raise SshFaultError(
            "disconnected",
            f"{words_of(route)}: gives no session on any connection (MaxSessions, or the login shell)",
        )

    async def _route(self, host: Host) -> Route:
        known = self._routes.get(host.name)
        if known is not None and known in self._kept and self._kept[known].active:
            return known
        try:
            async with self._reading:
                route = await in_thread(lambda: route_to(self._site, host), deadline=READ_CONFIGURATION)
        except TimeoutError as error:
            raise SshFaultError(
                "configuration",
                f"host {host.name}: ssh_config cannot be read in {READ_CONFIGURATION:.0f} s; is the home on "
                "a file server that is down? Give `ssh_config` in the site",
            ) from error
        except UserError as error:
            raise SshFaultError("configuration", str(error)) from error
        self._routes[host.name] = route
        return route

    async def _connection(self, route: Route, seconds: float, progress: ConnectionProgress) -> Connection:
        """The kept connection for a route, or a new one. `seconds` bound only the wait for being allowed."""
        while (kept := self._kept.get(route)) is not None:
            progress.words = f"looking whether the connection to {words_of(route)} is alive"
            if await kept.answers():
                return kept
            self._forget(kept)
        shared = self._connecting.get(route)
        if shared is None or shared.abandoned or shared.task.done():
            self._allowed(route, seconds)
            shared = self._connecting[route] = _Shared(self._connected, route)
        progress.within = shared.progress
        connection = await shared.wait()
        progress.within = None
        return connection

    async def _connected(self, route: Route, progress: ConnectionProgress) -> Connection:
        via = None
        if len(route) > 1:
            via = await self._connection(route[:-1], float("inf"), progress)
        hop = route[len(route) - 1]
        budget = self._budget(hop)
        while (pause := budget.wait(time.monotonic())) > 0:
            progress.words = f"waiting {pause:.0f} s, since {words_of(route)} drops who comes too often"
            await asyncio.sleep(pause)
        progress.tell = self._tell
        connection = await connect(route, via, budget, progress, self._passphrases)
        self._kept[route] = connection
        return connection

    def _allowed(self, route: Route, seconds: float) -> None:
        """Raises SshFaultError when a further connection would come too soon for the host."""
        now = time.monotonic()
        for end in range(len(route), 0, -1):
            hop, words = route[end - 1], words_of(route[:end])
            if route[:end] in self._kept and self._kept[route[:end]].active:
                return
            closed = self._budget(hop).login_wait(now)
            if closed:
                raise SshFaultError(
                    "authentication",
                    f"{words}: refused {REFUSED_LOGINS} logins; not tried again for {closed:.0f} s, since "
                    "one more may shut this machine out. Use another way in, or mend the key and start anew",
                )
            pause = self._budget(hop).wait(now)
            if pause > seconds:
                raise SshFaultError(
                    "timeout",
                    f"{words}: the next connection is allowed in {pause:.0f} s "
                    f"({hop.connections_per_minute:g} a minute; faster ones are dropped); try again then",
                )

    def _budget(self, hop: Hop) -> ConnectionBudget:
        key = (hop.address, hop.port)
        if key not in self._budgets:
            self._budgets[key] = ConnectionBudget(hop.connections_per_minute)
        return self._budgets[key]

    def _forget(self, connection: Connection) -> None:
        """Use a connection no more. What still runs on it goes on."""
        if self._kept.get(connection.route) is connection:
            del self._kept[connection.route]
        connection.retire()

    async def _open_key(self, secret: str, host: Host) -> None:
        """Get the passphrase of a key. Raises SshFaultError where it cannot be had."""
        try:
            self._passphrases[secret] = await self._secrets.resolve(secret)
        except UserError as error:
            raise SshFaultError("configuration", f"host {host.name}: {error}") from error

    async def _decide(self, unknown: UnknownHostKeyError) -> None:
        """Ask a person about an unknown host key. Raises SshFaultError unless it is accepted."""
        question, hop = unknown.question, unknown.hop
        where = f"{hop.words}" + (f" via {question.via}" if question.via else "")
        doubt = f" ({question.doubt})" if question.doubt else ""
        shown = f"{where}: its host key {question.key_type} {question.fingerprint} is not known{doubt}"
        if self._prompt is None or not hop.may_ask:
            raise SshFaultError("host-key", f"{shown}, so it is refused. {_how_to_add(hop, unknown)}")
        began = time.monotonic()
        async with self._asking:
            answered, accepted = self._answers.get(question, (0.0, False))
            if answered < began:
                accepted = await self._prompt(question)
                if accepted:
                    await self._remember(unknown, shown)
                self._answers[question] = (time.monotonic(), accepted)
        if not accepted:
            raise SshFaultError("host-key", f"{shown}, and was not accepted")

    async def _remember(self, unknown: UnknownHostKeyError, shown: str) -> None:
        hop, file = unknown.hop, unknown.question.known_hosts
        try:
            await in_thread(
                lambda: remember(
                    file, hop.known_as, unknown.key_type, unknown.key, hashed=hop.hash_known_hosts
                ),
                deadline=READ_CONFIGURATION,
            )
        except OSError as error:
            raise SshFaultError(
                "host-key",
                f"{shown}; it was accepted, but {file} cannot be written ({error.strerror or error}). Give "
                "another `known_hosts` in the site",
            ) from error


def _command(host: Host, request: SshRequest) -> str:
    """What sshd is asked to run. Raises SshFaultError for a request that must not be sent to this host."""
    if host.forced_command:
        if len(request.argv) != 1 or BARE_VERB.fullmatch(request.argv[0]) is None:
            shown = shlex.join(request.argv)
            raise SshFaultError(
                "configuration",
                f"host {host.name} takes one bare verb and nothing else; {shown!r} is not one",
            )
        return request.argv[0]
    try:
        command = wire_of(request.argv)
    except UnicodeEncodeError as error:
        raise SshFaultError(
            "configuration", f"host {host.name}: the command is not text that can be sent: {error.reason}"
        ) from error
    if len(command) > LONGEST:
        raise SshFaultError(
            "configuration",
            f"host {host.name}: the command is {len(command):,} bytes long, and a login shell takes "
            f"{LONGEST:,}; give what is long on `stdin`",
        )
    return command


def _how_to_add(hop: Hop, unknown: UnknownHostKeyError) -> str:
    file = unknown.question.known_hosts
    line = f"{hop.known_as} {unknown.key_type} {base64.b64encode(unknown.key).decode()}"
    return (
        "Compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` says on the machine's console; if "
        f"it is the same: echo {shlex.quote(line)} >> {shlex.quote(str(file))}"
    )
