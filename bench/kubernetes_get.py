"""A native `get pods -o json` on the kept connection, beside the `kubectl` program on the same server."""

import asyncio
from pathlib import Path

from bench.kubernetes_server import SIZES, kubernetes_server
from bench.measure import Line, Sample, by_turns, called, compared, program
from breakglass.policy.kubectl.parse import understood
from breakglass.site.model import Cluster, Site
from breakglass.transport.base import KubectlRequest
from breakglass.transport.kubectl import Kubectl
from tests.support.kubectl_programs import current_kubectl

REACHES: dict[int, float | None] = {1: None, 100: 0.2, 5000: 1.0}
ROUNDS = {1: 15, 100: 15, 5000: 5}


def measure(work: Path) -> list[Line]:
    program_beside = current_kubectl()
    with kubernetes_server(work) as kubeconfig, asyncio.Runner() as runner:
        kubectl = Kubectl(Site("bench", clusters={"main": Cluster("main", kubeconfig)}))
        try:
            return [
                line for size in SIZES for line in _pods(size, runner, kubectl, program_beside, kubeconfig)
            ]
        finally:
            runner.run(kubectl.close())


def _pods(
    size: int, runner: asyncio.Runner, kubectl: Kubectl, installed: Path, kubeconfig: Path
) -> list[Line]:
    argv = ("get", "pods", "-n", f"pods-{size}", "-o", "json")

    async def ask() -> None:
        out: list[bytes] = []
        result = await kubectl.send(
            KubectlRequest("main", understood(argv), 60.0), lambda stream, data: out.append(data)
        )
        if result.fault is not None:
            raise RuntimeError(result.fault.message)

    def native() -> Sample:
        return called(lambda: runner.run(ask()))

    environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)}
    sides = {"native": native, "kubectl": lambda: program([installed, *argv], environment)}
    what = f"get pods -o json, {size:,} pod{'s' if size > 1 else ''}"
    return compared(what, by_turns(sides, ROUNDS[size]), "native", {"kubectl": REACHES[size]}, cpu=True)
