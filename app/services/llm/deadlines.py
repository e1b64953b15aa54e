"""How long a generation may take: until its first token, between tokens, and in all."""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds until the first token, between tokens, and for the whole answer."""

    first_token_s: float
    idle_s: float
    total_s: float


class Watch:
    """Three deadlines for one generation. A token costs one clock reading: the timer looks back when it fires."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadlines = deadlines
        self._start = self._turn = self._loop.time()
        self._last = 0.0
        self._scope: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def started(self) -> bool:
        return self._last > 0

    def touch(self) -> None:
        self._last = self._loop.time()

    def turn_to(self, deadlines: Deadlines) -> None:
        """Another server is asked now: it has its own time until the first token, within the same time in all."""
        self._deadlines, self._turn = deadlines, self._loop.time()

    def left_s(self) -> float:
        return self._limit() - self._loop.time()

    def guard(self, scope: asyncio.Timeout) -> None:
        self._scope = scope
        self._check()

    def release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._scope = None

    def verdict(self, name: str) -> str:
        limits = self._deadlines
        if self._loop.time() - self._start >= limits.total_s:
            return f"{name} did not finish within {limits.total_s:g} s; continue the answer or raise TOTAL_TIMEOUT_S"
        if not self.started:
            waited = f"{name} gave no first token within {limits.first_token_s:g} s"
            return f"{waited}; try again or raise FIRST_TOKEN_TIMEOUT_S"
        return f"{name} fell silent for {limits.idle_s:g} s in mid-answer; continue the answer or raise IDLE_TIMEOUT_S"

    def _limit(self) -> float:
        limits = self._deadlines
        next_token = self._last + limits.idle_s if self.started else self._turn + limits.first_token_s
        return min(next_token, self._start + limits.total_s)

    def _check(self) -> None:
        if self._scope is None:
            return
        limit = self._limit()
        if self._loop.time() >= limit:
            self._scope.reschedule(self._loop.time())
        else:
            # The first token may come before the timer: then the idle deadline is the nearer one.
            self._timer = self._loop.call_at(min(limit, self._loop.time() + self._deadlines.idle_s), self._check)
