"""What the `kubernetes` package sees and does, and the errors that it is given."""

import asyncio

import pytest

from breakglass.kubernetes_objects import Object, at, number, objects, text, uid_of
from breakglass.simulator.kubernetes.access import ADMIN, READ_ONLY, RbacRule, User
from breakglass.simulator.kubernetes.hooks import Denial, ExecAnswer, PodBirth, PodEnding, ServerFault
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.python_package import PythonPackage, delete_options
from tests.simulator.kubernetes.support import (
    TestHooks,
    budget,
    cron_job,
    deployment,
    pod,
    stateful_set,
    storage_class,
)

CORE, APPS, BATCH, AUTH = "CoreV1Api", "AppsV1Api", "BatchV1Api", "AuthorizationV1Api"


async def test_lists_come_in_pages(start: Start) -> None:
    cluster = await start(*(pod(f"front{index}") for index in range(5)))
    client = PythonPackage(cluster.server.kubeconfig)
    names: list[str] = []
    token = ""
    while True:
        page = await client.call(CORE, "list_namespaced_pod", "web", limit=2, _continue=token)
        names += [text(item, "metadata", "name") for item in objects(page.body, "items")]
        token = text(page.body, "metadata", "continue")
        if not token:
            break
    assert names == [f"front{index}" for index in range(5)]


async def test_a_missing_object_is_a_status_with_its_details(start: Start) -> None:
    client = PythonPackage((await start()).server.kubeconfig)
    answer = await client.call(CORE, "read_namespaced_pod", "front", "web")
    assert answer.code == 404
    assert at(answer.body, "reason") == "NotFound"
    assert at(answer.body, "details") == {"name": "front", "kind": "pods"}


async def test_a_deletion_pinned_to_another_uid_is_a_conflict(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"))
    client = PythonPackage(cluster.server.kubeconfig)
    body = delete_options(preconditions={"uid": "00000000-0000-4000-8000-000000000000"})
    answer = await client.call(CORE, "delete_namespaced_pod", "front", "web", body=body)
    assert (answer.code, at(answer.body, "reason")) == (409, "Conflict")
    assert "the UID in the precondition (00000000-0000-4000-8000-000000000000)" in text(
        answer.body, "message"
    )
    assert len(cluster.store.of_kind("Pod", "web")) == 1


async def test_a_deletion_pinned_to_a_version_notices_a_change(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"))
    client = PythonPackage(cluster.server.kubeconfig)
    body = delete_options(preconditions={"resourceVersion": "1"})
    answer = await client.call(CORE, "delete_namespaced_pod", "front", "web", body=body)
    assert answer.code == 409
    assert "The object might have been modified" in text(answer.body, "message")


async def test_an_update_of_an_old_version_is_a_conflict(start: Start) -> None:
    cluster = await start(deployment("front"))
    client = PythonPackage(cluster.server.kubeconfig)
    value = cluster.store.of_kind("Deployment", "web")[0]
    cluster.store.patch(cluster.store.kinds.of(value), "web", "front", {"spec": {"paused": True}})
    answer = await client.call(APPS, "replace_namespaced_deployment", "front", "web", value)
    assert answer.code == 409
    assert "please apply your changes to the latest version" in text(answer.body, "message")


async def test_a_patch_pinned_to_another_uid_is_refused(start: Start) -> None:
    cluster = await start(deployment("front"))
    client = PythonPackage(cluster.server.kubeconfig)
    change = {"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}, "spec": {"replicas": 1}}
    answer = await client.call(APPS, "patch_namespaced_deployment", "front", "web", change)
    assert answer.code == 422
    assert "metadata.uid: Invalid value" in text(answer.body, "message")


async def test_an_immutable_field_is_refused(start: Start) -> None:
    cluster = await start(stateful_set("data", 1), storage_class("block"))
    client = PythonPackage(cluster.server.kubeconfig)
    change: Object = {"spec": {"volumeClaimTemplates": []}}
    answer = await client.call(APPS, "patch_namespaced_stateful_set", "data", "web", change)
    assert (answer.code, at(answer.body, "reason")) == (422, "Invalid")
    assert "updates to statefulset spec for fields other than 'replicas'" in text(answer.body, "message")


async def test_a_field_of_the_wrong_type_is_refused(start: Start) -> None:
    client = PythonPackage((await start(deployment("front"))).server.kubeconfig)
    change = {"spec": {"replicas": "three"}}
    answer = await client.call(APPS, "patch_namespaced_deployment", "front", "web", change)
    assert answer.code == 422
    assert "unrecognized type: int32" in text(answer.body, "message")


async def test_a_field_is_applied_by_the_server(start: Start) -> None:
    client = PythonPackage((await start(deployment("front"))).server.kubeconfig)
    answer = await client.call(
        APPS,
        "patch_namespaced_deployment",
        "front",
        "web",
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}},
        field_manager="test",
        _content_type="application/apply-patch+yaml",
    )
    assert (answer.code, at(answer.body, "spec", "replicas")) == (200, 1)


@pytest.mark.parametrize(("code", "reason"), [(403, "Forbidden"), (422, "Invalid"), (500, "InternalError")])
async def test_admission_refuses_dry_runs_too(start: Start, code: int, reason: str) -> None:
    hooks = TestHooks(denials={"front": Denial("the freeze is on", code)})
    cluster = await start(deployment("front"), hooks=hooks)
    client = PythonPackage(cluster.server.kubeconfig)
    for dry_run in ("All", None):
        answer = await client.call(
            APPS, "delete_namespaced_deployment", "front", "web", **({"dry_run": dry_run} if dry_run else {})
        )
        assert (answer.code, at(answer.body, "reason")) == (code, reason)
        assert "the freeze is on" in text(answer.body, "message")
    assert len(cluster.store.of_kind("Deployment", "web")) == 1
    assert hooks.changes == []


async def test_an_eviction_that_breaks_the_budget_is_told_to_try_later(start: Start) -> None:
    cluster = await start(deployment("front"), budget("front", 2))
    client = PythonPackage(cluster.server.kubeconfig)
    name = text(cluster.store.of_kind("Pod", "web")[0], "metadata", "name")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "web"}}
    answer = await client.call(CORE, "create_namespaced_pod_eviction", name, "web", eviction)
    assert (answer.code, at(answer.body, "reason")) == (429, "TooManyRequests")
    cause = "The disruption budget front needs 2 healthy pods and has 2 currently"
    assert text(answer.body, "details", "causes", 0, "message") == cause


async def test_a_dry_run_of_an_eviction_evicts_nobody(start: Start) -> None:
    cluster = await start(deployment("front"), budget("front", 1))
    client = PythonPackage(cluster.server.kubeconfig)
    name = text(cluster.store.of_kind("Pod", "web")[0], "metadata", "name")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "web"}}
    before = cluster.store.snapshot()
    answer = await client.call(CORE, "create_namespaced_pod_eviction", name, "web", eviction, dry_run="All")
    assert answer.code == 200
    assert cluster.store.snapshot() == before


async def test_the_scale_is_read_and_changed_on_its_own(start: Start) -> None:
    cluster = await start(deployment("front"))
    client = PythonPackage(cluster.server.kubeconfig)
    scale = await client.call(APPS, "read_namespaced_deployment_scale", "front", "web")
    assert (at(scale.body, "spec", "replicas"), at(scale.body, "status", "selector")) == (2, "app=front")
    change = {"spec": {"replicas": 1}}
    await client.call(APPS, "patch_namespaced_deployment_scale", "front", "web", change)
    assert number(cluster.store.of_kind("Deployment", "web")[0], "spec", "replicas") == 1


async def test_a_command_gives_its_exit_status_over_a_web_socket(start: Start) -> None:
    hooks = TestHooks(answers={"df": ExecAnswer(b"full\n", b"warning\n", exit=4)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    client = PythonPackage(cluster.server.kubeconfig)
    assert await client.exec("web", "front", "df") == (4, "full\n", "warning\n")


async def test_a_port_of_a_pod_is_reached_through_the_api(start: Start) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper() * 20_000)
        writer.close()

    listener = await asyncio.start_server(shout, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    cluster = await start(
        pod("front", node_name="node1"), dial=lambda pod, asked: (host, port) if asked == 8200 else None
    )
    client = PythonPackage(cluster.server.kubeconfig)
    assert await client.ask_through_port("web", "front", 8200, b"hello\n") == b"HELLO\n" * 20_000
    assert b"connection refused" in await client.ask_through_port("web", "front", 9999, b"hello\n")
    listener.close()


async def test_changes_are_watched_from_a_version_on(start: Start) -> None:
    cluster = await start()
    client = PythonPackage(cluster.server.kubeconfig)
    version = str(cluster.store.version)
    kind = cluster.store.kinds.named("Pod")
    cluster.hooks.births["front"] = PodBirth(delay=None)
    cluster.store.create(kind, pod("front"))
    cluster.store.create(kind, pod("back"))
    cluster.store.remove(kind, "web", "front")
    seen = await client.watch_pods("web", version, 3)
    assert seen == [("ADDED", "front"), ("ADDED", "back"), ("DELETED", "front")]


async def test_a_job_made_by_hand_from_a_cron_job_completes(start: Start) -> None:
    cluster = await start(cron_job("probe", "0 0 1 1 *"))
    client = PythonPackage(cluster.server.kubeconfig)
    source = cluster.store.of_kind("CronJob", "web")[0]
    job: Object = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "by-hand", "annotations": {"cronjob.kubernetes.io/instantiate": "manual"}},
        "spec": at(source, "spec", "jobTemplate", "spec"),
    }
    assert (await client.call(BATCH, "create_namespaced_job", "web", job)).code == 200
    async with asyncio.timeout(20):
        while text(job, "status", "completionTime") == "":
            answer = await client.call(BATCH, "read_namespaced_job", "by-hand", "web")
            assert isinstance(answer.body, dict)
            job = answer.body
    assert number(job, "status", "succeeded") == 1


async def test_deleting_all_that_a_selector_takes(start: Start) -> None:
    cluster = await start(pod("front", "a"), pod("back", "b"), pod("side", "a"))
    client = PythonPackage(cluster.server.kubeconfig)
    await client.call(
        CORE, "delete_collection_namespaced_pod", "web", label_selector="app=a", grace_period_seconds=0
    )
    assert [text(value, "metadata", "name") for value in cluster.store.of_kind("Pod", "web")] == ["back"]


async def test_a_deleted_pod_stays_with_its_deletion_time_for_the_grace(start: Start) -> None:
    hooks = TestHooks(endings={"front": PodEnding(None)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    client = PythonPackage(cluster.server.kubeconfig)
    answer = await client.call(CORE, "delete_namespaced_pod", "front", "web", grace_period_seconds=7)
    assert number(answer.body, "metadata", "deletionGracePeriodSeconds") == 7
    assert text(answer.body, "metadata", "deletionTimestamp")


async def test_rights_are_checked_for_the_user_of_the_token(start: Start) -> None:
    rules = (*READ_ONLY, RbacRule(("delete",), ("pods",), namespaces=("web",)))
    cluster = await start(pod("front"), users=(ADMIN, User("oncall", rules, login="token")))
    client = PythonPackage(cluster.server.kubeconfigs["oncall"])
    for resource, namespace, allowed in (("pods", "web", True), ("pods", "vault", False)):
        review = {
            "spec": {"resourceAttributes": {"verb": "delete", "resource": resource, "namespace": namespace}}
        }
        answer = await client.call(AUTH, "create_self_subject_access_review", review)
        assert at(answer.body, "status", "allowed") is allowed
    refused = await client.call(CORE, "delete_node", "node1")
    assert refused.code == 403
    assert 'cannot delete resource "nodes" in API group "" at the cluster scope' in text(
        refused.body, "message"
    )


async def test_an_expired_client_certificate_is_unauthorized(start: Start) -> None:
    cluster = await start(users=(User("late", certificate_days=-1),))
    client = PythonPackage(cluster.server.kubeconfig)
    answer = await client.call(CORE, "list_namespaced_pod", "web")
    assert (answer.code, at(answer.body, "message")) == (401, "Unauthorized")


async def test_a_server_that_is_not_well_answers_so(start: Start) -> None:
    hooks = TestHooks(faults={"list": ServerFault("answer", 503, "ServiceUnavailable", "try again later")})
    client = PythonPackage((await start(hooks=hooks)).server.kubeconfig)
    answer = await client.call(CORE, "list_namespaced_pod", "web")
    assert (answer.code, at(answer.body, "reason")) == (503, "ServiceUnavailable")


async def test_a_pod_named_like_another_is_refused(start: Start) -> None:
    cluster = await start(pod("front"))
    client = PythonPackage(cluster.server.kubeconfig)
    answer = await client.call(CORE, "create_namespaced_pod", "web", pod("front"))
    assert (answer.code, at(answer.body, "reason")) == (409, "AlreadyExists")
    answer = await client.call(CORE, "create_namespaced_pod", "web", pod("Front!"))
    assert (answer.code, at(answer.body, "reason")) == (422, "Invalid")
    answer = await client.call(
        CORE, "create_namespaced_pod", "nowhere", pod("side") | {"metadata": {"name": "a"}}
    )
    assert (answer.code, text(answer.body, "message")) == (404, 'namespaces "nowhere" not found')


async def test_uids_are_new_for_a_pod_of_the_same_name(start: Start) -> None:
    cluster = await start(pod("front"))
    client = PythonPackage(cluster.server.kubeconfig)
    before = uid_of(cluster.store.of_kind("Pod", "web")[0])
    await client.call(CORE, "delete_namespaced_pod", "front", "web", grace_period_seconds=0)
    answer = await client.call(CORE, "create_namespaced_pod", "web", pod("front"))
    assert uid_of(answer.body) != before
