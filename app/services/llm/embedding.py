"""Texts to vectors by a source of models: in batches, tried again when its server fails, never by another source.

Another source's vectors mean something else, so there is no fallback here.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from app.core.errors import UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.services.llm.asking import Asking
from app.services.llm.base import Embeddings
from app.services.llm.source import Address, Source

MAX_BATCH: Final = 128
MAX_ATTEMPTS: Final = 3


async def embed(
    source: Source, texts: Sequence[str], *, model: str | None = None, dimensions: int | None = None
) -> Embeddings:
    """One vector per text, in their order, of at least one text. `model` None: the source's own embedding model.

    Raises an UpstreamError, or ModelUnavailable when the source cannot embed.
    """
    batches = [await _Batch(source, model, dimensions).embed(batch) for batch in _batches(texts)]
    if len({batch.vectors.shape[1] for batch in batches}) != 1:
        raise UpstreamRefused(f"{source.name} gave vectors of different lengths")
    tokens = [batch.prompt_tokens for batch in batches if batch.prompt_tokens is not None]
    return Embeddings(
        np.concatenate([batch.vectors for batch in batches]),
        batches[0].model,
        sum(tokens) if len(tokens) == len(batches) else None,
    )


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), MAX_BATCH):
        yield texts[start : start + MAX_BATCH]


class _Batch:
    """The attempts of one request."""

    def __init__(self, source: Source, model: str | None, dimensions: int | None) -> None:
        self._source, self._model, self._dimensions = source, model, dimensions
        # Beside the health of chat: a server may do one and fail at the other.
        self._asking = Asking(source, f"embeddings of {model or source.name}")
        self._deadline = asyncio.get_running_loop().time() + source.terms.deadlines.total_s

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        while True:
            address = await self._asking.address(self._left_s)
            try:
                with self._asking.attempt(address):
                    found = await self._ask(address, texts)
            except (UpstreamUnavailable, UpstreamTimeout) as error:
                if self._left_s() <= 0:
                    raise
                await asyncio.sleep(self._asking.wait_s(error, most=MAX_ATTEMPTS, left_s=self._left_s()) or 0)
            else:
                return self._checked(found, len(texts))

    def _left_s(self) -> float:
        return self._deadline - asyncio.get_running_loop().time()

    async def _ask(self, address: Address, texts: Sequence[str]) -> Embeddings:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await address.provider.embed(texts, model=self._model, dimensions=self._dimensions)
        except TimeoutError as error:
            total_s = self._source.terms.deadlines.total_s
            raise UpstreamTimeout(f"{self._source.name} did not embed within {total_s:g} s") from error

    def _checked(self, found: Embeddings, count: int) -> Embeddings:
        vectors = found.vectors
        if vectors.ndim != 2 or len(vectors) != count or not np.isfinite(vectors).all():
            raise UpstreamRefused(f"{self._source.name} gave something else than {count} vectors of numbers")
        if self._dimensions is not None and vectors.shape[1] != self._dimensions:
            said = f"{found.model} gives vectors of {vectors.shape[1]} dimensions, not of {self._dimensions}"
            raise UpstreamRefused(said, details={"upstream_status": 400})
        return found
