"""How a request can fail, and how much of an answer is taken: what a step may name, and a transport tells."""

from typing import Literal, TypeAlias

FaultKind: TypeAlias = Literal[
    "timeout",  # the deadline passed
    "refused",  # the connection was refused
    "unreachable",  # no route, a failed jump host, or a proxy that does not speak the protocol
    "dns",  # the name does not resolve
    "tls",  # certificate or handshake
    "host-key",  # an unknown or changed SSH host key
    "authentication",  # 401, no key accepted, expired client certificate
    "forbidden",  # 403, or sudo that would ask for a password
    "not-found",  # 404 from the Kubernetes API
    "conflict",  # 409: a precondition (uid, resourceVersion) did not hold
    "rejected",  # 4xx otherwise: invalid, admission, eviction refused
    "server-error",  # 5xx from the Kubernetes API
    "disconnected",  # the connection was lost in the middle
    "exit",  # a command ended with another status than 0
    "configuration",  # a kubeconfig, key or secret that cannot be used
    "malformed",  # an answer that cannot be understood
    "cancelled",  # the operator cancelled a read
    "too-much",  # more output than the step's `output_limit`; the read was stopped there
]

OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes of output that are taken from one request where its step says nothing else."""
