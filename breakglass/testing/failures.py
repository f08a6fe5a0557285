"""The ways in which a far side fails a request. `tests/runbooks/test_faults.py` holds them to what the real
transports give."""

from collections.abc import Mapping
from dataclasses import dataclass

from breakglass.runbook.faults import FaultKind
from breakglass.transport.base import (
    Delivery,
    Fault,
    HttpRequest,
    KubectlRequest,
    LocalRequest,
    ProbeRequest,
    Request,
    Result,
    SshRequest,
)
from breakglass.values import Json


@dataclass(frozen=True, slots=True)
class Failure:
    """One way in which a far side fails a request."""

    name: str
    delivery: Delivery
    kind: FaultKind | None = None
    exit: int | None = None
    status: int | None = None
    data: Json = None

    @property
    def message(self) -> str:
        return f"simulated: {self.name}" if self.kind is not None else ""

    def result(self) -> Result:
        fault = Fault(self.kind, self.message) if self.kind is not None else None
        return Result(self.delivery, 0.0, self.exit, self.status, data=self.data, fault=fault)


_NOT_SENT, _ANSWERED, _UNKNOWN = Delivery.NOT_SENT, Delivery.ANSWERED, Delivery.UNKNOWN
FAILURES: Mapping[type[Request], tuple[Failure, ...]] = {
    KubectlRequest: (
        Failure("the API server refuses the connection", _NOT_SENT, "refused", exit=1),
        Failure("the API server does not answer", _UNKNOWN, "timeout", exit=1),
        Failure("401 Unauthorized", _ANSWERED, "authentication", exit=1, status=401),
        Failure("403 Forbidden", _ANSWERED, "forbidden", exit=1, status=403),
        Failure("500 Internal Server Error", _ANSWERED, "server-error", exit=1, status=500),
        Failure("404 not found, the pod has vanished", _ANSWERED, "not-found", exit=1, status=404),
        Failure("an empty list", _ANSWERED, exit=0, data={"kind": "List", "items": []}),
    ),
    SshRequest: (
        Failure("the host refuses the connection", _NOT_SENT, "refused"),
        Failure("the host does not answer", _UNKNOWN, "timeout"),
        Failure("the host key is unknown", _NOT_SENT, "host-key"),
        Failure("sudo asks for a password", _ANSWERED, "forbidden", exit=1),
        Failure("no output at all", _ANSWERED, exit=0),
    ),
    HttpRequest: (
        Failure("the endpoint refuses the connection", _NOT_SENT, "refused"),
        Failure("the endpoint does not answer", _UNKNOWN, "timeout"),
        Failure("403 Forbidden", _ANSWERED, "forbidden", status=403, data={"errors": ["permission denied"]}),
        Failure("500 Internal Server Error", _ANSWERED, "server-error", status=500),
        Failure("an empty answer", _ANSWERED, status=200, data={}),
    ),
    LocalRequest: (
        Failure("the program cannot be started", _NOT_SENT, "not-found"),
        Failure("the program does not end", _UNKNOWN, "timeout"),
        Failure("no output at all", _ANSWERED, exit=0),
    ),
    ProbeRequest: (
        Failure("the endpoint refuses the connection", _NOT_SENT, "refused"),
        Failure("the probe does not end", _UNKNOWN, "timeout"),
        Failure("401 Unauthorized", _ANSWERED, "authentication"),
        Failure("500 Internal Server Error", _ANSWERED, "server-error"),
        Failure("no findings at all", _ANSWERED, data={}),
    ),
}


def refuses_hangs_empty(kind: type[Request]) -> tuple[Failure, ...]:
    """Of the ways in which a kind of request fails the three that every command must stand."""
    refuses, hangs, *_, empty = FAILURES[kind]
    return refuses, hangs, empty
