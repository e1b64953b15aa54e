"""The reranker that the settings ask for: a GGUF file, or an endpoint with /rerank."""

import asyncio
import math
from collections.abc import Sequence
from typing import cast

from app.core.errors import SettingsError, UpstreamRefused, UpstreamTimeout
from app.core.model_settings import LLMSettings
from app.services.llm.asking import Asking
from app.services.llm.base import Reranks
from app.services.llm.pool import Pool
from app.services.llm.source import Source


class SourceReranker:
    """Asks a source once, for a bounded time. While its server fails it is not asked: nobody waits for it."""

    def __init__(self, source: Source, model: str | None, *, timeout_s: float) -> None:
        self._source, self._model, self._timeout_s = source, model, timeout_s

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """One finite score for each text, in their order; higher is better. Raises an AppError."""
        name = self._source.name
        asking = Asking(self._source, f"reranking by {self._model or name}")
        address = await asking.address(lambda: self._timeout_s, may_wait=False)
        with asking.attempt(address):
            try:
                async with asyncio.timeout(self._timeout_s):
                    provider = cast(Reranks, address.provider)  # as its capabilities say
                    scores = await provider.rerank(query, texts, model=self._model)
            except TimeoutError:
                raise UpstreamTimeout(f"{name} did not rerank within {self._timeout_s:g} s") from None
        if len(scores) != len(texts) or not all(map(math.isfinite, scores)):
            raise UpstreamRefused(f"{name} gave something else than {len(texts)} scores")
        return scores


def build_reranker(llm: LLMSettings, pool: Pool) -> SourceReranker | None:
    """None: RERANKER_SOURCE is empty. Asks nothing of the source yet. Raises SettingsError for what cannot be used."""
    name, model = llm.reranker_source, llm.reranker_model
    if name is None:
        if model is not None:
            raise SettingsError(f"RERANKER_MODEL={model!r} cannot be used without RERANKER_SOURCE: name its source.")
        return None
    sources = {source.name: source for source in pool.sources if source.capabilities.reranks}
    if name not in sources:
        reason = f"it is not configured; {pool.missing[name]}; " if name in pool.missing else ""
        known = ", ".join(sorted(sources))
        raise SettingsError(f"RERANKER_SOURCE={name!r} cannot be used: {reason}the known ones are {known}.")
    return SourceReranker(sources[name], model, timeout_s=llm.reranker_timeout_s)
