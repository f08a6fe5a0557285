"""How many connections a host is asked for, since doors for emergencies drop those who knock too often.

Such a host accepts a few new connections a minute and drops further ones without a word, and some close their
door for an hour after a few refused logins. A client that counts stays below both limits.
"""

from collections import deque
from dataclasses import dataclass, field

BURST = 3
"""New connections that may come at once."""
REFUSED_LOGINS = 3
"""Refused logins within the window below, after which no further one is tried: a ban follows the fourth."""
REFUSED_LOGIN_WINDOW = 600.0


@dataclass(slots=True)
class ConnectionBudget:
    """The connections to one host. `now` is seconds of a clock that never goes back."""

    per_minute: float
    _left: float = field(default=BURST, init=False)
    _counted_at: float = field(default=0.0, init=False)
    _refused: deque[float] = field(default_factory=deque[float], init=False)

    def wait(self, now: float) -> float:
        """Seconds until another connection may be made."""
        self._count(now)
        return max(0.0, (1.0 - self._left) * 60.0 / self.per_minute)

    def take(self, now: float) -> None:
        """A connection is being made."""
        self._count(now)
        self._left -= 1.0

    def no_answer(self, now: float) -> None:
        """A connection got no answer, perhaps because the host counts more strictly: hold back."""
        self._count(now)
        self._left = min(self._left, 0.0)

    def login_refused(self, now: float) -> None:
        self._refused.append(now)

    def login_wait(self, now: float) -> float:
        """Seconds until a login may be tried again; 0 unless several were refused."""
        while self._refused and self._refused[0] <= now - REFUSED_LOGIN_WINDOW:
            self._refused.popleft()
        if len(self._refused) < REFUSED_LOGINS:
            return 0.0
        return self._refused[0] + REFUSED_LOGIN_WINDOW - now

    def _count(self, now: float) -> None:
        if self._counted_at:
            grown = (now - self._counted_at) * self.per_minute / 60.0
            self._left = min(float(BURST), self._left + grown)
        self._counted_at = now
