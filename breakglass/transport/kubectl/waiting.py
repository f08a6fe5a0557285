"""Looking at an object again and again until it is as it should be; nothing here changes anything."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from breakglass.kubernetes_objects import uid_of
from breakglass.transport.base import Delivery
from breakglass.transport.kubectl.faults import KubectlFaultError
from breakglass.transport.kubectl.resources import Resource
from breakglass.transport.kubectl.run import KubectlRun
from breakglass.values import Json

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds between two looks; each is half as long again as the one before."""


@dataclass
class Pace:
    """Waits between looks, and knows when the line's own `--timeout` is over. 0 is no time of its own."""

    timeout: float
    timed_out: Callable[[], KubectlFaultError]
    next: float = FIRST_PAUSE

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.timeout if self.timeout > 0 else None

    async def rest(self) -> None:
        """Until the next look. Raises what `timed_out` gives when the time is over."""
        left = None if self._end is None else self._end - time.monotonic()
        if left is not None and left <= 0:
            raise self.timed_out()
        await asyncio.sleep(self.next if left is None else min(self.next, left))
        self.next = min(self.next * 1.5, LONGEST_PAUSE)


def condition_not_met(run: KubectlRun, resource: Resource, name: str) -> KubectlFaultError:
    said = f"error: timed out waiting for the condition on {resource.plural}/{name}"
    message = f"{run.where}: {resource.plural} {name}: not as awaited within the line's --timeout"
    return KubectlFaultError("timeout", message, Delivery.ANSWERED, said=said)


async def is_gone(run: KubectlRun, path: str, uid: str, doing: str) -> bool:
    """Whether no object with this uid is at this path any more. Raises FaultError for other answers."""
    try:
        found: Json = await run.read(path, doing)
    except KubectlFaultError as error:
        if error.status == 404:
            return True
        raise
    return bool(uid) and uid_of(found) != uid
