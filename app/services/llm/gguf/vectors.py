"""Vectors and scores from a loaded model. What does not fit the model is refused with both figures, never cut."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from app.core.errors import ContextOverflow, UpstreamRefused, ValidationFailed
from app.services.llm.base import Embeddings
from app.services.llm.gguf.engine import Engine, in_batches, overflow

BATCH: Final = 32
TOO_LONG: Final = "too large to process"


class _Vector(msgspec.Struct):
    index: int
    embedding: str


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: _Usage


class _Score(msgspec.Struct):
    index: int
    relevance_score: float


class _Scores(msgspec.Struct):
    results: list[_Score]


async def embed(engine: Engine, texts: Sequence[str], dimensions: int | None) -> Embeddings:
    """Of length 1. With `dimensions`, their beginnings, again of length 1. Raises ContextOverflow, ValidationFailed."""
    rows: list[npt.NDArray[np.float32]] = []
    tokens = 0
    for batch in in_batches(texts, BATCH):
        body = {"input": batch, "encoding_format": "base64"}
        try:
            reply = await engine.ask("/v1/embeddings", body, _Vectors)
        except UpstreamRefused as error:
            raise await _explained(error, engine, batch, 0) from None
        rows += [_floats(vector) for vector in sorted(reply.data, key=lambda vector: vector.index)]
        tokens += reply.usage.prompt_tokens
    vectors = np.stack(rows) if rows else np.zeros((0, dimensions or 0), np.float32)
    return Embeddings(_cut(vectors, dimensions, engine.name), engine.name, tokens)


async def rerank(engine: Engine, query: str, texts: Sequence[str]) -> list[float]:
    """One score for each text, in their order. Raises ContextOverflow."""
    scores: list[float] = []
    for batch in in_batches(texts, BATCH):
        body = {"query": query, "documents": batch}
        try:
            reply = await engine.ask("/v1/rerank", body, _Scores)
        except UpstreamRefused as error:
            raise await _explained(error, engine, batch, await engine.count_text(query, whole=True)) from None
        scores += [found.relevance_score for found in sorted(reply.results, key=lambda found: found.index)]
    return scores


def _floats(vector: _Vector) -> npt.NDArray[np.float32]:
    try:
        return np.frombuffer(base64.b64decode(vector.embedding), "<f4").astype(np.float32)
    except (binascii.Error, ValueError) as error:
        raise UpstreamRefused(f"llama.cpp gave a vector that cannot be read: {error}") from None


def _cut(vectors: npt.NDArray[np.float32], dimensions: int | None, name: str) -> npt.NDArray[np.float32]:
    width = vectors.shape[1]
    if dimensions is not None and len(vectors):
        if not 0 < dimensions <= width:
            raise ValidationFailed(f"dimensions={dimensions!r} cannot be had: {name!r} has {width}")
        vectors = vectors[:, :dimensions]
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), np.float32)


async def _explained(
    error: UpstreamRefused, engine: Engine, texts: Sequence[str], before: int
) -> UpstreamRefused | ContextOverflow:
    """Which text was too long, if one was. `before`: tokens that stand before each of them."""
    if TOO_LONG in error.message:
        limit = engine.plan.context_tokens
        for text in texts:
            tokens = before + await engine.count_text(text, whole=True)
            if tokens > limit:
                return overflow(engine.name, tokens, limit, f"the text that begins {text[:40]!r}")
    return error
