"""Running a command in a container, whatever carries its streams.

Which requests are refused, what the scenario's answer becomes on the streams, and how the exit status is
told. `exec_websocket.py` and `exec_spdy.py` carry it.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from breakglass.kubernetes_objects import Object, condition_of, mapping, name_of, objects, text
from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.hooks import CutConnectionError, ExecAnswer, ExecCall, Hooks, Stdin
from breakglass.simulator.kubernetes.objects import is_finished
from breakglass.simulator.kubernetes.store import ObjectStore

Stream: TypeAlias = Literal["stdout", "stderr", "error"]
PIECE = 32 * 1024
"""How many bytes of output go into one frame."""


class Channels(Protocol):
    """The client's end of the streams."""

    async def write(self, stream: Stream, data: bytes) -> None: ...

    async def finish(self) -> None:
        """Nothing more comes, and the connection is closed in good order."""
        ...

    def cut(self) -> None:
        """The connection breaks."""
        ...


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """A checked request: the pod and container exist and the container runs."""

    pod: Object
    container: str
    argv: tuple[str, ...]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


def exec_request(
    store: ObjectStore, namespace: str, name: str, query: Iterable[tuple[str, str]]
) -> ExecRequest:
    """ApiError 404, 400 or 500 where the command cannot be run."""
    given: dict[str, list[str]] = {}
    for key, entry in query:
        given.setdefault(key, []).append(entry)
    wanted = {
        key: given.get(key, ["false"])[0] in ("true", "1") for key in ("stdin", "stdout", "stderr", "tty")
    }
    pod = store.get(store.kinds.named("Pod", ""), namespace, name)
    argv = tuple(given.get("command", []))
    if not argv:
        raise statuses.bad_request("you must specify at least one command for the container")
    if not any(wanted[key] for key in ("stdin", "stdout", "stderr")):
        raise statuses.bad_request("you must specify at least 1 of stdin, stdout, stderr")
    container = chosen_container(pod, given.get("container", [""])[0])
    check_reachable(store, pod)
    if is_finished(pod):
        phase = text(pod, "status", "phase")
        raise statuses.bad_request(
            f"cannot exec into a container in a completed pod; current phase is {phase}"
        )
    if not _is_running(pod, container):
        message = f'container not found ("{container}")'
        raise statuses.ApiError(500, "InternalError", f"Internal error occurred: {message}")
    return ExecRequest(
        pod, container, argv, wanted["stdin"], wanted["stdout"], wanted["stderr"], wanted["tty"]
    )


def chosen_container(pod: Object, asked: str) -> str:
    """The container that is meant. ApiError 400 where it is not there, or none is named among several."""
    names = [text(entry, "name") for entry in objects(pod, "spec", "containers")]
    starting = [text(entry, "name") for entry in objects(pod, "spec", "initContainers")]
    if asked:
        if asked not in names + starting:
            raise statuses.bad_request(f"container {asked} is not valid for pod {name_of(pod)}")
        return asked
    if len(names) != 1:
        listed = f"choose one of: [{' '.join(names)}]"
        if starting:
            listed += f" or one of the init containers: [{' '.join(starting)}]"
        raise statuses.bad_request(f"a container name must be specified for pod {name_of(pod)}, {listed}")
    return names[0]


def check_reachable(store: ObjectStore, pod: Object) -> None:
    """ApiError 400 or 500 where no kubelet answers for the pod."""
    node_name = text(pod, "spec", "nodeName")
    if not node_name:
        raise statuses.bad_request(f"pod {name_of(pod)} does not have a host assigned")
    node = store.find(store.kinds.named("Node", ""), "", node_name)
    if node is not None and condition_of(node, "Ready").get("status") != "True":
        address = next((text(entry, "address") for entry in objects(node, "status", "addresses")), node_name)
        message = f"error dialing backend: dial tcp {address}:10250: connect: no route to host"
        raise statuses.ApiError(500, "InternalError", f"Internal error occurred: {message}")


def _is_running(pod: Object, container: str) -> bool:
    entries = [*objects(pod, "status", "containerStatuses"), *objects(pod, "status", "initContainerStatuses")]
    entry = next((entry for entry in entries if entry.get("name") == container), None)
    if entry is None:
        return text(pod, "status", "phase") == "Running"
    return "running" in mapping(entry, "state")


async def run(
    request: ExecRequest, stdin: Stdin, channels: Channels, hooks: Hooks, clock: SimulatedClock, user: str
) -> None:
    """Ask the scenario how the command answers, and send that. Cancelled when the client goes."""
    call = ExecCall(request.pod, request.container, request.argv, stdin, user, request.tty)
    try:
        answer = await hooks.exec(call)
    except CutConnectionError:
        channels.cut()
        return
    await clock.sleep(answer.delay)
    if request.stdout:
        for piece in _pieces(answer.stdout):
            await channels.write("stdout", piece)
    if request.stderr:
        for piece in _pieces(answer.stderr):
            await channels.write("stdout" if request.tty else "stderr", piece)
    match answer.then:
        case "exit":
            await channels.write("error", json.dumps(exit_status(answer)).encode())
            await channels.finish()
        case "hang":
            await asyncio.Event().wait()
        case "cut":
            channels.cut()


def _pieces(output: bytes | Sequence[bytes]) -> Iterable[bytes]:
    for part in [output] if isinstance(output, bytes) else output:
        for start in range(0, len(part), PIECE):
            yield part[start : start + PIECE]


def exit_status(answer: ExecAnswer) -> Object:
    """The Status on the error stream, from which a client reads the exit status."""
    if answer.exit == 0:
        return {"metadata": {}, "status": "Success"}
    message = f"command terminated with non-zero exit code: exit status {answer.exit}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(answer.exit)}]},
    }
