"""The built-in driver and the program, for the same lines against the same simulated cluster.

Standard output and exit status are compared, and the kind of fault. What differs with the program's own
version, or with the clock, is taken out of both first.
"""

import json
import os
import re
from pathlib import Path

import pytest
import yaml

from breakglass.kubernetes_objects import Object
from breakglass.simulator.kubernetes.access import ADMIN, READ_ONLY, User
from breakglass.simulator.kubernetes.hooks import Denial, ExecAnswer, LogAnswer
from breakglass.values import Json
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import (
    Cluster,
    TestHooks,
    budget,
    cron_job,
    deployment,
    pod,
    stateful_set,
    storage_class,
)
from tests.support.kubectl_programs import PROGRAMS
from tests.transport.kubectl.support import Came, Client, client

CONFIG: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "odd",
        "namespace": "web",
        "annotations": {"a": "yes", "b": "1.0", "c": "<x> & 'y'"},
    },
    "data": {
        "text": "one\ntwo\n",
        "tail": "no end",
        "number": "0123",
        "empty": "",
        "colon": "a: b",
        "unicode": "Grüße ✓",
        "time": "2026-01-01T00:00:00Z",
        "null": "null",
    },
}


def event(name: str, kind: str, **more: Json) -> Object:
    """An event of years ago, so that its age is the same for a while."""
    about: Object = {"apiVersion": "v1", "kind": "Pod", "name": "front", "namespace": "web"}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "web"},
        "involvedObject": about,
        "type": kind,
        "reason": name.capitalize(),
        "message": f"about {name}",
        "firstTimestamp": "2020-01-01T00:00:00Z",
        "lastTimestamp": "2020-01-02T00:00:00Z",
        **more,
    }


EVENTS = (
    event("pulled", "Normal", lastTimestamp="2020-01-03T00:00:00Z"),
    event("failed", "Warning", count=7),
    event("moved", "Normal", involvedObject={"kind": "Node", "name": "node1"}, message=" two\nlines "),
)

READS = [
    "get pods -n web",
    "get pods -n web -o wide",
    "get pods -A",
    "get pods -n web --no-headers",
    "get nodes",
    "get deploy,rs,sts -n web",
    "get po/front deploy/app -n web",
    "get pods front side -n web",
    "get pods -n web -l app=front",
    "get pods -A --field-selector=spec.nodeName=node2",
    "get pods -n web -o name",
    "get deployments.apps -n web -o name",
    "get pods,deploy -n web -o name",
    "get pods -n web -o json",
    "get pod front -n web -o json",
    "get pods front side -n web -o json",
    "get pods,cm -n web -o json",
    "get configmap odd -n web -o json",
    "get configmap odd -n web -o yaml",
    "get pod front -n web -o yaml",
    "get pods -n web -o yaml",
    "get pods -n web --ignore-not-found -l app=none",
    "get pod gone -n web",
    "get pod gone -n web --ignore-not-found",
    "get pods front gone -n web -o name",
    "get gadgets",
    "get pods -n web --sort-by=.metadata.name",
    "get pods -n web --sort-by={.spec.nodeName} -o name",
    "get pods,deploy -n web --sort-by=.metadata.name -o name",
    "get pods -A --sort-by=.metadata.labels.app --no-headers",
    "events -n web",
    "events -A --no-headers",
    "events -n web --for pod/front",
    "events -n web --types=Warning",
    "events -n none",
    "get services -n web",
    "get cronjobs,pdb -n web",
    "logs front -n web",
    "logs front -n web --tail=1",
    "logs -n web -l app=front --prefix",
    "logs front -n web -p",
    "logs gone -n web",
    "logs front -n web -c none",
    "exec front -n web -- df -k",
    "exec front -n web -c main -- true",
    "exec deploy/app -n web -- df",
    "exec gone -n web -- df",
    "auth can-i delete pods -n web",
    "auth can-i list nodes",
    "rollout history deployment/app -n web",
    "rollout history deployment/gone -n web",
    "rollout status deployment/app -n web",
    "rollout status statefulset/data -n web",
    "wait --for=condition=Ready pod/front -n web --timeout=5s",
    "wait --for=condition=Available deployment/app -n web --timeout=5s",
    "wait --for=condition=Ready pod -l app=front -n web --timeout=5s",
    "wait --for=condition=Banana pod/front -n web --timeout=1s",
]
"""Lines that change nothing, so that both drivers run on one cluster."""

CHANGES = [
    "delete pod front -n web",
    "delete pod/front -n web --wait=false",
    "delete pod front -n web --grace-period=0 --force",
    "delete pod gone -n web",
    "delete pod gone -n web --ignore-not-found",
    "delete pods -n web -l app=front",
    "delete pod front side -n web -o name",
    "delete deployment app -n web --cascade=orphan",
    "delete cronjobs --all -n web",
    'patch deployment app -n web -p {"spec":{"replicas":3}}',
    'patch deployment app -n web -p {"spec":{"replicas":2}}',
    'patch deployment app -n web --type=merge -p {"metadata":{"labels":{"a":"b"}}} -o name',
    'patch deployment app -n web --type=json -p [{"op":"remove","path":"/spec/nothing"}]',
    "patch pod gone -n web -p {}",
    'patch deployment app -n web -p {"spec":{"replicas":"many"}}',
    "scale deployment/app -n web --replicas=3",
    "scale deployment/app -n web --replicas=3 --current-replicas=7",
    "scale deployment/gone -n web --replicas=3",
    "rollout restart deployment/app -n web",
    "rollout restart pod/front -n web",
    "rollout undo deployment/app -n web",
    "rollout undo deployment/app -n web --to-revision=1",
    "rollout undo deployment/app -n web --to-revision=9",
    "label pod front -n web tier=web",
    "label pod front side -n web none=front tier=web",
    "label pod front -n web app=other",
    "label pod front -n web app=other --overwrite",
    "label pods -l app=front -n web tier=web -o name",
    "label deployment/app -n web none-",
    "label pod gone -n web a=b",
    "annotate pod front -n web a=b c=d",
    "annotate configmap odd -n web a=no",
    "annotate configmap odd -n web a=no b- --overwrite",
    "taint nodes node1 a=b:NoSchedule",
    "taint nodes node1 node2 a:NoSchedule b=c:PreferNoSchedule",
    "taint nodes node1 a-",
    "taint nodes gone a=b:NoSchedule",
    "cordon node1",
    "uncordon node1",
    "cordon gone",
    "drain node1",
    "drain node1 --force --timeout=20s",
    "delete pod locked -n web",
]
"""Lines that change something: each driver gets a cluster of its own. `create job` is not among them,
because Debian's kubectl is older than the API version of cron jobs."""

DRY = [
    "label pod front -n web tier=web",
    "annotate pod front -n web a=b",
    "taint nodes node1 a=b:NoSchedule",
    "delete pod front -n web",
    'patch deployment app -n web -p {"spec":{"replicas":3}}',
    "scale deployment/app -n web --replicas=3",
    "cordon node1",
]


def hooks() -> TestHooks:
    return TestHooks(
        answers={"df": ExecAnswer(b"full\n", b"warning\n", exit=3), "true": ExecAnswer(b"\xff\n")},
        log=LogAnswer(["one", "two", "three"]),
        denials={"locked": Denial("the freeze is on", 403)},
    )


async def world(start: Start, *users: User) -> Cluster:
    objects = (
        pod("front", node_name="node1"),
        pod("side", "front", "node2"),
        pod("locked", node_name="node2"),
        deployment("app"),
        budget("app", 0),
        stateful_set("data", 1),
        storage_class("block"),
        cron_job("probe", "0 0 1 1 *"),
        CONFIG,
        *EVENTS,
    )
    return await start(*objects, hooks=hooks(), users=users or (ADMIN,))


@pytest.fixture(params=sorted(PROGRAMS))
def program(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl program, first in PATH, with a home of the test."""
    found = PROGRAMS[request.param]()
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").symlink_to(found)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    return found


def comparable(line: str, out: str) -> Json:
    """Output without what the clock and the program's version put in."""
    if "-o json" in line.split("=")[0] and out:
        return without(json.loads(out))
    if "-o yaml" in line and out:
        return without(yaml.safe_load(out))
    out = re.sub(r" from web namespace$", "", out, flags=re.M)
    out = re.sub(r" \(server dry run\)$", "", out, flags=re.M)
    lines = [re.sub(r" +(\d+[smhd])+( +|$)| +AGE( +|$)", " AGE ", each) for each in out.splitlines()]
    if line.startswith(("rollout status", "drain")):
        lines = [each.replace("evicted", "drained") for each in lines[-1:]]
    if line.startswith("logs") and " -l " in line:
        lines.sort()  # kubectl goes through the pods of a selector in the order of a Go map, which is none
    return [*map(str, lines)]


def without(value: Json) -> Json:
    """JSON without `selfLink`, which old programs add to lists."""
    if isinstance(value, dict):
        return {name: without(each) for name, each in value.items() if name != "selfLink"}
    return [without(each) for each in value] if isinstance(value, list) else value


def same(line: str, native: Came, binary: Came) -> None:
    assert comparable(line, native.out) == comparable(line, binary.out), (native.err, binary.err)
    assert native.result.exit == binary.result.exit, (native, binary)
    assert bool(native.fault) == bool(binary.fault)


async def both(run: Client, line: str, **how: bool) -> tuple[Came, Came]:
    return await run(line, **how), await run(line, binary=True, **how)  # type: ignore[arg-type]


async def test_lines_that_read_give_the_same(start: Start, program: Path) -> None:
    cluster = await world(start)
    async with client(cluster.server.kubeconfig) as run:
        for line in READS:
            native, binary = await both(run, line)
            if line.startswith("events") and "plugin name" in binary.err:
                continue  # kubectl before 1.26 has no such verb
            same(line, native, binary)
            assert native.fault == binary.fault or {native.fault, binary.fault} <= {
                "exit",
                "rejected",
                "not-found",
            }


def changes(cluster: Cluster) -> list[tuple[str, str]]:
    """What was changed. Pods of a drain are evicted in no certain order."""
    return sorted((change.verb, change.name) for change in cluster.hooks.changes)


@pytest.mark.parametrize("line", CHANGES)
async def test_lines_that_change_give_the_same(start: Start, program: Path, line: str) -> None:
    one, other = await world(start), await world(start)
    async with client(one.server.kubeconfig) as native, client(other.server.kubeconfig) as binary:
        same(line, await native(line), await binary(line, binary=True))
    assert changes(one) == changes(other)


@pytest.mark.parametrize("line", ["", " --to-revision=1", " --to-revision=2", " --to-revision=3"])
async def test_going_back_gives_the_same(start: Start, program: Path, line: str) -> None:
    one, other = await world(start), await world(start)
    before = (
        "annotate deployment app -n web kubernetes.io/change-cause=first",
        'patch deployment app -n web -p {"spec":{"template":{"metadata":{"annotations":{"a":"b"}}}}}',
        "annotate deployment app -n web kubernetes.io/change-cause=second note=kept --overwrite",
        'patch deployment app -n web -p {"spec":{"template":{"metadata":{"annotations":{"a":"c"}}}}}',
    )
    templates: list[Json] = []
    async with client(one.server.kubeconfig) as native, client(other.server.kubeconfig) as binary:
        for run in (native, binary):
            for each in before:
                assert (await run(each)).fault == ""
            await run("rollout status deployment/app -n web")
        for each in ("rollout history deployment/app -n web", f"rollout undo deployment/app -n web{line}"):
            same(each, await native(each), await binary(each, binary=True))
        for run in (native, binary):
            found = json.loads((await run("get deployment app -n web -o json")).out)
            templates.append([found["spec"]["template"], found["metadata"]["annotations"].get("note")])
    assert templates[0] == templates[1]


async def test_dry_runs_give_the_same(start: Start, program: Path) -> None:
    cluster = await world(start)
    before = cluster.store.snapshot()
    async with client(cluster.server.kubeconfig) as run:
        for line in DRY:
            native, binary = await both(run, line, dry_run=True)
            same(line, native, binary)
    assert cluster.store.snapshot() == before


async def test_refusals_are_the_same(start: Start, program: Path) -> None:
    cluster = await world(start, User("oncall", READ_ONLY))
    async with client(cluster.server.kubeconfig) as run:
        for line in ("delete pod front -n web", "scale deployment/app -n web --replicas=1"):
            native, binary = await both(run, line)
            same(line, native, binary)
            assert (native.fault, native.delivery) == (binary.fault, binary.delivery)
            assert native.err == binary.err


async def test_the_program_is_not_believed_when_it_says_it_failed_and_ends_well(
    start: Start, program: Path
) -> None:
    cluster = await world(start, User("oncall", READ_ONLY))
    async with client(cluster.server.kubeconfig) as run:
        native, binary = await both(run, "cordon node1")
    assert (native.result.exit, binary.result.exit) == (1, 0)
    assert native.fault == binary.fault == "forbidden"
