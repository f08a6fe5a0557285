"""Images as a registry holds them: indexes, manifests, configs and layers, each under its digest.

The contents are made from the image's description alone, so that equal descriptions have equal digests.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from breakglass.kubernetes_objects import Object
from breakglass.values import Json

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

_CONFIG = {
    "oci": "application/vnd.oci.image.config.v1+json",
    "docker": "application/vnd.docker.container.image.v1+json",
}
_LAYER = {
    "oci": "application/vnd.oci.image.layer.v1.tar+gzip",
    "docker": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}


@dataclass(frozen=True, slots=True)
class ImagePlatform:
    """One child of an index. link, blob, config: whether its revision link, content and config are there.

    layers: sizes in bytes. missing_layers: positions of those whose content is gone.
    """

    platform: str
    link: bool = True
    blob: bool = True
    layers: tuple[int, ...] = (1024,)
    missing_layers: tuple[int, ...] = ()
    config: bool = True
    attestation: bool = False


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """An image in a registry: an index with children, or (`single`) one manifest.

    `seed` makes two images of the same repository and shape differ, or be the same; the first tag where not
    given. Images with the same `base` share their first layer.
    """

    repository: str
    tags: tuple[str, ...]
    seed: str
    platforms: tuple[ImagePlatform, ...]
    single: bool = False
    format: Literal["oci", "docker"] = "oci"
    base: str | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """One piece of content. references: digests that a manifest names. manifest: whether it is one."""

    digest: str
    content: bytes
    media_type: str = "application/octet-stream"
    references: tuple[str, ...] = ()
    manifest: bool = False


@dataclass(frozen=True, slots=True)
class Child:
    """A manifest of one platform, with its config and layers."""

    platform: ImagePlatform
    manifest: Blob
    config: Blob
    layers: tuple[Blob, ...]


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """index: None for a single manifest."""

    children: tuple[Child, ...]
    index: Blob | None

    @property
    def top(self) -> Blob:
        """What a tag points at."""
        return self.index or self.children[0].manifest

    def blobs(self) -> Iterator[Blob]:
        if self.index is not None:
            yield self.index
        for child in self.children:
            yield from (child.manifest, child.config, *child.layers)


def build(specification: ImageSpec) -> BuiltImage:
    """The contents of an image."""
    children = tuple(_child(specification, platform) for platform in specification.platforms)
    if specification.single:
        return BuiltImage(children, None)
    media_type = OCI_INDEX if specification.format == "oci" else DOCKER_LIST
    listed: list[Json] = [_listed(child, children[0]) for child in children]
    body: Object = {"schemaVersion": 2, "mediaType": media_type, "manifests": listed}
    references = tuple(child.manifest.digest for child in children)
    return BuiltImage(children, _blob(_encoded(body), media_type, references, manifest=True))


def _child(specification: ImageSpec, platform: ImagePlatform) -> Child:
    system, _, rest = platform.platform.partition("/")
    seed = f"{specification.repository} {specification.seed} {platform.platform}"
    config_body: Object = {
        "architecture": "unknown" if platform.attestation else rest,
        "os": "unknown" if platform.attestation else system,
        "config": {"Labels": {"seed": seed}},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    config = _blob(_encoded(config_body), _CONFIG[specification.format])
    layer_type = "application/vnd.in-toto+json" if platform.attestation else _LAYER[specification.format]
    base = f"base {specification.base} {platform.platform}" if specification.base else f"{seed} layer 0"
    layers = tuple(
        _blob(_filler(f"{seed} layer {number}" if number else base, size), layer_type)
        for number, size in enumerate(platform.layers)
    )
    media_type = OCI_MANIFEST if specification.format == "oci" else DOCKER_MANIFEST
    described: list[Json] = [_descriptor(layer) for layer in layers]
    body: Object = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _descriptor(config),
        "layers": described,
    }
    references = (config.digest, *(layer.digest for layer in layers))
    return Child(platform, _blob(_encoded(body), media_type, references, manifest=True), config, layers)


def _listed(child: Child, first: Child) -> Object:
    entry = _descriptor(child.manifest)
    if child.platform.attestation:
        entry["platform"] = {"architecture": "unknown", "os": "unknown"}
        entry["annotations"] = {
            "vnd.docker.reference.digest": first.manifest.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        }
        return entry
    system, architecture, *variant = child.platform.platform.split("/")
    platform: Object = {"architecture": architecture, "os": system}
    if variant:
        platform["variant"] = variant[0]
    entry["platform"] = platform
    return entry


def _descriptor(blob: Blob) -> Object:
    return {"mediaType": blob.media_type, "digest": blob.digest, "size": len(blob.content)}


def _blob(
    content: bytes, media_type: str, references: tuple[str, ...] = (), *, manifest: bool = False
) -> Blob:
    return Blob(digest_of(content), content, media_type, references, manifest)


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _encoded(body: Object) -> bytes:
    return json.dumps(body, indent=3).encode()


def _filler(seed: str, size: int) -> bytes:
    start = hashlib.sha256(seed.encode()).digest()
    return (start * (size // len(start) + 1))[:size]
