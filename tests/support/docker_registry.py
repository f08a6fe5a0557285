"""The real Debian docker-registry on loopback: images pushed over its API, faults made on its disk."""

import contextlib
import hashlib
import json
import os
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import bcrypt
import httpx

from breakglass.values import Json

PROGRAM = "docker-registry"
USER = "probe"
PASSWORD = "correct horse"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
START_WITHIN = 20.0
_PORT = re.compile(r"listening on 127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True)
class PushedManifest:
    """A manifest of one platform with the digests of what it names."""

    digest: str
    config: str
    layers: tuple[str, ...]
    platform: str
    size: int


@dataclass(frozen=True, slots=True)
class PushedIndex:
    """An index with its children."""

    digest: str
    children: tuple[PushedManifest, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a registry is set up. port: 0 for any. cache: whether it remembers blobs in memory."""

    port: int = 0
    authentication: bool = False
    cache: bool = False
    readonly: bool = False
    deletes: bool = True


@dataclass(slots=True)
class DockerRegistry:
    """A running registry and its folder on the disk."""

    folder: Path
    port: int
    process: "subprocess.Popen[str]"
    settings: "Settings"
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        credentials = (USER, PASSWORD) if self.authentication else None
        self.client = httpx.Client(base_url=self.url, auth=credentials, timeout=20.0, trust_env=False)

    @property
    def authentication(self) -> bool:
        return self.settings.authentication

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data" / "docker" / "registry" / "v2"

    def push_blob(self, repository: str, content: bytes) -> str:
        digest = digest_of(content)
        started = self.client.post(f"/v2/{repository}/blobs/uploads/")
        started.raise_for_status()
        place = httpx.URL(started.headers["Location"]).copy_merge_params({"digest": digest})
        self.client.put(place, content=content).raise_for_status()
        return digest

    def push_manifest(
        self,
        repository: str,
        seed: str,
        *,
        tags: Sequence[str] = (),
        platform: str = "linux/amd64",
        layers: int = 2,
        docker: bool = False,
        extra_layers: "Sequence[Json]" = (),
        asking_first: bool = False,
    ) -> PushedManifest:
        """Push a config, layers and a manifest whose contents follow from the seed. asking_first: leave out
        the blobs that the registry says it has, as Docker does."""
        system, _, architecture = platform.partition("/")
        name = f"{repository} {seed} {platform}"
        config = json.dumps({"os": system, "architecture": architecture, "comment": name}).encode()
        contents = [f"{name} layer {number}".encode() * 7 for number in range(layers)]
        kind = "application/vnd.docker" if docker else "application/vnd.oci"
        body: dict[str, Json] = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": _described(
                f"{kind}.container.image.v1+json" if docker else f"{kind}.image.config.v1+json", config
            ),
            "layers": [
                *(
                    _described(
                        f"{kind}.image.rootfs.diff.tar.gzip" if docker else f"{kind}.image.layer.v1.tar+gzip",
                        content,
                    )
                    for content in contents
                ),
                *extra_layers,
            ],
        }
        for content in (config, *contents):
            place = f"/v2/{repository}/blobs/{digest_of(content)}"
            if not asking_first or self.client.head(place).status_code != 200:
                self.push_blob(repository, content)
        encoded = json.dumps(body).encode()
        for reference in tags or (digest_of(encoded),):
            self.put_manifest(repository, reference, encoded, str(body["mediaType"]))
        digests = tuple(digest_of(content) for content in contents)
        return PushedManifest(digest_of(encoded), digest_of(config), digests, platform, len(encoded))

    def push_index(
        self,
        repository: str,
        children: Sequence[PushedManifest],
        *,
        tags: Sequence[str],
        docker: bool = False,
    ) -> PushedIndex:
        """Push an index over manifests that are there already."""
        listed: list[Json] = []
        for child in children:
            system, _, architecture = child.platform.partition("/")
            listed.append(
                {
                    "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
                    "digest": child.digest,
                    "size": child.size,
                    "platform": {"os": system, "architecture": architecture},
                }
            )
        media_type = DOCKER_LIST if docker else OCI_INDEX
        body: Json = {"schemaVersion": 2, "mediaType": media_type, "manifests": listed}
        encoded = json.dumps(body).encode()
        for tag in tags:
            self.put_manifest(repository, tag, encoded, media_type)
        return PushedIndex(digest_of(encoded), tuple(children))

    def push_image(
        self,
        repository: str,
        seed: str,
        *,
        tags: Sequence[str],
        attestation: bool = True,
        docker: bool = False,
    ) -> PushedIndex:
        """Push what buildx pushes: an index of one or two platforms and, unless told, an attestation."""
        platforms = ["linux/amd64", "linux/arm64", *(["unknown/unknown"] if attestation else [])]
        children = [
            self.push_manifest(repository, seed, platform=platform, docker=docker) for platform in platforms
        ]
        return self.push_index(repository, children, tags=tags, docker=docker)

    def push_cache(self, repository: str, seed: str, *, tags: Sequence[str]) -> tuple[str, ...]:
        """Push what BuildKit keeps between builds: an index of layers and a configuration. Gives their
        digests."""
        contents = [f"{seed} cached {number}".encode() for number in range(2)]
        config = b'{"layers":[],"records":[]}'
        entries = [_described("application/vnd.oci.image.layer.v1.tar+gzip", each) for each in contents]
        entries.append(_described("application/vnd.buildkit.cacheconfig.v0", config))
        for content in (*contents, config):
            self.push_blob(repository, content)
        body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
        for tag in tags:
            self.put_manifest(repository, tag, body, OCI_INDEX)
        return tuple(digest_of(content) for content in (*contents, config))

    def restart(self, **changes: bool) -> None:
        """End the process and start another at the same port: its memory is empty. changes: `readonly`,
        `deletes`, which stay as they are where they are not given."""
        _end(self.process)
        self.settings = replace(self.settings, **changes)
        self.process = _serve(self.folder, self.settings)
        assert _port_of(self.process) == self.port

    def put_manifest(self, repository: str, reference: str, content: bytes, media_type: str) -> None:
        answer = self.client.put(
            f"/v2/{repository}/manifests/{reference}", content=content, headers={"Content-Type": media_type}
        )
        answer.raise_for_status()

    def revision_link(self, repository: str, digest: str) -> Path:
        hexadecimal = digest.removeprefix("sha256:")
        folder = self.data / "repositories" / repository / "_manifests" / "revisions" / "sha256"
        return folder / hexadecimal / "link"

    def layer_link(self, repository: str, digest: str) -> Path:
        hexadecimal = digest.removeprefix("sha256:")
        return self.data / "repositories" / repository / "_layers" / "sha256" / hexadecimal / "link"

    def blob(self, digest: str) -> Path:
        hexadecimal = digest.removeprefix("sha256:")
        return self.data / "blobs" / "sha256" / hexadecimal[:2] / hexadecimal / "data"

    def unlink_revision(self, repository: str, digest: str) -> None:
        """Take a manifest's link away and leave its blob: what happened to the children on record."""
        self.revision_link(repository, digest).unlink()
        assert self.blob(digest).exists()

    def collect(self, *options: str) -> str:
        """Run the registry's own garbage collection, as the weekly job does."""
        done = subprocess.run(
            [PROGRAM, "garbage-collect", *options, str(self.folder / "config.yml")],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _described(media_type: str, content: bytes) -> Json:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


@contextlib.contextmanager
def docker_registry(
    folder: Path, *, authentication: bool = False, cache: bool = False
) -> Generator[DockerRegistry]:
    """Start a registry with its data in `folder`, on a port that the system picks; stop it at the end.

    cache: whether it remembers blobs in memory, as the recorded one does; then what was taken from the disk
    is still claimed to be there.
    """
    (folder / "data").mkdir(parents=True, exist_ok=True)
    settings = Settings(authentication=authentication, cache=cache)
    process = _serve(folder, settings)
    registry = None
    try:
        port = _port_of(process)
        registry = DockerRegistry(folder, port, process, replace(settings, port=port))
        with registry.client:
            yield registry
    finally:
        _end(registry.process if registry is not None else process)


def _serve(folder: Path, settings: Settings) -> "subprocess.Popen[str]":
    (folder / "config.yml").write_text(_configuration(folder, settings))
    program = shutil.which(PROGRAM)
    assert program is not None, "docker-registry is not installed; run tools/debian-packages.sh"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    return subprocess.Popen(
        [program, "serve", str(folder / "config.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=clean,
    )


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.wait(timeout=10)


def _configuration(folder: Path, settings: Settings) -> str:
    lines = [
        "version: 0.1",
        "log: {level: info, formatter: text, accesslog: {disabled: true}}",
        "storage:",
        f"  filesystem: {{rootdirectory: {json.dumps(str(folder / 'data'))}}}",
        f"  delete: {{enabled: {json.dumps(settings.deletes)}}}",
        f"  maintenance: {{readonly: {{enabled: {json.dumps(settings.readonly)}}}}}",
        *(["  cache: {blobdescriptor: inmemory}"] if settings.cache else []),
        "validation: {manifests: {urls: {allow: ['^https://elsewhere[.]example/']}}}",
        f"http: {{addr: '127.0.0.1:{settings.port}', secret: 'only for this test'}}",
    ]
    if settings.authentication:
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4)).decode()
        (folder / "htpasswd").write_text(f"{USER}:{hashed}\n")
        place = json.dumps(str(folder / "htpasswd"))
        lines.append(f"auth: {{htpasswd: {{realm: test, path: {place}}}}}")
    return "\n".join(lines) + "\n"


def _port_of(process: "subprocess.Popen[str]") -> int:
    """The port that the registry says it listens on. A thread goes on reading what it says, since a pipe that
    is full would stop it."""
    found: queue.Queue[int | str] = queue.Queue()
    threading.Thread(target=_read, args=(process, found), daemon=True).start()
    port = found.get(timeout=START_WITHIN)
    assert isinstance(port, int), f"docker-registry ended: {port}"
    return port


def _read(process: "subprocess.Popen[str]", found: "queue.Queue[int | str]") -> None:
    said: list[str] = []
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            match = _PORT.search(line)
            if match:
                found.put(int(match[1]))
            said = [*said[-20:], line]
    found.put("".join(said))
