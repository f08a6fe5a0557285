"""Answers that were compared with those of a real API server (Kubernetes 1.20), word for word."""

from datetime import timedelta

import pytest

from breakglass.kubernetes_objects import Object, at, objects, text, texts
from breakglass.simulator.kubernetes.access import User
from breakglass.simulator.kubernetes.hooks import PodEnding
from breakglass.simulator.kubernetes.objects import moment
from breakglass.values import Json
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.raw import raw
from tests.simulator.kubernetes.support import TestHooks, cron_job, deployment, pod, stateful_set

ROOT = User("root", login="token")
PODS = "/api/v1/namespaces/web/pods"
FRONT = f"{PODS}/front"
APP = "/apis/apps/v1/namespaces/web/deployments/app"
SETTINGS = "/api/v1/namespaces/web/configmaps/settings"
MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
OTHER = "00000000-0000-0000-0000-000000000000"
SETTINGS_MAP: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "web"},
    "data": {"a": "b"},
}
NOT_ALL = 'dryRun: Unsupported value: []string{"Some"}: supported values: "All"'
UNAPPLIED = "the server rejected our request due to an error in our request"


def world() -> tuple[Object, ...]:
    return (pod("front", node_name="node1"), deployment("app"), cron_job("probe", "0 0 1 1 *"), SETTINGS_MAP)


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "code", "message"),
    [
        # A dry run that is misspelt is never a change.
        (
            "DELETE",
            FRONT,
            {"dryRun": ["Some"]},
            {},
            422,
            f'DeleteOptions.meta.k8s.io "" is invalid: {NOT_ALL}',
        ),
        (
            "DELETE",
            f"{FRONT}?dryRun=Some",
            None,
            {},
            422,
            f'DeleteOptions.meta.k8s.io "" is invalid: {NOT_ALL}',
        ),
        ("PATCH", f"{APP}?dryRun=Some", {}, MERGE, 422, f'PatchOptions.meta.k8s.io "" is invalid: {NOT_ALL}'),
        ("DELETE", FRONT, {"apiVersion": "v1", "kind": "Pod"}, {}, 400, 'no kind "Pod" is registered'),
        (
            *("DELETE", FRONT, {"propagationPolicy": "Orphan", "orphanDependents": True}, {}, 422),
            "orphanDependents and deletionPropagation cannot be both set",
        ),
        (
            *("PATCH", APP, {"metadata": {"uid": OTHER}}, MERGE, 422),
            f'Deployment.apps "app" is invalid: metadata.uid: Invalid value: "{OTHER}": field is immutable',
        ),
        (
            *("PATCH", f"{APP}/scale", {"metadata": {"uid": OTHER}, "spec": {"replicas": 3}}, MERGE, 409),
            f'Operation cannot be fulfilled on deployments/scale.apps "app": Precondition failed: UID in '
            f"precondition: {OTHER}, UID in object meta: ",
        ),
        (
            *("PUT", SETTINGS, {**SETTINGS_MAP, "metadata": {"name": "settings", "uid": OTHER}}, {}, 409),
            'Operation cannot be fulfilled on configmaps "settings": StorageError: invalid object, Code: 4, '
            "Key: /registry/configmaps/web/settings, ResourceVersion: 0, AdditionalErrorMsg: ",
        ),
        (
            *("PATCH", APP, {"spec": {"replicas": "many"}}, STRATEGIC, 422),
            ' "" is invalid: patch: Invalid value: "map[spec:map[replicas:many]]": unrecognized type: int32',
        ),
        ("PATCH", APP, {"spec": {"paused": "yes"}}, MERGE, 422, " of type bool"),
        ("PATCH", APP, {"kind": "Pod"}, MERGE, 422, ' "" is invalid: patch: Invalid value: '),
        ("PATCH", SETTINGS, {"data": {"a": 1}}, MERGE, 422, ' "" is invalid: patch: Invalid value: '),
        ("PATCH", f"{APP}/scale", {"spec": {"replicas": "x"}}, MERGE, 422, ' "" is invalid: patch: '),
        (
            *("PATCH", f"{APP}/scale", {"spec": {"replicas": -3}}, MERGE, 422),
            'Scale.autoscaling "app" is invalid: spec.replicas: Invalid value: -3: must be greater than or',
        ),
        ("PATCH", APP, [{"op": "remove", "path": "/spec/nothing"}], JSON_PATCH, 422, UNAPPLIED),
        ("PATCH", APP, [{"op": "dance", "path": "/spec"}], JSON_PATCH, 422, UNAPPLIED),
        (
            *("PATCH", APP, {"metadata": {"labels": {"a": "c d"}}}, MERGE, 422),
            'metadata.labels: Invalid value: "c d": a valid label must be an empty string or consist of',
        ),
        (
            *("PATCH", APP, {"metadata": {"labels": {"a b": "c"}}}, MERGE, 422),
            'metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters',
        ),
        (
            *("PATCH", APP, {"metadata": {"finalizers": ["mine"]}}, MERGE, 422),
            'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name',
        ),
        (
            *(
                "PATCH",
                "/apis/batch/v1/namespaces/web/cronjobs/probe",
                {"spec": {"schedule": "often"}},
                MERGE,
                422,
            ),
            'CronJob.batch "probe" is invalid: spec.schedule: Invalid value: "often": ',
        ),
        (
            *("POST", f"{FRONT}/eviction", {"kind": "Eviction", "metadata": {"name": "side"}}, {}, 400),
            "name in URL does not match name in Eviction object",
        ),
        ("POST", f"{FRONT}/eviction", {"kind": "Pod"}, {}, 400, "cannot be handled as a Eviction"),
        (
            *("GET", f"{FRONT}/log?tailLines=-1", None, {}, 422),
            'PodLogOptions "front" is invalid: tailLines: Invalid value: -1: must be greater than or',
        ),
        (
            *("GET", f"{FRONT}/log?sinceSeconds=0", None, {}, 422),
            'PodLogOptions "front" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0',
        ),
    ],
)
async def test_what_is_refused_is_refused_with_the_same_words(
    start: Start, method: str, path: str, body: Json, headers: dict[str, str], code: int, message: str
) -> None:
    cluster = await start(*world(), users=(ROOT,))
    before = cluster.store.snapshot()
    async with raw(cluster, "root") as root:
        answer = await root.ask(method, path, body, headers=headers)
    assert (answer.code, at(answer.body, "status")) == (code, "Failure")
    assert message in text(answer.body, "message")
    assert cluster.store.snapshot() == before


async def test_a_job_that_would_be_restarted_for_ever_is_refused(start: Start) -> None:
    container: Object = {"name": "a", "image": "x"}
    job: Object = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    async with raw(await start(users=(ROOT,)), "root") as root:
        answer = await root.ask("POST", "/apis/batch/v1/namespaces/web/jobs", job)
    assert answer.code == 422
    assert text(answer.body, "message") == (
        'Job.batch "j" is invalid: spec.template.spec.restartPolicy: Required value: valid values: '
        '"OnFailure", "Never"'
    )


async def test_a_dry_run_shows_what_would_be_stored(start: Start) -> None:
    cluster = await start(*world(), users=(ROOT,))
    before = cluster.store.snapshot()
    async with raw(cluster, "root") as root:
        patched = await root.ask("PATCH", f"{APP}?dryRun=All", {"spec": {"replicas": 3}}, MERGE)
        deleted = await root.ask("DELETE", FRONT, {"dryRun": ["All"], "gracePeriodSeconds": 7})
        foreground: Object = {"dryRun": ["All"], "propagationPolicy": "Foreground"}
        held = await root.ask("DELETE", APP, foreground)
        namespace = await root.ask("DELETE", "/api/v1/namespaces/web", {"dryRun": ["All"]})
    assert (at(patched.body, "spec", "replicas"), at(patched.body, "metadata", "generation")) == (3, 2)
    assert at(deleted.body, "metadata", "deletionGracePeriodSeconds") == 7
    assert texts(held.body, "metadata", "finalizers") == ["foregroundDeletion"]
    assert (text(namespace.body, "kind"), text(namespace.body, "status", "phase")) == (
        "Namespace",
        "Terminating",
    )
    assert cluster.store.snapshot() == before


async def test_a_shorter_grace_counts_from_the_beginning_of_the_deletion(start: Start) -> None:
    hooks = TestHooks(endings={"front": PodEnding(None)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks, users=(ROOT,))
    async with raw(cluster, "root") as root:
        first = await root.ask("DELETE", FRONT, {"gracePeriodSeconds": 6000})
        await cluster.clock.sleep(40)
        shorter = await root.ask("DELETE", FRONT, {"gracePeriodSeconds": 3000})
        longer = await root.ask("DELETE", FRONT, {"gracePeriodSeconds": 5000})
    ends = [moment(text(each.body, "metadata", "deletionTimestamp")) for each in (first, shorter, longer)]
    assert ends[0] is not None and ends[1] == ends[2] == ends[0] - timedelta(seconds=3000)


async def test_nothing_more_may_hold_what_is_being_deleted(start: Start) -> None:
    held: Object = {
        **SETTINGS_MAP,
        "metadata": {"name": "settings", "namespace": "web", "finalizers": ["a/b"]},
    }
    async with raw(await start(held, users=(ROOT,)), "root") as root:
        await root.ask("DELETE", SETTINGS)
        more = await root.ask("PATCH", SETTINGS, {"metadata": {"finalizers": ["a/b", "a/c"]}}, MERGE)
        released = await root.ask("PATCH", SETTINGS, {"metadata": {"finalizers": None}}, MERGE)
    assert (more.code, released.code) == (422, 200)
    assert 'found new finalizers []string{"a/c"}' in text(more.body, "message")


async def test_objects_have_what_the_server_and_its_controllers_fill_in(start: Start) -> None:
    cluster = await start(*world(), stateful_set("data", 1), users=(ROOT,))
    async with raw(cluster, "root") as root:
        app = (await root.ask("GET", APP)).body
        listed = (await root.ask("GET", f"{PODS}?labelSelector=app=app&limit=1")).body
        data = (await root.ask("GET", "/apis/apps/v1/namespaces/web/statefulsets/data")).body
        node = (await root.ask("GET", "/api/v1/nodes/node1")).body
    owned = at(listed, "items", 0)
    progressing = {text(each, "type"): each for each in objects(app, "status", "conditions")}["Progressing"]
    hash_of_pods = text(owned, "metadata", "labels", "pod-template-hash")
    assert text(progressing, "message") == f'ReplicaSet "app-{hash_of_pods}" has successfully progressed.'
    assert "lastUpdateTime" in progressing
    assert text(owned, "metadata", "generateName") == f"app-{hash_of_pods}-"
    assert [at(each, "tolerationSeconds") for each in objects(owned, "spec", "tolerations")] == [300, 300]
    assert at(listed, "metadata", "remainingItemCount") is None
    assert at(data, "spec", "updateStrategy", "rollingUpdate", "partition") == 0
    assert "KubeletHasSufficientMemory" in [
        text(each, "reason") for each in objects(node, "status", "conditions")
    ]
    assert at(node, "metadata", "generation") is None
