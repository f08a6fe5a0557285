"""One command on one channel: sent once, its output handed over as it comes, its end judged.

From the moment that the command may have left, nothing but a complete exit status makes its outcome known.
"""

import asyncio
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import paramiko

from breakglass.threads import in_thread
from breakglass.transport.base import SUDO, Delivery, Fault, Result, Sink, SshRequest, Stream
from breakglass.transport.ssh.faults import said
from breakglass.transport.ssh.protocol import Client, feed

CHUNK = 128 * 1024
"""Bytes that are handed over at once."""
SUDO_LOOKED_AT = 4096
"""Bytes of stderr in which a refusal of sudo is looked for: it is the first thing that is said."""
SUDO_ASKS = re.compile(
    rb"^sudo: (a password is required|a terminal is required|no tty present|sorry, you must have a tty)"
    rb"|is not in the sudoers file|^Sorry, user \S+ is not allowed to execute|^sudo: .*may not run sudo",
    re.MULTILINE,
)


class _Flow:
    """Hands over what both streams give, each read in a thread of its own, until they end or it is stopped.

    Nothing is kept in between: while the sink is busy, the far side is held back.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._turn = threading.Lock()
        self._over = False
        self.broken = ""
        """Why a stream could not be read to its end, where one could not."""

    def read(self, stream: Stream, receive: Callable[[int], bytes]) -> None:
        """Hand a stream over to its end. Blocks."""
        while True:
            try:
                data = receive(CHUNK)
            except (OSError, EOFError, paramiko.SSHException) as error:
                self.broken = said(error)
                return
            with self._turn:
                if not data or self._over:
                    return
                self._sink(stream, data)

    def stop(self) -> None:
        """Let the threads go. What they still read is dropped."""
        self._over = True


async def run_command(
    client: Client,
    channel: paramiko.Channel,
    request: SshRequest,
    command: str,
    sink: Sink,
    words: str,
    seconds: float,
) -> Result:
    """Run a request's command, as the login shell reads it, on a fresh channel within `seconds`. `words` name
    the host.

    The channel is closed on every way out. Cancelling closes it too; the far side may go on.
    """
    started = time.monotonic()
    errors = bytearray()

    def looked_at(stream: Stream, data: bytes) -> None:
        if stream == "stderr" and len(errors) < SUDO_LOOKED_AT:
            errors.extend(data[:SUDO_LOOKED_AT])
        sink(stream, data)

    flow = _Flow(looked_at)
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            lost = await _exchange(client, channel, command, request.stdin, flow)
        passed = time.monotonic() - started
        if lost:
            return _lost(client, channel, words, lost, passed)
        result = _ended(client, channel, request, words, bytes(errors), passed)
        if flow.broken and result.fault is None:
            message = f"{words}: the command ended with 0, but its output could not be read: {flow.broken}"
            return replace(result, fault=Fault("disconnected", message))
        return result
    except TimeoutError:
        return _out_of_time(channel, request, words, time.monotonic() - started)
    finally:
        flow.stop()
        _close(channel)


async def _exchange(
    client: Client, channel: paramiko.Channel, command: str, stdin: bytes | None, flow: _Flow
) -> str:
    """Send the command and take all that it gives. The answer is empty, or says how the sending failed."""
    try:
        await in_thread(lambda: channel.exec_command(command))
    except Exception as error:  # noqa: BLE001  (paramiko raises whatever its own thread met)
        return str(error) or type(error).__name__
    _feed(client, channel, stdin or b"")
    await asyncio.gather(
        in_thread(lambda: flow.read("stdout", channel.recv)),
        in_thread(lambda: flow.read("stderr", channel.recv_stderr)),
    )
    await in_thread(channel.status_event.wait)
    return ""


def _feed(client: Client, channel: paramiko.Channel, data: bytes) -> None:
    """Give a command its input, in a thread: it may never read it."""

    def work() -> None:
        try:
            feed(client, channel, data)
        except (OSError, EOFError, paramiko.SSHException):
            return  # it ended without reading all of it, which is its right

    threading.Thread(target=work, name="ssh stdin", daemon=True).start()


def _close(channel: paramiko.Channel) -> None:
    """Close a channel, in a thread: a far side that does not read can hold it up."""
    if channel.closed:
        return

    def work() -> None:
        try:
            channel.close()
        except (OSError, EOFError, paramiko.SSHException):
            return

    threading.Thread(target=work, name="ssh close", daemon=True).start()


def _ended(
    client: Client, channel: paramiko.Channel, request: SshRequest, words: str, errors: bytes, seconds: float
) -> Result:
    status = channel.exit_status
    if status < 0:
        signal = client.killed.get(channel.chanid)
        if signal is None:
            return _lost(client, channel, words, "", seconds)
        fault = Fault("exit", f"{words}: the command was ended by signal {signal}")
        return Result(Delivery.ANSWERED, seconds, fault=fault)
    fault = None
    if status:
        fault = _of_status(request, words, status, errors)
    elif not client.is_active() and not channel.eof_received:
        fault = Fault(
            "disconnected", f"{words}: the command ended with 0, but the connection broke within its output"
        )
    return Result(Delivery.ANSWERED, seconds, exit=status, fault=fault)


def _of_status(request: SshRequest, words: str, status: int, errors: bytes) -> Fault:
    asks = SUDO_ASKS.search(errors) if any("sudo" in word for word in request.argv) else None
    if asks is None:
        return Fault("exit", f"{words}: the command ended with exit status {status}")
    advice = "allow the command with NOPASSWD in sudoers there, or log in as a user who may"
    line = errors[asks.start() :].splitlines()[0].decode(errors="replace")
    if request.argv[: len(SUDO)] == SUDO:
        return Fault("forbidden", f"{words}: nothing was run: sudo would ask ({line}); {advice}")
    return Fault("exit", f"{words}: exit status {status}; sudo would ask ({line}); {advice}")


def _lost(client: Client, channel: paramiko.Channel, words: str, reason: str, seconds: float) -> Result:
    if channel.chanid in client.refused:
        fault = Fault("forbidden", f"{words}: the server refuses to run commands for this user or key")
        return Result(Delivery.ANSWERED, seconds, fault=fault)
    why = "the channel was closed" if client.is_active() else "the connection was lost"
    told = f" ({reason})" if reason else ""
    message = (
        f"{words}: {why} before the command told how it ended{told}; look what it did before trying again"
    )
    return Result(Delivery.UNKNOWN, seconds, fault=Fault("disconnected", message))


def _out_of_time(channel: paramiko.Channel, request: SshRequest, words: str, seconds: float) -> Result:
    status = channel.exit_status
    if status > 0:
        fault = Fault("exit", f"{words}: the command ended with exit status {status}")
        return Result(Delivery.ANSWERED, seconds, exit=status, fault=fault)
    if status == 0:
        message = (
            f"{words}: the command ended with 0, but something that it started keeps its output open; "
            f"stopped listening after {request.timeout:.0f} s"
        )
        return Result(Delivery.ANSWERED, seconds, exit=0, fault=Fault("timeout", message))
    message = (
        f"{words}: no end of the command after {request.timeout:.0f} s; stopped listening. It may still run "
        "there, and a process stuck in the kernel cannot be killed"
    )
    return Result(Delivery.UNKNOWN, seconds, fault=Fault("timeout", message))
