"""One run: find passages, build the prompt, stream the model's answer into the log, store what came of it.

The run belongs to the service, not to a connection: it goes on when every reader has left.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import msgspec
from loguru import logger

from app.core.enums import FinishReason, Stage
from app.core.errors import AppError, Internal
from app.db.session import Database, Session
from app.observability import metrics
from app.rag.citations import Checker
from app.rag.retriever import Retriever
from app.schemas.chat import (
    CitationChecked,
    Event,
    ReasoningDelta,
    Source,
    SourcesFound,
    StatusChanged,
    TextDelta,
    UsageCounted,
)
from app.services import outcome
from app.services.fitting import count_written, fit
from app.services.grounding import find_sources, passage_texts
from app.services.ledger import Prompt
from app.services.llm import source as llm
from app.services.llm.base import Delta, Generation, Options
from app.services.llm.pool import Pool
from app.services.llm.queue import Ticket
from app.services.meter import Meter
from app.services.outcome import Written
from app.services.streams import replay
from app.services.streams.base import StreamWriter
from app.services.turns import Asked, Turn

# Said by us, since a model may forget to.
NOTHING_FOUND = "*Nothing in the searched documents matches this question.*\n\n"

INTERNAL = Internal("the answer failed inside the service; the log has the details under this request id")
STORE_AGAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What every run works with."""

    db: Database
    pool: Pool
    retriever: Retriever


class RunTask:
    """A run in progress. Implements the pool's Sink."""

    def __init__(self, tools: Tools, writer: StreamWriter, asked: Asked, turn: Turn) -> None:
        self.turn = turn
        self._tools, self._writer, self._asked = tools, writer, asked
        self._model_source = tools.pool.get(asked.model_source)
        self._generates = self._model_source.capabilities.generates
        self._tokenizer = self._model_source.tokenizer
        self._meter = Meter(self._model_source, asked.model)
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._trace: list[int] = []
        self._sources: list[Source] = []
        self._checker: Checker | None = None
        self._citations: list[CitationChecked] = []
        self._prompt: Prompt | None = None
        self._finish_reason = FinishReason.STOP
        self._cancelled: FinishReason | None = None
        self._incidents: list[StatusChanged] = []  # attempts that failed, and what was asked instead
        self._interruptible = self._closing = self._is_queued = False
        self._again = asyncio.Event()
        self.ended = asyncio.Event()
        self.failure: AppError | None = None
        self._say(turn.started(asked))
        self.task = asyncio.create_task(self._run(), name=f"run {turn.run_id}")

    def cancel(self, reason: FinishReason) -> None:
        """Close the upstream and end the run with `reason`. Without effect once the model has finished."""
        self._closing = self._closing or reason is FinishReason.INTERRUPTED
        self._again.set()
        if self._cancelled is None:
            self._cancelled = reason
            if self._interruptible:
                self.task.cancel()

    # The sink of the token path: no await, as little as possible.

    def delta(self, delta: Delta) -> None:
        if delta.text or delta.reasoning:
            self._meter.take(delta)
        if delta.reasoning:
            self._reasoning.append(delta.reasoning)
            self._trace.append(-len(delta.reasoning))
            self._writer.push(ReasoningDelta(delta.reasoning))
        if delta.text:
            self._write(delta.text)
        if delta.finish_reason is not None:
            self._finish_reason = FinishReason.LENGTH if delta.finish_reason == "length" else FinishReason.STOP
            self._meter.usage = delta.usage
        elif delta.progress is not None:
            self._say(StatusChanged(stage=Stage.PROMPT, progress=round(delta.progress, 3)))

    def _write(self, text: str) -> None:
        self._text.append(text)
        self._trace.append(len(text))
        self._writer.push(TextDelta(text))
        if self._checker is not None and (found := self._checker.feed(text)):
            self._cite(found)

    def _cite(self, found: list[CitationChecked]) -> None:
        for citation in found:
            self._citations.append(citation)
            self._say(citation)

    def status(self, event: StatusChanged) -> None:
        if event.stage is Stage.QUEUED:
            self._meter.enqueue()
        else:
            self._incidents.append(event)
        self._is_queued = event.stage is Stage.QUEUED
        self._say(event)

    def begun(self, source: llm.Source, model: str | None) -> None:
        if not self._meter.attempts or self._is_queued:
            self._say(StatusChanged(stage=Stage.GENERATING))
        self._is_queued = False
        self._meter.begin(source, model)

    def _say(self, event: Event) -> None:
        self._trace.append(replay.mark(event.kind))
        self._writer.push(event)

    async def _run(self) -> None:
        try:
            with metrics.ACTIVE_RUNS.track_inprogress():
                error = await self._answered()
            await self._conclude(error)
        except Exception:  # the root of the task: whatever happens, its readers learn of the end
            logger.exception("run {} failed", self.turn.run_id)
            self._end(INTERNAL, stored=False)
        finally:
            self.ended.set()

    async def _answered(self) -> AppError | None:
        try:
            await self._answer()
        except asyncio.CancelledError:
            if self._cancelled is None:
                raise
            self.task.uncancel()
            self._finish_reason = self._cancelled
        except AppError as error:
            return error
        except Exception:  # the answer so far is kept all the same
            logger.exception("run {} failed", self.turn.run_id)
            return INTERNAL
        return None

    async def _answer(self) -> None:
        self._interruptible = True
        try:
            if self._cancelled is not None:
                raise asyncio.CancelledError
            await self._find_sources()
            if self._tokenizer is not None:
                self._say(StatusChanged(stage=Stage.PROMPT))
            self._prompt = await fit(
                self.turn.parts(self._asked, self._sources),
                self._request,
                self._tokenizer,
                context_tokens=self._asked.context_tokens,
                max_tokens=self._asked.request.max_tokens,
            )
            self._sources = self._prompt.sources
            if self.turn.searched or self._sources:
                self._say(SourcesFound(self._sources))
                self._checker = Checker(self._sources, before=self.turn.content_before)
                if self._checker.is_large:
                    await asyncio.to_thread(self._checker.prepare)
            if self._says_nothing_found() and self._asked.request.strict:
                self._prompt = None  # the model is not asked
                return
            entry = outcome.ledger_entry(self._asked, self.turn, self._prompt, None)
            self._writer.note(msgspec.json.encode(entry))
            ticket = Ticket(self.turn.user_id)
            await self._tools.pool.generate(self._model_source, self._request(self._prompt), self, ticket)
        finally:
            self._interruptible = False

    def _says_nothing_found(self) -> bool:
        wanted = self.turn.searched or self._asked.request.strict
        if self._sources or self.turn.content_before or not wanted or not self._generates:
            return False
        self._write(NOTHING_FOUND)
        return True

    async def _find_sources(self) -> None:
        if self.turn.content_before:  # the numbers in the answer so far must keep their meaning
            self._sources = msgspec.convert(self.turn.sources_before, list[Source])
            return
        if not self.turn.searched:
            return
        self._say(StatusChanged(stage=Stage.RETRIEVING))
        # Whoever chose the files may ask a model about them in words that are nowhere in them: "Summarise this".
        any_passage = self.turn.chosen and self._generates
        self._sources = await find_sources(
            self._tools.retriever,
            self.turn.user_id,
            self.turn.question,
            scope=self.turn.scope,
            related_only=not any_passage,
        )

    def _request(self, prompt: Prompt) -> Generation:
        request = self._asked.request
        return Generation(
            turns=prompt.turns,
            model=self._asked.model,
            options=Options(temperature=request.temperature, max_tokens=request.max_tokens),
            passages=passage_texts(prompt.sources),
            searched=self.turn.searched,
        )

    async def _conclude(self, error: AppError | None) -> None:
        """Store the outcome, then send the one terminal event. If it cannot be stored the frames stay in the log."""
        usage = await self._count()
        with contextlib.suppress(AppError):  # the log has failed and said so: what is left is to store the message
            self._cite(self._checker.end() if self._checker is not None else [])
            if usage is not None and error is None:
                self._say(usage)
        entry = outcome.ledger_entry(self._asked, self.turn, self._prompt, self._meter.usage)
        written = Written(
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            trace=replay.pack([*self._trace, 0]),
            sources=[msgspec.to_builtins(source) for source in self._sources],
            citations=[msgspec.to_builtins(citation) for citation in self._citations],
            usage=usage,
            entry=entry | {"incidents": msgspec.to_builtins(self._incidents)},
            model_source=self._meter.source.name,
            model=self._meter.model,
        )
        store = partial(outcome.store, turn=self.turn, written=written, error=error, reason=self._finish_reason)
        self.failure = await self._store(store)
        self._end(self.failure or error, stored=self.failure is None)
        self.ended.set()
        ended_as = self.failure or error
        metrics.RUNS.labels(self._asked.model_source, ended_as.code if ended_as else self._finish_reason).inc()
        while self.failure is not None and not self._closing:
            await self._wait(STORE_AGAIN_S)
            self.failure = await self._store(store)
        if self.failure is None:
            self._writer.stored()

    async def _store(self, store: Callable[[Session], None]) -> AppError | None:
        """Why it could not be stored: the frames in the log are then the only copy."""
        try:
            await self._tools.db.write(store)
        except AppError as failure:
            logger.error("run {} could not be stored: {}", self.turn.run_id, failure.message)
            return failure
        except Exception:  # whatever the database says, the client is told
            logger.exception("run {} could not be stored", self.turn.run_id)
            return Internal("the answer could not be stored yet; it is kept and stored as soon as possible")
        return None

    async def _wait(self, seconds: float) -> None:
        """Or until `cancel`."""
        self._again.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._again.wait()

    async def _count(self) -> UsageCounted | None:
        """None when the model was never asked."""
        if self._prompt is None:
            return None
        usage = self._meter.usage
        if usage is None:
            written = "".join(self._reasoning + self._text)
            tokenizer = self._tokenizer if self._meter.source is self._model_source else None
            usage = await count_written(self._prompt, written, tokenizer, model=self._asked.model)
        return self._meter.counted(usage)

    def _end(self, error: AppError | None, *, stored: bool) -> None:
        event = outcome.last_event(self._asked, self.turn, error=error, reason=self._finish_reason)
        self._writer.end(event, stored=stored)
