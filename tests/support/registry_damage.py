"""Damage to a registry's store on disk, as it comes about in life or by hand: one fault each, by name."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from tests.support.docker_registry import DockerRegistry, PushedIndex

Damage: TypeAlias = Callable[[DockerRegistry, str, PushedIndex, int], object]
"""Does harm to one image: the registry, the repository, the image, and which of its children."""


def tag_link(registry: DockerRegistry, repository: str, tag: str) -> Path:
    return registry.data / "repositories" / repository / "_manifests" / "tags" / tag / "current" / "link"


def flip(path: Path) -> None:
    """Change one bit and leave the size as it is."""
    content = path.read_bytes() if path.exists() else b""
    if content:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def set_age(path: Path, seconds: float) -> None:
    """Date a file back."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def _cut(path: Path, size: int) -> None:
    if path.exists():
        path.write_bytes(path.read_bytes()[:size])


def _each_tag(registry: DockerRegistry, repository: str, index: PushedIndex) -> list[Path]:
    links = (registry.data / "repositories" / repository / "_manifests" / "tags").glob("*/current/link")
    return [link for link in links if link.read_text() == index.digest]


DAMAGES: Mapping[str, Damage] = {
    "child-link-gone": lambda r, n, i, c: r.revision_link(n, i.children[c].digest).unlink(missing_ok=True),
    "child-link-empty": lambda r, n, i, c: _cut(r.revision_link(n, i.children[c].digest), 0),
    "child-gone": lambda r, n, i, c: r.blob(i.children[c].digest).unlink(missing_ok=True),
    "child-cut": lambda r, n, i, c: _cut(r.blob(i.children[c].digest), 40),
    "child-empty": lambda r, n, i, c: _cut(r.blob(i.children[c].digest), 0),
    "child-flipped": lambda r, n, i, c: flip(r.blob(i.children[c].digest)),
    "layer-gone": lambda r, n, i, c: r.blob(i.children[c].layers[0]).unlink(missing_ok=True),
    "layer-cut": lambda r, n, i, c: _cut(r.blob(i.children[c].layers[0]), 3),
    "layer-empty": lambda r, n, i, c: _cut(r.blob(i.children[c].layers[0]), 0),
    "layer-link-gone": lambda r, n, i, c: r.layer_link(n, i.children[c].layers[0]).unlink(missing_ok=True),
    "layer-link-empty": lambda r, n, i, c: _cut(r.layer_link(n, i.children[c].layers[0]), 0),
    "config-gone": lambda r, n, i, c: r.blob(i.children[c].config).unlink(missing_ok=True),
    "config-link-gone": lambda r, n, i, c: r.layer_link(n, i.children[c].config).unlink(missing_ok=True),
    "top-link-gone": lambda r, n, i, c: r.revision_link(n, i.digest).unlink(missing_ok=True),
    "top-link-empty": lambda r, n, i, c: _cut(r.revision_link(n, i.digest), 0),
    "top-gone": lambda r, n, i, c: r.blob(i.digest).unlink(missing_ok=True),
    "top-cut": lambda r, n, i, c: _cut(r.blob(i.digest), 40),
    "top-flipped": lambda r, n, i, c: flip(r.blob(i.digest)),
    "tag-link-empty": lambda r, n, i, c: [_cut(link, 0) for link in _each_tag(r, n, i)],
    "tag-link-gone": lambda r, n, i, c: [link.unlink() for link in _each_tag(r, n, i)],
    "no-layers-folder": lambda r, n, i, c: shutil.rmtree(
        r.data / "repositories" / n / "_layers", ignore_errors=True
    ),
}
"""Damage that shows without reading contents."""

HIDDEN: Mapping[str, Damage] = {
    "layer-flipped": lambda r, n, i, c: flip(r.blob(i.children[c].layers[0])),
    "config-flipped": lambda r, n, i, c: flip(r.blob(i.children[c].config)),
}
"""Damage of the same size, which only reading the content shows."""

EVERY: Mapping[str, Damage] = {**DAMAGES, **HIDDEN}
