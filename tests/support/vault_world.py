"""A simulated Kubernetes around a real raft cluster, and a walk through it as on a live site.

It knows Vault's StatefulSet, its disks, the unseal sidecar and an ingress, and nothing of any runbook: pods
are processes, `exec` runs commands, `logs` are what the servers wrote, and a pod that is deleted is a process
that ends.
"""

import asyncio
import contextlib
import shlex
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from breakglass.engine import commands as c
from breakglass.engine.opening import open_session
from breakglass.engine.session import Request
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.kubernetes_objects import Object, name_of, objects, text, uid_of
from breakglass.runbook.model import Runbook
from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.command_result import CommandResult
from breakglass.simulator.http_server import HttpServer
from breakglass.simulator.kubernetes.hooks import (
    Change,
    ExecAnswer,
    ExecCall,
    LogAnswer,
    LogCall,
    LogLine,
    PlainHooks,
    PodBirth,
    PodEnding,
)
from breakglass.simulator.kubernetes.objects import is_going, set_condition
from breakglass.simulator.kubernetes.server import start_api_server
from breakglass.simulator.kubernetes.store import ObjectStore, StoreEvent
from breakglass.simulator.ssh_server import SshHost, SshServer, known_hosts_line, new_key
from breakglass.values import Json
from tests.support.vault_cluster import VaultCluster

NAMESPACE = "vault"
LABELS: dict[str, Json] = {"app.kubernetes.io/name": "vault", "component": "server"}
NODES = ("node-0", "node-1", "node-2")
TICK = 0.2
"""Real seconds between two looks of the kubelets, and of the sidecars."""
ENDS = 1.5
"""Seconds in which a pod has gone; a process that takes no signal is killed then."""
LONG = timedelta(hours=3)
RESTART = 1.0
"""Seconds until a container that ended is started again."""
SEEN = ("get", "list", "watch")
OPERATOR, SECOND = "operator", "second operator"

Answered = Mapping[str, "Json | Callable[[], Json]"]
"""What a person says at a step: a value, or what to do first to have one."""


def _claim(name: str) -> Object:
    return {
        "metadata": {"name": name},
        "spec": {
            "storageClassName": "block",
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "2Gi"}},
        },
    }


def _cluster_objects() -> list[Object]:
    containers: list[Json] = [
        {
            "name": "vault",
            "image": "vault:test",
            "volumeMounts": [{"name": "data", "mountPath": "/vault/data"}],
        },
        {"name": "auto-unseal", "image": "vault:test"},
    ]
    nodes: list[Object] = [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}} for name in NODES]
    return [
        *nodes,
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "block"},
            "provisioner": "csi.proxmox.sinextra.dev",
            "reclaimPolicy": "Retain",
            "volumeBindingMode": "Immediate",
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "vault-unseal-key", "namespace": NAMESPACE},
            "stringData": {"unseal-key": "not read by this world"},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "vault", "namespace": NAMESPACE},
            "spec": {
                "replicas": 3,
                "serviceName": "vault-internal",
                "podManagementPolicy": "Parallel",
                "updateStrategy": {"type": "OnDelete"},
                "selector": {"matchLabels": LABELS},
                "template": {
                    "metadata": {"labels": LABELS},
                    "spec": {
                        "terminationGracePeriodSeconds": 10,
                        "affinity": {
                            "podAntiAffinity": {
                                "requiredDuringSchedulingIgnoredDuringExecution": [
                                    {
                                        "topologyKey": "kubernetes.io/hostname",
                                        "labelSelector": {"matchLabels": LABELS},
                                    }
                                ]
                            }
                        },
                        "containers": containers,
                    },
                },
                "volumeClaimTemplates": [_claim("data"), _claim("audit")],
            },
        },
    ]


@dataclass
class VaultWorld(PlainHooks):
    """The hooks of the simulated API server, and everything else that a walk comes to."""

    cluster: VaultCluster = field(kw_only=True)
    folder: Path = field(kw_only=True)
    sidecars: bool = True
    """Whether the unseal sidecars try their key."""
    deleted: list[str] = field(default_factory=list[str])
    """The pods that a client deleted, in order."""
    commands: list[str] = field(default_factory=list[str])
    """Every command that was run in a container, in order."""
    ran: list[str] = field(default_factory=list[str])
    """Every command that was run on the hypervisor."""

    def __post_init__(self) -> None:
        self.store = ObjectStore(SimulatedClock(), seed=7)
        self.ingress = HttpServer(self._pass_on)
        self.began = datetime.now(UTC)
        """What was logged before is shown as of long ago: a cluster that has been well for hours is quiet."""
        self._started: dict[str, str] = {}
        self._ended: dict[str, float] = {}
        self._restarts: dict[str, int] = {}

    # ------------------------------------------------------------ what the API server asks
    async def exec(self, call: ExecCall) -> ExecAnswer:
        name = name_of(call.pod)
        self.commands.append(f"{name} {shlex.join(call.argv)}")
        if call.container != "vault":
            return await PlainHooks.exec(self, call)
        stdin = await call.stdin.read()
        out, err, code = await self.cluster.run(name, call.argv, stdin)
        return ExecAnswer(out, err, code)

    async def logs(self, call: LogCall) -> LogAnswer:
        name = name_of(call.pod)
        logs = self.cluster.voters[name].logs
        if call.container != "vault" or len(logs) <= call.previous:
            return LogAnswer()
        told = self.cluster.inside(name, logs[-1 - call.previous].read_text(errors="replace"))
        lines: list[LogLine | str] = []
        when: datetime | None = None
        for line in told.splitlines():
            with contextlib.suppress(ValueError):
                when = datetime.fromisoformat(line.split(" ")[0]).astimezone(UTC)
                if when < self.began:
                    when -= LONG
            lines.append(LogLine(line, when))
        return LogAnswer(lines)

    def after_change(self, change: Change) -> None:
        if change.verb == "delete" and change.kind.kind == "Pod" and not change.dry_run:
            self.deleted.append(change.name)
        super().after_change(change)

    def pod_birth(self, pod: Object) -> PodBirth:
        return PodBirth(delay=TICK, ready=False, address=self.cluster.voters[name_of(pod)].address)

    def pod_ending(self, pod: Object) -> PodEnding:
        process = self.cluster.voters[name_of(pod)].process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
        return PodEnding(ENDS)

    def stored(self, event: StoreEvent) -> None:
        if event.type == "DELETED" and event.kind.kind == "Pod":
            self.cluster.stop(name_of(event.object))

    # ------------------------------------------------------------ kubelets and sidecars
    async def keep(self) -> None:
        """What kubelets and sidecars do, until cancelled."""
        while True:
            for pod in self.store.of_kind("Pod", NAMESPACE):
                if text(pod, "status", "phase") == "Running" and not is_going(pod):
                    await self._tend(pod)
            await asyncio.sleep(TICK)

    async def _tend(self, pod: Object) -> None:
        name, uid = name_of(pod), uid_of(pod)
        voter, now = self.cluster.voters[name], asyncio.get_running_loop().time()
        waiting = ""
        if self._started.get(name) != uid:
            self._started[name] = uid
            self._restarts[name] = 0
            if not voter.runs:
                self.cluster.start(name)
        elif not voter.runs:
            waiting = "CrashLoopBackOff"
            since = self._ended.setdefault(name, now)
            if now - since > RESTART:
                del self._ended[name]
                self._restarts[name] += 1
                self.cluster.start(name)
        health = await asyncio.to_thread(voter.health) if voter.runs else 0
        if self.sidecars and health in (501, 503):
            await asyncio.to_thread(self.cluster.unseal, name)
        self._show(name, uid, ready=health in (200, 429), waiting=waiting)

    def _show(self, name: str, uid: str, *, ready: bool, waiting: str) -> None:
        kind = self.store.kinds.named("Pod", "")
        pod = self.store.find(kind, NAMESPACE, name)
        if pod is None or uid_of(pod) != uid or is_going(pod):
            return
        now = self.store.clock.now()
        for each in objects(pod, "status", "containerStatuses"):
            if each["name"] == "vault":
                each["ready"] = ready
                each["restartCount"] = self._restarts[name]
                if waiting:
                    each["state"] = {"waiting": {"reason": waiting}}
                    each["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
                elif "waiting" in str(each["state"]):
                    each["state"] = {"running": {"startedAt": now.strftime("%Y-%m-%dT%H:%M:%SZ")}}
            else:
                each["ready"] = True
        set_condition(pod, "Ready", ready, now)
        set_condition(pod, "ContainersReady", ready, now)
        self.store.replace(kind, pod)

    # ------------------------------------------------------------ the ingress, and the hypervisor
    async def _pass_on(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """To the voter that is active; where none is, to one that is sealed or not initialised."""
        codes = {
            name: await asyncio.to_thread(voter.health)
            for name, voter in self.cluster.voters.items()
            if voter.runs
        }
        chosen = next(
            (name for want in (200, 501, 503) for name, code in codes.items() if code == want), None
        )
        if chosen is None or (codes[chosen] != 200 and 429 in codes.values()):
            return web.Response(status=503, text="no available server")
        voter = self.cluster.voters[chosen]
        headers = {key: value for key, value in request.headers.items() if key.lower().startswith("x-vault")}
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as client:
            try:
                got = await client.request(
                    request.method, f"{voter.url}{request.path_qs}", content=body, headers=headers
                )
            except httpx.HTTPError:
                return web.Response(status=502, text="bad gateway")
        kind = got.headers.get("Content-Type", "text/plain").partition(";")[0]
        told = got.content
        if kind == "application/json":
            told = self.cluster.inside(chosen, told.decode()).encode()
        return web.Response(status=got.status_code, body=told, content_type=kind)

    async def run_on_pve(self, command: str, stdin: Callable[[], Awaitable[str]]) -> CommandResult:
        """Run a command line, with the ingress of this world for Vault's public name."""
        self.ran.append(command)
        here = command.replace("https://vault.lab.example", f"http://127.0.0.1:{self.ingress.port}")
        given = await stdin() if "--config" in command else ""
        process = await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            here,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(given.encode())
        return CommandResult(out, err, process.returncode or 0)


@asynccontextmanager
async def vault_world(
    cluster: VaultCluster, folder: Path, *, sidecars: bool = True
) -> AsyncGenerator[VaultWorld]:
    """The world around a cluster, and a site file `site.yaml` in the folder that leads into it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "snapshots").mkdir(exist_ok=True)
    world = VaultWorld(cluster=cluster, folder=folder, sidecars=sidecars)
    world.store.load(_cluster_objects())
    server = await start_api_server(world.store, world, folder)
    ended = world.store.subscribe(world.stored)
    await world.ingress.start(None)
    client_key, host_key = new_key(folder / "id"), new_key(folder / "host")
    machine = SshHost("pve", "root", world.run_on_pve, lambda: True)
    ssh = SshServer(machine, host_key, client_key, asyncio.get_running_loop())
    (folder / "known_hosts").write_text(known_hosts_line(ssh.port, host_key))
    for name, value in (("token", cluster.root_token), ("key", cluster.key)):
        (folder / name).write_text(value)
        (folder / name).chmod(0o600)
    (folder / "ssh_config").write_text("")
    (folder / "site.yaml").write_text(
        f"""site: lab
clusters: {{main: {{kubeconfig: {server.kubeconfig}}}}}
hosts:
  pve:
    address: 127.0.0.1
    port: {ssh.port}
    user: root
    identity: {folder}/id
    known_hosts: {folder}/known_hosts
    ssh_config: {folder}/ssh_config
endpoints: {{vault: {{url: "http://127.0.0.1:{world.ingress.port}"}}}}
secrets: {{vault_token: {{file: {folder}/token}}, vault_unseal_key: {{file: {folder}/key}}}}
variables:
  nodes: []
  vault_snapshots: [{folder}/snapshots]
  vault_address: 127.0.0.1
  vault_host: vault.lab.example
"""
    )
    keeping = asyncio.create_task(world.keep())
    try:
        await _ready(world)
        yield world
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        ended()
        ssh.close()
        await world.ingress.close()
        await server.close()
        world.store.clock.close()


async def _ready(world: VaultWorld) -> None:
    async with asyncio.timeout(20):
        while True:
            pods = world.store.of_kind("Pod", NAMESPACE)
            if len(pods) == 3 and all(text(pod, "status", "phase") == "Running" for pod in pods):
                return
            await asyncio.sleep(TICK)


@dataclass(frozen=True, slots=True)
class Walked:
    """How a walk went."""

    result: e.EndResult
    state: State

    @property
    def reached(self) -> list[str]:
        """The steps that were begun, in order."""
        return [each.event.step for each in self.state.timeline if isinstance(each.event, e.StepStarted)]

    @property
    def refused(self) -> dict[str, str]:
        """What failed, and what it said."""
        return {
            step: view.last.say
            for step, view in self.state.steps.items()
            if view.status == "failed" and view.last
        }

    def value(self, name: str) -> Json:
        return self.state.values[name]


async def walk(
    world: VaultWorld,
    runbook: Path | Runbook,
    *,
    choose: Mapping[str, str] | None = None,
    says: Answered | None = None,
    stop_at: Collection[str] = (),
    moves: Mapping[str, Callable[[], object]] | None = None,
    jump: tuple[str, str] | None = None,
) -> Walked:
    """Walk as an operator would who confirms everything that is asked.

    stop_at: steps at which the walk ends before anything is sent. moves: what happens beside it when a step
    is asked about. jump: after which step to jump where. A step that fails ends the walk.
    """
    with pytest.MonkeyPatch.context() as patch:
        (world.folder / "state").mkdir(mode=0o700, exist_ok=True)
        patch.setenv("BREAKGLASS_STATE", str(world.folder / "state"))
        patch.setenv("BREAKGLASS_OPERATOR", OPERATOR)
        request = Request(mode="live", runbook=runbook, site=world.folder / "site.yaml", pace="never")
        async with open_session(request) as session:
            engine = session.engine
            asked: asyncio.Queue[e.Asked] = asyncio.Queue()
            left = dict(choose or {})
            due = dict(moves or {})
            jumps = [jump] if jump is not None else []

            def heard(event: e.Event, state: State) -> None:
                if isinstance(event, e.Asked):
                    asked.put_nowait(event)
                elif isinstance(event, e.Confirmed) and state.waiting is not None:
                    asked.put_nowait(state.waiting)
                elif isinstance(event, e.StepFinished) and event.goto in stop_at:
                    engine.command(c.Stop("far enough", OPERATOR))
                elif isinstance(event, e.StepFinished) and jumps and event.step == jumps[0][0]:
                    engine.command(c.Pause(OPERATOR))

            async def reply(question: e.Asked) -> c.Command:
                step = question.step
                if step in stop_at:
                    return c.Stop("far enough", OPERATOR)
                if step in due:
                    await asyncio.to_thread(due.pop(step))
                match question.question:
                    case "continue" if jumps:
                        return c.Jump(jumps.pop()[1], "by mistake", OPERATOR)
                    case "continue":
                        return c.Continue(OPERATOR)
                    case "confirm":
                        by = SECOND if OPERATOR in engine.state.approvals else OPERATOR
                        return c.Confirm(question.typed or "Y", by)
                    case "choose" if step in left:
                        return c.Answer(left[step], OPERATOR)
                    case "answer" | "acknowledge" if says is not None and step in says:
                        said = says[step]
                        value = await asyncio.to_thread(said) if callable(said) else said
                        done = question.question == "acknowledge"
                        return c.Answer(True if done else value, OPERATOR, "as asked" if done else "")
                    case _:
                        return c.Stop(f"{question.question} at {step}: {question.text}", OPERATOR)

            async def answering() -> None:
                while True:
                    question = await asked.get()
                    command = await reply(question)
                    if engine.state.waiting is question:
                        engine.command(command)

            unsubscribe = engine.subscribe(lambda recorded, state: heard(recorded.event, state))
            answers = asyncio.create_task(answering())
            try:
                result = await engine.run()
            finally:
                answers.cancel()
                unsubscribe()
            return Walked(result, engine.state)
