import base64
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest

from breakglass.rehearsal.rehearsal import Rehearsal
from breakglass.simulator.registry.images import digest_of
from breakglass.values import Json
from tests.rehearsal.support import client_of, running

BODY = """\
site: {secrets: {password: secret}}
endpoints:
  registry:
    url: https://registry.lab.example:5050
    basic: {user: ci, password: password}
    registry:
      images:
        - repository: infra-ci
          tags: [latest, 3fa9c1d2]
          platforms:
            - {platform: linux/amd64, link: false}
            - {platform: linux/arm64, layers: [2048, 4096]}
            - {platform: unknown/unknown, attestation: true}
        - {repository: private/app, tags: [v1], single: true, format: docker}
        - repository: private/list
          tags: [v1]
          format: docker
          platforms: [{platform: linux/arm64}, {platform: linux/amd64}]
        - repository: private/holes
          tags: [v1]
          platforms: [{platform: linux/amd64, layers: [10, 20], missing_layers: [1]}]
hosts:
  registry-vm:
    commands:
      - match: docker exec registry-private /bin/registry garbage-collect -m *
        registry: [{endpoint: registry, collect: {delete_untagged: true}}]
        reply: "${{ collected }}"
      - match: docker exec registry-private /bin/registry garbage-collect --dry-run *
        registry: [{endpoint: registry, collect: {dry_run: true}}]
        reply: "${{ collected }}"
      - match: docker exec registry-private /bin/registry garbage-collect *
        registry: [{endpoint: registry, collect: {}}]
        reply: "${{ collected }}"
      - match: docker restart registry-private
        set: {registry.cached: [], registry.backend: wrong}
        reply: registry-private
      - match: docker restart registry-nginx
        set: {registry.backend: right}
        reply: registry-nginx
rules:
  - on: rebuild
    registry:
      - endpoint: registry
        push: {repository: infra-ci, tags: [latest], seed: rebuilt}
"""
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ALL = {"Accept": ", ".join((INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))}
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"ci:secret").decode()}


def registry(rehearsal: Rehearsal) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    return client_of(rehearsal, "registry")


async def index_of(client: httpx.AsyncClient, tag: str = "latest") -> dict[str, Json]:
    return (await client.get(f"/v2/infra-ci/manifests/{tag}", headers={**LOGIN, **ALL})).json()


def children(index: dict[str, Json]) -> list[str]:
    listed = index["manifests"]
    assert isinstance(listed, list)
    return [str(each["digest"]) for each in listed if isinstance(each, dict)]


async def test_without_a_login_there_is_only_401(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        for path in ("/v2/", "/v2/_catalog", "/v2/infra-ci/tags/list"):
            assert (await client.get(path)).status_code == 401
        assert (await client.get("/v2/", headers=LOGIN)).status_code == 200


async def test_the_catalog_comes_in_pages(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        whole = (await client.get("/v2/_catalog?n=1000", headers=LOGIN)).json()
        assert whole == {"repositories": ["infra-ci", "private/app", "private/holes", "private/list"]}
        first = await client.get("/v2/_catalog?n=3", headers=LOGIN)
        assert len(first.json()["repositories"]) == 3
        following = first.headers["link"].partition(">")[0].removeprefix("<")
        assert (await client.get(following, headers=LOGIN)).json() == {"repositories": ["private/list"]}


async def test_tags_of_a_repository(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        listed = (await client.get("/v2/infra-ci/tags/list", headers=LOGIN)).json()
        assert listed == {"name": "infra-ci", "tags": ["3fa9c1d2", "latest"]}
        unknown = await client.get("/v2/nothing/tags/list", headers=LOGIN)
        assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")


async def test_every_content_has_the_digest_that_it_is_found_under(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        answer = await client.get("/v2/infra-ci/manifests/latest", headers={**LOGIN, **ALL})
        assert answer.headers["docker-content-digest"] == digest_of(answer.content)
        child = children(answer.json())[1]
        found = await client.get(f"/v2/infra-ci/manifests/{child}", headers={**LOGIN, **ALL})
        assert digest_of(found.content) == child
        manifest = found.json()
        for each in [manifest["config"], *manifest["layers"]]:
            blob = await client.get(f"/v2/infra-ci/blobs/{each['digest']}", headers=LOGIN)
            assert (digest_of(blob.content), len(blob.content)) == (each["digest"], each["size"])


async def test_an_oci_type_that_is_not_accepted_looks_like_a_missing_image(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        for accept in ({}, {"Accept": "*/*"}, {"Accept": DOCKER_LIST}):
            answer = await client.head("/v2/infra-ci/manifests/latest", headers={**LOGIN, **accept})
            assert answer.status_code == 404, accept
        body = (await client.get("/v2/infra-ci/manifests/latest", headers=LOGIN)).json()
        assert "accept header does not support OCI indexes" in body["errors"][0]["message"]
        healthy = children(await index_of(client))[1]
        assert (await client.head(f"/v2/infra-ci/manifests/{healthy}", headers=LOGIN)).status_code == 404
        right = await client.head(f"/v2/infra-ci/manifests/{healthy}", headers={**LOGIN, **ALL})
        assert right.status_code == 200


async def test_a_client_without_lists_gets_another_digest_for_a_docker_tag(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        path = "/v2/private/list/manifests/v1"
        whole = await client.head(path, headers={**LOGIN, **ALL})
        one = await client.head(path, headers={**LOGIN, "Accept": DOCKER_MANIFEST})
        assert whole.headers["content-type"] == DOCKER_LIST
        assert one.headers["content-type"] == DOCKER_MANIFEST
        assert one.headers["docker-content-digest"] != whole.headers["docker-content-digest"]


async def test_a_child_without_its_link_is_an_orphan_although_its_content_is_there(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        orphan, *others = children(await index_of(client))
        answer = await client.get(f"/v2/infra-ci/manifests/{orphan}", headers={**LOGIN, **ALL})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
        state = rehearsal.variables["registry"]
        assert isinstance(state, dict)
        blobs = state["blobs"]
        assert isinstance(blobs, dict)
        assert orphan in blobs
        for digest in others:
            found = await client.head(f"/v2/infra-ci/manifests/{digest}", headers={**LOGIN, **ALL})
            assert found.status_code == 200


async def test_a_missing_layer_is_not_found(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        index = (await client.get("/v2/private/holes/manifests/v1", headers={**LOGIN, **ALL})).json()
        child = children(index)[0]
        manifest = (await client.get(f"/v2/private/holes/manifests/{child}", headers={**LOGIN, **ALL})).json()
        codes = [
            (await client.head(f"/v2/private/holes/blobs/{each['digest']}", headers=LOGIN)).status_code
            for each in manifest["layers"]
        ]
        assert codes == [200, 404]
        elsewhere = await client.head(f"/v2/infra-ci/blobs/{manifest['layers'][0]['digest']}", headers=LOGIN)
        assert elsewhere.status_code == 404, "a blob is served through the links of its own repository"


async def test_deleting_a_digest_takes_every_tag_on_it(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        head = await client.head("/v2/infra-ci/manifests/latest", headers={**LOGIN, **ALL})
        path = f"/v2/infra-ci/manifests/{head.headers['docker-content-digest']}"
        assert (await client.delete("/v2/infra-ci/manifests/latest", headers=LOGIN)).status_code == 400
        assert (await client.delete(path, headers=LOGIN)).status_code == 202
        assert (await client.delete(path, headers=LOGIN)).status_code == 404
        listed = (await client.get("/v2/infra-ci/tags/list", headers=LOGIN)).json()
        assert listed == {"name": "infra-ci", "tags": None}
        assert rehearsal.touched == [f"http DELETE registry {path}"]


async def test_deletes_that_are_disabled_are_refused(tmp_path: Path) -> None:
    body = BODY.replace("    registry:\n", "    registry:\n      deletes: false\n", 1)
    async with running(tmp_path, body) as rehearsal, registry(rehearsal) as client:
        head = await client.head("/v2/infra-ci/manifests/latest", headers={**LOGIN, **ALL})
        digest = head.headers["docker-content-digest"]
        answer = await client.delete(f"/v2/infra-ci/manifests/{digest}", headers=LOGIN)
        assert answer.status_code == 405


async def run(rehearsal: Rehearsal, command: str) -> str:
    """Run a command on the registry's machine, without the SSH around it."""
    host = rehearsal.host("registry-vm")

    async def nothing() -> str:
        return ""

    return (await host.run(command, nothing)).stdout.decode()


COLLECT = "docker exec registry-private /bin/registry garbage-collect"


async def test_collecting_with_delete_untagged_eats_the_children_of_healthy_indexes(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        _, healthy, attestation = children(await index_of(client))
        said = await run(rehearsal, f"{COLLECT} -m /etc/docker/registry/config.yml")
        assert f"manifest eligible for deletion: {healthy}" in said
        assert (await index_of(client))["mediaType"] == INDEX, "the index itself is tagged and stays"
        for digest in (healthy, attestation):
            lost = await client.head(f"/v2/infra-ci/manifests/{digest}", headers={**LOGIN, **ALL})
            assert lost.status_code == 404
        state = rehearsal.variables["registry"]
        assert isinstance(state, dict)
        blobs = state["blobs"]
        assert isinstance(blobs, dict)
        assert healthy in blobs, "its content stays, because the index names it"


async def test_collecting_without_it_removes_only_what_nothing_names(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        before = json.dumps(rehearsal.snapshot(), sort_keys=True)
        dry = await run(rehearsal, f"{COLLECT} --dry-run /etc/docker/registry/config.yml")
        assert "blobs and 0 manifests eligible for deletion" in dry
        assert json.dumps(rehearsal.snapshot(), sort_keys=True) == before
        assert rehearsal.touched == [], "a dry run is no change"
        _, healthy, _ = children(await index_of(client))
        await run(rehearsal, f"{COLLECT} /etc/docker/registry/config.yml")
        kept = await client.head(f"/v2/infra-ci/manifests/{healthy}", headers={**LOGIN, **ALL})
        assert kept.status_code == 200


async def test_a_collected_blob_is_still_promised_until_the_registry_restarts(tmp_path: Path) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        head = await client.head("/v2/private/app/manifests/v1", headers={**LOGIN, **ALL})
        digest = head.headers["docker-content-digest"]
        manifest = (await client.get(f"/v2/private/app/manifests/{digest}", headers={**LOGIN, **ALL})).json()
        layer = f"/v2/private/app/blobs/{manifest['layers'][0]['digest']}"
        await client.delete(f"/v2/private/app/manifests/{digest}", headers=LOGIN)
        await run(rehearsal, f"{COLLECT} /etc/docker/registry/config.yml")
        assert (await client.head(layer, headers=LOGIN)).status_code == 200
        assert (await client.get(layer, headers=LOGIN)).content == b"", "there is nothing behind the promise"
        await run(rehearsal, "docker restart registry-private")
        await run(rehearsal, "docker restart registry-nginx")
        assert (await client.head(layer, headers=LOGIN)).status_code == 404


async def test_a_proxy_with_an_old_address_looks_like_an_empty_registry_without_a_login(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        await run(rehearsal, "docker restart registry-private")
        assert (await client.get("/v2/")).status_code == 200
        assert (await client.get("/v2/_catalog?n=1000")).json() == {"repositories": []}
        await run(rehearsal, "docker restart registry-nginx")
        assert (await client.get("/v2/")).status_code == 401


async def test_a_rebuild_moves_the_tag_to_a_whole_image_and_leaves_the_others(tmp_path: Path) -> None:
    body = BODY.replace("- on: rebuild", "- on: ssh registry-vm docker push")
    async with running(tmp_path, body) as rehearsal, registry(rehearsal) as client:
        await run(rehearsal, "docker push")
        for digest in children(await index_of(client)):
            found = await client.head(f"/v2/infra-ci/manifests/{digest}", headers={**LOGIN, **ALL})
            assert found.status_code == 200
        assert await index_of(client, "3fa9c1d2") != await index_of(client)


async def layers_of(client: httpx.AsyncClient, name: str) -> list[str]:
    index = (await client.get(f"/v2/{name}/manifests/v1", headers={**LOGIN, **ALL})).json()
    child = f"/v2/{name}/manifests/{index['manifests'][0]['digest']}"
    manifest = (await client.get(child, headers={**LOGIN, **ALL})).json()
    return [each["digest"] for each in manifest["layers"]]


async def test_a_push_leaves_out_a_layer_that_the_registry_only_remembers(tmp_path: Path) -> None:
    pushed = (
        "push: {repository: one, tags: [v1], seed: again, base: debian, platforms: [{platform: linux/amd64}]}"
    )
    body = f"""\
site: {{secrets: {{password: secret}}}}
endpoints:
  registry:
    url: https://registry.lab.example:5050
    basic: {{user: ci, password: password}}
    registry:
      images:
        - {{repository: one, tags: [v1], base: debian}}
        - {{repository: two, tags: [v1], base: debian}}
hosts:
  registry-vm:
    commands:
      - match: lose {{digest}}
        set: {{"registry.cached": ["${{{{ request.match.digest }}}}"], registry.blobs: {{}}}}
      - match: push
        registry: [{{endpoint: registry, {pushed}}}]
      - match: forget
        set: {{registry.cached: []}}
"""
    async with running(tmp_path, body) as rehearsal, registry(rehearsal) as client:
        (shared,) = await layers_of(client, "one")
        assert await layers_of(client, "two") == [shared]
        await run(rehearsal, f"lose {shared}")
        await run(rehearsal, "push")
        layer = f"/v2/one/blobs/{shared}"
        assert (await client.get(layer, headers=LOGIN)).content == b""
        await run(rehearsal, "forget")
        assert (await client.get(layer, headers=LOGIN)).status_code == 404
        await run(rehearsal, "push")
        assert len((await client.get(layer, headers=LOGIN)).content) == 1024


async def test_equal_descriptions_have_equal_digests(tmp_path: Path) -> None:
    digests: list[Json] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        async with running(tmp_path / name, BODY) as rehearsal:
            digests.append(rehearsal.variables["registry"])
    assert digests[0] == digests[1]


@pytest.mark.parametrize("path", ["/v2/infra-ci/blobs/sha256:zz", "/v2/infra-ci/blobs/latest"])
async def test_something_that_is_no_digest_is_refused(tmp_path: Path, path: str) -> None:
    async with running(tmp_path, BODY) as rehearsal, registry(rehearsal) as client:
        answer = await client.head(path, headers=LOGIN)
        assert answer.status_code == 400
