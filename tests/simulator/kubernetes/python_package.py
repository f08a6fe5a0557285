"""The `kubernetes` package, pointed at a simulated cluster.

It carries no types, so it is loaded by name and handed out as `Any`: the tests look at plain JSON.
"""

import asyncio
import contextlib
import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from breakglass.values import Json

_client = importlib.import_module("kubernetes.client")
_config = importlib.import_module("kubernetes.config")
_stream = importlib.import_module("kubernetes.stream")
_watch = importlib.import_module("kubernetes.watch")


@dataclass(frozen=True, slots=True)
class Answer:
    """A call's result as JSON, or the Status and code of what the server refused."""

    code: int
    body: Json


class PythonPackage:
    """Calls of the package, each in a thread of its own so that the simulated server can answer."""

    def __init__(self, kubeconfig: Path) -> None:
        self._api: Any = _config.new_client_from_config(str(kubeconfig))

    async def call(self, group: str, method: str, *arguments: object, **named: object) -> Answer:
        """A method of one of the package's API classes, such as `CoreV1Api` `read_namespaced_pod`."""
        function = cast("Callable[..., Any]", getattr(getattr(_client, group)(self._api), method))

        def run() -> Answer:
            try:
                found = function(*arguments, **named)
            except _client.ApiException as error:
                return Answer(error.status, cast(Json, json.loads(error.body)))
            return Answer(200, cast(Json, self._api.sanitize_for_serialization(found)))

        return await asyncio.to_thread(run)

    async def exec(self, namespace: str, pod: str, *argv: str) -> tuple[int, str, str]:
        """Exit status and both outputs."""

        def run() -> tuple[int, str, str]:
            socket = _stream.stream(
                _client.CoreV1Api(self._api).connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=list(argv),
                stdin=False,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
            )
            socket.run_forever(timeout=30)
            return socket.returncode, socket.read_stdout(), socket.read_stderr()

        return await asyncio.to_thread(run)

    async def ask_through_port(self, namespace: str, pod: str, port: int, said: bytes) -> bytes:
        """Say something to a port of a pod, and give all that it answers until it closes."""

        def run() -> bytes:
            forward = _stream.portforward(
                _client.CoreV1Api(self._api).connect_get_namespaced_pod_portforward,
                pod,
                namespace,
                ports=str(port),
            )
            socket = forward.socket(port)
            socket.settimeout(30)
            answer = bytearray()
            # A port that is closed may end the connection before this is said, or with it unread.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                socket.sendall(said)
                while piece := socket.recv(65536):
                    answer += piece
            error = forward.error(port)
            return bytes(answer) + (error or "").encode()

        return await asyncio.to_thread(run)

    async def watch_pods(self, namespace: str, version: str, count: int) -> list[tuple[str, str]]:
        """Type and name of so many changes after a resource version."""

        def run() -> list[tuple[str, str]]:
            watch = _watch.Watch()
            seen: list[tuple[str, str]] = []
            events = watch.stream(
                _client.CoreV1Api(self._api).list_namespaced_pod,
                namespace,
                resource_version=version,
                timeout_seconds=30,
            )
            for event in events:
                seen.append((event["type"], event["object"].metadata.name))
                if len(seen) == count:
                    watch.stop()
            return seen

        return await asyncio.to_thread(run)


def delete_options(**fields: object) -> Mapping[str, object]:
    return {"apiVersion": "v1", "kind": "DeleteOptions", **fields}
