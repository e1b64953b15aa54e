"""What one answer took: tokens, and milliseconds in the queue, to the first token and between tokens."""

import asyncio

from app.observability import metrics
from app.schemas.chat import UsageCounted
from app.services.llm.base import Delta, TokenUsage
from app.services.llm.source import Source


class Meter:
    """Told of each step as it happens. A token costs one clock reading."""

    def __init__(self, source: Source, model: str | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._queued_at = 0.0
        self._first = self._newest = self._turn = 0.0
        self._asked_first = f"{source.name}/{model}" if model else source.name
        self.source, self.model = source, model  # what answers, which a fallback changes
        self.usage: TokenUsage | None = None
        self.attempts = 0

    def enqueue(self) -> None:
        """It waits for its turn from now."""
        self._queued_at = self._loop.time()

    def begin(self, source: Source, model: str | None) -> None:
        """A source is asked: for the first time, again, or as a fallback."""
        self._turn = self._turn or self._loop.time()
        self.source, self.model = source, model
        self.attempts += 1

    def take(self, delta: Delta) -> None:
        """Of an answer that goes on."""
        self._newest = self._loop.time()
        if not self._first:
            self._first = self._newest
            metrics.TTFT.labels(self.source.name).observe(self._first - self._began)

    @property
    def answered_by(self) -> str:
        return f"{self.source.name}/{self.model}" if self.model else self.source.name

    def counted(self, counted: TokenUsage) -> UsageCounted:
        """The figures of the whole answer. Tokens a second are those of decoding alone."""
        metrics.TOKENS.labels(self.source.name).inc(counted.completion_tokens)
        return UsageCounted(
            prompt_tokens=counted.prompt_tokens,
            completion_tokens=counted.completion_tokens,
            counted_by=counted.counted_by,
            ttft_ms=_ms(self._first - self._began) if self._first else None,
            tokens_per_s=self._tokens_per_s(counted),
            queue_ms=_ms(self._turn - self._queued_at) if self._turn and self._queued_at else None,
            prompt_ms=None if counted.prompt_ms is None else round(counted.prompt_ms, 1),
            cost=self.source.cost(self.model, counted),
            attempts=max(1, self.attempts),
            fell_back_from=None if self.answered_by == self._asked_first else self._asked_first,
        )

    def _tokens_per_s(self, counted: TokenUsage) -> float | None:
        tokens, decoding_s = counted.completion_tokens, self._newest - self._first
        if counted.decode_ms:
            return round(tokens * 1e3 / counted.decode_ms, 1)
        return round((tokens - 1) / decoding_s, 1) if tokens > 1 and decoding_s > 0 else None


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 1)
