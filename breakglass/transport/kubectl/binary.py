"""The binary driver: the `kubectl` program with the same arguments, ended when the deadline passes.

What happened is read from its exit status and from what it says on standard error. Where that does not settle
whether a change was made, it is unknown.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from breakglass.network_guard import simulated
from breakglass.policy.kubectl.changes import RolloutRestart
from breakglass.policy.kubectl.flags import cluster_flag
from breakglass.policy.kubectl.operations import KubectlCommand
from breakglass.runbook.faults import FaultKind
from breakglass.site.model import Cluster
from breakglass.transport.base import Delivery, Fault, KubectlRequest, Result, Sink, Stream
from breakglass.transport.kubectl.faults import KubectlFaultError, misused
from breakglass.transport.kubectl.kubeconfig import Choice, check_tls, choose
from breakglass.values import Json, parse_json

PIECE = 64 * 1024
LARGEST_JSON = 64 * 1024 * 1024
"""Bytes of standard output that are parsed as the result's data."""

_FROM_FAR = re.compile(r"-[a-zA-Z]*k|--kustomize|(-[a-zA-Z]*f|--filename)[= ]?[^ ]*://")
"""What kubectl itself reads from a server of the line's choice: a base of kustomize may be on any without
looking like a URL."""

STDERR_KEPT = 16 * 1024
"""Bytes at the end of standard error from which the fault is read."""

_PROXY_VARIABLES = frozenset({"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"})

_REASONS: dict[str, FaultKind] = {
    "NotFound": "not-found",
    "Forbidden": "forbidden",
    "Unauthorized": "authentication",
    "Conflict": "conflict",
    "AlreadyExists": "conflict",
    "Invalid": "rejected",
    "BadRequest": "rejected",
    "TooManyRequests": "rejected",
    "MethodNotAllowed": "rejected",
    "UnsupportedMediaType": "rejected",
}
"""Reasons of a Kubernetes status with which the server says that it did nothing."""

_SAYINGS: tuple[tuple[str, FaultKind, Delivery], ...] = (
    (r"command terminated with exit code \d+", "exit", Delivery.ANSWERED),
    (r"is forbidden: User ", "forbidden", Delivery.ANSWERED),
    (r"[Yy]ou must be logged in to the server", "authentication", Delivery.ANSWERED),
    (r"doesn't have a resource type", "not-found", Delivery.ANSWERED),
    (r"Expected replicas to be \d+, was \d+", "conflict", Delivery.ANSWERED),
    (r"no objects passed to scale .* not found", "not-found", Delivery.ANSWERED),
    (r"restarting is not supported|can't restart paused", "rejected", Delivery.ANSWERED),
    (r"timed out waiting for the condition", "timeout", Delivery.ANSWERED),
    (r"did you specify the right host or port|connection refused", "refused", Delivery.NOT_SENT),
    (r"no such host|server misbehaving", "dns", Delivery.NOT_SENT),
    (r"x509:|certificate is not trusted|tls: failed to verify", "tls", Delivery.NOT_SENT),
    (r"remote error: tls: .*certificate", "authentication", Delivery.NOT_SENT),
    (r"no route to host|network is unreachable|proxyconnect", "unreachable", Delivery.NOT_SENT),
    (r"getting credentials|exec plugin|executable .* not found", "configuration", Delivery.NOT_SENT),
    (r"context .* does not exist|no configuration has been provided", "configuration", Delivery.NOT_SENT),
    (r"error loading config|unable to read client-|stat .*no such file", "configuration", Delivery.NOT_SENT),
    (r"[Ee]rror: unknown (shorthand )?(flag|command)", "configuration", Delivery.NOT_SENT),
    (r"TLS handshake timeout|i/o timeout|deadline exceeded", "timeout", Delivery.UNKNOWN),
    (r"Unable to connect to the server", "disconnected", Delivery.UNKNOWN),
    (r"Error from server", "server-error", Delivery.ANSWERED),
)
"""What kubectl says, by kind, the first that fits; and whether a change can have been made."""


def refusal(request: KubectlRequest) -> str:
    """Why the program must not run this request; empty when it may."""
    argv = request.command.argv
    index = cluster_flag(argv)
    if index is not None:
        return f"{argv[index]} would lead to another cluster or user than the site's; leave it away"
    if request.uid is not None or request.resource_version is not None:
        return "the kubectl program cannot hold to a uid or version; leave `driver: binary` away, or the pin"
    if simulated():
        own = argv[: argv.index("--")] if "--" in argv else argv
        if any(_FROM_FAR.match(" ".join(pair)) for pair in pairwise((*own, ""))):
            return "a rehearsal reaches only its own world; leave -k, and URLs behind -f, away"
    if request.dry_run and not can_dry_run(request.command):
        return "the kubectl program cannot ask the server what this would do"
    return ""


def can_dry_run(command: KubectlCommand) -> bool:
    """Whether kubectl takes `--dry-run=server` for this line."""
    return command.takes_dry_run and not isinstance(command.operation, RolloutRestart)


def choice_of_kubectl(cluster: Cluster, environment: Mapping[str, str]) -> Choice | None:
    """What kubectl will take of the kubeconfig; None where it will say itself what is wrong with it.

    Raises FaultError where it would go another way than the site says.
    """
    try:
        choice = choose(replace(cluster, proxy=None), environment)
    except KubectlFaultError:
        return None
    check_tls(cluster, choice)
    own = choice.cluster.get("proxy-url")
    if cluster.proxy and own and own != cluster.proxy:
        raise misused(
            f"cluster {cluster.name}: kubectl takes the kubeconfig's proxy-url "
            f"({choice.place('cluster', 'proxy-url')})"
            " and not the site's `proxy`; take one of them away, or leave `driver: binary` away"
        )
    return choice


async def run_program(
    cluster: Cluster, request: KubectlRequest, sink: Sink, choice: Choice | None = None
) -> Result:
    """Run kubectl to its end or to the deadline. choice: what it will take of the kubeconfig."""
    started = time.monotonic()
    changing, argv = request.changing, request.command.argv

    def result(delivery: Delivery, fault: Fault | None, exit: int | None = None, data: Json = None) -> Result:
        return Result(delivery, time.monotonic() - started, exit=exit, data=data, fault=fault)

    where = f"cluster {cluster.name}"
    program = shutil.which("kubectl")
    why = refusal(request) if program else "the kubectl program is not installed; leave `driver: binary` away"
    if why or program is None:
        return result(Delivery.NOT_SENT, Fault("configuration", f"{where}: {why}"))
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments(cluster, request, choice),
            stdin=asyncio.subprocess.PIPE if request.stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(cluster),
            start_new_session=True,
        )
    except OSError as error:
        message = f"{where}: {program} cannot be started: {error.strerror}"
        return result(Delivery.NOT_SENT, Fault("configuration", message))
    kept: dict[Stream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    wrote = False

    async def pass_on(stream: Stream, reader: asyncio.StreamReader) -> None:
        nonlocal wrote
        while piece := await reader.read(PIECE):
            wrote = wrote or stream == "stdout"
            sink(stream, piece)
            if stream == "stdout":
                if _wants_json(argv) and len(kept[stream]) <= LARGEST_JSON:
                    kept[stream] += piece
            else:
                kept[stream] = (kept[stream] + piece)[-STDERR_KEPT:]

    assert process.stdout is not None and process.stderr is not None
    ended = False
    try:
        async with asyncio.timeout(max(0.0, request.timeout - (time.monotonic() - started))):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pass_on("stdout", process.stdout))
                tasks.create_task(pass_on("stderr", process.stderr))
                if process.stdin is not None:
                    tasks.create_task(_feed(process.stdin, request.stdin or b""))
            code = await process.wait()
            ended = True
    except BaseExceptionGroup as group:  # the first of the tasks that failed says why
        raise group.exceptions[0] from None
    except TimeoutError:
        delivery = Delivery.UNKNOWN
        late = f"kubectl did not end within {request.timeout:g} s and was ended"
        message = f"{where}: {late}; look before trying again"
        return result(delivery, Fault("timeout", message))
    finally:
        if not ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    kind, delivery, line = explained(kept["stderr"].decode(errors="replace"))
    # `kubectl cordon` ends with 0 after "error: unable to cordon node".
    failed = changing and line.startswith("error:")
    if code == 0 and not failed:
        data = _json(bytes(kept["stdout"])) if len(kept["stdout"]) <= LARGEST_JSON else None
        return result(Delivery.ANSWERED, None, 0, data)
    if delivery is not Delivery.ANSWERED and not changing:
        delivery = Delivery.ANSWERED if kind == "exit" else delivery
    if changing and wrote and kind not in ("exit", "timeout"):
        # Something was done before the fault, or may have been.
        delivery = Delivery.UNKNOWN
    message = f"{where}: kubectl ended with status {code}" + (f": {line}" if line else "")
    return result(delivery, Fault(kind, message), code)


def explained(said: str) -> tuple[FaultKind, Delivery, str]:
    """The fault in what kubectl said, what it tells about a change, and the line that says so."""
    lines = [line for line in said.strip().splitlines() if line.strip()]
    for line in reversed(lines):
        match = re.search(r"[Ee]rror from server \((\w+)\)", line)
        if match and match[1] in _REASONS:
            return _REASONS[match[1]], Delivery.ANSWERED, line
        if re.match(r'The (request|\S+ ".*") is invalid', line):
            return "rejected", Delivery.ANSWERED, line
        for pattern, kind, delivery in _SAYINGS:
            if re.search(pattern, line):
                return kind, delivery, line
    return "exit", Delivery.UNKNOWN, lines[-1] if lines else ""


def arguments(cluster: Cluster, request: KubectlRequest, choice: Choice | None = None) -> list[str]:
    """kubectl's arguments: where the site says to go, and then the line as it is."""
    # With another server kubectl forgets which name the kubeconfig expects on the certificate.
    server_name = choice.cluster.get("tls-server-name") if choice and cluster.server else None
    flags: list[str] = []
    if cluster.kubeconfig is not None:
        flags.append(f"--kubeconfig={cluster.kubeconfig.expanduser()}")
    for name, value in (
        ("context", cluster.context),
        ("server", cluster.server),
        ("tls-server-name", server_name),
        ("as", cluster.impersonate),
    ):
        if value:
            flags.append(f"--{name}={value}")
    argv = list(request.command.argv)
    if request.dry_run:
        argv.insert(argv.index("--") if "--" in argv else len(argv), "--dry-run=server")
    return [*flags, *argv]


def _environment(cluster: Cluster) -> dict[str, str]:
    if simulated():
        # No proxy, no plugin, no other kubeconfig: what kubectl needs is beside the one that it is given.
        folder = str(cluster.kubeconfig.parent) if cluster.kubeconfig is not None else os.devnull
        return {"HOME": folder, "KUBECONFIG": str(cluster.kubeconfig or os.devnull), "PATH": ""}
    if not cluster.proxy:
        return dict(os.environ)
    kept = {name: value for name, value in os.environ.items() if name.upper() not in _PROXY_VARIABLES}
    return {**kept, "HTTPS_PROXY": cluster.proxy, "HTTP_PROXY": cluster.proxy}


async def _feed(stdin: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        stdin.write(data)
        await stdin.drain()
    stdin.close()


def _wants_json(argv: Sequence[str]) -> bool:
    joined = any(word in ("-ojson", "-o=json", "--output=json") for word in argv)
    pairs = pairwise(argv)
    return joined or any(flag in ("-o", "--output") and value == "json" for flag, value in pairs)


def _json(data: bytes) -> Json:
    try:
        return parse_json(data) if data else None
    except ValueError:
        return None
