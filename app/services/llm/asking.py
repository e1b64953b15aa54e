"""Which address of a source is asked, and when again: what answers and embeddings have in common."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from app.core.errors import UpstreamTimeout, UpstreamUnavailable
from app.services.llm.source import Address, Source

BACKOFF_S: Final = 0.5


class Asking:
    """The attempts of one request. `key`: what the health of the addresses is kept for, such as a model's name."""

    def __init__(self, source: Source, key: str | None) -> None:
        self._source, self._key = source, key
        self._tried: set[str] = set()
        self.failed = 0

    async def address(self, left_s: Callable[[], float], *, may_wait: bool = True) -> Address:
        """One that may be asked. Raises UpstreamUnavailable when none may within `left_s`, or now."""
        while True:
            address, wait_s = self._source.choose(self._key, self._tried)
            if wait_s <= 0:
                return address
            if wait_s >= left_s() or not may_wait:
                reason = address.breaker(self._key).last_error or f"{self._source.name} is failing"
                raise UpstreamUnavailable(reason, retry_after_s=wait_s)
            await asyncio.sleep(wait_s)

    @contextmanager
    def attempt(self, address: Address) -> Iterator[None]:
        """Around one request to an address: counts it, and keeps what it says of the address's health."""
        breaker = address.breaker(self._key)
        breaker.begin()
        address.busy += 1
        try:
            yield
        except (UpstreamUnavailable, UpstreamTimeout) as error:
            now = asyncio.get_running_loop().time()
            breaker.fail(now, error.message, retry_after_s=error.retry_after_s)
            self._tried.add(address.label)
            raise
        except BaseException:
            breaker.abandon()
            raise
        else:
            breaker.succeed()
        finally:
            address.busy -= 1

    def wait_s(self, error: UpstreamUnavailable | UpstreamTimeout, *, most: int, left_s: float) -> float | None:
        """How long to wait after a failed attempt; None: not at all, there is another address.

        Raises the error when there are to be no further attempts.
        """
        self.failed += 1
        if self.failed < most and self._source.has_untried(self._key, self._tried):
            return None
        backoff_s = BACKOFF_S * 2 ** (self.failed - 1) if error.retry_after_s is None else error.retry_after_s
        if self.failed >= most or isinstance(error, UpstreamTimeout) or backoff_s >= left_s:
            raise error
        return backoff_s
