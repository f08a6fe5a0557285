"""The HTTP API of a simulated registry, as distribution 2.8 answers it."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from breakglass.kubernetes_objects import Object, objects, text, texts
from breakglass.simulator.registry.images import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, Blob, digest_of
from breakglass.simulator.registry.store import RegistryStore
from breakglass.values import Json

MOST_REPOSITORIES = 100
"""How many names a catalog page has when the client does not say."""
VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

_NAME = r"(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
_TAGS = re.compile(rf"/v2/{_NAME}/tags/list")
_MANIFEST = re.compile(rf"/v2/{_NAME}/manifests/(?P<reference>[A-Za-z0-9_.:+-]+)")
_BLOB = re.compile(rf"/v2/{_NAME}/blobs/(?P<digest>[A-Za-z0-9:]+)")

Answers: TypeAlias = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


def registry_answers(store: RegistryStore, changed: Callable[[str, str], None]) -> Answers:
    """What answers the requests to one registry. `changed` is told the method and path of each change."""

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        if store.state.get("backend") == "wrong":
            return _of_the_wrong_backend(request)
        response = _answered(store, request, body)
        if request.method in ("DELETE", "PUT") and response.status in (201, 202):
            changed(request.method, request.path)
        return response

    return answer


def _answered(store: RegistryStore, request: web.Request, body: bytes) -> web.Response:
    path = request.path
    if path in ("/v2/", "/v2"):
        return _json({})
    if path == "/v2/_catalog":
        return _catalog(store, request)
    if found := _TAGS.fullmatch(path):
        tags = store.tags(found["name"])
        if tags is None:
            message = "repository name not known to registry"
            return _error(404, "NAME_UNKNOWN", message, {"name": found["name"]})
        listed: list[Json] = [*sorted(tags)]
        return _json({"name": found["name"], "tags": listed or None})
    if found := _MANIFEST.fullmatch(path):
        if request.method == "PUT":
            return _put(store, found["name"], found["reference"], body)
        return _manifest(store, request, found["name"], found["reference"])
    if found := _BLOB.fullmatch(path):
        return _blob(store, request, found["name"], found["digest"])
    return web.Response(status=404, text="404 page not found\n", headers=VERSION)


def _of_the_wrong_backend(request: web.Request) -> web.Response:
    """A pull-through cache that holds nothing and asks for no login: what a proxy finds at an old address."""
    if request.path in ("/v2/", "/v2"):
        return _json({})
    if request.path == "/v2/_catalog":
        return _json({"repositories": []})
    return _error(404, "MANIFEST_UNKNOWN", "manifest unknown", {})


def _catalog(store: RegistryStore, request: web.Request) -> web.Response:
    try:
        count = int(request.query.get("n", MOST_REPOSITORIES))
    except ValueError:
        count = 0
    if count <= 0:
        message = "invalid number of results requested"
        return _error(400, "PAGINATION_NUMBER_INVALID", message, {"n": request.query.get("n", "")})
    last = request.query.get("last", "")
    left = [name for name in store.repositories() if name > last]
    page: list[Json] = list(left[:count])
    response = _json({"repositories": page})
    if len(left) > count:
        response.headers["Link"] = f'</v2/_catalog?last={left[count - 1]}&n={count}>; rel="next"'
    return response


def _manifest(store: RegistryStore, request: web.Request, name: str, reference: str) -> web.Response:
    by_digest = DIGEST.fullmatch(reference) is not None
    if request.method == "OPTIONS":
        taken = "GET, HEAD" if _readonly(store) else "DELETE, GET, HEAD, PUT"
        return web.Response(headers={**VERSION, "Allow": taken})
    if request.method == "DELETE":
        return _delete(store, name, reference, by_digest=by_digest)
    if request.method not in ("GET", "HEAD"):
        return _unsupported()
    digest = reference if by_digest else (store.tags(name) or {}).get(reference)
    found = store.manifest(name, digest) if digest is not None else None
    if found is None:
        detail: Object = {"Name": name, "Revision": reference} if by_digest else {"Tag": reference}
        return _error(404, "MANIFEST_UNKNOWN", "manifest unknown", detail)
    accepted = _accepted(request)
    if found.media_type == OCI_MANIFEST and found.media_type not in accepted:
        message = "OCI manifest found, but accept header does not support OCI manifests"
        return _error(404, "MANIFEST_UNKNOWN", message)
    if found.media_type == OCI_INDEX and found.media_type not in accepted:
        message = "OCI index found, but accept header does not support OCI indexes"
        return _error(404, "MANIFEST_UNKNOWN", message)
    if found.media_type == DOCKER_LIST and found.media_type not in accepted and not by_digest:
        child = _default_child(store, name, found)
        if child is None:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown", {"Tag": reference})
        found = child
    headers = {
        **VERSION,
        "Content-Type": found.media_type,
        "Docker-Content-Digest": found.digest,
        "Etag": f'"{found.digest}"',
    }
    return web.Response(body=found.content, headers=headers)


def _default_child(store: RegistryStore, name: str, index: Blob) -> Blob | None:
    """What a client that knows no lists gets: the manifest for linux on amd64."""
    for entry in objects(json.loads(index.content), "manifests"):
        platform = entry.get("platform")
        if platform == {"architecture": "amd64", "os": "linux"}:
            return store.manifest(name, text(entry, "digest"))
    return None


def _accepted(request: web.Request) -> set[str]:
    """The media types that the client lists. A wildcard is not understood, as in 2.8."""
    return {
        part.partition(";")[0].strip()
        for value in request.headers.getall("Accept", [])
        for part in value.split(",")
    }


def _readonly(store: RegistryStore) -> bool:
    return store.state.get("readonly") is True


def _put(store: RegistryStore, name: str, reference: str, body: bytes) -> web.Response:
    """Only manifests that there were can come: what a runbook puts back, byte for byte."""
    if _readonly(store):
        return _unsupported()
    digest = digest_of(body)
    by_digest = DIGEST.fullmatch(reference) is not None
    if (by_digest and reference != digest) or not store.knows(digest):
        return _error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    missing = store.put(name, digest, None if by_digest else reference)
    if missing is not None:
        return _error(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", missing)
    return web.Response(status=201, headers={**VERSION, "Docker-Content-Digest": digest})


def _delete(store: RegistryStore, name: str, reference: str, *, by_digest: bool) -> web.Response:
    if store.state.get("deletes") is not True or _readonly(store):
        return _unsupported()
    if not by_digest:
        return _error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    if not store.delete(name, reference):
        return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
    return web.Response(status=202, headers=VERSION)


def _blob(store: RegistryStore, request: web.Request, name: str, digest: str) -> web.Response:
    if request.method not in ("GET", "HEAD"):
        return _unsupported()
    if DIGEST.fullmatch(digest) is None:
        return _error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    found = store.blob(name, digest)
    if found is None:
        return _error(404, "BLOB_UNKNOWN", "blob unknown to registry", {"digest": digest})
    blob, size = found
    if request.method == "HEAD" and digest in texts(store.state, "cached"):
        size = len(blob.content)
    headers = {
        **VERSION,
        "Content-Type": "application/octet-stream",
        "Docker-Content-Digest": digest,
        "Etag": f'"{digest}"',
    }
    return web.Response(body=blob.content[:size], headers=headers)


def _unsupported() -> web.Response:
    return _error(405, "UNSUPPORTED", "The operation is unsupported.")


def _error(status: int, code: str, message: str, detail: Json = None) -> web.Response:
    entry: Object = {"code": code, "message": message}
    if detail is not None:
        entry["detail"] = detail
    return _json({"errors": [entry]}, status)


def _json(value: Json, status: int = 200) -> web.Response:
    body = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    headers = {**VERSION, "Content-Type": "application/json; charset=utf-8"}
    return web.Response(body=body, status=status, headers=headers)
