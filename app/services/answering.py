"""An answer on its way to one client: what the model gives piles up here until the client takes it.

It ends with its client: `cancel` closes the model's connection at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final
from uuid import UUID

from loguru import logger

from app.core.enums import CountedBy
from app.core.errors import AppError, Internal, UpstreamRefused, ValidationFailed
from app.observability import metrics
from app.rag.citations import Checker
from app.schemas.chat import CitationChecked, StatusChanged, UsageCounted
from app.schemas.chat import Source as Passage
from app.services.llm.base import Delta, FinishReason, Generation, TokenUsage
from app.services.llm.pool import Pool
from app.services.llm.queue import Ticket
from app.services.llm.source import Source
from app.services.llm.tokens import estimate_tokens
from app.services.meter import Meter
from app.services.streams.base import HEARTBEAT_S

MAX_UNREAD: Final = 4 << 20  # characters, or bytes of JSON, that a slow client leaves behind
MAX_JSON_BYTES: Final = 32 << 20  # of tool calls and logprobs in one answer
INTERNAL: Final = Internal("the answer failed inside the service; the log has the details under this request id")


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer. `tokens` has what the provider said besides."""

    finish_reason: FinishReason
    usage: UsageCounted
    tokens: TokenUsage
    model_source: str
    model: str | None
    citations: Sequence[CitationChecked] = ()


@dataclass(frozen=True, slots=True)
class Spent:
    """What one answer took of which model, for the statistics. `cost` in US dollars; None: no price is known."""

    user_id: UUID
    model_source: str
    model: str | None
    tokens: TokenUsage
    cost: float | None
    failed: bool


Record = Callable[[Spent], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be answered, for whom, and by what. `sources` None: no files were searched."""

    user_id: UUID
    source: Source
    request: Generation
    prompt_tokens: int  # by estimate
    sources: Sequence[Passage] | None = None


class Answering:
    """Implements the pool's Sink. One reader."""

    def __init__(
        self, pool: Pool, order: Order, meter: Meter, *, record: Record, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool, self._order, self._meter, self._record = pool, order, meter, record
        self._pending: list[Delta] = []
        self._written: list[str] = []
        self._checker = None if order.sources is None else Checker(order.sources)
        self._citations: list[CitationChecked] = []
        self._unread = self._json_bytes = 0
        self._finish_reason: FinishReason = "stop"
        self._end: Finished | AppError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._last_read = self._loop.time()
        self._silent = False
        self.position: int | None = None
        self._heartbeat_s = heartbeat_s
        self._timer = self._loop.call_later(heartbeat_s, self._beat)
        self.task = asyncio.create_task(self._run(), name="answer")

    @property
    def sources(self) -> Sequence[Passage] | None:
        return self._order.sources

    async def read(self) -> Delta | Finished | None:
        """All that came since the last time, as one delta; None after 15 s of silence; `Finished` as the last.

        Raises the AppError that the answer ended in.
        """
        while not self._pending:
            if self._end is not None:
                if isinstance(self._end, AppError):
                    raise self._end
                return self._end
            self._waiter = self._loop.create_future()
            await self._waiter
            if self._silent:
                self._silent = False
                self._last_read = self._loop.time()
                return None
        pending, self._pending, self._unread = self._pending, [], 0
        self._last_read = self._loop.time()
        return pending[0] if len(pending) == 1 else _joined(pending)

    def cancel(self) -> None:
        """Nobody reads any more."""
        self._timer.cancel()
        if self._end is None:
            self.task.cancel()

    def fail(self, error: AppError) -> None:
        """End it for the reader, and close the model's connection."""
        if self._end is None:
            self.task.cancel()
            self._conclude(error)

    # The sink of the token path: no await, as little as possible.

    def delta(self, delta: Delta) -> None:
        if delta.finish_reason is not None:
            self._finish_reason = delta.finish_reason
            self._meter.usage = delta.usage
        text, reasoning = delta.text, delta.reasoning
        if not (text or reasoning or delta.tool_calls or delta.logprobs):
            return
        self._meter.take(delta)
        self._written.append(text or reasoning)
        if self._checker is not None and text:
            self._citations += self._checker.feed(text)
        size = len(text) + len(reasoning)
        if delta.tool_calls or delta.logprobs:
            size += self._measured(delta)
        self._unread += size
        if self._unread > MAX_UNREAD:
            raise ValidationFailed(f"the answer is not read: {self._unread} characters wait; read faster or ask again")
        self._pending.append(delta)
        self._wake()

    def status(self, event: StatusChanged) -> None:
        if event.position is not None:
            self._meter.enqueue()
            self.position = event.position

    def begun(self, source: Source, model: str | None) -> None:
        self.position = None
        self._meter.begin(source, model)

    def _measured(self, delta: Delta) -> int:
        size = sum(len(bytes(raw)) for raw in chain(delta.tool_calls, delta.logprobs))
        self._json_bytes += size
        if self._json_bytes > MAX_JSON_BYTES:
            raise UpstreamRefused("the model's server sent tool calls or logprobs without end")
        return size

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _beat(self) -> None:
        """Wakes the reader after 15 s of silence: one timer for the answer, not one for each token."""
        now = self._loop.time()
        due = self._last_read + self._heartbeat_s
        if now >= due:
            due = now + self._heartbeat_s
            if not self._pending:
                self._silent = True
                self._wake()
        self._timer = self._loop.call_at(due, self._beat)

    async def _run(self) -> None:
        order, failure, status = self._order, None, ""
        try:
            with metrics.ACTIVE_RUNS.track_inprogress():
                if self._checker is not None and self._checker.is_large:
                    await asyncio.to_thread(self._checker.prepare)
                await self._pool.generate(order.source, order.request, self, Ticket(order.user_id))
        except asyncio.CancelledError:
            status = "stopped"
        except AppError as error:
            failure = error
        except Exception:  # the root of the task: its reader learns of the end
            logger.exception("an answer failed")
            failure = INTERNAL
        tokens = self._tokens()
        if status or failure is not None:
            self._conclude(failure or INTERNAL)
        else:
            meter = self._meter
            usage = meter.counted(tokens)
            self._citations += self._checker.end() if self._checker is not None else ()
            cited = tuple(self._citations)
            self._conclude(Finished(self._finish_reason, usage, tokens, meter.source.name, meter.model, cited))
        metrics.RUNS.labels(order.source.name, status or (failure.code if failure else self._finish_reason)).inc()
        await self._account(tokens, failed=failure is not None)

    def _conclude(self, end: Finished | AppError) -> None:
        self._timer.cancel()
        self._end = self._end or end
        self._wake()

    async def _account(self, tokens: TokenUsage, *, failed: bool) -> None:
        source, model = self._meter.source, self._meter.model
        spent = Spent(self._order.user_id, source.name, model, tokens, source.cost(model, tokens), failed)
        try:
            await self._record(spent)
        except AppError as error:
            logger.error("an answer could not be counted: {}", error.message)

    def _tokens(self) -> TokenUsage:
        """As the provider counted them, else by estimate; none when the model was never asked."""
        if self._meter.usage is not None:
            return self._meter.usage
        written = "".join(self._written)
        prompt = self._order.prompt_tokens if self._meter.attempts else 0
        return TokenUsage(prompt, estimate_tokens(written) if written else 0, counted_by=CountedBy.ESTIMATE)


def _joined(deltas: Sequence[Delta]) -> Delta:
    return Delta(
        "".join([delta.text for delta in deltas]),
        "".join([delta.reasoning for delta in deltas]),
        tool_calls=tuple(chain.from_iterable(delta.tool_calls for delta in deltas)),
        logprobs=tuple(chain.from_iterable(delta.logprobs for delta in deltas)),
    )
