"""The registry walk against answers that a real registry gives only on a bad day."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from breakglass.probe import PROBES, run_probe
from breakglass.probe.registry_client import MEDIA_TYPES
from breakglass.site.model import Endpoint, PortForward, Site
from breakglass.transport.base import Delivery, ProbeRequest
from breakglass.values import Json
from tests.probe.support import KnownSecrets, Said, answer, error, findings, rows, scripted, walked

LAYER = b"the only layer"
CONFIG = b"{}"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "config": {"digest": digest_of(CONFIG), "size": len(CONFIG)},
        "layers": [{"digest": digest_of(LAYER), "size": len(LAYER)}],
    }
).encode()
INDEX = json.dumps(
    {
        "schemaVersion": 2,
        "manifests": [
            {
                "digest": digest_of(MANIFEST),
                "size": len(MANIFEST),
                "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
            }
        ],
    }
).encode()


def content(body: bytes, media_type: str = OCI_MANIFEST) -> web.Response:
    headers = {
        "Docker-Distribution-Api-Version": "registry/2.0",
        "Docker-Content-Digest": digest_of(body),
        "Content-Type": media_type,
    }
    return web.Response(body=body, headers=headers)


def registry_with(repository: str = "app") -> dict[str, list[web.Response] | web.Response]:
    """A registry of one repository with one index of one child, all well."""
    return {
        "/v2/_catalog?n=1000": answer({"repositories": [repository]}),
        f"/v2/{repository}/tags/list": answer({"name": repository, "tags": ["latest"]}),
        f"/v2/{repository}/manifests/latest": content(INDEX),
        f"/v2/{repository}/manifests/{digest_of(MANIFEST)}": content(MANIFEST),
        f"/v2/{repository}/blobs/{digest_of(LAYER)}": content(LAYER),
        f"/v2/{repository}/blobs/{digest_of(CONFIG)}": content(CONFIG),
    }


CHILD = f"/v2/app/manifests/{digest_of(MANIFEST)}"
BLOB = f"/v2/app/blobs/{digest_of(LAYER)}"
PROXY_404 = web.Response(body=b"<html>404 Not Found</html>", status=404, headers={"Server": "nginx"})


async def test_every_request_for_a_manifest_lists_all_four_media_types() -> None:
    async with scripted(registry_with()) as (registry, endpoint):
        await walked(endpoint)

    asked = [request for request in registry.requests if "/manifests/" in request.path]
    assert len(asked) == 2
    assert all(media in request.headers["Accept"] for request in asked for media in MEDIA_TYPES)
    assert {request.method for request in registry.requests} == {"GET"}


async def test_a_variant_is_part_of_the_platform() -> None:
    answers = {**registry_with(), CHILD: error(404, "MANIFEST_UNKNOWN")}
    async with scripted(answers) as (_, endpoint):
        [row] = rows(await walked(endpoint))

    assert row["platform"] == "linux/arm/v7"


@pytest.mark.parametrize(
    ("path", "looks"),
    [
        (CHILD, [error(404, "MANIFEST_UNKNOWN"), content(MANIFEST)]),
        (BLOB, [error(404, "BLOB_UNKNOWN"), content(LAYER)]),
        (CHILD, [error(404, "MANIFEST_UNKNOWN"), error(500, "UNKNOWN")]),
        (CHILD, [error(500, "UNKNOWN"), error(503, "UNAVAILABLE")]),
        (BLOB, [error(503, "UNAVAILABLE")]),
        (BLOB, [error(401, "UNAUTHORIZED")]),
        (CHILD, [PROXY_404]),
        (BLOB, [PROXY_404]),
        (CHILD, [web.Response(body=b"<html>log in</html>")]),
    ],
    ids=[
        "child comes back",
        "layer comes back",
        "child 404 then 500",
        "child 500 then 503",
        "layer 503",
        "layer 401",
        "child 404 of a proxy",
        "layer 404 of a proxy",
        "child is a page",
    ],
)
async def test_what_two_looks_do_not_agree_on_is_not_broken(path: str, looks: list[web.Response]) -> None:
    async with scripted({**registry_with(), path: looks}) as (registry, endpoint):
        result = await walked(endpoint)

    assert rows(result) == []
    assert len(rows(result, "unsettled")) == 1
    assert findings(result)["verdict"] == "unsettled"
    assert sum(request.path == path for request in registry.requests) == 2


async def test_what_is_below_a_child_that_comes_back_is_walked_too() -> None:
    answers = {
        **registry_with(),
        CHILD: [error(404, "MANIFEST_UNKNOWN"), content(MANIFEST)],
        BLOB: error(404, "BLOB_UNKNOWN"),
    }
    async with scripted(answers) as (_, endpoint):
        result = await walked(endpoint)

    assert [row["kind"] for row in rows(result)] == ["layer"]


async def test_a_manifest_with_another_content_than_its_digest_says_is_broken() -> None:
    answers = {**registry_with(), CHILD: content(MANIFEST.replace(b"2,", b"2 ,"))}
    async with scripted(answers) as (_, endpoint):
        [row] = rows(await walked(endpoint))

    assert (row["code"], row["why"]) == (200, "the content is not that of its digest")


async def test_a_blob_that_is_kept_elsewhere_is_there() -> None:
    away = web.Response(status=307, headers={"Location": "https://storage.invalid/blob"})
    async with scripted({**registry_with(), BLOB: away}) as (_, endpoint):
        assert findings(await walked(endpoint))["verdict"] == "healthy"


async def test_pages_of_catalog_and_tags_are_followed_and_a_page_that_repeats_ends_them() -> None:
    answers = {
        **registry_with("app"),
        "/v2/_catalog?n=1000": answer(
            {"repositories": ["app"]}, Link='</v2/_catalog?last=app&n=1000>; rel="next"'
        ),
        "/v2/_catalog?last=app&n=1000": answer(
            {"repositories": ["bare"]}, Link='</v2/_catalog?last=app&n=1000>; rel="next"'
        ),
        "/v2/app/tags/list": answer(
            {"tags": ["latest"]}, Link='<http://elsewhere.invalid/v2/app/tags/list?last=latest>; rel="next"'
        ),
        "/v2/app/tags/list?last=latest": answer({"tags": ["older"]}),
        "/v2/app/manifests/older": content(INDEX),
        "/v2/bare/tags/list": answer({"name": "bare", "tags": None}),
    }
    async with scripted(answers) as (_, endpoint):
        found = findings(await walked(endpoint))

    counts = found["counts"]
    assert isinstance(counts, dict)
    assert found["verdict"] == "healthy"
    assert (counts["repositories"], counts["tags"]) == (2, 2)
    assert [row["tags"] for row in rows_of(found)] == [["latest", "older"]]


def rows_of(found: dict[str, Json]) -> list[dict[str, Json]]:
    digests = found["digests"]
    assert isinstance(digests, list)
    return [row for row in digests if isinstance(row, dict)]


async def test_at_most_so_many_tags_are_looked_at() -> None:
    answers = {**registry_with(), "/v2/app/tags/list": answer({"tags": ["latest", "unknown"]})}
    async with scripted(answers) as (_, endpoint):
        assert findings(await walked(endpoint, tags=1))["verdict"] == "healthy"


async def test_tags_that_cannot_be_listed_leave_the_walk_incomplete() -> None:
    answers = {**registry_with(), "/v2/app/tags/list": error(500, "UNKNOWN")}
    async with scripted(answers) as (_, endpoint):
        found = findings(await walked(endpoint))

    assert (found["verdict"], found["complete"]) == ("incomplete", False)
    assert found["faults"] == ["app: its tags cannot be listed: 500"]


@pytest.mark.parametrize(
    "catalog", [error(500, "UNKNOWN"), web.Response(body=b"<html>"), error(401, "DENIED")]
)
async def test_a_catalog_that_cannot_be_read_is_a_fault_and_not_an_empty_registry(
    catalog: web.Response,
) -> None:
    async with scripted({"/v2/_catalog?n=1000": catalog}) as (_, endpoint):
        result = await walked(endpoint)

    assert result.fault is not None
    assert findings(result)["verdict"] == "incomplete"


async def test_connections_are_kept_and_no_more_than_asked_for() -> None:
    names = [f"app{number}" for number in range(30)]
    answers: dict[str, list[web.Response] | web.Response] = {}
    for name in names:
        answers |= registry_with(name)
    answers["/v2/_catalog?n=1000"] = answer({"repositories": [*names]})
    async with scripted(answers) as (registry, endpoint):
        found = findings(await walked(endpoint, parallel=3))

    assert found["verdict"] == "healthy"
    assert len(registry.requests) > 100
    assert len(registry.connections) <= 3


@asynccontextmanager
async def silent() -> AsyncGenerator[Endpoint]:
    """A server that takes connections and says nothing."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield Endpoint("registry", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")


async def test_a_registry_that_says_nothing_ends_at_the_deadline() -> None:
    async with silent() as endpoint:
        result = await walked(endpoint, timeout=0.2)

    assert result.fault is not None and result.fault.kind == "timeout"
    assert findings(result)["complete"] is False


async def test_past_the_deadline_what_was_found_is_kept_but_not_called_broken() -> None:
    held = asyncio.Event()

    async def hold(request: web.BaseRequest) -> web.Response:
        await held.wait()
        return web.Response()

    answers = {**registry_with(), CHILD: error(404, "MANIFEST_UNKNOWN")}
    async with scripted(answers) as (registry, endpoint):

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            again = sum(each.path == CHILD for each in registry.requests)
            return await (hold(request) if request.path == CHILD and again else registry.handle(request))

        registry.handler = handle
        result = await walked(endpoint, timeout=1.0)
        held.set()

    assert result.fault is not None and result.fault.kind == "timeout"
    assert rows(result) == []
    assert [row["why"] for row in rows(result, "unsettled")] == ["not found, looked at once"]


async def test_another_kind_of_server_is_a_fault() -> None:
    async with scripted({"/v2/": web.Response(status=404)}) as (_, endpoint):
        result = await walked(endpoint)

    assert result.fault is not None and "no registry" in result.fault.message


async def test_a_certificate_that_is_not_trusted_is_a_fault(tmp_path: Path) -> None:
    endpoint = Endpoint("registry", "https://127.0.0.1:1", ca=tmp_path / "missing.pem")

    result = await walked(endpoint)

    assert result.delivery is Delivery.NOT_SENT
    assert result.fault is not None and result.fault.kind == "configuration"


async def test_plain_http_on_a_tls_port_is_a_fault_of_tls() -> None:
    async with scripted(registry_with()) as (_, endpoint):
        secure = Endpoint("registry", endpoint.url.replace("http:", "https:"), verify_tls=False)
        result = await walked(secure)

    assert result.fault is not None and result.fault.kind == "tls"
    assert ssl.SSLError.__name__ not in result.fault.message


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("registry-integrity", {}, "needs 'endpoint'"),
        ("registry-integrity", {"endpoint": "other"}, "has no endpoint 'other'; it has: registry"),
        ("registry-integrity", {"endpoint": "registry", "tag": 1}, "takes no argument 'tag'"),
        ("registry-integrity", {"endpoint": "registry", "tags": "all"}, "tags is 'all'"),
        ("registry-integrity", {"endpoint": "registry", "tags": -1}, "tags is -1"),
        ("registry-integrity", {"endpoint": "registry", "repositories": "one"}, "repositories is 'one'"),
        ("quorum", {}, "there is no probe 'quorum'; there is: registry-integrity"),
    ],
)
async def test_arguments_that_make_no_sense_send_nothing(
    name: str, arguments: dict[str, Json], said: str
) -> None:
    site = Site("loopback", endpoints={"registry": Endpoint("registry", "http://127.0.0.1:1")})

    result = await run_probe(ProbeRequest(name, arguments, 5.0), site, KnownSecrets(), Said())

    assert result.delivery is Delivery.NOT_SENT
    assert result.fault is not None and result.fault.kind == "configuration"
    assert said in result.fault.message


async def test_a_forwarded_endpoint_is_reached_through_the_forward() -> None:
    async with scripted(registry_with()) as (registry, endpoint):
        port = int(endpoint.url.rsplit(":", 1)[1])
        forwarded = Endpoint(
            "registry", "http://registry.invalid:5000", forward=PortForward("main", "x", "svc/registry", 5000)
        )
        site = Site("loopback", endpoints={"registry": forwarded})
        request = ProbeRequest("registry-integrity", {"endpoint": "registry"}, 10.0)

        async def forward(target: PortForward) -> tuple[str, int]:
            assert target.target == "svc/registry"
            return "127.0.0.1", port

        without = await run_probe(request, site, KnownSecrets(), Said())
        through = await run_probe(request, site, KnownSecrets(), Said(), forward=forward)

    assert without.fault is not None and "port-forward" in without.fault.message
    assert findings(through)["verdict"] == "healthy"
    assert {request.headers["Host"] for request in registry.requests} == {"registry.invalid:5000"}


def test_every_probe_says_what_its_arguments_are() -> None:
    assert all(kind.summary and kind.arguments for kind in PROBES.values())
    assert all(argument.help for kind in PROBES.values() for argument in kind.arguments.values())


async def test_a_proxys_page_for_a_tag_list_does_not_mean_that_there_are_no_tags() -> None:
    async with scripted({**registry_with(), "/v2/app/tags/list": PROXY_404}) as (_, endpoint):
        found = findings(await walked(endpoint))

    assert found["verdict"] == "incomplete"
    assert "its tags cannot be listed" in str(found["faults"])


async def test_a_catalog_of_smaller_pages_than_a_thousand_is_read_in_those() -> None:
    answers = {**registry_with(), "/v2/_catalog?n=1000": error(400, "PAGINATION_NUMBER_INVALID")}
    async with scripted({**answers, "/v2/_catalog": answer({"repositories": ["app"]})}) as (_, endpoint):
        found = findings(await walked(endpoint))

    assert found["verdict"] == "healthy"
    assert isinstance(found["counts"], dict) and found["counts"]["repositories"] == 1
