"""`apply --server-side` of a manifest: as the program does it, held to a pin, and shown by a dry run."""

import json
from dataclasses import replace

import pytest

from breakglass.errors import NotUnderstoodError
from breakglass.kubernetes_objects import Object, at, mapping, text, uid_of
from breakglass.policy.kubectl.manifest import with_manifest
from breakglass.policy.kubectl.parse import understood
from breakglass.transport.base import KubectlRequest
from breakglass.values import Json
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import Cluster, deployment
from tests.transport.kubectl.support import Came, Client, Output, client
from tests.transport.kubectl.test_parity import program as program

LINE = "apply --server-side -f -"
OTHER = "00000000-0000-4000-8000-000000000000"


def settings(name: str = "settings", **data: Json) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "web"},
        "data": data,
    }


async def apply(
    run: Client, manifest: Json, line: str = LINE, *, uid: str | None = None, dry_run: bool = False
) -> Came:
    """As the engine sends it: the objects are named beside the line."""
    command = with_manifest(understood(line.split()), manifest)
    request = KubectlRequest("main", command, 20.0, True, stdin=json.dumps(manifest).encode(), uid=uid)
    output = Output()
    result = await run.kubectl.send(replace(request, dry_run=dry_run), output)
    return Came(result, output.stdout.decode(), output.stderr.decode(), output)


def stored(cluster: Cluster, name: str = "settings") -> Object:
    return next(
        each for each in cluster.store.of_kind("ConfigMap", "web") if text(each, "metadata", "name") == name
    )


STEPS: list[tuple[str, Object]] = [
    (f"{LINE} --dry-run=server", settings(a="1", b="2")),
    (LINE, settings(a="1", b="2")),
    (LINE, settings(a="1", b="2")),
    (f"{LINE} -o name", settings(a="3")),
    (f"{LINE} --field-manager=other", settings(a="4")),
    (f"{LINE} --field-manager=other --force-conflicts", settings(a="4")),
    (LINE, settings(name="No Name")),
    (LINE, {**deployment("app"), "spec": {**mapping(deployment("app"), "spec"), "replicas": 3}}),
    (f"{LINE} -n web", {**settings(name="elsewhere"), "metadata": {"name": "elsewhere"}}),
]


async def test_applying_gives_the_same_as_the_program(start: Start, program: object) -> None:
    one, other = await start(), await start()
    async with client(one.server.kubeconfig) as native, client(other.server.kubeconfig) as binary:
        for line, manifest in STEPS:
            data = json.dumps(manifest).encode()
            ours, theirs = await native(line, stdin=data), await binary(line, stdin=data, binary=True)
            assert (ours.out, ours.result.exit) == (theirs.out, theirs.result.exit), (
                line,
                ours.err,
                theirs.err,
            )
    kept = [[at(stored(each), "data") for each in (one, other)], [{"a": "4"}] * 2]
    assert kept[0] == kept[1]


async def test_several_objects_end_at_the_first_that_is_refused(start: Start) -> None:
    cluster = await start()
    objects: Json = [settings("first", a="1"), settings("No Name"), settings("third", a="1")]
    async with client(cluster.server.kubeconfig) as run:
        came = await apply(run, objects)
    assert came.out == "configmap/first serverside-applied\n"
    assert came.message.startswith("done: apply configmaps first; then: ")
    names = {text(each, "metadata", "name") for each in cluster.store.of_kind("ConfigMap", "web")}
    assert "first" in names and "third" not in names


async def test_fields_of_another_manager_are_refused_and_left(start: Start) -> None:
    cluster = await start()
    async with client(cluster.server.kubeconfig) as run:
        await apply(run, settings(a="1"), f"{LINE} --field-manager=theirs")
        refused = await apply(run, settings(a="2"))
    assert refused.fault == "conflict" and 'conflict with "theirs": .data.a' in refused.message
    assert at(stored(cluster), "data") == {"a": "1"}


async def test_a_pin_holds_to_the_object_that_was_diagnosed(start: Start) -> None:
    cluster = await start(settings(a="1"))
    uid = uid_of(stored(cluster))
    async with client(cluster.server.kubeconfig) as run:
        replaced = await apply(run, settings(a="2"), uid=OTHER)
        gone = await apply(run, settings("gone", a="2"), uid=OTHER)
        assert at(stored(cluster), "data") == {"a": "1"}
        held = await apply(run, settings(a="2"), uid=uid)
    assert (replaced.fault, gone.fault, held.fault) == ("conflict", "conflict", "")
    assert at(stored(cluster), "data") == {"a": "2"}


async def test_a_dry_run_shows_what_would_differ_and_changes_nothing(start: Start) -> None:
    cluster = await start(settings(a="1", b="2"))
    before = cluster.store.snapshot()
    async with client(cluster.server.kubeconfig) as run:
        changed = await apply(run, settings(a="9"), dry_run=True)
        made = await apply(run, settings("new", a="9"), dry_run=True)
        same = await apply(run, settings(a="1"), dry_run=True)
    assert changed.out.splitlines()[0] == "configmap/settings serverside-applied (server dry run)"
    assert [line for line in changed.out.splitlines()[1:] if line[0] in "+-"] == ["-  a: '1'", "+  a: '9'"]
    assert "+kind: ConfigMap" in made.out.splitlines()
    assert same.out.splitlines()[1:] == ["no change"]
    assert cluster.store.snapshot() == before


async def test_no_value_of_a_secret_is_in_what_differs(start: Start) -> None:
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys", "namespace": "web", "annotations": {"note": "b2xk"}},
        "data": {"token": "b2xk", "same": "c2FtZQ=="},
    }
    cluster = await start(secret)
    wanted: Object = {**secret, "data": {"token": "bmV3", "same": "c2FtZQ=="}}
    async with client(cluster.server.kubeconfig) as run:
        came = await apply(run, wanted, dry_run=True)
    assert "-  token: '*** (before)'" in came.out and "+  token: '*** (after)'" in came.out
    assert "  same: '***'" in came.out
    for value in ("b2xk", "bmV3", "c2FtZQ"):
        assert value not in came.out


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ([], "names no object"),
        ("text", "is an object, or a list of objects"),
        ({**settings(), "kind": ""}, "has no kind"),
        ({**settings(), "kind": "List"}, "write its items as a list"),
        ({**settings(), "metadata": {"generateName": "a-"}}, "has no metadata.name"),
        ({**settings(), "metadata": {"name": "a", "uid": OTHER}}, "metadata.uid, which is the server's"),
        (settings(), "names namespace web, and the line db"),
    ],
)
def test_a_manifest_that_cannot_be_applied_is_refused_with_what_is_missing(manifest: Json, why: str) -> None:
    with pytest.raises(NotUnderstoodError, match=why):
        with_manifest(understood(f"{LINE} -n db".split()), manifest)
