"""What can go wrong before a command has left, as the one exception that carries a fault."""

import errno
import socket

from breakglass.errors import RequestError
from breakglass.runbook.faults import FaultKind
from breakglass.transport.base import Fault

UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


class SshFaultError(RequestError):
    """The request was not sent. `fault` says why and what to do."""

    def __init__(self, kind: FaultKind, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(kind, message)


def refused_connection(where: str, error: OSError, seconds: float) -> SshFaultError:
    """The fault of a TCP connection that did not come about."""
    if isinstance(error, socket.gaierror):
        return SshFaultError(
            "dns", f"{where}: the name does not resolve ({error.strerror}); give an IP address in the site"
        )
    if isinstance(error, ConnectionRefusedError):
        return SshFaultError(
            "refused", f"{where}: connection refused; look whether sshd runs there and the port is right"
        )
    if isinstance(error, TimeoutError):
        return SshFaultError("timeout", no_answer(where, seconds))
    if error.errno in UNREACHABLE:
        return SshFaultError("unreachable", f"{where}: {error.strerror}; look at the route or the jump host")
    return SshFaultError("unreachable", f"{where}: {error.strerror or error}")


def no_answer(where: str, seconds: float) -> str:
    return (
        f"{where}: no answer to the connection in {seconds:.0f} s; the host is down, a firewall drops it, or "
        "new connections came too fast. Wait a minute before trying again"
    )


def refused_forward(where: str, via: str, reason: str) -> SshFaultError:
    """The fault of a connection that a jump host could not make. `reason` is what its sshd said."""
    said = reason.lower()
    if "refused" in said:
        return SshFaultError(
            "refused", f"{where}: {via} says: {reason}; look whether sshd runs there and the port is right"
        )
    if "resolve" in said or "not known" in said or "resolution" in said:
        return SshFaultError(
            "dns", f"{where}: {via} says: {reason}; give an IP address that {via} can reach, in the site"
        )
    if "timed out" in said:
        return SshFaultError("timeout", f"{where}: {via} says: {reason}; the host is down or filtered")
    if "prohibited" in said:
        return SshFaultError(
            "unreachable", f"{where}: {via} does not forward connections (AllowTcpForwarding): {reason}"
        )
    return SshFaultError("unreachable", f"{where}: {via} says: {reason}; look whether {via} can reach it")


def said(error: BaseException) -> str:
    """What an exception says, or its kind where it says nothing."""
    return str(error) or type(error).__name__
