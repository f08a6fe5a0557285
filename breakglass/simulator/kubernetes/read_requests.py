"""Requests that read: one object, a list in pages, a table, a watch, a log."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Mapping

from aiohttp import web

from breakglass.kubernetes_objects import Object, name_of, namespace_of
from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.addresses import Address
from breakglass.simulator.kubernetes.columns import columns_of
from breakglass.simulator.kubernetes.hooks import Hooks, LogCall
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.simulator.kubernetes.logs import chosen_lines, log_request, written
from breakglass.simulator.kubernetes.operations import scale_of
from breakglass.simulator.kubernetes.selectors import list_filter
from breakglass.simulator.kubernetes.store import ObjectStore
from breakglass.simulator.kubernetes.tables import partial_metadata, table
from breakglass.simulator.kubernetes.watching import Watch, changes


def accepted_form(accept: str) -> str:
    """How objects are to be shown: `Table`, `PartialObjectMetadata`, `PartialObjectMetadataList` or empty."""
    for offer in accept.split(","):
        media, *parameters = [part.strip() for part in offer.split(";")]
        if media == "application/json" and {"g=meta.k8s.io", "v=v1"} <= set(parameters):
            return next((part.removeprefix("as=") for part in parameters if part.startswith("as=")), "")
        if media in ("application/json", "*/*") and not parameters:
            return ""
    return ""


def get(store: ObjectStore, address: Address, request: web.Request) -> Object:
    """One object, or its Scale, in the form that is asked for."""
    value = store.get(address.kind, address.namespace, address.name)
    if address.subresource == "scale":
        return scale_of(value)
    match accepted_form(request.headers.get("Accept", "")):
        case "Table":
            metadata: Object = {"resourceVersion": str(store.version)}
            return _table(store, address.kind, [value], metadata, request.query)
        case "PartialObjectMetadata":
            return partial_metadata(value)
        case _:
            return value


def _table(
    store: ObjectStore,
    kind: ResourceKind,
    values: list[Object],
    metadata: Object,
    query: Mapping[str, str],
    *,
    with_columns: bool = True,
) -> Object:
    return table(
        values,
        columns_of(kind),
        store.clock.now(),
        metadata=metadata,
        include=query.get("includeObject", "Metadata"),
        with_columns=with_columns,
    )


def list_page(store: ObjectStore, address: Address, request: web.Request) -> Object:
    """A list, from where the last page ended. ApiError 400 for a bad selector, limit or continue token."""
    query, kind = request.query, address.kind
    fits = list_filter(kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    values = [value for value in store.peek(kind.kind, address.namespace, kind.group) if fits(value)]
    metadata: Object = {"resourceVersion": str(store.version)}
    if token := query.get("continue"):
        after, version = _position(token)
        metadata["resourceVersion"] = version
        values = [value for value in values if (namespace_of(value), name_of(value)) > after]
    limit = query.get("limit", "0")
    if not limit.isdigit():
        raise statuses.bad_request(f'limit: Invalid value: "{limit}"')
    if 0 < int(limit) < len(values):
        if not query.get("labelSelector") and not query.get("fieldSelector"):
            metadata["remainingItemCount"] = len(values) - int(limit)
        values = values[: int(limit)]
        last: Object = {
            "v": "meta.k8s.io/v1",
            "rv": metadata["resourceVersion"],
            "after": [namespace_of(values[-1]), name_of(values[-1])],
        }
        metadata["continue"] = base64.urlsafe_b64encode(json.dumps(last).encode()).decode()
    match accepted_form(request.headers.get("Accept", "")):
        case "Table":
            return _table(store, kind, values, metadata, query)
        case "PartialObjectMetadataList":
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": [partial_metadata(value) for value in values],
            }
        case _:
            pass
    if not kind.is_custom:
        # As a real server does, whose clients know the kind of the items from that of the list.
        own = ("kind", "apiVersion")
        values = [{key: each for key, each in value.items() if key not in own} for value in values]
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": list(values),
    }


def _position(token: str) -> tuple[tuple[str, str], str]:
    try:
        read = json.loads(base64.urlsafe_b64decode(token))
        namespace, name = read["after"]
        return (str(namespace), str(name)), str(read["rv"])
    except (ValueError, KeyError, TypeError):
        raise statuses.bad_request("continue key is not valid: the token is not readable") from None


async def watch(store: ObjectStore, address: Address, request: web.Request) -> web.StreamResponse:
    """Changes as JSON lines, until the time is up or the client goes."""
    query, kind = request.query, address.kind
    fields = query.get("fieldSelector", "")
    if address.name:
        fields = ",".join(filter(None, [fields, f"metadata.name={address.name}"]))
    seconds = query.get("timeoutSeconds", "")
    version = query.get("resourceVersion", "")
    if version and not version.isdigit():
        raise statuses.bad_request(f'resourceVersion: Invalid value: "{version}"')
    asked = Watch(
        kind,
        address.namespace,
        list_filter(kind, query.get("labelSelector", ""), fields),
        version,
        float(seconds) if seconds.isdigit() and seconds != "0" else None,
        query.get("allowWatchBookmarks") in ("true", "1"),
        query.get("sendInitialEvents") in ("true", "1"),
    )
    form = accepted_form(request.headers.get("Accept", ""))
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    told = changes(store, asked)
    try:
        # A version that is too old is an event in the stream, with status 200, as a real server does it.
        await response.prepare(request)
        first = True
        async for type, value in told:
            shown = value
            if form == "Table":
                metadata: Object = {"resourceVersion": str(store.version)}
                rows = [] if type == "BOOKMARK" else [value]
                shown = _table(store, kind, rows, metadata, query, with_columns=first)
                first = False
            elif form.startswith("PartialObjectMetadata"):
                shown = partial_metadata(value)
            await response.write(json.dumps({"type": type, "object": shown}).encode() + b"\n")
    except statuses.ApiError as error:
        await response.write(json.dumps({"type": "ERROR", "object": error.status}).encode() + b"\n")
    finally:
        await told.aclose()
    with contextlib.suppress(ConnectionError):
        await response.write_eof()
    return response


async def logs(
    store: ObjectStore, hooks: Hooks, address: Address, request: web.Request
) -> web.StreamResponse:
    """The log of a container, and what is still to come for a follower."""
    asked = log_request(store, address.namespace, address.name, request.query)
    answer = await hooks.logs(LogCall(asked.pod, asked.container, asked.previous, asked.follow))
    if answer.hang:
        await asyncio.Event().wait()
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(chosen_lines(asked, answer.lines))
    if asked.follow and answer.more is not None:
        async for line in answer.more:
            await response.write(written(asked, line))
    elif asked.follow:
        await _until_over(store, asked.pod)
    with contextlib.suppress(ConnectionError):
        await response.write_eof()
    return response


async def _until_over(store: ObjectStore, pod: Object) -> None:
    """Wait until the pod has finished or is gone: a silent container is followed until then."""
    kind = store.kinds.named("Pod", "")
    asked = Watch(kind, namespace_of(pod), lambda value: name_of(value) == name_of(pod))
    told = changes(store, asked)
    try:
        async for type, value in told:
            ended = value.get("status")
            over = isinstance(ended, dict) and ended.get("phase") in ("Succeeded", "Failed")
            if type == "DELETED" or over:
                return
    finally:
        await told.aclose()
