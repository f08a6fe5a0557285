"""What a walk of a registry has seen, and the findings that follow from it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from breakglass.probe.registry_client import Answer
from breakglass.values import Json, parse_json

Kind: TypeAlias = Literal["manifest", "index-child", "config", "layer"]
State: TypeAlias = Literal["ok", "broken", "unsettled", "unseen"]

CONFIRMED_BY = 2
"""Looks that must agree before a reference counts as broken: a deletion may rest on it."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What a manifest names: another manifest, its config, or a layer, with the size that it says."""

    digest: str
    kind: Kind
    size: int | None
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a manifest or blob. why: what is wrong when it is not `ok`.

    certain: whether what is wrong is the registry's own word that the content is not there or not whole; an
    error or a lost connection is not.
    """

    code: int
    size: int | None
    why: str
    certain: bool

    @property
    def ok(self) -> bool:
        return not self.why


@dataclass(slots=True)
class Target:
    """Something that was looked at, once when it was well and twice when it was not."""

    looks: list[Look] = field(default_factory=list[Look])
    edges: tuple[Edge, ...] = ()
    media_type: str = ""

    @property
    def state(self) -> State:
        if not self.looks:
            return "unseen"
        if all(look.ok for look in self.looks):
            return "ok"
        agree = len({(look.code, look.why) for look in self.looks}) == 1
        if agree and self.looks[0].certain and len(self.looks) >= CONFIRMED_BY:
            return "broken"
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
    by_tag: dict[str, Target] = field(default_factory=dict[str, Target])
    manifests: dict[str, Target] = field(default_factory=dict[str, Target])
    blobs: dict[str, Target] = field(default_factory=dict[str, Target])
    listed: bool = False

    def target(self, edge: Edge) -> Target:
        """What an edge leads to."""
        found = self.manifests if edge.kind == "index-child" else self.blobs
        return found.get(edge.digest) or Target()

    def targets(self) -> Iterator[Target]:
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
    unsettled: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    digests: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])


def look_at_manifest(answer: Answer, digest: str = "") -> tuple[Look, tuple[Edge, ...], str]:
    """Judge an answer to a request for a manifest; with it what the manifest names, and its own digest."""
    if answer.code != 200 or answer.why:
        why = answer.why or ("not found" if answer.code == 404 else f"status {answer.code}")
        return Look(answer.code, answer.size, why, certain=answer.code == 404 and answer.own), (), ""
    actual = "sha256:" + hashlib.sha256(answer.body).hexdigest()
    try:
        body = parse_json(answer.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return Look(200, answer.size, "is no manifest", certain=False), (), ""
    signed = "fsLayers" in body
    said = digest or answer.digest or actual
    if said.startswith("sha256:") and said != actual and not signed:
        return Look(200, answer.size, "the content is not that of its digest", certain=True), (), said
    return Look(200, answer.size, "", certain=True), tuple(_edges(body)), said


def look_at_blob(answer: Answer, expected: int | None) -> Look:
    """Judge an answer to a request for a blob. A redirect leads to where the registry keeps it."""
    there = answer.code in (200, 206, 307, 302, 301, 308) or (answer.code == 416 and answer.size == 0)
    if not there:
        why = answer.why or ("not found" if answer.code == 404 else f"status {answer.code}")
        return Look(answer.code, None, why, certain=answer.code == 404 and answer.own)
    if answer.size is None:
        return Look(answer.code, None, answer.why, certain=True)
    if answer.size == 0 and expected != 0:
        return Look(answer.code, 0, answer.why or "is empty", certain=True)
    if expected is not None and answer.size != expected:
        why = f"has {answer.size} bytes where its manifest says {expected}"
        return Look(answer.code, answer.size, why, certain=True)
    return Look(answer.code, answer.size, answer.why, certain=True)


def _edges(body: dict[str, Json]) -> Iterator[Edge]:
    for entry in _mappings(body.get("manifests")):
        yield from _edge(entry, "index-child", _platform(entry.get("platform")))
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


def findings_of(repositories: Iterator[Repository]) -> Findings:
    """Every reference that is broken or not settled, and the tags by digest."""
    found = Findings()
    for repository in repositories:
        for tag, target in sorted(repository.by_tag.items()):
            if target.state in ("broken", "unsettled"):
                row = _row(repository.name, [tag], "", Edge("", "manifest", None), "", target)
                (found.broken if target.state == "broken" else found.unsettled).append(row)
        for digest, tags in sorted(repository.groups().items()):
            _group(repository, digest, tags, found)
    return found


def _group(repository: Repository, root: str, tags: list[str], found: Findings) -> None:
    """The rows of everything below one tagged digest, each reference once."""
    broken = unsettled = 0
    seen: set[tuple[str, str]] = set()
    below: list[tuple[str, str]] = [(root, "")]
    while below:
        parent, platform = below.pop()
        target = repository.manifests.get(parent) or Target()
        for edge in target.edges:
            if (parent, edge.digest) in seen:
                continue
            seen.add((parent, edge.digest))
            child = repository.target(edge)
            if child.state in ("broken", "unsettled"):
                row = _row(repository.name, tags, parent, edge, edge.platform or platform, child)
                is_broken = child.state == "broken"
                (found.broken if is_broken else found.unsettled).append({**row, "root": root})
                broken, unsettled = broken + is_broken, unsettled + (not is_broken)
            if edge.kind == "index-child" and child.edges:
                below.append((edge.digest, edge.platform or platform))
    top = repository.manifests.get(root) or Target()
    found.digests.append(
        {
            "repository": repository.name,
            "digest": root,
            "tags": [*tags],
            "index": any(edge.kind == "index-child" for edge in top.edges),
            "media_type": top.media_type,
            "broken": broken,
            "unsettled": unsettled,
        }
    )


def _row(
    repository: str, tags: list[str], parent: str, edge: Edge, platform: str, target: Target
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
    }
    if target.state == "unsettled":
        then = "looked at once" if len(target.looks) == 1 else f"then {last.why or 'well'}"
        row["why"] = f"{first_bad.why}, {then}"
    return row
