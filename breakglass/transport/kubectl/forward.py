"""A local port that leads through the API server to a pod, past a broken ingress or login.

Two channels over a WebSocket, data and errors; the first message on each is the port's number. Where a
WebSocket is refused, two streams over SPDY, as kubectl does it. The pod is looked for again at each
connection, so that one that was replaced is left behind.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp

from breakglass.errors import UserError
from breakglass.kubernetes_objects import Object, at, condition_of, name_of, number, objects, text
from breakglass.policy.kubectl.operations import Get, KubectlCommand, Selection, Target
from breakglass.site.model import PortForward
from breakglass.transport.base import Fault, KubectlRequest
from breakglass.transport.kubectl.api import Api
from breakglass.transport.kubectl.faults import KubectlFaultError, misused, refused_here
from breakglass.transport.kubectl.find import one, pods_behind
from breakglass.transport.kubectl.resources import Resources
from breakglass.transport.kubectl.run import KubectlRun
from breakglass.transport.kubectl.spdy_streams import SpdyStreams
from breakglass.transport.kubectl.verb_exec import is_refused_upgrade

TIMEOUT = 10.0
"""Seconds in which the pod behind a forward must be found."""

PROTOCOL = "v4.channel.k8s.io"
SPDY_PROTOCOL = "portforward.k8s.io"
DATA, ERROR = 0, 1
PIECE = 32 * 1024


class ForwardError(UserError):
    """There is no way through to the pod. `fault` says which kind of obstacle it is."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(eq=False)
class Forward:
    """One local listener. `last_error` is why the far side refused the last connection, if it did."""

    asked: PortForward
    api: Api
    resources: Resources
    last_error: str = ""
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def open(self) -> tuple[str, int]:
        """Find the pod, and listen on a free port of 127.0.0.1. Raises ForwardError."""
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._pod()
        except KubectlFaultError as error:
            raise ForwardError(error.fault) from None
        except TimeoutError:
            message = f"{self.api.where}: forward to {self.asked.target}: no answer within {TIMEOUT:g} s"
            raise ForwardError(Fault("timeout", message)) from None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return cast("tuple[str, int]", self._server.sockets[0].getsockname()[:2])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _run(self) -> KubectlRun:
        target = Target("pods", "", self.asked.namespace)
        command = KubectlCommand((), Get(Selection((target,))))
        request = KubectlRequest(self.asked.cluster, command, TIMEOUT)
        return KubectlRun(self.api, self.resources, request, lambda stream, data: None)

    async def _pod(self) -> tuple[str, int]:
        """The name of a pod that answers, and its port."""
        run = self._run()
        kind, slash, name = self.asked.target.partition("/")
        if not slash:
            kind, name = "pod", kind
        target = Target(kind, name, self.asked.namespace)
        pods = await pods_behind(run, target)
        ready = [pod for pod in pods if _is_ready(pod)]
        resource = await run.find(kind)
        if resource.kind != "Service":
            return name_of((ready or pods)[0]), self.asked.port
        if not ready:
            message = f"{run.where}: none of the pods behind {self.asked.target} is ready"
            raise refused_here("not-found", f"{message}; forward to pod/NAME to reach one all the same")
        return name_of(ready[0]), _target_port(await one(run, resource, target), ready[0], self.asked)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.last_error = ""
        try:
            await self._carry(reader, writer)
        except KubectlFaultError as error:
            self.last_error = error.fault.message
        except (ConnectionError, aiohttp.ClientError, TimeoutError) as error:
            self.last_error = str(error)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        run = self._run()
        async with asyncio.timeout(TIMEOUT):
            name, port = await self._pod()
        path = (await run.find("pods")).path(self.asked.namespace, name, "portforward")
        doing = f"forward to port {port} of pod {name}"
        try:
            async with run.websocket(path, doing, [("ports", str(port))], (PROTOCOL,)) as (socket, _):
                await _both(_up(reader, socket), self._down(socket, writer))
        except KubectlFaultError as error:
            if not is_refused_upgrade(error):
                raise
        else:
            return
        async with run.spdy(path, doing, (), (SPDY_PROTOCOL,)) as (streams, _):
            pair = {"port": str(port), "requestid": "0"}
            error_stream = streams.open({"streamtype": "error", **pair}, finished=True)
            data_stream = streams.open({"streamtype": "data", **pair})
            await _both(
                _up_spdy(reader, streams, data_stream),
                self._down_spdy(streams, writer, data_stream, error_stream),
            )

    async def _down_spdy(
        self, streams: SpdyStreams, writer: asyncio.StreamWriter, data: int, error: int
    ) -> None:
        async for frame in streams:
            if frame.stream == error and frame.data:
                self.last_error = frame.data.decode(errors="replace")
                return
            if frame.stream == data and frame.data:
                writer.write(frame.data)
                await writer.drain()
            if frame.stream == data and frame.finished:
                return

    async def _down(self, socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
        begun: set[int] = set()
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                continue
            data = cast(bytes, message.data)
            channel, content = data[0], data[1:]
            if channel not in begun:
                begun.add(channel)
                content = content[2:]
            if channel == ERROR and content:
                self.last_error = content.decode(errors="replace")
                return
            if channel == DATA and content:
                writer.write(content)
                await writer.drain()


async def _both(up: Coroutine[Any, Any, None], down: Coroutine[Any, Any, None]) -> None:
    """Carry both ways, until either way has ended."""
    ways = [asyncio.create_task(each) for each in (up, down)]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in ways:
            each.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _up_spdy(reader: asyncio.StreamReader, streams: SpdyStreams, stream: int) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(PIECE):
            streams.send(stream, data)


async def _up(reader: asyncio.StreamReader, socket: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(PIECE):
            await socket.send_bytes(bytes([DATA]) + data)


def _is_ready(pod: Object) -> bool:
    return text(condition_of(pod, "Ready"), "status") == "True"


def _target_port(service: Object, pod: Object, asked: PortForward) -> int:
    """The pod's port behind a port of a service. Raises FaultError where there is none."""
    for each in objects(service, "spec", "ports"):
        if number(each, "port") != asked.port:
            continue
        target = at(each, "targetPort")
        if isinstance(target, int):
            return target
        if not isinstance(target, str):
            return asked.port
        for container in objects(pod, "spec", "containers"):
            for port in objects(container, "ports"):
                if text(port, "name") == target:
                    return number(port, "containerPort")
    there = ", ".join(str(number(each, "port")) for each in objects(service, "spec", "ports")) or "none"
    raise misused(f"{asked.target} in {asked.namespace} has no port {asked.port}; it has: {there}")
