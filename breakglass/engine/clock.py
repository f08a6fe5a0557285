"""Time as the walk sees it. In a rehearsal, simulated time runs faster than real time by the clock's
speed."""

import asyncio
import time
from datetime import UTC, datetime

SHORTEST_DEADLINE = 3.0
"""However fast a rehearsal runs, a request has this many real seconds; loopback is not infinitely fast."""

FASTEST_DEADLINE = 50.0
"""However fast a rehearsal runs, a request's limit shrinks by no more than this: what has minutes in life,
such as the walk of a registry, does real work."""


class Clock:
    """Waits and durations, in seconds of the walk. With `speed` 1 they are real seconds."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed

    def now(self) -> datetime:
        """The time of day, UTC. It may jump; durations never come from it."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    def deadline(self, seconds: float) -> float:
        """The real seconds that a request with this limit gets."""
        return max(seconds / min(self.speed, FASTEST_DEADLINE), min(seconds, SHORTEST_DEADLINE))

    def has_had(self, looked: float, within: float) -> bool:
        """Whether a wait has had its time, going by its looks and the pauses between them.

        In life the deadline alone counts. A rehearsal may run faster than this machine can follow; there, a
        wait still gets all the looks that its time has room for.
        """
        return self.speed <= 1 or looked >= within
