import json
from pathlib import Path

import pytest

from breakglass.kubernetes_objects import at, objects, text
from breakglass.rehearsal.rehearsal import Rehearsal
from breakglass.yamlio.position import InvalidFileError
from tests.rehearsal.support import running, said
from tests.simulator.kubernetes.python_package import PythonPackage

VAULT = """\
world: {hung: true, restarted: []}
kubernetes:
  main:
    kinds: [{group: external-secrets.io, plural: externalsecrets, kind: ExternalSecret, short_names: [es]}]
    users:
      - {name: operator}
      - {name: reader, rules: [{verbs: [get, list, watch], resources: ["*"]}]}
    objects:
      - {apiVersion: v1, kind: Node, metadata: {name: k8s-node3}}
      - apiVersion: v1
        kind: Pod
        metadata: {name: vault-2, namespace: vault, labels: {component: server}}
        spec: {nodeName: k8s-node3, containers: [{name: vault, image: x}]}
      - apiVersion: v1
        kind: Pod
        metadata: {name: other, namespace: vault}
        spec: {nodeName: k8s-node3, containers: [{name: main, image: x}]}
      - {apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: app}}
    pods:
      - {pod: {name: "vault-*"}, when: world.hung, never_ends: true}
      - {pod: {name: crash}, delay: 0s, waiting: CrashLoopBackOff, restarts: 4, terminated: Error}
    denials:
      - {on: delete pods vault/other, message: "protected: ${{ request.name }}"}
    faults:
      - {on: list secrets *, fault: answer, code: 500, reason: InternalError, message: etcd is slow}
exec:
  - pod: {labels: {component: server}, container: vault}
    match: vault status -format=json
    when: world.hung && request.pod.metadata.name == 'vault-2'
    reply: {hang: true}
  - pod: {labels: {component: server}}
    match: vault status -format=json
    reply: {stdout: '{"sealed": false}', exit: 0}
  - pod: {labels: {component: server}}
    match: kill {pid}
    set: {restarted: "${{ world.restarted + [request.match.pid] }}"}
    reply: ""
logs:
  - pod: {name: vault-2, container: vault}
    when: world.hung
    lines: []
  - pod: {name: vault-2, container: vault}
    lines: [{text: "tick ${{ n }}", ago: 20s, every: 10s}, "${{ request.pod.metadata.name }} ready"]
rules:
  - {name: killed, on: "exec vault/vault-2 kill *", say: "Sent to ${{ event.pod.metadata.name }}."}
  - {name: gone, on: kubernetes.removed pods vault/vault-2, say: It is gone., set: {hung: false}}
traps:
  - name: forced
    title: Forced it
    on: kubernetes.delete pods
    when: event.force
    say: "Forced ${{ event.namespace }}/${{ event.name }} with uid ${{ event.uid }}."
    caught: review
"""


POD = ("vault-2", "vault")


def package(rehearsal: Rehearsal, user: str = "operator") -> PythonPackage:
    path = rehearsal.site.clusters["main"].kubeconfig
    assert path is not None
    return PythonPackage(path.with_name(f"main.{user}.kubeconfig"))


async def test_the_site_has_the_first_users_kubeconfig(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT) as rehearsal:
        path = rehearsal.site.clusters["main"].kubeconfig
        assert path is not None
        assert path.name == "main.operator.kubeconfig"


async def test_a_command_in_a_container_is_answered_by_its_rule(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT) as rehearsal:
        code, out, _ = await package(rehearsal).exec("vault", "vault-2", "kill", "4711")
        assert (code, out) == (0, "")
        assert rehearsal.variables["restarted"] == ["4711"]
        assert said(rehearsal)["killed"] == "Sent to vault-2."
        assert rehearsal.touched == ["exec vault/vault-2 kill 4711"]


async def test_an_unknown_command_in_a_container_is_not_found(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT) as rehearsal:
        code, _, error = await package(rehearsal).exec("vault", "vault-2", "frobnicate")
        assert code == 127
        assert "not found" in error


async def test_a_hung_server_is_ended_by_the_timeout_around_the_command(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT) as rehearsal:
        argv = ("timeout", "3", "vault", "status", "-format=json")
        code, _, _ = await package(rehearsal).exec("vault", "vault-2", *argv)
        assert code == 124
        assert rehearsal.touched == []


async def test_a_silent_log_is_empty(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT) as rehearsal:
        log = await package(rehearsal).call("CoreV1Api", "read_namespaced_pod_log", *POD, container="vault")
        assert (log.code, log.body) == (200, "")


async def test_log_lines_carry_simulated_times(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT.replace("hung: true", "hung: false"), speed=1) as rehearsal:
        read = ("CoreV1Api", "read_namespaced_pod_log", *POD)
        whole = await package(rehearsal).call(*read, container="vault")
        assert str(whole.body).splitlines() == ["tick 0", "tick 1", "tick 2", "vault-2 ready"]
        recent = await package(rehearsal).call(*read, container="vault", since_seconds=15)
        assert str(recent.body).splitlines() == ["tick 1", "tick 2", "vault-2 ready"]


async def test_a_pod_that_never_ends_stays_until_it_is_forced_and_that_is_a_trap(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT) as rehearsal:
        api = package(rehearsal)
        before = await api.call("CoreV1Api", "read_namespaced_pod", *POD)
        await api.call("CoreV1Api", "delete_namespaced_pod", *POD, grace_period_seconds=30)
        await rehearsal.clock.sleep(100)
        still = await api.call("CoreV1Api", "read_namespaced_pod", *POD)
        uid = text(before.body, "metadata", "uid")
        assert text(still.body, "metadata", "uid") == uid
        assert rehearsal.traps_met() == []
        await api.call("CoreV1Api", "delete_namespaced_pod", *POD, grace_period_seconds=0)
        assert rehearsal.traps_met() == ["forced"]
        assert said(rehearsal)["forced"] == f"Forced vault/vault-2 with uid {uid}."
        assert said(rehearsal)["gone"] == "It is gone."
        assert rehearsal.variables["hung"] is False


async def test_a_dry_run_is_no_change(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT) as rehearsal:
        before = json.dumps(rehearsal.snapshot(), sort_keys=True)
        answer = await package(rehearsal).call("CoreV1Api", "delete_namespaced_pod", *POD, dry_run="All")
        assert answer.code == 200
        assert rehearsal.touched == []
        assert json.dumps(rehearsal.snapshot(), sort_keys=True) == before


async def test_admission_and_the_server_itself_refuse_as_the_scenario_says(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT) as rehearsal:
        api = package(rehearsal)
        denied = await api.call("CoreV1Api", "delete_namespaced_pod", "other", "vault")
        assert denied.code == 403
        assert "protected: other" in text(denied.body, "message")
        failed = await api.call("CoreV1Api", "list_namespaced_secret", "vault")
        assert (failed.code, text(failed.body, "message")) == (500, "etcd is slow")
        assert rehearsal.touched == []


async def test_a_reader_may_not_change(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT) as rehearsal:
        api = package(rehearsal, "reader")
        assert (await api.call("CoreV1Api", "read_namespaced_pod", *POD)).code == 200
        assert (await api.call("CoreV1Api", "delete_namespaced_pod", *POD)).code == 403
        assert rehearsal.touched == []


async def test_a_new_pod_comes_up_as_its_rule_says(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT) as rehearsal:
        api = package(rehearsal)
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "crash"},
            "spec": {"containers": [{"name": "c", "image": "x"}]},
        }
        await api.call("CoreV1Api", "create_namespaced_pod", "vault", body)
        await rehearsal.clock.sleep(20)
        pod = await api.call("CoreV1Api", "read_namespaced_pod", "crash", "vault")
        (status,) = objects(pod.body, "status", "containerStatuses")
        assert text(status, "state", "waiting", "reason") == "CrashLoopBackOff"
        assert text(status, "lastState", "terminated", "reason") == "Error"
        assert at(status, "restartCount") == 4


async def test_a_kind_of_the_scenarios_own_is_served(tmp_path: Path) -> None:
    async with running(tmp_path, VAULT) as rehearsal:
        found = await package(rehearsal).call(
            "CustomObjectsApi",
            "list_namespaced_custom_object",
            "external-secrets.io",
            "v1",
            "app",
            "externalsecrets",
        )
        assert [text(each, "metadata", "name") for each in objects(found.body, "items")] == ["a"]


@pytest.mark.parametrize("wrong", ["{apiVersion: v2, kind: Nothing}", "{apiVersion: v1, kind: Pod, x: 1}"])
async def test_objects_that_the_cluster_cannot_hold_stop_the_rehearsal(tmp_path: Path, wrong: str) -> None:
    body = f"kubernetes: {{main: {{objects: [{wrong}]}}}}\n"
    with pytest.raises(InvalidFileError, match=r"kubernetes\.main\.objects"):
        async with running(tmp_path, body):
            pass
