"""Whether an address may be asked for a model now: cool-down by Retry-After, and a circuit breaker.

Closed: asked freely. Open, after several failures in a row: not asked for a while that doubles each time. Then half
open: one request tries, and closes it or opens it again. https://martinfowler.com/bliki/CircuitBreaker.html
"""

from enum import StrEnum
from typing import Final

FAILURES: Final = 5
OPEN_S: Final = 1.0
MAX_OPEN_S: Final = 10.0
MAX_COOL_S: Final = 600.0
PROBE_POLL_S: Final = 0.1


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """All times are the event loop's, in seconds."""

    __slots__ = ("_cool_until", "_failures", "_open_s", "_open_until", "_probing", "last_error")

    def __init__(self) -> None:
        self._failures = 0
        self._open_s = OPEN_S
        self._open_until = self._cool_until = 0.0
        self._probing = False
        self.last_error: str | None = None

    def state(self, now: float) -> BreakerState:
        if self._failures < FAILURES:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._open_until else BreakerState.HALF_OPEN

    def wait_s(self, now: float) -> float:
        """How long until it may be asked; 0: now."""
        if self._failures >= FAILURES and self._probing:
            return max(PROBE_POLL_S, self._cool_until - now)
        return max(0.0, self._cool_until - now, self._open_until - now)

    def begin(self) -> None:
        """A request is sent."""
        self._probing = True

    def succeed(self) -> None:
        self._failures, self._open_s = 0, OPEN_S
        self._open_until = self._cool_until = 0.0
        self._probing = False
        self.last_error = None

    def fail(self, now: float, reason: str, *, retry_after_s: float | None) -> None:
        self._failures += 1
        self._probing = False
        self.last_error = reason
        if retry_after_s is not None:
            self._cool_until = max(self._cool_until, now + min(retry_after_s, MAX_COOL_S))
        if self._failures >= FAILURES:
            self._open_until = now + self._open_s
            self._open_s = min(self._open_s * 2, MAX_OPEN_S)

    def abandon(self) -> None:
        """The request was taken back: it says nothing about the server."""
        self._probing = False
