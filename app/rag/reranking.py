"""Puts the best passages into the order of a reranker, which reads question and passage together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from loguru import logger

from app.core.errors import AppError
from app.core.passages import spoken
from app.rag.base import Reranker
from app.rag.found import Passage

RERANKED: Final = 30


async def reranked(reranker: Reranker, query: str, passages: Sequence[Passage]) -> list[Passage]:
    """The first 30 by the reranker's scores, min-max normalised to between those after them and 1; the rest as it is.

    The order that they had, with a warning, when the reranker fails.
    """
    first, rest = passages[:RERANKED], passages[RERANKED:]
    if len(first) < 2:
        return list(passages)
    try:
        scores = await reranker.rerank(query, [spoken(passage.context, passage.text) for passage in first])
    except AppError as error:
        logger.warning("passages keep their order: {}", error)
        return list(passages)
    floor = rest[0].score if rest else 0.0
    low, high = min(scores), max(scores)
    shares = [(score - low) / (high - low) if high > low else 1.0 for score in scores]
    by_rank = sorted(zip(first, shares, strict=True), key=lambda pair: -pair[1])
    return [*(replace(passage, score=floor + (1 - floor) * share) for passage, share in by_rank), *rest]
