"""The clock of a simulated world: it starts at a given moment and runs `speed` times as fast as real time.

Everything in a rehearsal that waits, ages or expires asks this clock, so that one number makes a drill
fast or slow.
"""

import asyncio
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Timer:
    """One callback that is still to come."""

    def __init__(self, forget: Callable[["Timer"], None]) -> None:
        self._forget = forget
        self._handle: asyncio.TimerHandle | None = None

    def bind(self, handle: asyncio.TimerHandle) -> None:
        self._handle = handle

    def cancel(self) -> None:
        """The callback will not be called. Cancelling twice, or after the call, does nothing."""
        if self._handle is not None:
            self._handle.cancel()
        self._forget(self)


class SimulatedClock:
    """Simulated UTC and simulated waiting. One real second is `speed` simulated seconds.

    start: the simulated moment at which the clock begins; the real present by default.
    Timers need a running event loop; `now` does not.
    """

    def __init__(self, speed: float = 1.0, start: datetime | None = None) -> None:
        if speed <= 0:
            raise ValueError("the speed of a clock must be above zero")
        self.speed = speed
        self._start = start or datetime.now(UTC)
        self._began = time.monotonic()
        self._timers: set[Timer] = set()

    def elapsed(self) -> float:
        """Simulated seconds since the clock began."""
        return (time.monotonic() - self._began) * self.speed

    def now(self) -> datetime:
        """The simulated time of day, UTC."""
        return self._start + timedelta(seconds=self.elapsed())

    async def sleep(self, seconds: float) -> None:
        """Wait for simulated seconds."""
        await asyncio.sleep(seconds / self.speed)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once, in the event loop, when so many simulated seconds have passed."""
        timer = Timer(self._timers.discard)

        def run() -> None:
            self._timers.discard(timer)
            callback()

        timer.bind(asyncio.get_running_loop().call_later(max(0.0, seconds) / self.speed, run))
        self._timers.add(timer)
        return timer

    def close(self) -> None:
        """Cancel every timer that is still to come."""
        for timer in list(self._timers):
            timer.cancel()


class SteppedClock(SimulatedClock):
    """A clock that stands still until it is told to go on. For tests of what time does, without waiting."""

    def __init__(self, start: datetime | None = None) -> None:
        super().__init__(1.0, start or datetime(2026, 5, 10, 12, 0, tzinfo=UTC))
        self._passed = 0.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], object], Timer]] = []

    def elapsed(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, lambda: None if waking.done() else waking.set_result(None))
        try:
            await waking
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        timer = Timer(self._drop)
        self._due.append((self._passed + max(0.0, seconds), next(self._order), callback, timer))
        return timer

    def _drop(self, timer: Timer) -> None:
        self._due = [entry for entry in self._due if entry[3] is not timer]

    def advance(self, seconds: float) -> None:
        """Let simulated seconds pass, calling back whatever falls due on the way, in order."""
        end = self._passed + seconds
        while due := [entry for entry in self._due if entry[0] <= end]:
            first = min(due, key=lambda entry: entry[:2])
            self._due.remove(first)
            self._passed = max(self._passed, first[0])
            first[2]()
        self._passed = end

    def close(self) -> None:
        self._due.clear()
