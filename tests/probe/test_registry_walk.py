"""The registry walk against Debian's docker-registry, with faults made the way they came about in life."""

import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breakglass.transport.base import Delivery
from breakglass.values import Json
from tests.probe.support import Said, endpoint_of, faults, faults_on_disk, findings, rows, walked
from tests.support.docker_registry import DockerRegistry, PushedIndex, docker_registry

REPOSITORIES = itertools.count()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[DockerRegistry]:
    """One registry for tests that each use a repository of their own."""
    with docker_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def own(tmp_path: Path) -> Generator[DockerRegistry]:
    """A registry for one test, which asks for a login."""
    with docker_registry(tmp_path, authentication=True) as registry:
        yield registry


def new_repository() -> str:
    return f"private/app-{next(REPOSITORIES)}"


async def test_a_whole_registry_is_healthy_and_counted(own: DockerRegistry) -> None:
    for name in ("infra-ci", "team/agent-service"):
        own.push_image(name, "one", tags=["1", "latest"])
    own.push_manifest("team/single", "one", tags=["latest"])

    result = await walked(endpoint_of(own))

    found = findings(result)
    assert result.fault is None and result.status == 200
    assert (found["verdict"], found["complete"], found["anonymous_status"]) == ("healthy", True, 401)
    assert found["broken"] == [] and found["unsettled"] == []
    counts = found["counts"]
    assert isinstance(counts, dict)
    assert {name: counts[name] for name in ("repositories", "tags", "indexes", "manifests", "blobs")} == {
        "repositories": 3,
        "tags": 5,
        "indexes": 2,
        "manifests": 7,
        "blobs": 21,
    }


@dataclass(frozen=True)
class Planted:
    """A fault that is made on the disk, and the one row that must say so: kind, index child, layer, code."""

    name: str
    make: Callable[[DockerRegistry, str, PushedIndex], object]
    kind: str
    child: Callable[[PushedIndex], tuple[str, str]]
    """The parent's and the child's digest."""
    code: int


def _first(index: PushedIndex) -> tuple[str, str]:
    return index.digest, index.children[0].digest


def _layer(index: PushedIndex) -> tuple[str, str]:
    return index.children[0].digest, index.children[0].layers[1]


PLANTED = [
    Planted(
        "child without its link",
        lambda registry, name, index: registry.unlink_revision(name, index.children[0].digest),
        "index-child",
        _first,
        404,
    ),
    Planted(
        "attestation without its link",
        lambda registry, name, index: registry.unlink_revision(name, index.children[2].digest),
        "index-child",
        lambda index: (index.digest, index.children[2].digest),
        404,
    ),
    Planted(
        "child without its blob",
        lambda registry, name, index: registry.blob(index.children[0].digest).unlink(),
        "index-child",
        _first,
        404,
    ),
    Planted(
        "layer without data",
        lambda registry, name, index: registry.blob(index.children[0].layers[1]).unlink(),
        "layer",
        _layer,
        404,
    ),
    Planted(
        "layer without its link",
        lambda registry, name, index: registry.layer_link(name, index.children[0].layers[1]).unlink(),
        "layer",
        _layer,
        404,
    ),
    Planted(
        "layer of no bytes",
        lambda registry, name, index: registry.blob(index.children[0].layers[1]).write_bytes(b""),
        "layer",
        _layer,
        206,
    ),
    Planted(
        "layer cut short",
        lambda registry, name, index: registry.blob(index.children[0].layers[1]).write_bytes(b"cut"),
        "layer",
        _layer,
        206,
    ),
    Planted(
        "config without data",
        lambda registry, name, index: registry.blob(index.children[0].config).unlink(),
        "config",
        lambda index: (index.children[0].digest, index.children[0].config),
        404,
    ),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
async def test_a_planted_fault_is_one_row_and_the_disk_agrees(
    shared: DockerRegistry, planted: Planted
) -> None:
    name = new_repository()
    index = shared.push_image(name, "it", tags=["7", "latest"])
    shared.push_image(name, "well", tags=["well"])
    planted.make(shared, name, index)

    result = await walked(endpoint_of(shared), repositories=[name])

    [row] = rows(result)
    parent, child = planted.child(index)
    assert (row["kind"], row["parent"], row["child"]) == (planted.kind, parent, child)
    assert (row["root"], row["tags"], row["code"]) == (index.digest, ["7", "latest"], planted.code)
    assert findings(result)["verdict"] == "broken"
    assert faults(result) == faults_on_disk(shared, name)


async def test_a_row_names_the_platform_that_cannot_be_pulled(shared: DockerRegistry) -> None:
    name = new_repository()
    index = shared.push_image(name, "it", tags=["latest"])
    shared.unlink_revision(name, index.children[1].digest)
    shared.blob(index.children[0].layers[0]).unlink()
    shared.unlink_revision(name, index.children[2].digest)

    result = await walked(endpoint_of(shared), repositories=[name])

    assert sorted((row["kind"], row["platform"]) for row in rows(result)) == [
        ("index-child", "linux/arm64"),
        ("index-child", "unknown/unknown"),
        ("layer", "linux/amd64"),
    ]


async def test_a_tag_whose_manifest_is_gone_is_a_row_of_its_own(shared: DockerRegistry) -> None:
    name = new_repository()
    index = shared.push_image(name, "it", tags=["latest", "stable"])
    shared.push_image(name, "well", tags=["well"])
    shared.unlink_revision(name, index.digest)

    result = await walked(endpoint_of(shared), repositories=[name])

    assert [(row["tag"], row["kind"], row["code"]) for row in rows(result)] == [
        ("latest", "manifest", 404),
        ("stable", "manifest", 404),
    ]
    assert faults(result) == faults_on_disk(shared, name)


async def test_tags_are_grouped_by_the_digest_that_they_share(shared: DockerRegistry) -> None:
    name = new_repository()
    first = shared.push_image(name, "one", tags=["1", "latest", "stable"])
    second = shared.push_image(name, "two", tags=["2"])
    shared.unlink_revision(name, second.children[0].digest)

    result = await walked(endpoint_of(shared), repositories=[name])

    groups = {str(row["digest"]): (row["tags"], row["broken"]) for row in rows(result, "digests")}
    assert groups == {first.digest: (["1", "latest", "stable"], 0), second.digest: (["2"], 1)}


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
async def test_collecting_with_m_eats_the_children_of_every_index(tmp_path: Path, docker: bool) -> None:
    with docker_registry(tmp_path) as registry:
        index = registry.push_image("infra-ci", "it", tags=["latest"], docker=docker)
        registry.push_manifest("plain", "it", tags=["latest"], docker=docker)
        registry.collect("-m")

        result = await walked(endpoint_of(registry))

        eaten = {("infra-ci", index.digest, child.digest, "index-child") for child in index.children}
        assert faults(result) == eaten == faults_on_disk(registry, "infra-ci")


async def test_collecting_without_m_eats_nothing(tmp_path: Path) -> None:
    with docker_registry(tmp_path) as registry:
        registry.push_image("infra-ci", "it", tags=["latest"])
        registry.collect()

        assert findings(await walked(endpoint_of(registry)))["verdict"] == "healthy"


async def test_a_layer_that_the_registry_only_remembers_is_found(tmp_path: Path) -> None:
    with docker_registry(tmp_path, cache=True) as registry:
        index = registry.push_image("infra-ci", "it", tags=["latest"])
        gone = index.children[0].layers[0]
        registry.blob(gone).unlink()
        assert registry.client.head(f"/v2/infra-ci/blobs/{gone}").status_code == 200

        result = await walked(endpoint_of(registry))

        assert faults(result) == faults_on_disk(registry, "infra-ci")
        assert [(row["kind"], row["size"]) for row in rows(result)] == [("layer", 0)]


async def test_a_layer_that_was_cut_short_since_the_registry_remembers_it_is_found(tmp_path: Path) -> None:
    with docker_registry(tmp_path, cache=True) as registry:
        index = registry.push_image("infra-ci", "it", tags=["latest"])
        cut = registry.blob(index.children[0].layers[0])
        cut.write_bytes(cut.read_bytes()[:-1])

        result = await walked(endpoint_of(registry))

        assert faults(result) == faults_on_disk(registry, "infra-ci")
        assert [(row["kind"], row["size"]) for row in rows(result)] == [("layer", 0)]


async def test_a_manifest_that_cannot_be_read_is_called_unreadable_and_never_broken(
    shared: DockerRegistry,
) -> None:
    name = new_repository()
    index = shared.push_image(name, "it", tags=["latest"])
    shared.blob(index.children[0].digest).write_bytes(b"")

    result = await walked(endpoint_of(shared), repositories=[name])

    assert rows(result) == []
    assert [row["code"] for row in rows(result, "unreadable")] == [500]
    assert findings(result)["verdict"] == "unreadable"


async def test_a_blob_is_looked_at_once_in_each_repository(shared: DockerRegistry) -> None:
    name = new_repository()
    child = shared.push_manifest(name, "it", layers=3)
    for number in range(4):
        twin = replace(child, platform=f"linux/v{number}")
        shared.push_index(name, [twin], tags=[str(number)])

    result = await walked(endpoint_of(shared), repositories=[name])

    counts = findings(result)["counts"]
    assert isinstance(counts, dict)
    assert (counts["indexes"], counts["manifests"], counts["blobs"]) == (4, 1, 4)


async def test_a_broken_child_of_two_indexes_is_a_row_under_each(shared: DockerRegistry) -> None:
    name = new_repository()
    child = shared.push_manifest(name, "it")
    parents = [
        shared.push_index(name, [replace(child, platform=f"linux/v{number}")], tags=[str(number)])
        for number in range(2)
    ]
    shared.unlink_revision(name, child.digest)

    result = await walked(endpoint_of(shared), repositories=[name])

    assert {str(row["root"]) for row in rows(result)} == {parent.digest for parent in parents}


async def test_a_layer_that_lives_elsewhere_is_not_asked_for(shared: DockerRegistry) -> None:
    name = new_repository()
    foreign: dict[str, Json] = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": "sha256:" + "0" * 64,
        "size": 12,
        "urls": ["https://elsewhere.example/layer"],
    }
    shared.push_manifest(name, "it", tags=["latest"], docker=True, extra_layers=[foreign])

    assert findings(await walked(endpoint_of(shared), repositories=[name]))["verdict"] == "healthy"


async def test_without_layers_only_manifests_are_looked_at(shared: DockerRegistry) -> None:
    name = new_repository()
    index = shared.push_image(name, "it", tags=["latest"])
    shared.blob(index.children[0].layers[0]).unlink()
    shared.unlink_revision(name, index.children[1].digest)

    result = await walked(endpoint_of(shared), repositories=[name], layers=False)

    assert [row["kind"] for row in rows(result)] == ["index-child"]


async def test_a_login_that_is_not_asked_for_means_the_wrong_backend(shared: DockerRegistry) -> None:
    shared.push_image(new_repository(), "it", tags=["latest"])

    result = await walked(endpoint_of(shared, credentials=True))

    found = findings(result)
    assert result.fault is None
    assert (found["verdict"], found["anonymous_status"], found["digests"]) == ("wrong-backend", 200, [])


async def test_an_empty_registry_is_not_a_healthy_one(own: DockerRegistry) -> None:
    found = findings(await walked(endpoint_of(own)))

    assert (found["verdict"], found["anonymous_status"]) == ("empty", 401)


@pytest.mark.parametrize("credentials", [True, False], ids=["wrong password", "no password"])
async def test_refused_credentials_are_a_fault(own: DockerRegistry, credentials: bool) -> None:
    result = await walked(endpoint_of(own, credentials=credentials), password="wrong")

    assert result.fault is not None and result.fault.kind == "authentication"
    assert findings(result)["verdict"] == "unauthorized"


async def test_the_address_can_be_pinned(own: DockerRegistry) -> None:
    own.push_image("infra-ci", "it", tags=["latest"])
    url = f"http://registry.invalid:{own.port}"

    result = await walked(replace(endpoint_of(own), url=url, resolve="127.0.0.1"))

    assert findings(result)["verdict"] == "healthy"


async def test_what_is_found_is_said_in_words(shared: DockerRegistry) -> None:
    name = new_repository()
    index = shared.push_image(name, "it", tags=["latest"])
    shared.unlink_revision(name, index.children[0].digest)
    said = Said()

    await walked(endpoint_of(shared), said=said, repositories=[name])

    assert f"BROKEN {name}:latest  index-child  {index.children[0].digest}  linux/amd64  404" in said.text
    assert "broken: 1 broken; looked at 1 of 1 repositories" in said.text.splitlines()[-1]


async def test_a_registry_that_is_not_there_was_not_asked(own: DockerRegistry) -> None:
    endpoint = endpoint_of(own)
    own.process.terminate()
    own.process.wait(timeout=10)

    result = await walked(endpoint)

    assert result.delivery is Delivery.NOT_SENT
    assert result.fault is not None and result.fault.kind == "refused"


FAULTS = (
    "unlink-child",
    "drop-child",
    "drop-layer",
    "empty-layer",
    "cut-layer",
    "unlink-layer",
    "drop-config",
)


def _plant(
    registry: DockerRegistry, name: str, index: PushedIndex, fault: str, child: int, layer: int
) -> None:
    """Make a fault; one that another has made impossible leaves things as they are."""
    manifest = index.children[child % len(index.children)]
    blob = registry.blob(manifest.layers[layer])
    match fault:
        case "unlink-child":
            registry.revision_link(name, manifest.digest).unlink(missing_ok=True)
        case "drop-child":
            registry.blob(manifest.digest).unlink(missing_ok=True)
        case "drop-layer":
            blob.unlink(missing_ok=True)
        case "empty-layer" if blob.exists():
            blob.write_bytes(b"")
        case "cut-layer" if blob.exists():
            blob.write_bytes(b"c")
        case "unlink-layer":
            registry.layer_link(name, manifest.layers[layer]).unlink(missing_ok=True)
        case "drop-config":
            registry.blob(manifest.config).unlink(missing_ok=True)
        case _:
            pass


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    images=st.lists(
        st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 2), st.integers(0, 1)), max_size=3),
        min_size=1,
        max_size=3,
    ),
    docker=st.booleans(),
)
async def test_any_faults_are_found_as_the_disk_has_them(
    shared: DockerRegistry, images: list[list[tuple[str, int, int]]], docker: bool
) -> None:
    name = new_repository()
    pushed = [
        shared.push_image(name, f"image {number}", tags=[f"t{number}", f"u{number}"], docker=docker)
        for number in range(len(images))
    ]
    for index, planted in zip(pushed, images, strict=True):
        for fault, child, layer in planted:
            _plant(shared, name, index, fault, child, layer)

    result = await walked(endpoint_of(shared), repositories=[name])

    assert faults(result) == faults_on_disk(shared, name)
    assert rows(result, "unsettled") == [] == rows(result, "unreadable")


async def test_a_cache_of_buildkit_is_looked_at_as_the_layers_that_it_is(shared: DockerRegistry) -> None:
    name = new_repository()
    cache = shared.push_cache(name, "it", tags=["cache"])
    well = findings(await walked(endpoint_of(shared), repositories=[name]))
    shared.blob(cache[0]).unlink()

    result = await walked(endpoint_of(shared), repositories=[name])

    assert well["verdict"] == "healthy"
    assert [(row["kind"], row["child"]) for row in rows(result)] == [("layer", cache[0])]
    assert [row["cache"] for row in rows(result, "digests")] == [True]
