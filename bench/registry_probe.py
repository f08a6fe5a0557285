"""The registry probe over 50 repositories, 1,000 tags and 2,000 children on Debian's docker-registry.

Beside a loop of `skopeo inspect` over every tag and every child, and a plain `httpx` that sends the probe's
requests with the same concurrency and looks at no answer. The loop is run over a part of the references and
its time is scaled to all of them. It looks at no layer, so the probe is run without layers as well.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
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

REPOSITORIES, TAGS_EACH = 50, 20
PARALLEL = 8
INSPECTED = 10
"""References that the loop of skopeo looks at in each round."""
REFERENCES = REPOSITORIES * TAGS_EACH * 3
PLATFORMS = ("linux/amd64", "linux/arm64")
LOOP, PLAIN = "skopeo inspect, a loop", "plain httpx"


def measure(work: Path) -> list[Line]:
    skopeo = debian("skopeo", "skopeo")
    with docker_registry(work) as registry:
        urls = fill(registry)
        print(f"registry_probe: {len(urls):,} requests", file=sys.stderr)
        names = [f"docker://127.0.0.1:{registry.port}/app-{each:02}:1" for each in range(INSPECTED)]

        def loop() -> Sample:
            took = [program([skopeo, "inspect", "--tls-verify=false", name]) for name in names]
            scale = REFERENCES / len(names)
            return Sample(sum(each.clock for each in took) * scale, sum(each.cpu for each in took) * scale)

        sides = {
            "probe": lambda: called(lambda: asyncio.run(walk(registry, layers=True))),
            PLAIN: lambda: called(lambda: asyncio.run(fetch(urls))),
            "without layers": lambda: called(lambda: asyncio.run(walk(registry, layers=False))),
            LOOP: loop,
        }
        medians = by_turns(sides, 3)
    what = "registry probe, 1,000 tags"
    return [
        *compared(f"{what}, no layers", medians, "without layers", {LOOP: 1 / 30}, cpu=True),
        *compared(what, medians, "probe", {PLAIN: 1.2}, cpu=True),
    ]


async def walk(registry: DockerRegistry, *, layers: bool) -> None:
    endpoint = Endpoint("registry", registry.url)
    arguments: dict[str, Json] = {"endpoint": "registry", "parallel": PARALLEL, "layers": layers}
    request = ProbeRequest("registry-integrity", arguments, 600.0)
    site = Site("bench", endpoints={"registry": endpoint})
    result = await run_probe(request, site, NoSecrets(), lambda stream, data: None)
    verdict = result.data.get("verdict") if isinstance(result.data, dict) else None
    if verdict != "healthy":
        raise RuntimeError(f"the probe says {verdict}: {result.fault}")


async def fetch(urls: list[tuple[str, dict[str, str]]]) -> None:
    """Each address once, by as many workers as the probe has."""
    left = iter(urls)
    limits = httpx.Limits(max_connections=PARALLEL, max_keepalive_connections=PARALLEL)
    async with httpx.AsyncClient(limits=limits, timeout=30.0, trust_env=False) as client:

        async def work() -> None:
            for url, headers in left:
                answer = await client.get(url, headers=headers)
                answer.raise_for_status()

        await asyncio.gather(*(work() for _ in range(PARALLEL)))


def fill(registry: DockerRegistry) -> list[tuple[str, dict[str, str]]]:
    """Push everything; gives the requests that a walk of all of it needs."""
    with ThreadPoolExecutor(4) as pool:
        names = [f"app-{number:02}" for number in range(REPOSITORIES)]
        pushed = pool.map(partial(_repository, registry), names)
        return [(f"{registry.url}/v2/_catalog?n=1000", {}), *(each for urls in pushed for each in urls)]


def _repository(registry: DockerRegistry, name: str) -> list[tuple[str, dict[str, str]]]:
    base = f"{registry.url}/v2/{quote(name)}"
    urls: list[tuple[str, dict[str, str]]] = [(f"{base}/tags/list", {})]
    for number in range(1, TAGS_EACH + 1):
        children = [registry.push_manifest(name, str(number), platform=each, layers=1) for each in PLATFORMS]
        registry.push_index(name, children, tags=[str(number)])
        urls.append((f"{base}/manifests/{number}", {"Accept": ACCEPT}))
        urls += [request for child in children for request in _requests(base, child)]
    return urls


def _requests(base: str, child: PushedManifest) -> list[tuple[str, dict[str, str]]]:
    blobs = [(f"{base}/blobs/{digest}", {"Range": "bytes=0-0"}) for digest in (child.config, *child.layers)]
    return [(f"{base}/manifests/{child.digest}", {"Accept": ACCEPT}), *blobs]
