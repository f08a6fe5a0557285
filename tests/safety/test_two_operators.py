"""Two operators in the same runbook on the same site: the second is warned, and may go on."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from breakglass.engine import commands as c
from breakglass.engine.opening import open_session
from breakglass.engine.presence import ANSWERS_WITHIN
from breakglass.engine.session import Request
from breakglass.engine.walk import Engine
from breakglass.journal import events as e
from breakglass.journal.events import Mode
from breakglass.simulator.kubernetes.hooks import RequestInfo
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.conftest import start as start
from tests.simulator.kubernetes.support import Cluster, TestHooks
from tests.transport.kubectl.support import relay

RUNBOOK = """\
runbook: example
title: An example
summary: Something is wrong.
severity: sev2
steps:
  - id: look
    title: Look
    manual: Look at it.
"""
PATIENT = 90.0
"""Seconds after which something hangs: a busy machine does not matter."""
LEASE = "lease: {cluster: main, namespace: web}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a runbook and a site, and the state folder of one machine."""
    (tmp_path / "runbook.yaml").write_text(RUNBOOK)
    (tmp_path / "site.yaml").write_text("site: lab\n")
    at_machine(tmp_path, "one", monkeypatch)
    monkeypatch.setattr("breakglass.engine.presence.ANSWERS_WITHIN", PATIENT)
    yield tmp_path


def at_machine(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / name).mkdir(mode=0o700, exist_ok=True)
    monkeypatch.setenv("BREAKGLASS_STATE", str(folder / name))
    monkeypatch.setenv("BREAKGLASS_OPERATOR", f"operator at {name}")


@asynccontextmanager
async def opened(folder: Path, mode: Mode = "live", resume: str = "") -> AsyncGenerator[Engine]:
    """A session, walked up to its first question."""
    request = Request(
        mode=mode, runbook=folder / "runbook.yaml", site=folder / "site.yaml", resume=resume or None
    )
    async with open_session(request) as session:
        engine = session.engine
        asked = asyncio.Event()
        engine.subscribe(lambda recorded, state: asked.set() if state.waiting is not None else None)
        walking = asyncio.create_task(engine.run())
        try:
            async with asyncio.timeout(PATIENT):
                await asked.wait()
            yield engine
        finally:
            walking.cancel()
            await asyncio.wait({walking})


def question(engine: Engine) -> str:
    waiting = engine.state.waiting
    return waiting.question if waiting is not None else ""


def text(engine: Engine) -> str:
    waiting = engine.state.waiting
    return waiting.text if waiting is not None else ""


def notes(engine: Engine) -> str:
    return "; ".join(each.event.text for each in engine.state.notes if isinstance(each.event, e.NoteAdded))


async def test_the_second_on_a_machine_is_warned_of_the_first_and_may_go_on(here: Path) -> None:
    async with opened(here) as first:
        assert question(first) == "acknowledge"
        async with opened(here) as second:
            assert question(second) == "continue"
            assert "somebody else is in example on lab: operator at one on" in text(second)
            second.command(c.Continue("operator"))
            async with asyncio.timeout(PATIENT):
                while question(second) != "acknowledge":
                    await asyncio.sleep(0)


async def test_the_second_may_stop_and_go_on_later_alone(here: Path) -> None:
    async with opened(here), opened(here) as second:
        name = second.state.session
        second.command(c.Stop("the other one does it", "operator"))
        async with asyncio.timeout(PATIENT):
            while second.state.ended is None:
                await asyncio.sleep(0)
    async with opened(here, resume=name) as again:
        assert question(again) == "acknowledge"


async def test_whoever_has_left_or_was_killed_is_not_warned_of(here: Path) -> None:
    async with opened(here):
        pass
    folder = here / "one" / "present" / "lab~example"
    left_behind = folder / "20260420T060000Z-example-0a1b"
    left_behind.write_text("somebody who was killed")
    async with opened(here) as later:
        assert question(later) == "acknowledge"
        assert not left_behind.exists()
        (sign,) = folder.iterdir()
        assert sign.stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.iterdir()) == []


async def test_where_no_sign_can_be_put_up_the_walk_goes_on_and_says_so(here: Path) -> None:
    (here / "one" / "present").write_text("in the way")
    async with opened(here) as only:
        assert question(only) == "acknowledge"
        assert "whether others are here could not be seen" in notes(only)


class Door:
    """What is asked of the cluster about Leases."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, request: RequestInfo) -> None:
        if request.plural == "leases":
            self.asked.append(request.verb)


@pytest.fixture
def door() -> Door:
    return Door()


async def with_cluster(
    here: Path, start: Start, door: Door, *, lease: bool = True, server: str = ""
) -> Cluster:
    cluster = await start(hooks=TestHooks(on_request=door))
    lines = [f"kubeconfig: {cluster.server.kubeconfig}"] + ([f"server: {server}"] if server else [])
    site = f"site: lab\nclusters:\n  main: {{{', '.join(lines)}}}\n"
    (here / "site.yaml").write_text(site + ("lease: {cluster: main, namespace: web}\n" if lease else ""))
    return cluster


def holder(cluster: Cluster) -> str:
    (found,) = cluster.store.peek("Lease", "web")
    spec = found["spec"]
    assert isinstance(spec, dict)
    return str(spec["holderIdentity"])


async def test_the_second_at_another_machine_is_warned_by_the_lease(
    here: Path, start: Start, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = await with_cluster(here, start, door)
    async with opened(here) as first:
        assert question(first) == "acknowledge"
        assert "Lease web/breakglass-example in cluster main shows others" in notes(first)
        at_machine(here, "two", monkeypatch)
        async with opened(here) as second:
            assert question(second) == "continue"
            assert "operator at one on" in text(second)
            assert "operator at one on" in holder(cluster), "the first one's sign stays"
        assert "operator at one on" in holder(cluster)
    assert holder(cluster) == ""
    async with opened(here) as later:
        assert question(later) == "acknowledge"
        assert "operator at two on" in holder(cluster)


async def test_a_lease_that_nobody_renews_runs_out(
    here: Path, start: Start, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = await with_cluster(here, start, door)
    monkeypatch.setattr("breakglass.transport.kubectl.leases.LASTS", -1)
    async with opened(here):
        at_machine(here, "two", monkeypatch)
        async with opened(here) as second:
            assert question(second) == "acknowledge"
            assert "operator at two on" in holder(cluster)


async def test_a_dry_run_only_reads_the_lease(here: Path, start: Start, door: Door) -> None:
    cluster = await with_cluster(here, start, door)
    async with opened(here, "dry-run") as session:
        assert question(session) == "acknowledge"
    assert door.asked == ["get"]
    assert cluster.store.peek("Lease", "web") == []


async def test_without_the_sites_word_no_lease_is_written_or_read(
    here: Path, start: Start, door: Door
) -> None:
    await with_cluster(here, start, door, lease=False)
    async with opened(here) as session:
        assert question(session) == "acknowledge"
    assert door.asked == []


async def test_a_cluster_that_does_not_answer_holds_nobody_up(
    here: Path, start: Start, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("breakglass.engine.presence.ANSWERS_WITHIN", 0.3)
    cluster = await start()
    async with contextlib.AsyncExitStack() as stack:
        between = await stack.enter_async_context(relay(cluster.server.address))
        between.stop_down = True
        main = f"{{kubeconfig: {cluster.server.kubeconfig}, server: '{between.url}'}}"
        (here / "site.yaml").write_text(f"site: lab\nclusters: {{main: {main}}}\n{LEASE}")
        async with opened(here) as session:
            assert question(session) == "acknowledge"
            assert "no answer in" in notes(session)
    assert ANSWERS_WITHIN < 10
