"""The SSH side of a simulated machine: the real protocol, on a loopback port of its own.

paramiko is blocking, so every connection and every command has a daemon thread; what a command does is
decided in the event loop.
"""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    MSG_CHANNEL_SUCCESS,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from breakglass.simulator.command_result import CommandResult
from breakglass.simulator.kubernetes.certificates import write_private

T = TypeVar("T")
QUIET = "breakglass.simulator.ssh"
"""Where paramiko logs what clients do wrong. Nobody listens: a line on the terminal would land in the
cockpit."""
logging.getLogger(QUIET).addHandler(logging.NullHandler())
logging.getLogger(QUIET).propagate = False
LOOK_EVERY = 0.1
"""Real seconds between looks at whether a client that is kept waiting has gone."""


@dataclass(frozen=True, slots=True)
class SshHost:
    """A machine behind SSH, as its server sees it.

    `run` gives the answer to a command line; the second argument reads all of its standard input.
    refuse: nothing listens. hang: connections are accepted and nothing is ever said.
    """

    name: str
    user: str
    run: Callable[[str, Callable[[], Awaitable[str]]], Awaitable[CommandResult]]
    reachable: Callable[[], bool]
    refuse: bool = False
    hang: bool = False
    accepts_key: bool = True


def new_key(path: Path) -> paramiko.PKey:
    """A fresh Ed25519 key; it goes to `path` in OpenSSH's form, which only its owner may read."""
    private = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    write_private(path, private)
    return paramiko.Ed25519Key.from_private_key_file(str(path))


def known_hosts_line(port: int, key: paramiko.PKey) -> str:
    """How OpenSSH writes a host on a port of loopback."""
    return f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n"


class SshServer:
    """Listens for one simulated machine. `port` is where."""

    def __init__(
        self,
        machine: SshHost,
        host_key: paramiko.PKey,
        client_key: paramiko.PKey,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.machine = machine
        self._host_key = host_key
        self._client_key = client_key
        self._loop = loop
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._transports: set[paramiko.Transport] = set()
        self._closed = threading.Event()
        if machine.refuse:
            self._listener.close()
            return
        threading.Thread(target=self._accept, name=f"ssh {machine.name}", daemon=True).start()

    def close(self) -> None:
        """Stop listening and end every connection. Threads end by themselves, soon after."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            transports, connections = list(self._transports), list(self._connections)
        for transport in transports:
            transport.close()
        for connection in connections:
            connection.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            threading.Thread(
                target=self._serve,
                args=(connection,),
                name=f"ssh {self.machine.name} connection",
                daemon=True,
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.machine.hang or not self.ask(self._reachable()):
                return  # the connection stays open and nothing is ever said, until the server closes
        except (FutureTimeoutError, RuntimeError, asyncio.CancelledError):
            return
        transport = _Transport(connection)
        transport.daemon = True
        transport.set_log_channel(QUIET)
        transport.add_server_key(self._host_key)
        with self._lock:
            self._transports.add(transport)
        session = _Session(self, transport, self._client_key)
        try:
            transport.start_server(server=session, event=threading.Event())
        except (paramiko.SSHException, OSError, EOFError):
            transport.close()

    async def _reachable(self) -> bool:
        return self.machine.reachable()

    def ask(self, question: Coroutine[object, object, T], gone: Callable[[], bool] | None = None) -> T:
        """Run a coroutine in the event loop and wait for it; give up when the client or the server is gone.

        Raises CancelledError then.
        """
        if self._closed.is_set() or self._loop.is_closed():
            question.close()
            raise asyncio.CancelledError
        future: Future[T] = asyncio.run_coroutine_threadsafe(question, self._loop)
        while True:
            try:
                return future.result(LOOK_EVERY)
            except FutureCancelledError:  # the loop ends, with all that runs in it
                raise asyncio.CancelledError from None
            except FutureTimeoutError:
                if future.done():
                    raise
                if self._closed.is_set() or self._loop.is_closed() or (gone is not None and gone()):
                    with contextlib.suppress(RuntimeError):  # the loop has just been closed
                        future.cancel()
                    raise asyncio.CancelledError from None

    def wait_until(self, gone: Callable[[], bool]) -> None:
        while not gone() and not self._closed.wait(LOOK_EVERY):
            pass


class _Transport(paramiko.Transport):
    """Starts a command only when the answer to its request has left.

    paramiko sends that answer after it has asked the server, with no way to be told; a quick command would
    close its channel before the client knows that the channel was granted.
    """

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self.granted: list[threading.Thread] = []

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        if self.granted and data.asbytes()[0] == MSG_CHANNEL_SUCCESS:
            self.granted.pop(0).start()


class _Session(paramiko.ServerInterface):
    """What one connection may do: log in with the site's key, and run commands."""

    def __init__(self, server: SshServer, transport: _Transport, client_key: paramiko.PKey) -> None:
        self._server = server
        self._transport = transport
        self._client_key = client_key

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        machine = self._server.machine
        right = username == machine.user and key.get_base64() == self._client_key.get_base64()
        if right and machine.accepts_key:
            return AUTH_SUCCESSFUL
        return AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind == "session":
            return OPEN_SUCCEEDED
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        line = command.decode(errors="replace")
        name = f"ssh {self._server.machine.name} command"
        self._transport.granted.append(
            threading.Thread(target=self._run, args=(channel, line), name=name, daemon=True)
        )
        return True

    def _run(self, channel: paramiko.Channel, line: str) -> None:
        def gone() -> bool:
            return channel.closed or not self._transport.is_active()

        async def stdin() -> str:
            return await asyncio.to_thread(_read_all, channel)

        try:
            answer = self._server.ask(self._answer(line, stdin), gone)
            self._send(channel, answer, gone)
        except (asyncio.CancelledError, OSError, EOFError, paramiko.SSHException):
            pass  # the client or the whole rehearsal is gone; there is nobody to tell
        finally:
            with contextlib.suppress(OSError, EOFError):
                channel.close()

    async def _answer(self, line: str, stdin: Callable[[], Awaitable[str]]) -> CommandResult:
        return await self._server.machine.run(line, stdin)

    def _send(self, channel: paramiko.Channel, answer: CommandResult, gone: Callable[[], bool]) -> None:
        channel.sendall(answer.stdout)
        channel.sendall_stderr(answer.stderr)
        if answer.then == "hang":
            self._server.wait_until(gone)
        elif answer.then == "close":
            self._transport.close()
        else:
            channel.send_exit_status(answer.exit)


def _read_all(channel: paramiko.Channel) -> str:
    parts: list[bytes] = []
    while part := channel.recv(65536):
        parts.append(part)
    return b"".join(parts).decode(errors="replace")
