"""`kubectl exec`: a command in a container, its streams, and how it ended.

Source: `staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go` of Kubernetes 1.34. The first
byte of each message names the stream; only version 5 can say that the input has ended.
"""

import asyncio
import contextlib
from typing import cast

import aiohttp

from breakglass.kubernetes_objects import name_of, namespace_of, objects, text
from breakglass.policy.kubectl.changes import Exec
from breakglass.transport.base import Delivery, Fault
from breakglass.transport.kubectl.api import Query, Sending
from breakglass.transport.kubectl.faults import NEXT, KubectlFaultError, refused_here
from breakglass.transport.kubectl.find import PODS, container_of, pods_behind
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs
from breakglass.values import parse_json

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255
PIECE = 32 * 1024


async def execute(run: KubectlRun, request: Exec) -> VerbResult:
    """Run the command. Raises FaultError where it did not run, or where its end is not known."""
    target, container = request.target, request.container
    if target.resource == "pods" and container:
        namespace, name = await run.namespace(target), target.name
    else:
        pod = (await pods_behind(run, target))[0]
        namespace, name = namespace_of(pod), name_of(pod)
        container = container_of(run, pod, container)
        phase = text(pod, "status", "phase")
        if phase in ("Succeeded", "Failed"):
            message = f"cannot exec into a container in a completed pod; current phase is {phase}"
            raise refused_here("rejected", f"{run.where}: pod {name}: {message}", f"error: {message}")
    query = [("command", word) for word in request.command]
    query += [("container", container), ("stdout", "true"), ("stderr", "true")]
    if request.stdin:
        query.append(("stdin", "true"))
    doing = f"exec in pod {name}, container {container}"
    path = PODS.path(namespace, name, "exec")
    try:
        return await _over_websocket(run, request, path, doing, query)
    except KubectlFaultError as error:
        if not is_refused_upgrade(error):
            raise
        refused = error
    try:
        return await _over_spdy(run, request, path, doing, query)
    except KubectlFaultError as error:
        if error.fault.kind == "malformed" and not error.reason:
            raise refused from None  # what refused the WebSocket knows nothing of SPDY either
        raise


def is_refused_upgrade(error: KubectlFaultError) -> bool:
    """Whether a WebSocket was refused, and nothing was run: by a role that allows no GET, by a server that is
    too old, or by a proxy. kubectl goes on over SPDY then."""
    return error.delivery is Delivery.ANSWERED and error.status in (400, 403, 405, 426, 501)


async def _over_websocket(run: KubectlRun, request: Exec, path: str, doing: str, query: Query) -> VerbResult:
    # Without version 5 a command that reads its input to the end would never see one.
    protocols = (V5,) if request.stdin else (V5, V4)
    async with run.websocket(path, doing, query, protocols) as (socket, sending):
        if request.stdin and socket.protocol != V5:
            message = f"{run.where}: {doing}: the server cannot end standard input; use `driver: binary`"
            raise KubectlFaultError("rejected", message, Delivery.UNKNOWN)
        feeding = asyncio.create_task(_feed(socket, run.request.stdin or b"")) if request.stdin else None
        try:
            status = await _streams(run, socket)
        finally:
            if feeding is not None:
                feeding.cancel()
                with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError, ConnectionError):
                    await feeding
        return _ended(run, status, doing, sending)


async def _over_spdy(run: KubectlRun, request: Exec, path: str, doing: str, query: Query) -> VerbResult:
    async with run.spdy(path, doing, query, (V4,)) as (streams, sending):
        error = streams.open({"streamtype": "error"}, finished=True)
        fed = streams.open({"streamtype": "stdin"}) if request.stdin else None
        out = streams.open({"streamtype": "stdout"})
        err = streams.open({"streamtype": "stderr"})
        if fed is not None:
            data = run.request.stdin or b""
            for start in range(0, len(data), PIECE):
                streams.send(fed, data[start : start + PIECE])
            streams.send(fed, b"", finished=True)
        status, open_still = b"", {error, out, err}
        async for frame in streams:
            if frame.stream == error:
                status += frame.data
            elif frame.data and frame.stream in (out, err):
                run.sink("stdout" if frame.stream == out else "stderr", frame.data)
            if frame.finished:
                open_still.discard(frame.stream)
                if not open_still:
                    break
        return _ended(run, status, doing, sending)


async def _feed(socket: aiohttp.ClientWebSocketResponse, data: bytes) -> None:
    for start in range(0, len(data), PIECE):
        await socket.send_bytes(bytes([STDIN]) + data[start : start + PIECE])
    await socket.send_bytes(bytes([CLOSE, STDIN]))


async def _streams(run: KubectlRun, socket: aiohttp.ClientWebSocketResponse) -> bytes | None:
    """Pass the output on until the status comes; None when the connection ends without one."""
    status = b""
    async for message in socket:
        if message.type is aiohttp.WSMsgType.BINARY:
            data = cast(bytes, message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            data = cast(str, message.data).encode()
        else:
            break
        if len(data) < 2:
            continue
        match data[0]:
            case 1:
                run.sink("stdout", data[1:])
            case 2:
                run.sink("stderr", data[1:])
            case 3:
                status += data[1:]
            case _:
                pass
    return status or None


def _ended(run: KubectlRun, raw: bytes | None, doing: str, sending: Sending) -> VerbResult:
    if not raw:
        message = f"{run.where}: {doing}: the connection ended before the command's status came"
        raise KubectlFaultError("disconnected", f"{message}; {NEXT['disconnected']}", Delivery.UNKNOWN)
    try:
        status = parse_json(raw)
    except ValueError:
        raise KubectlFaultError(
            "malformed", f"{run.where}: {doing}: the command's status cannot be read", Delivery.UNKNOWN
        ) from None
    if text(status, "status") == "Success":
        sending.sent = False
        return VerbResult()
    causes = objects(status, "details", "causes")
    codes = [text(cause, "message") for cause in causes if text(cause, "reason") == "ExitCode"]
    if codes and codes[0].isdigit():
        sending.sent = False
        code = int(codes[0])
        run.err(f"command terminated with exit code {code}")
        return VerbResult(
            code, fault=Fault("exit", f"{run.where}: {doing}: the command ended with status {code}")
        )
    said = text(status, "message") or raw.decode(errors="replace")
    # Whether the runtime failed before or after the program began cannot be told from here.
    raise KubectlFaultError(
        "server-error", f"{run.where}: {doing}: {said}", Delivery.UNKNOWN, said=f"error: {said}"
    )


VERBS: Verbs = {Exec: execute}
