"""A simulated world that outlives the walkers in it, and what must hold of it and of their journal."""

import asyncio
import contextlib
import itertools
import json
import os
import socket
import stat
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import yaml

from breakglass.journal import events as e
from breakglass.journal.folders import all_sessions
from breakglass.journal.state import Attempt, Recorded, State, fold
from breakglass.journal.store import FILE_NAME, JournalContents, read
from breakglass.rehearsal.load import load_scenario
from breakglass.rehearsal.rehearsal import Rehearsal, start_rehearsal
from breakglass.runbook.actions import ManualAction
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.site.model import FileSecret, Site
from breakglass.values import Json
from tests.safety.walker import Death, Walk, digest

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
SHIPPED = ("outpost-shm-purge", "vault-raft-recovery", "registry-image-rebuild", "nfs-node-reboot")
SPEED = 400.0
LONGEST_LIFE = 300.0
"""Seconds after which a walk hangs."""
LONGEST_ANSWER = 65536


@dataclass
class Figures:
    """What the walkers went through, for whoever reads the test's output."""

    kills: int = 0
    walks: int = 0
    acknowledged: int = 0
    changes: int = 0
    unknown: int = 0
    touched: int = 0
    repeated: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills in {self.walks} walks; {self.acknowledged} acknowledged events, none "
            f"missing; {self.changes} changes intended, {self.unknown} found unknown on resuming; "
            f"the worlds saw {self.touched} changes, {self.repeated} of them again, "
            "each with a word of its own"
        )


@dataclass
class Walkers:
    """A program that forks walkers, and the socket to which they acknowledge."""

    process: asyncio.subprocess.Process
    path: Path

    async def live(self, walk: Walk) -> int:
        """One walker's life. Gives its exit status, or minus the signal that ended it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(walk.line().encode() + b"\n")
        async with asyncio.timeout(LONGEST_LIFE):
            return int(await self.process.stdout.readline())


@contextlib.asynccontextmanager
async def walkers(folder: Path) -> AsyncGenerator[Walkers]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.safety.walker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=RUNBOOKS.parent,
        env={**os.environ, "PYTHONPATH": str(RUNBOOKS.parent)},
        start_new_session=True,
    )
    try:
        yield Walkers(process, folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        await process.wait()


@dataclass
class Endured:
    """One world, the site file that leads into it, and all that was heard of it."""

    world: Rehearsal
    runbook: Runbook
    site: Path
    state: Path
    socket: Path
    touched: list[tuple[datetime, str]] = field(default_factory=list[tuple[datetime, str]])
    acknowledged: dict[int, str] = field(default_factory=dict[int, str])

    def walk(self, death: Death) -> Walk:
        """The walk to go on with: the session that there is, or a new one."""
        script = self.world.scenario.walk
        return Walk(
            state=str(self.state),
            runbook=str(self.runbook.path),
            site=str(self.site),
            socket=str(self.socket),
            inputs={name: str(value) for name, value in script.inputs.items()},
            choose=script.choose,
            ask=script.ask,
            manual=script.manual,
            on_failure=script.on_failure,
            speed=SPEED,
            death=death,
            resume=self.session,
        )

    @property
    def session(self) -> str:
        """The session that can be gone on with; empty before anything was put on record."""
        with_records = [each for each in all_sessions(self.state) if read(each.path / FILE_NAME).records]
        return with_records[-1].name if with_records else ""

    def reading(self) -> JournalContents:
        return read(self.state / "sessions" / self.session / FILE_NAME)

    def hear(self, kind: Literal["rule", "trap", "recovered", "change"], name: str, say: str) -> None:
        if kind == "change":
            self.touched.append((datetime.now(UTC), name))

    def acknowledge(self, answer: bytes) -> None:
        sequence, fingerprint, kind, step = json.loads(answer)
        self.acknowledged[sequence] = fingerprint
        by_hand = kind == e.Answered.type and isinstance(self.runbook.step(step).action, ManualAction)
        if by_hand:
            self.world.done_by_hand(step)


@contextlib.asynccontextmanager
async def enduring(runbook: str, folder: Path) -> AsyncGenerator[Endured]:
    """A runbook's recorded incident, and a state folder for the walkers in it."""
    folder.mkdir(mode=0o700)
    state = folder / "state"
    state.mkdir(mode=0o700)
    scenario = load_scenario(RUNBOOKS / runbook / "scenarios" / "recorded-incident.yaml")
    world = await start_rehearsal(scenario, folder / "world", speed=SPEED)
    loop = asyncio.get_running_loop()
    hearing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        hearing.bind(str(folder / "s"))
        hearing.setblocking(False)
        site = folder / "site.yaml"
        site.write_text(site_text(world.site))
        loaded = load_runbook(RUNBOOKS / runbook / "runbook.yaml")
        endured = Endured(world, loaded, site, state, folder / "s")
        world.subscribe(endured.hear)
        loop.add_reader(hearing, lambda: endured.acknowledge(hearing.recv(LONGEST_ANSWER)))
        yield endured
        with contextlib.suppress(BlockingIOError):
            while True:
                endured.acknowledge(hearing.recv(LONGEST_ANSWER))
    finally:
        loop.remove_reader(hearing)
        hearing.close()
        await world.close()


def site_text(site: Site) -> str:
    """The site file that leads into a simulated world, as a person would have written it for a real one."""
    clusters = {each.name: {"kubeconfig": str(each.kubeconfig)} for each in site.clusters.values()}
    hosts = {
        each.name: {
            "address": each.address,
            "port": each.port,
            "user": each.user,
            "identity": str(each.identity),
            "known_hosts": str(each.known_hosts),
            "ssh_config": str(each.ssh_config),
            "forced_command": each.forced_command,
            "connections_per_minute": each.connections_per_minute,
        }
        for each in site.hosts.values()
    }
    endpoints: dict[str, dict[str, Json]] = {}
    for each in site.endpoints.values():
        given: dict[str, Json] = {"url": each.url, "resolve": each.resolve, "headers": dict(each.headers)}
        if each.ca is not None:
            given["ca"] = str(each.ca)
        if each.bearer is not None:
            given["bearer"] = each.bearer
        if each.basic is not None:
            given["basic"] = {"user": each.basic.user, "password": each.basic.password}
        endpoints[each.name] = given
    secrets = {
        name: {"file": str(each.path)} for name, each in site.secrets.items() if isinstance(each, FileSecret)
    }
    written = {
        "site": "endured",
        "production": False,
        "clusters": clusters,
        "hosts": hosts,
        "endpoints": endpoints,
        "secrets": secrets,
        "variables": dict(site.variables),
    }
    return yaml.safe_dump(written)


async def endure(
    endured: Endured, program: Walkers, deaths: Iterator[Death], most: int, figures: Figures
) -> None:
    """Walk to the end, killed at most so many times on the way and taken up again, and check all of it."""
    killed = 0
    while True:
        death = next(deaths) if killed < most else Death()
        status = await program.live(endured.walk(death))
        assert status in (0, -9), f"a walker ended with {status}"
        if status == 0:
            break
        killed += 1
    figures.walks += 1
    figures.kills += killed


def check(endured: Endured, figures: Figures) -> State:
    """Nothing that was acknowledged is missing; nothing was done without a word, or twice with one."""
    records = endured.reading().records
    state = fold(records)
    assert state.ended is not None
    for sequence, fingerprint in endured.acknowledged.items():
        assert digest(records[sequence - 1].event) == fingerprint, f"record {sequence} is not what was told"
    figures.acknowledged += len(endured.acknowledged)
    figures.unknown += check_unknown(records, endured.runbook)
    figures.changes += check_words(records, endured.runbook)
    check_world(records, endured.touched, figures)
    check_rights(endured.state)
    return state


def check_rights(state: Path) -> None:
    """All that a session leaves behind is its owner's to read, and nobody else's."""
    for path in state.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"


def check_unknown(records: tuple[Recorded, ...], runbook: Runbook) -> int:
    """A change that was cut short is called unknown before anything else, with what to do then."""
    found = 0
    for at, recorded in enumerate(records):
        if not isinstance(recorded.event, e.SessionResumed):
            continue
        last = cut_short(fold(records[:at]))
        if last is None:
            continue
        found += 1
        following = records[at + 1].event if at + 1 < len(records) else None
        if isinstance(following, e.SessionResumed) or following is None:
            continue  # killed again before it could say so
        assert isinstance(following, e.StepFinished), following
        assert following.state == "unknown"
        assert "it may have happened" in following.say
        guidance = runbook.step(following.step).unknown
        if guidance is not None and isinstance(guidance.parts[0], str):
            assert guidance.parts[0].split("\n")[0] in following.say
    return found


def cut_short(state: State) -> Attempt | None:
    """The attempt at a change that was under way when the program died."""
    view = state.steps.get(state.current)
    last = view.last if view is not None else None
    return last if last is not None and last.intended and last.state is None else None


def check_words(records: tuple[Recorded, ...], runbook: Runbook) -> int:
    """Each change has a word of its own, given in the same life, and its needs were read after the word."""
    confirmed: dict[tuple[str, int], int] = {}
    intended: set[tuple[str, int, int]] = set()
    for at, recorded in enumerate(records):
        match recorded.event:
            case e.SessionResumed():
                confirmed.clear()
            case e.Confirmed(step=step, attempt=attempt):
                assert (step, attempt) not in confirmed or runbook.step(step).approve > 1
                confirmed[step, attempt] = at
            case e.ActionIntended(step=step, attempt=attempt, item=item):
                assert (step, attempt) in confirmed, f"{step}: sent without a word in this life"
                assert (step, attempt, item) not in intended, f"{step}: sent twice with one word"
                intended.add((step, attempt, item))
                since = [each.event for each in records[confirmed[step, attempt] : at]]
                held = {each.need for each in since if isinstance(each, e.NeedRead) and each.holds}
                assert set(runbook.step(step).needs) <= held, f"{step}: its needs were not read again"
            case _:
                pass
    return len(intended)


def check_world(records: tuple[Recorded, ...], touched: list[tuple[datetime, str]], figures: Figures) -> None:
    """The world saw no change before its intent was on record, and none twice without a word in between."""
    words = [each.time for each in records if isinstance(each.event, e.Confirmed)]
    intents = [each.time for each in records if isinstance(each.event, e.ActionIntended)]
    seen: dict[str, list[datetime]] = defaultdict(list)
    for when, name in touched:
        assert any(intent <= when for intent in intents), f"{name}: nothing on record says that it was meant"
        seen[name].append(when)
    for name, times in seen.items():
        for first, second in itertools.pairwise(times):
            figures.repeated += 1
            assert any(first < word < second for word in words), f"{name}: done twice with one word"
    figures.touched += len(touched)
