"""`registry-image-rebuild` on Debian's docker-registry, with skopeo to say what can be pulled.

What it pulls before a walk is there afterwards, what could be put back is not gone, and the words of each
destructive step are true of the real thing.
"""

import asyncio
import itertools
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.journal import events as e
from tests.runbooks.registry_support import (
    PLATFORMS,
    RealWalk,
    World,
    cron_job,
    deployment,
    job,
    node,
    replica_set,
    walk_real,
)
from tests.support.docker_registry import DockerRegistry, PushedIndex, docker_registry
from tests.support.registry_damage import DAMAGES, EVERY, HIDDEN, set_age, tag_link
from tests.support.skopeo import can_pull

SHORT, LONG = 5, 100
"""Mixtures that are walked: in the suite, and in its long form."""


@pytest.fixture
def registry(tmp_path: Path) -> Generator[DockerRegistry]:
    folder = tmp_path / "registry"
    with docker_registry(folder, authentication=True, cache=True) as running:
        yield running


def lose_layers(registry: DockerRegistry, index: PushedIndex) -> None:
    """What a collection leaves of an image whose children had lost their links."""
    for child in index.children:
        for digest in (*child.layers, child.config):
            registry.blob(digest).unlink()


def tags_of(registry: DockerRegistry, repository: str) -> list[str]:
    found = registry.client.get(f"/v2/{repository}/tags/list").json()["tags"]
    assert found is None or isinstance(found, list)
    return sorted(str(tag) for tag in found or ())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def ended(real: RealWalk) -> str:
    """How a walk ended, and what its last step said, for a failing test to show."""
    walked = real.walked
    return f"{walked.result}: {walked.state.current}: {walked.said(walked.state.current)}"


async def test_a_child_without_its_link_is_put_back_before_anything_is_collected(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    index = registry.push_image("app", "it", tags=["v1"])
    for child in index.children:
        registry.unlink_revision("app", child.digest)
    registry.push_image("other", "it", tags=["latest"])
    world = World(registry, [("app", "v1"), ("other", "latest")], [deployment("app", "app:v1")])
    assert not can_pull(registry, "app", "v1")

    real = await walk_real(world, tmp_path)

    assert real.walked.result == "recovered", ended(real)
    assert not {"delete", "remove-tags", "collect"} & set(real.confirmed)
    assert world.pulled() == {(name, tag, each) for name, tag in world.images for each in PLATFORMS}


async def test_links_and_tags_are_put_back_with_what_they_lead_to(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    images = {tag: registry.push_image("app", tag, tags=[tag]) for tag in ("a", "b", "c", "d")}
    DAMAGES["top-link-gone"](registry, "app", images["a"], 0)
    DAMAGES["child-link-gone"](registry, "app", images["a"], 0)
    tag_link(registry, "app", "b").write_text("")
    DAMAGES["layer-link-gone"](registry, "app", images["c"], 0)
    DAMAGES["child-link-empty"](registry, "app", images["c"], 1)
    tag_link(registry, "app", "d").unlink()
    registry.restart()
    world = World(registry, [("app", tag) for tag in images])
    assert len(world.pulled()) == 0

    real = await walk_real(world, tmp_path)

    assert real.walked.result == "recovered", ended(real)
    assert not {"delete", "remove-tags"} & set(real.confirmed)
    assert world.pulled() == {("app", tag, each) for tag in images for each in PLATFORMS}


async def test_what_could_be_put_back_and_was_not_is_neither_deleted_nor_collected(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    for child in registry.push_image("app", "it", tags=["child"]).children:
        registry.unlink_revision("app", child.digest)
    layerless = registry.push_image("app", "other", tags=["layer"])
    for number in range(len(PLATFORMS)):
        DAMAGES["layer-link-gone"](registry, "app", layerless, number)
    registry.push_image("app", "third", tags=["tag"])
    tag_link(registry, "app", "tag").write_text("")
    lose_layers(registry, registry.push_image("app", "doomed", tags=["doomed"]))
    registry.restart()
    make_old(registry)

    real = await walk_real(
        World(registry, []), tmp_path, skips=("relink", "put-back", "tags-still-lost", "put-tags-back")
    )

    assert {"delete", "remove-tags"} <= set(real.confirmed), ended(real)
    assert "collect" not in real.confirmed
    assert tags_of(registry, "app") == ["child", "layer", "tag"]


async def test_only_what_nobody_names_and_nobody_can_pull_is_deleted(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    tags = ["by-tag-and-digest", "by-node", "by-replica-set", "by-child", "by-word", "doomed"]
    images = {tag: registry.push_image("app", tag, tags=[tag, f"{tag}-too"]) for tag in tags}
    part = registry.push_manifest("app", "part", tags=["part"])
    registry.push_index("app", [part, *images["doomed"].children[:1]], tags=["part-of-this", "and-this"])
    for index in images.values():
        lose_layers(registry, index)
    registry.blob(part.layers[0]).unlink()
    arm_gone = registry.push_image("app", "arm gone", tags=["arm-gone"])
    registry.blob(arm_gone.children[1].layers[0]).unlink()
    bare = registry.push_image("app", "bare", tags=["attestation-gone"])
    DAMAGES["child-gone"](registry, "app", bare, 2)
    cut = registry.push_image("app", "cut", tags=["cut"])
    for child in range(2):
        DAMAGES["child-cut"](registry, "app", cut, child)
    registry.push_cache("app", "cache", tags=["cache"])
    whole = registry.push_image("app", "whole", tags=["whole"])
    world = World(
        registry,
        [("app", tag) for tag in (*tags, "arm-gone", "attestation-gone", "whole")] + [("app", whole.digest)],
        [
            deployment("web", f"app:by-tag-and-digest@{images['by-tag-and-digest'].digest}"),
            deployment("one-platform", f"app@{images['by-child'].children[1].digest}"),
            node("k8s-node3", f"app@{images['by-node'].digest}"),
            replica_set("old", "app:by-replica-set-too"),
        ],
        ask={"stays": "app:by-word"},
    )
    before = world.pulled()
    told: list[str] = []

    def none_can_be_pulled(asked: e.Asked) -> None:
        if asked.step == "delete":
            told.append(asked.impact)
            assert "None of these can be pulled on any platform" in asked.impact.replace("\n", " ")
            named = asked.impact.partition("at once: ")[2].partition(". None")[0]
            for names in named.split(", "):
                repository, _, those = names.partition(":")
                for tag in those.split(f"+{repository}:"):
                    assert not any(can_pull(registry, repository, tag, each) for each in PLATFORMS), tag

    real = await walk_real(world, tmp_path, asked=none_can_be_pulled)

    assert told and "app:part." not in told[0], ended(real)
    left = tags_of(registry, "app")
    assert not {"doomed", "doomed-too"} & set(left)
    named = {tag for each in tags[:-1] for tag in (each, f"{each}-too")}
    assert named | {"arm-gone", "attestation-gone", "cut", "cache", "whole"} <= set(left)
    assert before <= world.pulled()
    assert "collect" not in real.confirmed, "images in use are deferred, and a file cannot be read"
    assert real.walked.result == "escalate", ended(real)


async def test_a_collection_comes_last_and_takes_nothing_that_somebody_names(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    doomed = registry.push_image("app", "doomed", tags=["doomed"])
    lose_layers(registry, doomed)
    arm_gone = registry.push_image("app", "arm", tags=["arm-gone"])
    DAMAGES["layer-gone"](registry, "app", arm_gone, 1)
    registry.push_image("app", "whole", tags=["whole"])
    make_old(registry)
    world = World(registry, [("app", "arm-gone"), ("app", "whole")])
    before = world.pulled()

    real = await walk_real(world, tmp_path)

    assert real.walked.result == "recovered", ended(real)
    assert list(real.confirmed)[-1] == "collect"
    assert not registry.blob(doomed.digest).exists()
    assert world.pulled() == before
    registry.push_manifest("app", "after", tags=["after"])


async def test_no_collection_while_the_registry_takes_pushes(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    lose_layers(registry, registry.push_image("app", "doomed", tags=["doomed"]))
    registry.push_image("app", "whole", tags=["whole"])
    make_old(registry)

    real = await walk_real(World(registry, forgetful=True), tmp_path)

    assert real.walked.result == "stopped"
    assert "so somebody can push" in real.walked.said("read-only")
    assert "collect" not in real.confirmed


async def test_no_collection_while_a_part_of_a_kept_image_is_on_the_disk_without_its_link(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    lose_layers(registry, registry.push_image("app", "doomed", tags=["doomed"]))
    held = registry.push_image("app", "held", tags=["held"])
    for child in held.children:
        registry.unlink_revision("app", child.digest)
    registry.blob(held.children[0].layers[0]).unlink()
    make_old(registry)
    world = World(registry, [("app", "held")], [node("k8s-node3", "app:held")])
    rest = held.children[0].layers[1]

    real = await walk_real(world, tmp_path)

    assert "without its link" in real.walked.said("collect-named"), ended(real)
    assert "collect" not in real.confirmed
    assert registry.blob(rest).exists()
    assert can_pull(registry, "app", held.children[1].digest, "linux/arm64"), "what could be put back, was"


@pytest.mark.parametrize("place", ["empty", "of another registry"])
async def test_nothing_is_deleted_where_the_disk_cannot_be_read(
    registry: DockerRegistry, tmp_path: Path, place: str
) -> None:
    index = registry.push_image("app", "it", tags=["v1"])
    for child in index.children:
        registry.unlink_revision("app", child.digest)
    other = tmp_path / "elsewhere"
    (other / "repositories" / "other" / "_manifests").mkdir(parents=True)
    (other / "empty" / "repositories").mkdir(parents=True)
    world = World(registry, [("app", "v1")], data=str(other / "empty" if place == "empty" else other))

    real = await walk_real(world, tmp_path)

    assert not {"delete", "remove-tags", "collect"} & set(real.confirmed), ended(real)
    assert tags_of(registry, "app") == ["v1"]


async def test_a_repository_that_the_catalog_leaves_out_loses_nothing(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    index = registry.push_image("left-out", "it", tags=["it"])
    lose_layers(registry, registry.push_image("app", "doomed", tags=["doomed"]))
    DAMAGES["no-layers-folder"](registry, "left-out", index, 0)
    make_old(registry)
    registry.restart()
    world = World(registry, [("left-out", "it")], [deployment("web", "left-out:it")])

    real = await walk_real(world, tmp_path, asked=None)

    assert real.walked.result == "recovered", ended(real)
    assert world.pulled() == {("left-out", "it", each) for each in PLATFORMS}


async def test_a_tag_that_leads_nowhere_and_nobody_names_is_removed(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    registry.push_image("app", "whole", tags=["whole"])
    for tag in ("lost", "lost-and-named"):
        index = registry.push_image("app", tag, tags=[tag])
        registry.blob(index.digest).unlink()
    world = World(registry, [("app", "whole")], [deployment("web", "app:lost-and-named")])

    def it_cannot_be_pulled(asked: e.Asked) -> None:
        if asked.step == "remove-tags":
            assert "app:lost" in asked.impact and "lost-and-named" not in asked.impact
            assert "None of these can be pulled" in asked.impact
            assert not any(can_pull(registry, "app", "lost", each) for each in PLATFORMS)

    real = await walk_real(world, tmp_path, asked=it_cannot_be_pulled)

    assert "remove-tags" in real.confirmed, ended(real)
    assert tags_of(registry, "app") == ["lost-and-named", "whole"]


@pytest.mark.parametrize("where", ["environment", "configuration"])
async def test_deletes_that_are_disabled_are_told_before_one_is_sent(
    registry: DockerRegistry, tmp_path: Path, where: str
) -> None:
    lose_layers(registry, registry.push_image("app", "doomed", tags=["doomed"]))
    environment = ["REGISTRY_STORAGE_DELETE_ENABLED=false"] if where == "environment" else []
    registry.restart(deletes=where == "environment")

    real = await walk_real(World(registry, environment=environment), tmp_path)

    assert real.walked.result == "stopped"
    assert f"disabled in the registry's {where}" in real.walked.said("deletes-enabled")
    assert "delete" not in real.confirmed


async def test_a_rebuild_of_the_same_bits_is_sent_whole_although_the_registry_remembered_them(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    def push(registry: DockerRegistry, repository: str, tag: str) -> None:
        registry.push_manifest(repository, "same bits", tags=[tag], asking_first=True)

    push(registry, "app", "latest")
    manifest = registry.push_manifest("app", "same bits", tags=["latest"])
    registry.blob(manifest.layers[0]).unlink()
    assert registry.client.head(f"/v2/app/blobs/{manifest.layers[0]}").status_code == 200, "it remembers"
    world = World(registry, [("app", "latest")], ci_images=["app:latest"], choose={"way": "vm"})
    world.ask["source-of"] = "master"
    world.push = push

    real = await walk_real(world, tmp_path)

    assert real.walked.result == "recovered", ended(real)
    assert can_pull(registry, "app", "latest")


async def test_relief_moves_and_frees_only_what_waits_for_the_broken_image(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    lose_layers(registry, registry.push_image("app", "broken", tags=["broken"]))
    registry.push_image("app", "good", tags=["good"])
    arm = registry.push_manifest("app", "arm", platform="linux/arm64")
    registry.push_index("app", [arm], tags=["arm-only"])
    registry.push_image("team/app", "another", tags=["broken"])
    ours, theirs = "registry.lab.example", "ghcr.io"
    named = {
        "agent": f"{ours}/app:broken",
        "other-repository": f"{ours}/team/app:broken",
        "other-registry": f"{theirs}/app:broken",
    }
    world = World(
        registry,
        objects=[
            node("k8s-node3"),
            *(cron_job(name, image) for name, image in named.items()),
            job("agent-28000000", f"{ours}/app:good", of="agent", succeeded=True),
            job("agent-29000000", f"{ours}/app:broken", of="agent"),
            job("agent-restore", f"{ours}/app:broken"),
        ],
        choose={"relief": "switch"},
        ask={"good-tag": "app:good"},
    )

    real = await walk_real(world, tmp_path)

    offered = [
        each.event.text
        for each in real.walked.state.timeline
        if isinstance(each.event, e.Asked) and each.event.step == "good-tag"
    ]
    assert offered and "app:arm-only" not in offered[0] and "app:good" in offered[0]
    patched = [each for each in real.walked.touched if "patch" in each]
    assert patched and all("apps/agent" in each for each in patched), real.walked.touched
    deleted = [each for each in real.walked.touched if "delete" in each]
    assert deleted and all("agent-29000000" in each for each in deleted), real.walked.touched
    assert real.walked.state.current == "tick", "an older Job that succeeded proves nothing of the new image"


@pytest.mark.parametrize("damage", [*HIDDEN])
async def test_flipped_bits_are_found_where_a_deep_walk_is_chosen(
    registry: DockerRegistry, tmp_path: Path, damage: str
) -> None:
    index = registry.push_image("app", "it", tags=["v1"])
    for child in range(2):
        HIDDEN[damage](registry, "app", index, child)
    world = World(registry, failing=("app:v1",), choose={"deep-choice": "deep"})

    real = await walk_real(world, tmp_path)

    assert "contents not" in " ".join(str(each.event) for each in real.walked.state.timeline)
    assert "ticket" in real.walked.reached, ended(real)
    assert real.walked.result == "escalate"


async def test_the_pulls_of_another_registry_are_left_alone(registry: DockerRegistry, tmp_path: Path) -> None:
    registry.push_image("app", "it", tags=["v1"])

    real = await walk_real(World(registry), tmp_path)

    assert real.walked.result == "not-this-incident", ended(real)


def make_old(registry: DockerRegistry) -> None:
    """As if everything had been pushed two hours ago."""
    for path in registry.data.rglob("*"):
        if path.is_file():
            set_age(path, 7200)


NAMERS = ("nobody", "deployment", "digest", "node")
mixtures = st.lists(
    st.tuples(
        st.sampled_from(NAMERS),
        st.lists(st.tuples(st.sampled_from([*EVERY]), st.integers(0, 2)), max_size=3),
    ),
    min_size=1,
    max_size=4,
)


def test_whatever_is_damaged_nothing_is_lost_that_could_be_pulled_or_put_back(
    tmp_path: Path, soak: bool
) -> None:
    numbers = itertools.count()

    @settings(max_examples=LONG if soak else SHORT, deadline=None)
    @given(mixture=mixtures, way=st.sampled_from(["defer", "vm"]), collect=st.booleans())
    def walk(mixture: list[tuple[str, list[tuple[str, int]]]], way: str, collect: bool) -> None:
        place = tmp_path / str(next(numbers))
        with docker_registry(place / "registry", authentication=True, cache=True) as registry:
            asyncio.run(check_mixture(registry, place, mixture, way=way, collect=collect))

    walk()


async def check_mixture(
    registry: DockerRegistry,
    place: Path,
    mixture: list[tuple[str, list[tuple[str, int]]]],
    *,
    way: str,
    collect: bool,
) -> None:
    """Walk over a damaged store. Whoever names an image keeps it, and what pulled goes on to."""
    world = World(registry, choose={"way": way, "collect-choice": "collect" if collect else "later"})
    world.ask["source-of"] = "master"
    world.push = lambda where, repository, tag: push_anew(where, repository, tag)
    registry.push_image("steady", "steady", tags=["latest"])
    named: list[str] = []
    for number, (namer, damages) in enumerate(mixture):
        tag = f"v{number}"
        index = registry.push_image("app", f"image {number}", tags=[tag])
        world.images += [("app", tag), ("app", index.digest)]
        for damage, child in damages:
            EVERY[damage](registry, "app", index, child)
        match namer:
            case "deployment":
                world.objects.append(deployment(f"web-{number}", f"app:{tag}"))
            case "digest":
                world.objects.append(deployment(f"web-{number}", f"app:{tag}@{index.digest}"))
            case "node":
                world.objects.append(node(f"k8s-node{number + 10}", f"app:{tag}"))
            case _:
                continue
        named.append(index.digest)
    make_old(registry)
    registry.restart()
    pulled, mendable = world.pulled(), world.on_disk(named)

    def is_true(asked: e.Asked) -> None:
        if asked.step in ("delete", "remove-tags"):
            doomed = [tag for _, tag in world.images if f"app:{tag}" in asked.impact.replace("+", " ")]
            for tag in doomed:
                assert not any(can_pull(registry, "app", tag, each) for each in PLATFORMS), asked.impact

    real = await walk_real(world, place, asked=is_true)

    rebuilt = {
        tag for _, tag in world.images if f"docker push registry.lab.example/app:{tag}" in real.vm.commands
    }
    after = world.pulled()
    lost = {each for each in pulled - after if each[1] not in rebuilt}
    assert not lost, (lost, ended(real))
    assert mendable <= world.on_disk(named), ended(real)
    if not {"put-back", "relink", "put-tags-back"} & set(real.confirmed):
        return
    assert after >= pulled


def push_anew(registry: DockerRegistry, repository: str, tag: str) -> None:
    registry.push_manifest(repository, f"anew {tag}", tags=[tag])
