"""`kubectl logs`: streamed as it comes, never held whole."""

import math

from breakglass.kubernetes_objects import Object, name_of, namespace_of, objects, text
from breakglass.policy.kubectl.operations import Logs
from breakglass.transport.kubectl.api import PIECE
from breakglass.transport.kubectl.find import PODS, container_of, many, pods_behind
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs

LONGEST_LINE = 1024 * 1024
"""Bytes of a line without an end that are held back to put the prefix before it."""


async def logs(run: KubectlRun, request: Logs) -> VerbResult:
    """Print the logs of the containers asked for, one after the other. Raises FaultError."""
    chosen = request.selection
    if chosen.targets:
        target = chosen.targets[0]
        pods = await pods_behind(run, target)
        if len(pods) > 1:
            run.err(f"Found {len(pods)} pods, using pod/{name_of(pods[0])}")
        pods = pods[:1]
    else:
        pods = await many(run, PODS, chosen)
        if not pods:
            run.err(f"No resources found in {await run.namespace(given=chosen.namespace)} namespace.")
    for pod in pods:
        for container in _containers(run, request, pod):
            await _one(run, request, pod, container)
    return VerbResult()


def _containers(run: KubectlRun, request: Logs, pod: Object) -> list[str]:
    if not request.all_containers:
        return [container_of(run, pod, request.container)]
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [text(each, "name") for kind in kinds for each in objects(pod, "spec", kind)]


async def _one(run: KubectlRun, request: Logs, pod: Object, container: str) -> None:
    query = [("container", container)]
    if request.previous:
        query.append(("previous", "true"))
    if request.timestamps:
        query.append(("timestamps", "true"))
    if request.since is not None and request.since > 0:
        query.append(("sinceSeconds", str(math.ceil(request.since))))
    if request.tail is not None:
        query.append(("tailLines", str(request.tail)))
    path = PODS.path(namespace_of(pod), name_of(pod), "log")
    before = f"[pod/{name_of(pod)}/{container}] ".encode() if request.prefix else b""
    async with run.stream(
        path, f"read the log of pod {name_of(pod)}, container {container}", query
    ) as answer:
        line = b""
        async for piece in answer.content.iter_chunked(PIECE):
            if not before:
                run.sink("stdout", piece)
                continue
            *whole, line = (line + piece).split(b"\n")
            if whole:
                run.sink("stdout", b"".join(before + each + b"\n" for each in whole))
            if len(line) > LONGEST_LINE:
                run.sink("stdout", before + line + b"\n")
                line = b""
        if line:
            run.sink("stdout", before + line)


VERBS: Verbs = {Logs: logs}
