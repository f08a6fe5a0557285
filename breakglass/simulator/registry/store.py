"""What a simulated registry holds, and its garbage collection.

The state is plain data that belongs to whoever runs the registry, who may move and read it:

    backend        `right`; `wrong` while the proxy in front talks to another, empty backend
    deletes        whether DELETE is enabled
    readonly       whether it takes neither pushes nor deletes
    repositories   by name: `tags` (name: digest), `revisions` (digests with a link), `layers` (the same)
    blobs          digest: size of what is on the disk; 0 for a file that is there and empty
    contents       digest: text of each manifest that there was, for a machine whose files show it
    cached         digests that the registry remembers although the disk lost them, until it restarts: HEAD
                   finds them, GET gives nothing, and a push leaves them out

Source: registry/storage/garbagecollect.go and the handlers of distribution 2.8.3.
"""

from collections.abc import Callable, Iterable

from breakglass.kubernetes_objects import Object, mapping, strings, texts
from breakglass.simulator.registry.images import DOCKER_LIST, OCI_INDEX, Blob, ImageSpec, build
from breakglass.values import Json


def empty_state(*, deletes: bool) -> Object:
    """A registry that holds nothing yet."""
    return {
        "backend": "right",
        "deletes": deletes,
        "readonly": False,
        "repositories": {},
        "blobs": {},
        "contents": {},
        "cached": [],
    }


class RegistryStore:
    """One registry. Contents are kept here for good; what is there of them is in the state."""

    def __init__(self, state: Callable[[], Object], images: Iterable[ImageSpec]) -> None:
        """`state` gives the state as it stands; it begins as `empty_state`."""
        self._state = state
        self._contents: dict[str, Blob] = {}
        self._filled = False
        for image in images:
            self.push(image)
        self._filled = True

    @property
    def state(self) -> Object:
        """The state as it stands."""
        return self._state()

    def push(self, specification: ImageSpec) -> None:
        """Put an image in, with what its description leaves out left out, and its tags on it."""
        image = build(specification)
        contents = mapping(self.state, "contents")
        for blob in image.blobs():
            self._contents[blob.digest] = blob
            if blob.manifest:
                contents[blob.digest] = blob.content.decode()
        self.state["contents"] = contents
        blobs = mapping(self.state, "blobs")
        repositories = mapping(self.state, "repositories")
        repository = mapping(repositories, specification.repository)
        repositories[specification.repository] = repository
        revisions, layers = texts(repository, "revisions"), texts(repository, "layers")
        remembered = {*texts(self.state, "cached")} if self._filled else set[str]()
        if image.index is not None:
            revisions.append(image.index.digest)
            blobs[image.index.digest] = len(image.index.content)
        for child in image.children:
            if child.platform.link:
                revisions.append(child.manifest.digest)
            if child.platform.blob:
                blobs[child.manifest.digest] = len(child.manifest.content)
            layers += [child.config.digest, *(layer.digest for layer in child.layers)]
            if child.platform.config:
                blobs[child.config.digest] = len(child.config.content)
            for number, layer in enumerate(child.layers):
                if number not in child.platform.missing_layers and layer.digest not in remembered:
                    blobs[layer.digest] = len(layer.content)
        tags = {**strings(repository, "tags"), **dict.fromkeys(specification.tags, image.top.digest)}
        repository["tags"] = dict(tags)
        repository["revisions"] = list(dict.fromkeys(revisions))
        repository["layers"] = list(dict.fromkeys(layers))

    def repositories(self) -> list[str]:
        return sorted(mapping(self.state, "repositories"))

    def tags(self, repository: str) -> dict[str, str] | None:
        """Tags with their digests; None where there is no such repository."""
        found = mapping(self.state, "repositories").get(repository)
        return strings(found, "tags") if isinstance(found, dict) else None

    def manifest(self, repository: str, digest: str) -> Blob | None:
        """A manifest that this repository has a link to and whose content is there."""
        found = mapping(self.state, "repositories").get(repository)
        if digest not in texts(found, "revisions") or digest not in mapping(self.state, "blobs"):
            return None
        return self._contents.get(digest)

    def blob(self, repository: str, digest: str) -> tuple[Blob, int] | None:
        """A layer or config that this repository has a link to, with the size on the disk; 0 for one that is
        only remembered."""
        found = mapping(self.state, "repositories").get(repository)
        content = self._contents.get(digest)
        if content is None or digest not in (*texts(found, "layers"), *texts(found, "revisions")):
            return None
        size = mapping(self.state, "blobs").get(digest)
        if isinstance(size, int):
            return content, size
        return (content, 0) if digest in texts(self.state, "cached") else None

    def put(self, repository: str, digest: str, tag: str | None) -> str | None:
        """Link a manifest whose content was sent, and put a tag on it. Gives the first thing that it names
        and that the repository does not serve; then nothing is changed."""
        blob = self._contents[digest]
        known = self.manifest if blob.media_type in (OCI_INDEX, DOCKER_LIST) else self.blob
        for reference in blob.references:
            if known(repository, reference) is None:
                return reference
        found = mapping(self.state, "repositories", repository)
        found["revisions"] = [*dict.fromkeys([*texts(found, "revisions"), digest])]
        mapping(self.state, "blobs").setdefault(digest, len(blob.content))
        if tag is not None:
            found["tags"] = {**strings(found, "tags"), tag: digest}
        return None

    def knows(self, digest: str) -> bool:
        """Whether this is the digest of a manifest that there was."""
        blob = self._contents.get(digest)
        return blob is not None and blob.manifest

    def delete(self, repository: str, digest: str) -> bool:
        """Take a manifest's link away, and every tag that points at it. False where there is none."""
        found = mapping(self.state, "repositories").get(repository)
        if not isinstance(found, dict) or self.manifest(repository, digest) is None:
            return False
        found["revisions"] = [each for each in texts(found, "revisions") if each != digest]
        found["tags"] = {tag: to for tag, to in strings(found, "tags").items() if to != digest}
        return True

    def collect(self, *, delete_untagged: bool, dry_run: bool) -> str:
        """Garbage collection, and what it prints.

        With `delete_untagged`, children of indexes are taken for untagged, as 2.8 does: their links go, and
        so do their layers, while their own content stays because the index names it.
        """
        said: list[str] = []
        marked: set[str] = set()
        unlinked: list[tuple[str, str]] = []
        for name in self.repositories():
            self._mark(name, delete_untagged, marked, unlinked, said)
        blobs = mapping(self.state, "blobs")
        swept = sorted(digest for digest in blobs if digest not in marked)
        said.append(
            f"\n{len(marked)} blobs marked, {len(swept)} blobs and {len(unlinked)} manifests "
            "eligible for deletion"
        )
        said += [f"blob eligible for deletion: {digest}" for digest in swept]
        if not dry_run:
            for name, digest in unlinked:
                found = mapping(self.state, "repositories", name)
                found["revisions"] = [each for each in texts(found, "revisions") if each != digest]
            self.state["cached"] = _listed({*texts(self.state, "cached"), *swept})
            for digest in swept:
                del blobs[digest]
        return "\n".join(said) + "\n"

    def _mark(
        self,
        name: str,
        delete_untagged: bool,
        marked: set[str],
        unlinked: list[tuple[str, str]],
        said: list[str],
    ) -> None:
        said.append(name)
        repository = mapping(self.state, "repositories", name)
        tagged = set(strings(repository, "tags").values())
        for digest in texts(repository, "revisions"):
            if delete_untagged and digest not in tagged:
                said.append(f"manifest eligible for deletion: {digest}")
                unlinked.append((name, digest))
                continue
            said.append(f"{name}: marking manifest {digest} ")
            marked.add(digest)
            for reference in self._contents[digest].references:
                said.append(f"{name}: marking blob {reference}")
                marked.add(reference)


def _listed(digests: set[str]) -> list[Json]:
    return [*sorted(digests)]
