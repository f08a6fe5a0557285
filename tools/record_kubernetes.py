"""Record what a real API server answers, for `tests/simulator/kubernetes/test_recorded.py`.

    python -m tools.record_kubernetes FOLDER

FOLDER has a `kube-apiserver`; `etcd` is in PATH. Both are started on loopback, with nothing in their data,
and ended. Nothing else of a cluster runs, so that every object stays as it was sent. It takes about a minute.
Debian has etcd as `etcd-server`, and the API server as source: its `kubernetes` package builds with
`go build k8s.io/kubernetes/cmd/kube-apiserver`.
"""

import argparse
import asyncio
import contextlib
import shutil
import ssl
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from breakglass.simulator.kubernetes.certificates import Authority, write_private
from tests.simulator.kubernetes.recorded import FILE, Answer, Sender, written
from tests.simulator.kubernetes.recorded_requests import requests

READY = 60.0
"""Seconds in which the API server must answer."""
PORTS = {"etcd": 23790, "peer": 23800, "server": 26443}


async def record(folder: Path) -> None:
    """Start, send, write, end."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        authority = Authority("recording-ca")
        (work / "ca").write_bytes(authority.certificate)
        issued = {
            "server": authority.server(("127.0.0.1", "localhost"), 1),
            "admin": authority.client("admin", ("system:masters",), 1),
            "oncall": authority.client("oncall", (), 1),
        }
        for name, each in issued.items():
            (work / f"{name}.crt").write_bytes(each.certificate)
            write_private(work / f"{name}.key", each.key)
        async with _programs(folder, work), aiohttp.ClientSession() as session:
            contexts = {user: _context(work, user) for user in ("admin", "oncall")}
            url = f"https://127.0.0.1:{PORTS['server']}"
            try:
                await _ready(session, url, contexts["admin"])
            except TimeoutError:
                said = (work / "kube-apiserver.log").read_text(errors="replace").splitlines()
                raise SystemExit("\n".join(["the API server does not answer:", *said[-8:]])) from None
            send = Sender(session, url, contexts)
            answers: list[Answer] = [await send(asked) for asked in requests()]
    FILE.write_text("".join(f"{written(answer)}\n" for answer in answers))
    print(f"{len(answers)} answers: {FILE}")  # noqa: T201


def _context(work: Path, user: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(work / "ca"))
    context.load_cert_chain(work / f"{user}.crt", work / f"{user}.key")
    return context


@asynccontextmanager
async def _programs(folder: Path, work: Path) -> AsyncGenerator[None]:
    """etcd and the API server, until the end of the block."""
    etcd, peer = f"http://127.0.0.1:{PORTS['etcd']}", f"http://127.0.0.1:{PORTS['peer']}"
    found = shutil.which("etcd")
    if found is None:
        raise SystemExit("etcd is not in PATH: apt-get install etcd-server")
    lines = (
        (
            *(found, "--data-dir", str(work / "etcd"), "--listen-client-urls", etcd),
            *("--advertise-client-urls", etcd, "--listen-peer-urls", peer),
            *("--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"),
        ),
        (
            *(str(folder / "kube-apiserver"), f"--etcd-servers={etcd}", "--bind-address=127.0.0.1"),
            *(f"--secure-port={PORTS['server']}", "--advertise-address=127.0.0.1"),
            *(f"--tls-cert-file={work / 'server.crt'}", f"--tls-private-key-file={work / 'server.key'}"),
            *(f"--client-ca-file={work / 'ca'}", f"--service-account-key-file={work / 'server.crt'}"),
            f"--service-account-signing-key-file={work / 'server.key'}",
            *(
                "--service-account-issuer=https://kubernetes.default",
                "--service-cluster-ip-range=10.96.0.0/16",
            ),
            *("--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount"),
        ),
    )
    async with contextlib.AsyncExitStack() as ending:
        for line in lines:
            log = ending.enter_context((work / f"{Path(line[0]).name}.log").open("wb"))
            process = await asyncio.create_subprocess_exec(*line, stdout=log, stderr=log)
            ending.push_async_callback(_end, process)
        yield


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def _ready(session: aiohttp.ClientSession, url: str, context: ssl.SSLContext) -> None:
    async with asyncio.timeout(READY):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/readyz", ssl=context) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    asyncio.run(record(parser.parse_args().folder))
