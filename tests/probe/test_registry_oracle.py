"""The probe's verdicts against skopeo, over every kind of damage on a real registry's disk and mixtures."""

import asyncio
import itertools
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.values import Json
from tests.probe.support import endpoint_of, findings, rows, walked
from tests.support.docker_registry import DockerRegistry, docker_registry
from tests.support.registry_damage import DAMAGES, EVERY, HIDDEN
from tests.support.skopeo import can_pull

NUMBERS = itertools.count()
SHORT, LONG = 10, 300
"""Mixtures: in the suite, and in its long form."""
PLATFORMS = ("linux/amd64", "linux/arm64")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[DockerRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


def pulls_of(row: dict[str, Json], platform: str) -> bool | None:
    """What the probe says of a platform: whether it pulls, or None where it promises nothing."""
    [state] = [
        each["state"]
        for each in cast("list[dict[str, Json]]", row["platforms"])
        if each["platform"] == platform
    ]
    return {"ok": True, "broken": False, "unreadable": False}.get(str(state))


async def check_against_skopeo(registry: DockerRegistry, repository: str, *, deep: bool) -> dict[str, Json]:
    """Every image of a repository, tag by tag: the probe's word and skopeo's are the same."""
    result = await walked(endpoint_of(registry), repositories=[repository], deep=deep)
    found = findings(result)
    assert found["complete"] is True, found["faults"]
    assert rows(result, "unsettled") == []
    listed = registry.client.get(f"/v2/{repository}/tags/list").json()["tags"]
    tags = cast("list[str] | None", listed) or []
    by_tag = {tag: row for row in rows(result, "digests") for tag in cast("list[str]", row["tags"])}
    for tag in tags:
        pulled = {platform: can_pull(registry, repository, tag, platform) for platform in PLATFORMS}
        row = by_tag.get(tag)
        if row is None:
            assert not any(pulled.values()), f"{tag} is said to lead nowhere"
            lost = [*rows(result), *rows(result, "unreadable")]
            assert any(tag in cast("list[str]", each["tags"]) for each in lost)
            continue
        assert {platform: pulls_of(row, platform) for platform in PLATFORMS} == pulled
        wanted = {(True, True): "all", (True, False): "some", (False, True): "some"}
        said = wanted.get((pulled[PLATFORMS[0]], pulled[PLATFORMS[1]]))
        assert row["pulls"] == said if said else row["pulls"] in ("none", "unknown")
    return found


@pytest.mark.parametrize("damage", [*EVERY])
async def test_each_damage_has_the_verdict_that_skopeo_has(shared: DockerRegistry, damage: str) -> None:
    name = f"one-{next(NUMBERS)}"
    images = [shared.push_image(name, f"{name} {child}", tags=[f"child-{child}"]) for child in range(3)]
    for child, image in enumerate(images):
        EVERY[damage](shared, name, image, child)
    found = await check_against_skopeo(shared, name, deep=damage in HIDDEN)
    assert found["verdict"] in ("broken", "unreadable")


@pytest.mark.parametrize("damage", [*HIDDEN])
async def test_a_walk_that_looks_at_sizes_only_says_so(shared: DockerRegistry, damage: str) -> None:
    name = f"hidden-{next(NUMBERS)}"
    HIDDEN[damage](shared, name, shared.push_image(name, f"seed {name}", tags=["it"]), 0)
    assert not can_pull(shared, name, "it")

    found = findings(await walked(endpoint_of(shared), repositories=[name]))

    assert (found["verdict"], found["checked"]) == ("healthy", "sizes")
    assert (
        findings(await walked(endpoint_of(shared), repositories=[name], deep=True))["checked"] == "contents"
    )


def test_any_mixture_of_damages_has_the_verdict_that_skopeo_has(shared: DockerRegistry, soak: bool) -> None:
    damage = st.tuples(st.sampled_from([*EVERY]), st.integers(0, 1), st.integers(0, 2))

    @settings(max_examples=LONG if soak else SHORT, deadline=None)
    @given(damages=st.lists(damage, max_size=5), docker=st.booleans())
    def mixed(damages: list[tuple[str, int, int]], docker: bool) -> None:
        asyncio.run(check_mixture(shared, damages, docker=docker))

    mixed()


async def check_mixture(shared: DockerRegistry, damages: list[tuple[str, int, int]], *, docker: bool) -> None:
    name = f"mixed-{next(NUMBERS)}"
    images = [
        shared.push_image(name, f"seed {name} {number}", tags=[f"t{number}"], docker=docker)
        for number in range(2)
    ]
    for damage, image, child in damages:
        EVERY[damage](shared, name, images[image], child)
    await check_against_skopeo(shared, name, deep=True)


async def test_a_repository_that_the_catalog_leaves_out_is_walked_when_it_is_named(tmp_path: Path) -> None:
    with docker_registry(tmp_path) as registry:
        index = registry.push_image("left-out", "it", tags=["it"])
        registry.push_image("listed", "it", tags=["it"])
        DAMAGES["no-layers-folder"](registry, "left-out", index, 0)

        assert findings(await walked(endpoint_of(registry)))["verdict"] == "healthy"
        found = findings(await walked(endpoint_of(registry), also=["left-out"]))

    assert found["verdict"] == "broken"
    assert {str(row["repository"]) for row in cast("list[dict[str, Json]]", found["broken"])} == {"left-out"}


async def test_what_names_a_digest_is_listed(shared: DockerRegistry) -> None:
    name = f"named-{next(NUMBERS)}"
    index = shared.push_image(name, "it", tags=["a", "b"])
    shared.push_image(name, "other", tags=["c"])
    wanted = (index.children[0].layers[0], index.children[1].config, index.digest)

    result = await walked(endpoint_of(shared), repositories=[name], against=[*wanted, "sha256:" + "0" * 64])

    named = {(str(row["digest"]), *cast("list[str]", row["tags"])) for row in rows(result, "named")}
    assert named == {(digest, "a", "b") for digest in wanted}
