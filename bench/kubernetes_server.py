"""A simulated Kubernetes API with pods, in a process of its own: `python -m bench.kubernetes_server FOLDER`.

Prints the path of a kubeconfig when it serves, and ends with its standard input.
"""

import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from breakglass.kubernetes_objects import Object
from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.kubernetes.hooks import PlainHooks
from breakglass.simulator.kubernetes.server import start_api_server
from breakglass.simulator.kubernetes.store import ObjectStore

SIZES = (1, 100, 5000)
"""Pods; those of each size are in the namespace `pods-SIZE`."""


@contextmanager
def kubernetes_server(folder: Path) -> Generator[Path]:
    """Start the server; gives the kubeconfig."""
    argv = [sys.executable, "-m", "bench.kubernetes_server", str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield Path(process.stdout.readline().strip())
        finally:
            process.stdin.close()


def pod(namespace: str, number: int) -> Object:
    container: Object = {
        "name": "main",
        "image": "registry.lab.example/web:1.4.2",
        "env": [{"name": f"SETTING_{each}", "value": "something"} for each in range(8)],
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"web-{number}", "namespace": namespace, "labels": {"app": "web"}},
        "spec": {"containers": [container], "nodeName": "node-1"},
    }


async def serve(folder: Path) -> None:
    store = ObjectStore(SimulatedClock())
    store.load([{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}])
    store.load(pod(f"pods-{size}", number) for size in SIZES for number in range(size))
    server = await start_api_server(store, PlainHooks(), folder)
    print(server.kubeconfig, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
