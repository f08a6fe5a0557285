"""A small simulated cluster for tests, and programs that talk to it."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from breakglass.kubernetes_objects import Object, name_of
from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.kubernetes.hooks import (
    Change,
    Denial,
    ExecAnswer,
    ExecCall,
    JobRun,
    LogAnswer,
    LogCall,
    PlainHooks,
    PodBirth,
    PodEnding,
    RequestInfo,
    ServerFault,
)
from breakglass.simulator.kubernetes.server import ApiServer
from breakglass.simulator.kubernetes.store import ObjectStore

KUBECTL_SECONDS = 30.0
"""Real seconds after which a `kubectl` that has not come back is given up."""


@dataclass
class TestHooks(PlainHooks):
    """Hooks whose answers a test sets."""

    __test__ = False
    births: dict[str, PodBirth] = field(default_factory=dict[str, PodBirth])
    other_births: PodBirth = field(default_factory=PodBirth)
    endings: dict[str, PodEnding] = field(default_factory=dict[str, PodEnding])
    runs: dict[str, JobRun] = field(default_factory=dict[str, JobRun])
    denials: dict[str, Denial] = field(default_factory=dict[str, Denial])
    faults: dict[str, ServerFault] = field(default_factory=dict[str, ServerFault])
    answers: dict[str, ExecAnswer] = field(default_factory=dict[str, ExecAnswer])
    log: LogAnswer = field(default_factory=LogAnswer)
    on_request: Callable[[RequestInfo], None] = lambda request: None
    calls: list[ExecCall] = field(default_factory=list[ExecCall])

    async def exec(self, call: ExecCall) -> ExecAnswer:
        self.calls.append(call)
        if call.argv[0] == "cat":
            return ExecAnswer(stdout=await call.stdin.read())
        known = self.answers.get(call.argv[0])
        return known or await PlainHooks.exec(self, call)

    async def logs(self, call: LogCall) -> LogAnswer:
        return self.log

    async def before_change(self, change: Change) -> Denial | None:
        return self.denials.get(change.name)

    def fault(self, request: RequestInfo) -> ServerFault | None:
        self.on_request(request)
        return self.faults.get(request.verb)

    def pod_birth(self, pod: Object) -> PodBirth:
        return self.births.get(name_of(pod), self.other_births)

    def pod_ending(self, pod: Object) -> PodEnding:
        return self.endings.get(name_of(pod), PodEnding())

    def job_run(self, pod: Object) -> JobRun:
        found = next((run for prefix, run in self.runs.items() if name_of(pod).startswith(prefix)), None)
        return found or JobRun()


def node(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


def template(app: str) -> Object:
    container: Object = {"name": "main", "image": "registry.lab.example/app:1"}
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container]}}


def pod(name: str, app: str = "", node_name: str = "") -> Object:
    value: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "web", "labels": {"app": app or name}},
        "spec": {"containers": [{"name": "main", "image": "registry.lab.example/app:1"}]},
    }
    if node_name:
        spec = value["spec"]
        assert isinstance(spec, dict)
        spec["nodeName"] = node_name
    return value


def deployment(name: str, replicas: int = 2) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name),
        },
    }


def stateful_set(name: str, replicas: int = 3, strategy: str = "RollingUpdate") -> Object:
    claim: Object = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "block",
            "resources": {"requests": {"storage": "2Gi"}},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {
            "replicas": replicas,
            "serviceName": name,
            "updateStrategy": {"type": strategy},
            "selector": {"matchLabels": {"app": name}},
            "template": template(name),
            "volumeClaimTemplates": [claim],
        },
    }


def storage_class(name: str, reclaim: str = "Retain") -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "csi.lab.example",
        "reclaimPolicy": reclaim,
    }


def budget(name: str, at_least: int) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {"minAvailable": at_least, "selector": {"matchLabels": {"app": name}}},
    }


def cron_job(name: str, schedule: str, policy: str = "Forbid") -> Object:
    job_template = template(name)
    spec = job_template["spec"]
    assert isinstance(spec, dict)
    spec["restartPolicy"] = "Never"
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {
            "schedule": schedule,
            "concurrencyPolicy": policy,
            "jobTemplate": {"spec": {"backoffLimit": 1, "template": job_template}},
        },
    }


@dataclass
class Cluster:
    server: ApiServer
    store: ObjectStore
    hooks: TestHooks
    clock: SimulatedClock


@dataclass(frozen=True, slots=True)
class Ran:
    exit: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Kubectl:
    """A `kubectl` program, pointed at a cluster, that keeps its caches in a folder of the test."""

    program: Path
    kubeconfig: Path
    home: Path

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "KUBECONFIG": str(self.kubeconfig),
        }

    @asynccontextmanager
    async def running(self, *argv: str) -> AsyncGenerator[asyncio.StreamReader]:
        """The program, until the end of the block; what it writes to standard output."""
        process = await asyncio.create_subprocess_exec(
            str(self.program), *argv, stdout=asyncio.subprocess.PIPE, env=self._environment()
        )
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()
            await process.wait()

    async def until(self, text: str, *argv: str) -> list[str]:
        """The lines of output up to the one that holds the text; then the program is ended."""
        process = await asyncio.create_subprocess_exec(
            str(self.program), *argv, stdout=asyncio.subprocess.PIPE, env=self._environment()
        )
        lines: list[str] = []
        assert process.stdout is not None
        try:
            async with asyncio.timeout(KUBECTL_SECONDS):
                while not lines or text not in lines[-1]:
                    line = await process.stdout.readline()
                    assert line, f"kubectl ended before it said {text}: {lines}"
                    lines.append(line.decode().rstrip())
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        return lines

    async def __call__(self, *argv: str, stdin: bytes | None = None) -> Ran:
        process = await asyncio.create_subprocess_exec(
            str(self.program),
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment(),
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(stdin), KUBECTL_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AssertionError(f"kubectl {' '.join(argv)} did not come back") from None
        return Ran(process.returncode or 0, out.decode(), err.decode())
