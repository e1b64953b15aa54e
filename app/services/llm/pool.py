"""The way to every model: finds the provider, keeps the deadlines, and retries before the first token only."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol

from app.core.enums import Stage
from app.core.errors import UnknownName, UpstreamTimeout, UpstreamUnavailable
from app.schemas.chat import StatusChanged
from app.services.llm.base import Delta, Generation, Provider

MAX_ATTEMPTS: Final = 3
BACKOFF_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds until the first token, between tokens, and for the whole answer."""

    first_token_s: float
    idle_s: float
    total_s: float


class Sink(Protocol):
    """Takes what a generation gives, at once and without waiting."""

    def delta(self, delta: Delta) -> None: ...

    def status(self, event: StatusChanged) -> None: ...


class Pool:
    """The configured providers by name, in the order of preference."""

    def __init__(self, providers: Mapping[str, Provider], *, default: str | None, deadlines: Deadlines) -> None:
        self._providers = dict(providers)
        self._default = default or next(iter(self._providers))
        self._deadlines = deadlines

    @property
    def names(self) -> list[str]:
        return list(self._providers)

    def get(self, name: str | None) -> Provider:
        """The provider, or the default for None. Raises UnknownName, which lists the known ones."""
        provider = self._providers.get(name or self._default)
        if provider is None:
            raise UnknownName.of("model_source", name or self._default, self.names)
        return provider

    async def generate(self, provider: Provider, request: Generation, sink: Sink) -> None:
        """Feed the answer to `sink`. Raises an UpstreamError; after the first token nothing is tried again."""
        watch = _Watch(self._deadlines)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                # A task of its own: the fewer coroutines each token's wake-up passes through, the cheaper it is.
                return await asyncio.create_task(self._attempt(provider, request, sink, watch))
            except UpstreamUnavailable as error:
                wait_s = error.retry_after_s if error.retry_after_s is not None else BACKOFF_S * 2 ** (attempt - 1)
                if watch.started or attempt == MAX_ATTEMPTS or wait_s >= watch.left_s():
                    raise
                sink.status(StatusChanged(stage=Stage.RETRYING, attempt=attempt + 1, reason=error.message))
                await asyncio.sleep(wait_s)
        return None

    async def _attempt(self, provider: Provider, request: Generation, sink: Sink, watch: "_Watch") -> None:
        try:
            async with asyncio.timeout(None) as scope:
                watch.guard(scope)
                try:
                    async with aclosing(provider.stream(request)) as deltas:
                        async for delta in deltas:
                            watch.touch()
                            sink.delta(delta)
                finally:
                    watch.release()
        except TimeoutError:
            raise UpstreamTimeout(watch.verdict(provider.name)) from None

    async def aclose(self) -> None:
        for provider in self._providers.values():
            await provider.aclose()


class _Watch:
    """Three deadlines for one generation. A token costs one clock reading: the timer looks back when it fires."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadlines = deadlines
        self._start = self._loop.time()
        self._last = 0.0
        self._scope: asyncio.Timeout | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def started(self) -> bool:
        return self._last > 0

    def touch(self) -> None:
        self._last = self._loop.time()

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
        next_token = self._last + limits.idle_s if self.started else self._start + limits.first_token_s
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
