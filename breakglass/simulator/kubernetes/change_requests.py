"""Requests that change: what their bodies and queries mean, handed to `Operations`."""

import json
from typing import cast

import yaml
from aiohttp import web

from breakglass.kubernetes_objects import Object, name_of, namespace_of, text
from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.addresses import Address
from breakglass.simulator.kubernetes.deletion import delete_options
from breakglass.simulator.kubernetes.objects import copied
from breakglass.simulator.kubernetes.operations import Caller, Operations, RequestTarget
from breakglass.simulator.kubernetes.patching import PatchType, patched
from breakglass.simulator.kubernetes.protobuf import CONTENT_TYPE, ProtobufError, decode
from breakglass.simulator.kubernetes.selectors import list_filter
from breakglass.simulator.kubernetes.server_side_apply import manager_of
from breakglass.simulator.kubernetes.store import ObjectStore
from breakglass.values import Json

PATCHES: dict[str, PatchType] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
}
OBJECTS = ("application/json", "application/yaml")


async def body_of(request: web.Request) -> Json:
    """The body as JSON. ApiError 400 where it is neither JSON nor YAML."""
    content = await request.read()
    try:
        if "yaml" in request.content_type:
            return cast(Json, yaml.safe_load(content))
        return cast(Json, json.loads(content))
    except (ValueError, yaml.YAMLError) as error:
        raise statuses.bad_request(f"the object provided is unrecognized: {error}") from None


async def object_of(request: web.Request) -> Object:
    """The body as an object. ApiError 415 for a form that is not understood."""
    kind = request.content_type
    if kind == CONTENT_TYPE:
        try:
            return decode(await request.read())
        except (ProtobufError, UnicodeDecodeError) as error:
            raise statuses.unsupported_media(f"{kind}: {error}", OBJECTS) from None
    if kind not in (*OBJECTS, "application/octet-stream", "text/plain"):
        raise statuses.unsupported_media(kind, OBJECTS)
    value = await body_of(request)
    if not isinstance(value, dict):
        raise statuses.bad_request("the object provided is not a mapping")
    return value


def is_dry_run(request: web.Request) -> bool:
    """ApiError 422 for a value other than `All`."""
    given = [value for value in request.query.getall("dryRun", []) if value]
    if any(value != "All" for value in given):
        kind = {"POST": "Create", "PUT": "Update"}.get(request.method, "Patch") + "Options"
        message = statuses.not_supported(given)
        raise statuses.invalid_options(kind, "dryRun", "FieldValueNotSupported", message)
    return bool(given)


async def create(operations: Operations, address: Address, request: web.Request, user: str) -> Object:
    body = await object_of(request)
    if address.subresource == "eviction":
        _check_eviction(body, address)
        return await operations.evict(address.namespace, address.name, body, is_dry_run(request), user)
    target = RequestTarget(address.kind, address.namespace, "")
    return await operations.create(target, body, Caller(user, is_dry_run(request)))


def _check_eviction(body: Object, address: Address) -> None:
    kind = text(body, "kind")
    if kind not in ("", "Eviction"):
        version = text(body, "apiVersion")
        raise statuses.bad_request(f'{kind} in version "{version}" cannot be handled as a Eviction')
    if name_of(body) not in ("", address.name):
        raise statuses.bad_request("name in URL does not match name in Eviction object")


async def update(operations: Operations, address: Address, request: web.Request, user: str) -> Object:
    body = await object_of(request)
    target = RequestTarget(address.kind, address.namespace, address.name, address.subresource)
    asked = Caller(user, is_dry_run(request))
    if address.subresource == "scale":
        return await operations.set_scale(target, lambda before: copied(body), asked)
    return await operations.update(target, body, asked)


async def patch(operations: Operations, address: Address, request: web.Request, user: str) -> Object:
    form = PATCHES.get(request.content_type)
    if form is None:
        raise statuses.unsupported_media(request.content_type, tuple(PATCHES))
    change = await body_of(request)
    target = RequestTarget(address.kind, address.namespace, address.name, address.subresource)
    asked = Caller(user, is_dry_run(request))
    if address.subresource == "scale":
        return await operations.set_scale(
            target, lambda before: patched(form, "Scale", "autoscaling/v1", before, change), asked
        )
    return await operations.patch(target, form, change, asked)


async def apply(
    operations: Operations, address: Address, request: web.Request, user: str
) -> tuple[Object, int]:
    """Server-side apply: the object, and 201 where it was not there."""
    manager = manager_of(request.query.get("fieldManager", ""))
    wanted = await body_of(request)
    if not isinstance(wanted, dict):
        raise statuses.bad_request("the object provided is not a mapping")
    target = RequestTarget(address.kind, address.namespace, address.name, address.subresource)
    force = request.query.get("force") in ("true", "1")
    return await operations.apply(target, wanted, manager, force, Caller(user, is_dry_run(request)))


async def delete(operations: Operations, address: Address, request: web.Request, user: str) -> Object:
    options = delete_options(await _options_body(request), dict(request.query))
    target = RequestTarget(address.kind, address.namespace, address.name)
    return await operations.delete(target, options, user)


async def delete_collection(
    store: ObjectStore, operations: Operations, address: Address, request: web.Request, user: str
) -> Object:
    """Delete all that the selectors take, and give the list of what was there."""
    options = delete_options(await _options_body(request), dict(request.query))
    query, kind = request.query, address.kind
    fits = list_filter(kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    values = [value for value in store.list(kind, address.namespace) if fits(value)]
    for value in values:
        target = RequestTarget(kind, namespace_of(value), name_of(value))
        await operations.delete(target, options, user)
    metadata: Object = {"resourceVersion": str(store.version)}
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": list(values),
    }


async def _options_body(request: web.Request) -> Object:
    if not await request.read():
        return {}
    return await object_of(request)
