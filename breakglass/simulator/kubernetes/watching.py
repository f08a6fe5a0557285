"""Watches: the changes of a resource as they happen, after a first look at what is there.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from breakglass.kubernetes_objects import Object, namespace_of
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.simulator.kubernetes.store import ObjectStore, StoreEvent

BOOKMARK_EVERY = 60.0
"""Real seconds between two bookmarks."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A request to be told of changes.

    fits: what the selectors take. version: after which changes are told; empty for what is there first.
    seconds: real ones, after which the watch ends; None for never. initial: tell what is there and mark its
    end, as `sendInitialEvents` asks."""

    kind: ResourceKind
    namespace: str
    fits: Callable[[Object], bool]
    version: str = ""
    seconds: float | None = None
    bookmarks: bool = False
    initial: bool = False


async def changes(store: ObjectStore, watch: Watch) -> AsyncGenerator[tuple[str, Object], None]:
    """Event types and objects, until the time is up. ApiError 410 where the version is too old."""
    queue: asyncio.Queue[StoreEvent] = asyncio.Queue()
    stop = store.subscribe(queue.put_nowait)
    try:
        if watch.initial or watch.version in ("", "0"):
            for value in store.list(watch.kind, watch.namespace):
                if watch.fits(value):
                    yield "ADDED", value
            if watch.initial and watch.bookmarks:
                yield "BOOKMARK", _bookmark(watch.kind, store.version, initial=True)
        else:
            for event in store.since(int(watch.version)):
                if told := _told(watch, event):
                    yield told
        async for told in _coming(store, watch, queue):
            yield told
    finally:
        stop()


async def _coming(
    store: ObjectStore, watch: Watch, queue: asyncio.Queue[StoreEvent]
) -> AsyncGenerator[tuple[str, Object], None]:
    loop = asyncio.get_running_loop()
    end = None if watch.seconds is None else loop.time() + watch.seconds
    while True:
        wait = BOOKMARK_EVERY if end is None else min(BOOKMARK_EVERY, end - loop.time())
        try:
            # Not `wait_for`, which in Python 3.11 loses a cancellation that comes together with an event.
            async with asyncio.timeout(max(wait, 0)):
                event = await queue.get()
        except TimeoutError:
            if watch.bookmarks:
                yield "BOOKMARK", _bookmark(watch.kind, store.version, initial=False)
            if end is not None and loop.time() >= end:
                return
            continue
        if told := _told(watch, event):
            yield told


def _told(watch: Watch, event: StoreEvent) -> tuple[str, Object] | None:
    """An event as this watch sees it: an object that comes to fit is added, one that no longer fits goes."""
    if event.kind.plural != watch.kind.plural or event.kind.group != watch.kind.group:
        return None
    if watch.namespace and namespace_of(event.object) != watch.namespace:
        return None
    fitted = event.before is not None and watch.fits(event.before)
    fits = event.type != "DELETED" and watch.fits(event.object)
    if fits:
        return ("MODIFIED" if fitted else "ADDED"), event.object
    return ("DELETED", event.object) if fitted else None


def _bookmark(kind: ResourceKind, version: int, *, initial: bool) -> Object:
    metadata: Object = {"resourceVersion": str(version), "creationTimestamp": None}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
