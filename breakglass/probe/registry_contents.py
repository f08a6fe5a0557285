"""What a walk of a registry has seen, and the findings that follow from it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from breakglass.probe.registry_client import MEDIA_TYPES, RegistryResponse
from breakglass.values import Json, parse_json

Kind: TypeAlias = Literal["manifest", "index-child", "config", "layer"]
State: TypeAlias = Literal["ok", "broken", "unreadable", "unsettled", "unseen"]

CONFIRMED_BY = 2
"""Looks that must agree before a reference counts as broken: a deletion may rest on it."""

MANIFEST_TYPES = (*MEDIA_TYPES, "application/vnd.docker.distribution.manifest.v1+prettyjws", "")
"""What an entry of an index may be when it is a manifest. BuildKit's caches list layers there instead."""

OTHER_CONTENT = "the content is not that of its digest"

CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"

NO_PLATFORM = "unknown/unknown"
"""What buildx writes beside an attestation, which nobody pulls."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What a manifest names: another manifest, its config, or a layer, with the size that it says."""

    digest: str
    kind: Kind
    size: int | None
    platform: str = ""


@dataclass(frozen=True, slots=True)
class ContentCheck:
    """One look at a manifest or blob. why: what is wrong when it is not `ok`.

    certain: whether what is wrong is the registry's own word that the content is not there or not whole; an
    error or a lost connection is not.
    own_error: whether it is the registry's own 500, as it gives for a file that it cannot make sense of.
    """

    code: int
    size: int | None
    why: str
    certain: bool
    own_error: bool = False

    @property
    def ok(self) -> bool:
        return not self.why


@dataclass(slots=True)
class Content:
    """Something that was looked at, once when it was well and twice when it was not."""

    looks: list[ContentCheck] = field(default_factory=list[ContentCheck])
    edges: tuple[Edge, ...] = ()
    media_type: str = ""

    @property
    def state(self) -> State:
        if not self.looks:
            return "unseen"
        if all(look.ok for look in self.looks):
            return "ok"
        agree = len({(look.code, look.why) for look in self.looks}) == 1
        if agree and len(self.looks) >= CONFIRMED_BY:
            if self.looks[0].certain:
                return "broken"
            if self.looks[0].own_error:
                return "unreadable"
        return "unsettled"

    @property
    def wants_a_look(self) -> bool:
        """Whether another look may change what is known."""
        return any(not look.ok for look in self.looks) and len(self.looks) < CONFIRMED_BY


@dataclass(slots=True)
class Repository:
    """One repository: what its tags point at, and what that names in turn, by digest."""

    name: str
    tags: dict[str, str] = field(default_factory=dict[str, str])
    """Digest of each tag that answered."""
    by_tag: dict[str, Content] = field(default_factory=dict[str, Content])
    manifests: dict[str, Content] = field(default_factory=dict[str, Content])
    blobs: dict[str, Content] = field(default_factory=dict[str, Content])
    listed: bool = False

    def target(self, edge: Edge) -> Content:
        """What an edge leads to."""
        found = self.manifests if edge.kind == "index-child" else self.blobs
        return found.get(edge.digest) or Content()

    def targets(self) -> Iterator[Content]:
        yield from self.by_tag.values()
        yield from self.manifests.values()
        yield from self.blobs.values()

    def groups(self) -> dict[str, list[str]]:
        """The tags by the digest that they share: deleting a digest removes every tag on it."""
        groups: dict[str, list[str]] = {}
        for tag in sorted(self.tags):
            groups.setdefault(self.tags[tag], []).append(tag)
        return groups


@dataclass(slots=True)
class Findings:
    """What was found, as the runbook sees it in `result.json`."""

    broken: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    unreadable: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    unsettled: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    digests: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    named: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    """References to content that was asked about with `against`."""

    def rows(self, state: State) -> list[dict[str, Json]] | None:
        """Where a reference of this state is listed; None for one that is well or was not looked at."""
        match state:
            case "broken":
                return self.broken
            case "unreadable":
                return self.unreadable
            case "unsettled":
                return self.unsettled
            case _:
                return None


def look_at_manifest(
    answer: RegistryResponse, digest: str = ""
) -> tuple[ContentCheck, tuple[Edge, ...], str]:
    """Judge an answer to a request for a manifest; with it what the manifest names, and its own digest."""
    if answer.code != 200 or answer.why:
        return _not_given(answer, answer.size), (), ""
    actual = "sha256:" + hashlib.sha256(answer.body).hexdigest()
    try:
        body = parse_json(answer.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return ContentCheck(200, answer.size, "is no manifest", certain=False), (), ""
    signed = "fsLayers" in body
    said = digest or answer.digest or actual
    if said.startswith("sha256:") and said != actual and not signed:
        return ContentCheck(200, answer.size, OTHER_CONTENT, certain=True), (), said
    return ContentCheck(200, answer.size, "", certain=True), tuple(_edges(body)), said


def _not_given(answer: RegistryResponse, size: int | None) -> ContentCheck:
    """A look at what the registry did not give."""
    why = answer.why or ("not found" if answer.code == 404 else f"status {answer.code}")
    own_error = answer.own and answer.code == 500
    if own_error and not answer.why:
        why = "the registry cannot read it (status 500)"
    return ContentCheck(
        answer.code, size, why, certain=answer.code == 404 and answer.own, own_error=own_error
    )


def look_at_blob(answer: RegistryResponse, digest: str, expected: int | None) -> ContentCheck:
    """Judge an answer to a request for a blob. A redirect leads to where the registry keeps it. Only where
    the content was read whole does the answer say whether it is that of the digest."""
    there = answer.code in (200, 206, 307, 302, 301, 308) or (answer.code == 416 and answer.size == 0)
    if not there:
        return _not_given(answer, None)
    if answer.actual and answer.actual != digest:
        return ContentCheck(answer.code, answer.size, OTHER_CONTENT, certain=True)
    if answer.size is None:
        return ContentCheck(answer.code, None, answer.why, certain=True)
    if answer.size == 0 and expected != 0:
        return ContentCheck(answer.code, 0, answer.why or "is empty", certain=True)
    if expected is not None and answer.size != expected:
        why = f"has {answer.size} bytes where its manifest says {expected}"
        return ContentCheck(answer.code, answer.size, why, certain=True)
    return ContentCheck(answer.code, answer.size, answer.why, certain=True)


def _edges(body: dict[str, Json]) -> Iterator[Edge]:
    for entry in _mappings(body.get("manifests")):
        media_type = entry.get("mediaType") or ""
        if media_type in MANIFEST_TYPES:
            yield from _edge(entry, "index-child", _platform(entry.get("platform")))
        else:
            yield from _edge(entry, "config" if media_type == CACHE_CONFIG else "layer", "")
    config = body.get("config")
    if isinstance(config, dict):
        yield from _edge(config, "config", "")
    for entry in _mappings(body.get("layers")):
        if not entry.get("urls"):
            yield from _edge(entry, "layer", "")
    for entry in _mappings(body.get("fsLayers")):
        digest = entry.get("blobSum")
        if isinstance(digest, str):
            yield Edge(digest, "layer", None)


def _edge(entry: dict[str, Json], kind: Kind, platform: str) -> Iterator[Edge]:
    digest, size = entry.get("digest"), entry.get("size")
    if isinstance(digest, str):
        yield Edge(digest, kind, size if isinstance(size, int) else None, platform)


def _mappings(value: Json) -> Iterator[dict[str, Json]]:
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict):
            yield entry


def _platform(platform: Json) -> str:
    if not isinstance(platform, dict):
        return ""
    parts = (platform.get("os"), platform.get("architecture"), platform.get("variant"))
    return "/".join(str(part) for part in parts if part)


def findings_of(repositories: Iterator[Repository], against: frozenset[str] = frozenset()) -> Findings:
    """Every reference that is not well, the tags by digest, and every reference to what is in `against`."""
    found = Findings()
    for repository in repositories:
        for tag, target in sorted(repository.by_tag.items()):
            rows = found.rows(target.state)
            if rows is not None:
                rows.append(_row(repository.name, [tag], "", Edge("", "manifest", None), "", target))
        told: set[str] = set()
        for digest, tags in sorted(repository.groups().items()):
            _group(repository, digest, tags, found, against, told)
    return found


def _group(
    repository: Repository,
    root: str,
    tags: list[str],
    found: Findings,
    against: frozenset[str],
    told: set[str],
) -> None:
    """The rows of everything below one tagged digest, each reference once. `told` are the digests of this
    repository that have a row already; the first row of each says so."""
    count = {"broken": 0, "unreadable": 0, "unsettled": 0}
    children: list[Json] = []
    seen: set[tuple[str, str]] = set()
    below: list[tuple[str, str]] = [(root, "")]
    if root in against:
        found.named.append({"repository": repository.name, "tags": [*tags], "digest": root})
    while below:
        parent, platform = below.pop()
        target = repository.manifests.get(parent) or Content()
        for edge in target.edges:
            if (parent, edge.digest) in seen:
                continue
            seen.add((parent, edge.digest))
            if edge.digest in against:
                found.named.append({"repository": repository.name, "tags": [*tags], "digest": edge.digest})
            child = repository.target(edge)
            rows = found.rows(child.state)
            if rows is not None:
                row = _row(repository.name, tags, parent, edge, edge.platform or platform, child)
                rows.append({**row, "root": root, "first": edge.digest not in told})
                told.add(edge.digest)
                count[child.state] += 1
            if edge.kind == "index-child":
                children.append(edge.digest)
                if child.edges:
                    below.append((edge.digest, edge.platform or platform))
    top = repository.manifests.get(root) or Content()
    platforms = [*_platforms(repository, root, "")]
    wanted = [each for each in platforms if each[0] != NO_PLATFORM] or platforms
    found.digests.append(
        {
            "repository": repository.name,
            "digest": root,
            "tags": [*tags],
            "index": any(edge.kind == "index-child" for edge in top.edges),
            "cache": _is_cache(top),
            "media_type": top.media_type,
            "children": children,
            "platforms": [
                {"platform": name, "digest": digest, "state": state} for name, digest, state in wanted
            ],
            "pulls": _pulls([state for _, _, state in wanted]),
            **count,
        }
    )


def _platforms(repository: Repository, digest: str, platform: str) -> Iterator[tuple[str, str, State]]:
    """Each manifest that a client may end up with below a digest: its platform, digest and state, which is
    the worst of itself and all that it names."""
    target = repository.manifests.get(digest) or Content()
    children = [edge for edge in target.edges if edge.kind == "index-child"]
    if not children:
        states = [target.state, *(repository.target(edge).state for edge in target.edges)]
        yield platform, digest, next(each for each in _WORST_FIRST if each in states)
    for edge in children:
        yield from _platforms(repository, edge.digest, edge.platform or platform)


_WORST_FIRST: tuple[State, ...] = ("broken", "unreadable", "unsettled", "unseen", "ok")


def _pulls(states: list[State]) -> Literal["all", "some", "none", "unknown"]:
    """On which platforms an image can be pulled. `none` only where the registry itself says so of each."""
    if all(state == "ok" for state in states):
        return "all"
    if "ok" in states:
        return "some"
    return "none" if all(state == "broken" for state in states) else "unknown"


def _is_cache(top: Content) -> bool:
    """Whether this is what BuildKit keeps between builds: an index of layers and not of manifests."""
    return top.media_type in (MEDIA_TYPES[0], MEDIA_TYPES[2]) and any(
        edge.kind != "index-child" for edge in top.edges
    )


def _row(
    repository: str, tags: list[str], parent: str, edge: Edge, platform: str, target: Content
) -> dict[str, Json]:
    last = target.looks[-1]
    first_bad = next(look for look in target.looks if not look.ok)
    row: dict[str, Json] = {
        "repository": repository,
        "tag": tags[0],
        "tags": [*tags],
        "root": parent,
        "parent": parent,
        "child": edge.digest,
        "platform": platform,
        "kind": edge.kind,
        "code": first_bad.code,
        "size": first_bad.size,
        "expected": edge.size,
        "why": first_bad.why,
        "first": True,
    }
    if target.state == "unsettled":
        then = "looked at once" if len(target.looks) == 1 else f"then {last.why or 'well'}"
        row["why"] = f"{first_bad.why}, {then}"
    return row
