"""The registry probe over 50 repositories, 1,000 tags and 2,000 children on Debian's docker-registry.

Beside a loop of `skopeo inspect` over every tag and every child, and a plain `httpx` that sends the probe's
requests with the same concurrency and looks at no answer. The loop is run over a part of the references and
its time is scaled to all of them; it reads manifests and configs and looks at no layer, so the probe is run
without blobs as well, and only then is a reach set beside the loop. Bare sockets show what the registry
itself takes for the same requests.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeAlias, cast
from urllib.parse import quote

import httpx

from bench.measure import Line, Sample, by_turns, called, compared, program
from bench.peers import debian
from bench.ssh_step import NoSecrets
from breakglass.probe import run_probe
from breakglass.probe.registry_client import ACCEPT
from breakglass.site.model import Endpoint, Site
from breakglass.transport.base import ProbeRequest
from breakglass.values import Json
from tests.support.docker_registry import DockerRegistry, PushedManifest, docker_registry

Asked: TypeAlias = tuple[str, dict[str, str]]
"""The path of a request, and its headers."""
Run: TypeAlias = Callable[[DockerRegistry, Sequence[Asked]], Coroutine[None, None, None]]

REPOSITORIES, TAGS_EACH = 50, 20
PARALLEL = 8
EVERY = 100
"""The loop of skopeo looks at each so many-th reference in each round, a tag and two children by turns."""
PLATFORMS = ("linux/amd64", "linux/arm64")
LOOP, PLAIN, BARE = "skopeo inspect, a loop", "plain httpx", "bare sockets"


def measure(work: Path) -> list[Line]:
    skopeo = debian("skopeo", "skopeo")
    with docker_registry(work) as registry:
        every = fill(registry)
        manifests = [asked for asked in every if "/blobs/" not in asked[0]]
        references = [path for path, _ in manifests if "/manifests/" in path]

        def loop() -> Sample:
            part = references[::EVERY]
            took = [
                program([skopeo, "inspect", "--tls-verify=false", _name(registry, path)]) for path in part
            ]
            scale = len(references) / len(part)
            return Sample(sum(each.clock for each in took) * scale, sum(each.cpu for each in took) * scale)

        lines: list[Line] = []
        for what, asked in (("manifests alone", manifests), ("with every blob", every)):
            print(f"registry_probe: {what}, {len(asked):,} requests", file=sys.stderr)
            runs: dict[str, Run] = {"probe": walk, PLAIN: fetch, BARE: fetch_bare}
            sides = {name: partial(_sample, run, registry, asked) for name, run in runs.items()}
            medians = by_turns({LOOP: loop, **sides}, 3)
            reaches = {LOOP: 1 / 30 if asked is manifests else None, PLAIN: 1.2, BARE: None}
            lines += compared(f"registry probe, 1,000 tags, {what}", medians, "probe", reaches, cpu=True)
    return lines


def _sample(run: Run, registry: DockerRegistry, asked: Sequence[Asked]) -> Sample:
    return called(lambda: asyncio.run(run(registry, asked)))


def _name(registry: DockerRegistry, path: str) -> str:
    """A reference in skopeo's words."""
    repository, _, reference = path.removeprefix("/v2/").partition("/manifests/")
    return f"docker://127.0.0.1:{registry.port}/{repository}{'@' if ':' in reference else ':'}{reference}"


async def walk(registry: DockerRegistry, asked: Sequence[Asked]) -> None:
    """Run the probe. Raises RuntimeError where it finds fault, or sends other requests than the peers."""
    endpoint = Endpoint("registry", registry.url)
    layers = any("/blobs/" in path for path, _ in asked)
    arguments: dict[str, Json] = {"endpoint": "registry", "parallel": PARALLEL, "layers": layers}
    request = ProbeRequest("registry-integrity", arguments, 600.0)
    site = Site("bench", endpoints={"registry": endpoint})
    result = await run_probe(request, site, NoSecrets(), lambda stream, data: None)
    found = cast("dict[str, Json]", result.data or {})
    counts = cast("dict[str, Json]", found.get("counts") or {})
    if (found.get("verdict"), counts.get("requests")) != ("healthy", len(asked)):
        raise RuntimeError(f"the probe says {found.get('verdict')}: {result.fault}, {counts}")


async def fetch(registry: DockerRegistry, asked: Sequence[Asked]) -> None:
    """Each request once, by as many workers as the probe has."""
    left = iter(asked)
    limits = httpx.Limits(max_connections=PARALLEL, max_keepalive_connections=PARALLEL)
    async with httpx.AsyncClient(
        base_url=registry.url, limits=limits, timeout=30.0, trust_env=False
    ) as client:

        async def work() -> None:
            for path, headers in left:
                answer = await client.get(path, headers=headers)
                answer.raise_for_status()

        await asyncio.gather(*(work() for _ in range(PARALLEL)))


async def fetch_bare(registry: DockerRegistry, asked: Sequence[Asked]) -> None:
    """Each request once, with as little of HTTP as this one registry needs."""
    left = iter(asked)

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", registry.port)
        for path, headers in left:
            lines = [f"GET {path} HTTP/1.1", "Host: registry", *(f"{a}: {b}" for a, b in headers.items())]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
        writer.close()

    await asyncio.gather(*(work() for _ in range(PARALLEL)))


def fill(registry: DockerRegistry) -> list[Asked]:
    """Push everything; gives the requests that a walk of all of it needs."""
    with ThreadPoolExecutor(4) as pool:
        names = [f"app-{number:02}" for number in range(REPOSITORIES)]
        pushed = pool.map(partial(_repository, registry), names)
        return [("/v2/", {}), ("/v2/_catalog?n=1000", {}), *(each for asked in pushed for each in asked)]


def _repository(registry: DockerRegistry, name: str) -> list[Asked]:
    base = f"/v2/{quote(name)}"
    asked: list[Asked] = [(f"{base}/tags/list", {})]
    for number in range(1, TAGS_EACH + 1):
        children = [registry.push_manifest(name, str(number), platform=each, layers=1) for each in PLATFORMS]
        registry.push_index(name, children, tags=[str(number)])
        asked.append((f"{base}/manifests/{number}", {"Accept": ACCEPT}))
        asked += [request for child in children for request in _requests(base, child)]
    return asked


def _requests(base: str, child: PushedManifest) -> list[Asked]:
    blobs = [(f"{base}/blobs/{digest}", {"Range": "bytes=-1"}) for digest in (child.config, *child.layers)]
    return [(f"{base}/manifests/{child.digest}", {"Accept": ACCEPT}), *blobs]
