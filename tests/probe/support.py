"""Walks of real and of scripted registries, and what the disk says about a real one."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias, cast

from aiohttp import web

from breakglass.probe import run_probe
from breakglass.site.model import BasicLogin, Endpoint, EnvironmentSecret, Site
from breakglass.transport.base import ProbeRequest, Result, Stream
from breakglass.values import Json
from tests.support.docker_registry import PASSWORD, USER, DockerRegistry

Fault: TypeAlias = tuple[str, str, str, str]
"""Repository, parent's digest, child's digest, and kind; a tag that leads nowhere has its name as child."""


class KnownSecrets:
    """Secrets that are known beforehand."""

    def __init__(self, **values: str) -> None:
        self._values = values

    async def resolve(self, name: str) -> str:
        return self._values[name]


class Said:
    """A sink that keeps what it was told."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, stream: Stream, data: bytes) -> None:
        self.text += data.decode()


def endpoint_of(registry: DockerRegistry, *, credentials: bool | None = None) -> Endpoint:
    """The endpoint of a registry, with credentials where it wants them."""
    wanted = registry.authentication if credentials is None else credentials
    return Endpoint("registry", registry.url, basic=BasicLogin(USER, "password") if wanted else None)


async def walked(
    endpoint: Endpoint,
    *,
    timeout: float = 30.0,
    password: str = PASSWORD,
    said: Said | None = None,
    **arguments: Json,
) -> Result:
    """Run the probe against one endpoint."""
    site = Site(
        name="loopback",
        endpoints={endpoint.name: endpoint},
        secrets={"password": EnvironmentSecret("UNUSED")},
    )
    request = ProbeRequest("registry-integrity", {"endpoint": endpoint.name, **arguments}, timeout)
    secrets = KnownSecrets(password=password)
    return await run_probe(request, site, secrets, said if said is not None else Said())


def findings(result: Result) -> dict[str, Json]:
    assert isinstance(result.data, dict)
    return result.data


def rows(result: Result, key: str = "broken") -> list[dict[str, Json]]:
    return cast("list[dict[str, Json]]", findings(result)[key])


def faults(result: Result) -> set[Fault]:
    """The broken references that the probe found, as a set that the disk's can be held against."""
    found = [_fault(row) for row in rows(result)]
    assert len(found) == len(set(found)), "a broken reference is listed twice"
    return set(found)


def _fault(row: Mapping[str, Json]) -> Fault:
    kind = str(row["kind"])
    child = str(row["tag"]) if kind == "manifest" else str(row["child"])
    return str(row["repository"]), str(row["parent"]), child, kind


def faults_on_disk(registry: DockerRegistry, repository: str) -> set[Fault]:
    """The broken references of one repository as its files tell them: links first, then blobs."""
    found: set[Fault] = set()
    for folder in _tags(registry, repository):
        digest = (folder / "current" / "link").read_text().strip()
        body = _manifest(registry, repository, digest)
        if body is None:
            found.add((repository, "", folder.name, "manifest"))
        else:
            found |= set(_below(registry, repository, digest, body))
    return found


def _tags(registry: DockerRegistry, repository: str) -> list[Path]:
    folder = registry.data / "repositories" / repository / "_manifests" / "tags"
    return sorted(folder.iterdir()) if folder.exists() else []


def _manifest(registry: DockerRegistry, repository: str, digest: str) -> dict[str, Json] | None:
    if not registry.revision_link(repository, digest).exists() or not registry.blob(digest).exists():
        return None
    return cast("dict[str, Json]", json.loads(registry.blob(digest).read_bytes()))


def _below(registry: DockerRegistry, repository: str, parent: str, body: dict[str, Json]) -> Iterator[Fault]:
    for entry in cast("list[dict[str, Json]]", body.get("manifests", [])):
        digest = str(entry["digest"])
        child = _manifest(registry, repository, digest)
        if child is None:
            yield repository, parent, digest, "index-child"
        else:
            yield from _below(registry, repository, digest, child)
    described = [("config", body["config"])] if "config" in body else []
    described += [("layer", entry) for entry in cast("list[Json]", body.get("layers", []))]
    for kind, entry in described:
        descriptor = cast("dict[str, Json]", entry)
        digest, blob = str(descriptor["digest"]), registry.blob(str(descriptor["digest"]))
        linked = registry.layer_link(repository, digest).exists()
        if not linked or not blob.exists() or blob.stat().st_size != descriptor["size"]:
            yield repository, parent, digest, kind


Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class ScriptedRegistry:
    """A registry whose answers a test writes: by path, one after the other, the last one for ever."""

    def __init__(self, answers: Mapping[str, list[web.Response] | web.Response]) -> None:
        self._answers = {
            path: list(given) if isinstance(given, list) else [given] for path, given in answers.items()
        }
        self.requests: list[web.BaseRequest] = []
        self.connections: set[object] = set()
        self.handler: Handler = self.handle

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        self.connections.add(request.transport)
        given = self._answers.get(request.path_qs, [error(404, "NAME_UNKNOWN")])
        answer = given.pop(0) if len(given) > 1 else given[0]
        headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
        return web.Response(body=answer.body, status=answer.status, headers=headers)


REGISTRY = {"Docker-Distribution-Api-Version": "registry/2.0"}


def answer(body: Json, **headers: str) -> web.Response:
    content = json.dumps(body).encode()
    return web.Response(body=content, headers={**REGISTRY, "Content-Type": "application/json", **headers})


def error(status: int, code: str) -> web.Response:
    content = json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()
    return web.Response(body=content, status=status, headers=REGISTRY)


@asynccontextmanager
async def scripted(
    answers: Mapping[str, list[web.Response] | web.Response],
) -> AsyncGenerator[tuple[ScriptedRegistry, Endpoint]]:
    """A scripted registry on loopback, and the endpoint that leads to it."""
    registry = ScriptedRegistry({"/v2/": answer({}), **answers})

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await registry.handler(request)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = cast("tuple[str, int]", runner.addresses[0])[1]
        yield registry, Endpoint("registry", f"http://127.0.0.1:{port}")
    finally:
        await runner.cleanup()
