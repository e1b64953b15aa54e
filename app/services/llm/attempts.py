"""Asks one source for one answer: waits its turn, chooses an address, and tries again before the first token only."""

import asyncio
from contextlib import aclosing
from typing import Final, Protocol

from app.core.enums import Stage
from app.core.errors import AppError, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.schemas.chat import StatusChanged
from app.services.llm.asking import Asking
from app.services.llm.base import Delta, Generation
from app.services.llm.deadlines import Watch
from app.services.llm.queue import Ticket
from app.services.llm.source import Address, Source

MAX_ATTEMPTS: Final = 3


class Sink(Protocol):
    """Takes what a generation gives, at once and without waiting."""

    def delta(self, delta: Delta) -> None: ...

    def status(self, event: StatusChanged) -> None: ...

    def begun(self, source: Source, model: str | None) -> None:
        """The source is asked now: its turn has come, or it is another attempt."""


class Attempts:
    """The attempts of one generation at one source."""

    def __init__(self, source: Source, request: Generation, sink: Sink, watch: Watch) -> None:
        self._source, self._request, self._sink, self._watch = source, request, sink, watch
        self._model = request.model or source.default_model
        self._asking = Asking(source, self._model)

    async def run(self, ticket: Ticket) -> None:
        """Feed the answer to the sink. Raises an AppError."""
        queue, deadlines = self._source.queue, self._source.terms.deadlines
        async with queue.turn(ticket, self._tell_position, timeout_s=deadlines.total_s):
            self._watch.turn_to(deadlines)
            while True:
                may_wait = not self._source.terms.fallback
                address = await self._asking.address(self._watch.left_s, may_wait=may_wait)
                self._sink.begun(self._source, self._model)
                try:
                    # A task of its own: the fewer coroutines each token's wake-up passes, the cheaper it is.
                    return await asyncio.create_task(self._attempt(address))
                except (UpstreamUnavailable, UpstreamTimeout) as error:
                    await self._before_next(error)
                except UpstreamRefused as error:
                    raise await self._explained(error) from error

    def _tell_position(self, position: int) -> None:
        self._sink.status(StatusChanged(stage=Stage.QUEUED, position=position))

    async def _attempt(self, address: Address) -> None:
        with self._asking.attempt(address):
            await self._stream(address)

    async def _stream(self, address: Address) -> None:
        watch, sink = self._watch, self._sink
        try:
            async with asyncio.timeout(None) as scope:
                watch.guard(scope)
                try:
                    async with aclosing(address.provider.stream(self._request)) as deltas:
                        async for delta in deltas:
                            if delta.progress is None:
                                watch.touch()
                            else:
                                watch.turn_to(self._source.terms.deadlines)  # it reads the prompt: it is alive
                            sink.delta(delta)
                finally:
                    watch.release()
        except TimeoutError:
            raise UpstreamTimeout(watch.verdict(self._source.name)) from None

    async def _before_next(self, error: UpstreamUnavailable | UpstreamTimeout) -> None:
        """Wait, or raise the error when there is to be no next attempt."""
        if self._watch.started:
            raise error
        most = MAX_ATTEMPTS + len(self._source.addresses) - 1
        wait_s = self._asking.wait_s(error, most=most, left_s=self._watch.left_s())
        self._sink.status(StatusChanged(stage=Stage.RETRYING, attempt=self._asking.failed + 1, reason=error.message))
        if wait_s is None:
            self._watch.turn_to(self._source.terms.deadlines)
        await asyncio.sleep(wait_s or 0)

    async def _explained(self, error: UpstreamRefused) -> AppError:
        """A model that is not there is named, with those that are."""
        if error.details.get("upstream_status") != 404 or self._model is None:
            return error
        names = [model.name for model in (await self._source.listing()).models]
        return error if not names or self._model in names else await self._source.unknown(self._model)
