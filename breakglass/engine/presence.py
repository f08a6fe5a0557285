"""Who else is in the same runbook on the same site. It warns, and keeps nobody out.

Two signs are looked at. One is on this machine: a locked file in the state folder for each open session,
whose lock ends with its process. The other is a Lease in a cluster, where the site names one: then the
operators need not sit at the same machine. Writing a Lease is a change on the cluster, for which the site's
`lease` is the word; only a live session writes it, and any other reads it.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from breakglass.journal.events import Mode
from breakglass.site.model import Site

if TYPE_CHECKING:
    from breakglass.transport.kubectl.leases import Lease

ANSWERS_WITHIN = 3.0
"""Seconds in which a cluster must answer; the incident may be that it does not."""
RENEW_EVERY = 20.0
"""Seconds between two renewals of a Lease; a third of what it lasts."""
LONGEST_WORDS = 300


@dataclass(frozen=True, slots=True)
class OthersPresent:
    """What was seen on coming in: the others, in words, and what else is worth a note."""

    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


FindOthers: TypeAlias = Callable[[], Awaitable[OthersPresent]]


class Presence:
    """One session's signs, for as long as it is open."""

    def __init__(
        self, state: Path, session: str, runbook: str, site: Site, mode: Mode, operator: str
    ) -> None:
        self._folder = state / "present" / f"{site.name}~{runbook}"
        self._session = session
        self._runbook = runbook
        self._site = site
        self._mode: Mode = mode
        host = os.uname().nodename
        self._words = f"{operator} on {host}, process {os.getpid()}, since {datetime.now(UTC):%H:%M}Z"
        if mode != "live":
            self._words += f", {mode}"
        self._descriptor: int | None = None
        self._lease: Lease | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def find_others(self) -> OthersPresent:
        """Put up the signs, and see those of others. Never fails: a sign that cannot be read is noted."""
        others, notes = self._locally()
        if self._site.lease is not None:
            other, note = await self._in_the_cluster()
            others += [other] if other and other not in others else []
            notes += [note] if note else []
        return OthersPresent(tuple(others), tuple(notes))

    async def close(self) -> None:
        """Take the signs down."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
        if self._lease is not None:
            await _in_time(self._lease.release())
            await self._lease.close()
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                (self._folder / self._session).unlink()
            os.close(self._descriptor)

    def _locally(self) -> tuple[list[str], list[str]]:
        try:
            for folder in (self._folder.parent, self._folder):
                folder.mkdir(mode=0o700, exist_ok=True)
            # Nobody sees the file before it is locked, and so takes it for one that was left behind.
            coming = self._folder / f".{self._session}"
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._descriptor = os.open(coming, flags, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(self._descriptor, self._words.encode(), 0)
            coming.rename(self._folder / self._session)
            there = sorted(each for each in self._folder.iterdir() if not each.name.startswith("."))
            return [words for each in there if each.name != self._session and (words := _held(each))], []
        except OSError as error:
            return [], [f"whether others are here could not be seen in {self._folder}: {error.strerror}"]

    async def _in_the_cluster(self) -> tuple[str, str]:
        """Who else holds the site's Lease, and a note."""
        from breakglass.transport.kubectl.access import load_package
        from breakglass.transport.kubectl.leases import Lease

        await load_package()
        named = self._site.lease
        assert named is not None
        name = f"breakglass-{self._runbook}"
        shown = f"Lease {named.namespace}/{name} in cluster {named.cluster}"
        self._lease = Lease(
            self._site.clusters[named.cluster], named.namespace, name, f"{self._words}, {self._session}"
        )
        live = self._mode == "live"
        other, wrong = await _in_time(self._lease.take() if live else self._lease.look())
        if wrong:
            return "", f"{shown}: {wrong}"
        if live:
            self._keeping = asyncio.create_task(self._keep(self._lease))
        return other, f"{shown} shows others that this session is open" if self._lease.held else ""

    async def _keep(self, lease: "Lease") -> None:
        """Renew the Lease, or take it where another has let go of it."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            await _in_time(lease.take())


async def _in_time(asking: Awaitable[str | None]) -> tuple[str, str]:
    """What was answered, or why nothing was."""
    from breakglass.transport.kubectl.faults import KubectlFaultError

    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            return await asking or "", ""
    except KubectlFaultError as error:
        return "", error.fault.message
    except TimeoutError:
        return "", f"no answer in {ANSWERS_WITHIN:.0f} s"


def _held(file: Path) -> str:
    """The words in a file that its process still holds; a file that nobody holds is taken away."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.unlink(missing_ok=True)
    except BlockingIOError:
        words = os.pread(descriptor, LONGEST_WORDS, 0).decode(errors="replace")
        return words or "somebody who has just come"
    finally:
        os.close(descriptor)
    return ""
