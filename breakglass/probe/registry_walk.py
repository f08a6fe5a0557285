"""`registry-integrity`: walks a registry from its catalog to the last layer, and changes nothing.

Every broken reference is looked at a second time, after the rest of the walk, before it counts. HTTP decides
and not the disk: the API serves a manifest through its repository's link, so a blob that is there proves
nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import cast
from urllib.parse import quote

from breakglass.errors import UserError
from breakglass.probe.registry_client import RegistryClient, RegistryResponse, registry_client
from breakglass.probe.registry_contents import (
    Content,
    Edge,
    Findings,
    Repository,
    findings_of,
    look_at_blob,
    look_at_manifest,
)
from breakglass.site.model import Endpoint
from breakglass.site.secrets import SecretError
from breakglass.transport.base import Delivery, Fault, Result, SecretResolver, Sink
from breakglass.transport.http.endpoint import Forward
from breakglass.values import Json, parse_json

_CHECKED = {
    "contents": "contents checked",
    "sizes": "sizes checked, contents not",
    "manifests": "layers not looked at",
}

SAID_EVERY = 1.0
"""Seconds between two lines of progress."""

ROWS_SAID = 200
"""Broken references that are written out; all are in the findings."""

MOST_PARALLEL = 64

Work = Callable[[], Awaitable[None]]


async def probe_registry(
    endpoint: Endpoint,
    arguments: Mapping[str, Json],
    timeout: float,
    secrets: SecretResolver,
    sink: Sink,
    forward: Forward | None,
) -> Result:
    """Walk the registry at an endpoint within `timeout` seconds. `arguments` are as `PROBES` has them, with
    their defaults. Past the deadline the findings are those so far, marked as not complete, and the result
    has a fault."""
    started = time.monotonic()
    if endpoint.forward is not None and forward is None:
        message = f"endpoint {endpoint.name} is reached by a port-forward, which this probe was given none of"
        return Result(Delivery.NOT_SENT, 0.0, fault=Fault("configuration", message))
    walk: _Walk | None = None
    status: int | None = None
    fault: Fault | None = None
    try:
        async with asyncio.timeout(timeout):
            parallel = min(max(cast(int, arguments["parallel"]), 1), MOST_PARALLEL)
            async with registry_client(endpoint, secrets, parallel, forward) as client:
                walk = _Walk(client, arguments, parallel, sink)
                status, fault = await walk.run()
    except TimeoutError:
        done = walk.words() if walk is not None else "not begun"
        fault = Fault("timeout", f"the walk of {endpoint.name} took longer than {timeout:.0f} s: {done}")
    except SecretError:
        raise
    except (UserError, OSError) as error:
        fault = Fault("configuration", f"endpoint {endpoint.name}: {error}")
        return Result(Delivery.NOT_SENT, time.monotonic() - started, fault=fault)
    seconds = time.monotonic() - started
    assert walk is not None or fault is not None
    data = walk.data(endpoint.name, complete=fault is None) if walk is not None else None
    if walk is not None:
        walk.say_findings(data)
    unsent = fault is not None and fault.kind in ("refused", "dns", "tls", "unreachable") and not status
    delivery = Delivery.NOT_SENT if unsent else Delivery.ANSWERED
    return Result(delivery, seconds, status=status, data=data, fault=fault)


class _Walk:
    """One walk: `parallel` workers take the newest work first, so that what waits stays small."""

    def __init__(
        self, client: RegistryClient, arguments: Mapping[str, Json], parallel: int, sink: Sink
    ) -> None:
        self._client = client
        self._only = cast("list[str] | None", arguments["repositories"])
        self._most_tags = cast(int, arguments["tags"])
        self._layers = cast(bool, arguments["layers"])
        self._deep = cast(bool, arguments["deep"])
        self._also = cast("list[str] | None", arguments["also"]) or []
        self._against = frozenset(cast("list[str] | None", arguments["against"]) or ())
        self._parallel = parallel
        self._sink = sink
        self._work: asyncio.LifoQueue[Work] = asyncio.LifoQueue()
        self._repositories: dict[str, Repository] = {}
        self._faults: list[str] = []
        self._anonymous: int | None = None
        self._verdict = ""
        self._said_at = time.monotonic()

    async def run(self) -> tuple[int | None, Fault | None]:
        """Walk. Returns the status of the registry's own address, and why the walk could not be made."""
        bare = await self._client.version(anonymous=True)
        if bare.fault is not None:
            return None, bare.fault
        self._anonymous = bare.code
        if bare.code == 200 and self._client.has_credentials:
            self._verdict = "wrong-backend"
            return 200, None
        allowed = await self._client.version(anonymous=False) if self._client.has_credentials else bare
        if allowed.code in (401, 403):
            self._verdict = "unauthorized"
            advice = "are the credentials right?" if self._client.has_credentials else "it wants credentials"
            kind = "authentication" if allowed.code == 401 else "forbidden"
            return allowed.code, Fault(kind, f"the registry answers {allowed.code}; {advice}")
        if allowed.code != 200:
            message = allowed.why or f"/v2/ answers {allowed.code}, which is no registry's"
            return allowed.code, allowed.fault or Fault("server-error", message)
        fault = await self._catalog()
        if fault is None:
            await self._drain()
        return 200, fault

    async def _catalog(self) -> Fault | None:
        names = self._only
        if names is None:
            names, wrong = await self._pages("/v2/_catalog?n=1000", "repositories")
            if wrong is not None and wrong.code == 400:  # catalog.maxentries is less than a thousand
                names, wrong = await self._pages("/v2/_catalog", "repositories")
            if wrong is not None:
                return wrong.fault or Fault("server-error", f"the catalog answers {wrong.why or wrong.code}")
        for name in sorted({*names, *self._also}, reverse=True):
            repository = self._repositories.setdefault(name, Repository(name))
            self._add(self._list, repository)
        return None

    async def _pages(self, path: str, key: str) -> tuple[list[str], RegistryResponse | None]:
        """All pages of a list, and the answer that was not one, if any. A page that was seen ends it."""
        names: list[str] = []
        seen: set[str] = set()
        while path and path not in seen:
            seen.add(path)
            answer = await self._client.page(path)
            listed = _strings(answer, key)
            if listed is None:
                return names, answer
            names += listed
            path = answer.next_page
        return names, None

    async def _drain(self) -> None:
        """Work until nothing is left, then look again at what was not well, until all is settled."""
        async with asyncio.TaskGroup() as workers:
            tasks = [workers.create_task(self._worker()) for _ in range(self._parallel)]
            await self._work.join()
            while again := [
                (repository, target, key, edge)
                for repository in self._repositories.values()
                for target, key, edge in _unconfirmed(repository)
            ]:
                for repository, target, key, edge in again:
                    if edge is None:
                        self._add(self._look_at_tag, repository, key, target)
                    else:
                        self._add(self._look, repository, edge, target)
                await self._work.join()
            for task in tasks:
                task.cancel()

    async def _worker(self) -> None:
        while True:
            work = await self._work.get()
            try:
                await work()
                self._say_progress()
            finally:
                self._work.task_done()

    def _add(self, function: Callable[..., Awaitable[None]], *arguments: object) -> None:
        self._work.put_nowait(lambda: function(*arguments))

    async def _list(self, repository: Repository) -> None:
        path = f"/v2/{quote(repository.name)}/tags/list"
        tags, wrong = await self._pages(path, "tags")
        if wrong is not None and not (wrong.code == 404 and wrong.own):
            self._faults.append(f"{repository.name}: its tags cannot be listed: {wrong.why or wrong.code}")
        repository.listed = True
        for tag in reversed(tags[: self._most_tags] if self._most_tags else tags):
            target = repository.by_tag.setdefault(tag, Content())
            self._add(self._look_at_tag, repository, tag, target)

    async def _look_at_tag(self, repository: Repository, tag: str, target: Content) -> None:
        answer = await self._client.manifest(repository.name, tag)
        look, edges, digest = look_at_manifest(answer)
        target.looks.append(look)
        if not look.ok:
            return
        repository.tags[tag] = digest
        known = repository.manifests.setdefault(digest, Content())
        if not known.looks:
            known.looks.append(look)
            self._descend(repository, known, edges, answer.media_type)

    async def _look(self, repository: Repository, edge: Edge, target: Content) -> None:
        if edge.kind == "index-child":
            answer = await self._client.manifest(repository.name, edge.digest)
            look, edges, _ = look_at_manifest(answer, edge.digest)
            target.looks.append(look)
            if look.ok:
                self._descend(repository, target, edges, answer.media_type)
        else:
            look = self._client.content if self._deep else self._client.blob
            answer = await look(repository.name, edge.digest)
            target.looks.append(look_at_blob(answer, edge.digest, edge.size))

    def _descend(
        self, repository: Repository, target: Content, edges: tuple[Edge, ...], media_type: str
    ) -> None:
        target.edges, target.media_type = edges, media_type
        for edge in edges:
            known = repository.manifests if edge.kind == "index-child" else repository.blobs
            if edge.digest in known or not (self._layers or edge.kind == "index-child"):
                continue
            known[edge.digest] = Content()
            self._add(self._look, repository, edge, known[edge.digest])

    def counts(self) -> dict[str, Json]:
        every = list(self._repositories.values())
        manifests = [target for each in every for target in each.manifests.values() if target.looks]
        indexes = sum(any(edge.kind == "index-child" for edge in target.edges) for target in manifests)
        return {
            "repositories": sum(each.listed for each in every),
            "tags": sum(len(each.by_tag) for each in every),
            "indexes": indexes,
            "manifests": len(manifests) - indexes,
            "blobs": sum(bool(target.looks) for each in every for target in each.blobs.values()),
            "requests": self._client.requests,
        }

    def words(self) -> str:
        """How far the walk is, in a line."""
        counts = self.counts()
        parts = [f"{counts['repositories']} of {len(self._repositories)} repositories"]
        parts += [f"{counts[name]} {name}" for name in ("tags", "indexes", "manifests", "blobs", "requests")]
        return ", ".join(parts)

    def data(self, endpoint: str, *, complete: bool) -> dict[str, Json]:
        """The findings as the runbook sees them."""
        found = findings_of(iter(self._repositories.values()), self._against)
        return {
            "endpoint": endpoint,
            "verdict": self._verdict or self._judged(found, complete=complete),
            "anonymous_status": self._anonymous,
            "complete": complete and not self._faults,
            "checked": self._checked,
            "counts": self.counts(),
            "broken": [*found.broken],
            "unreadable": [*found.unreadable],
            "unsettled": [*found.unsettled],
            "named": [*found.named],
            "digests": [*found.digests],
            "faults": [*self._faults],
        }

    def _judged(self, found: Findings, *, complete: bool) -> str:
        if not complete or self._faults:
            return "incomplete"
        if not self._repositories:
            return "empty"
        if found.broken:
            return "broken"
        if found.unreadable:
            return "unreadable"
        return "unsettled" if found.unsettled else "healthy"

    @property
    def _checked(self) -> str:
        """What was looked at of a blob. Of manifests the contents always are."""
        if not self._layers:
            return "manifests"
        return "contents" if self._deep else "sizes"

    def _say_progress(self) -> None:
        if time.monotonic() - self._said_at >= SAID_EVERY:
            self._said_at = time.monotonic()
            self._say(f"… {self.words()}")

    def say_findings(self, data: Mapping[str, Json] | None) -> None:
        """Write out what was found, each broken reference on a line of its own."""
        if data is None:
            return
        broken = cast("list[dict[str, Json]]", data["broken"])
        for word in ("BROKEN", "UNREADABLE", "UNSETTLED"):
            rows = cast("list[dict[str, Json]]", data[word.lower()])
            for row in rows[:ROWS_SAID]:
                self._say(f"{word} {_row_words(row)}")
            if len(rows) > ROWS_SAID:
                self._say(f"{word} … and {len(rows) - ROWS_SAID} more")
        for fault in self._faults:
            self._say(f"FAULT {fault}")
        self._say(
            f"{data['verdict']}: {len(broken)} broken; looked at {self.words()}; {_CHECKED[self._checked]}"
        )

    def _say(self, line: str) -> None:
        self._sink("stdout", f"{line}\n".encode())


def _unconfirmed(repository: Repository) -> list[tuple[Content, str, Edge | None]]:
    """What another look must confirm: the target, its tag where it is one, and the edge to it otherwise."""
    found: list[tuple[Content, str, Edge | None]] = [
        (target, tag, None) for tag, target in repository.by_tag.items() if target.wants_a_look
    ]
    edges = {
        (edge.kind == "index-child", edge.digest): edge
        for manifest in repository.manifests.values()
        for edge in reversed(manifest.edges)
    }
    found += [
        (target, "", edges[is_manifest, digest])
        for is_manifest, targets in ((True, repository.manifests), (False, repository.blobs))
        for digest, target in targets.items()
        if target.wants_a_look and (is_manifest, digest) in edges
    ]
    return found


def _strings(answer: RegistryResponse, key: str) -> list[str] | None:
    """The list of texts that an answer holds under a key; null is an empty one. None for no such answer."""

    if answer.code != 200 or answer.why:
        return None
    try:
        body = parse_json(answer.body)
    except ValueError:
        return None
    if not isinstance(body, dict) or key not in body:
        return None
    listed = body[key]
    return [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []


def _row_words(row: Mapping[str, Json]) -> str:
    tags = cast("list[str]", row["tags"])
    name = f"{row['repository']}:{','.join(tags)}"
    parts = [
        name,
        str(row["kind"]),
        str(row["child"]),
        str(row["platform"]),
        str(row["code"]),
        str(row["why"]),
    ]
    return "  ".join(part for part in parts if part)
