"""Embeds with any source of models: a GGUF, Ollama, an OpenAI-compatible endpoint, the AI HUB.

What it is, is learned from its answers: the model's name, the dimension, and how near texts are to each other that
have nothing in common.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, repeat
from typing import Final, Protocol

import numpy as np
from loguru import logger

from app.core.errors import AppError, ModelUnavailable, UpstreamTimeout, UpstreamUnavailable
from app.rag.base import Urgency, Vectors
from app.rag.embedders.estimate import token_ends
from app.rag.embedders.instructions import Instructions, instructions

BATCH: Final = 16  # a query waits for the batches that are under way, and a slow server needs seconds for each
MAX_DOCUMENT_BATCHES: Final = 2
MAX_QUERIES: Final = 16
QUERY_TIMEOUT_S: Final = 10.0
LEARN_TIMEOUT_S: Final = 120.0  # a model may have to be loaded first
PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0, 15.0)
MAX_CHARS: Final = 10_000  # of a text, more than a passage has
COOL_S: Final = 5.0  # after a query that failed, others fail at once
ESTIMATED_SHARE: Final = 0.9  # of a model's tokens: the estimate errs, and marks and instructions take some
MAX_FINGERPRINT_CHARS: Final = 150
# Texts on sixteen subjects. No two have anything to do with each other.
STRANGERS: Final = (
    "how do I change the password of my account",
    "when must the rent be paid",
    "what causes volcanoes to erupt",
    "which vaccine is given to infants first",
    "how long does bread dough have to rise",
    "who won the chess tournament",
    "how is a bicycle chain replaced",
    "what does the warranty of the washing machine cover",
    "The orchestra rehearsed the second movement twice before the audience was let in.",
    "Shares fell by four per cent after the bank had raised its interest rates.",
    "The glacier has lost a third of its ice since measurements began.",
    "Each soldier carried a rifle, a blanket and food for three days across the border.",
    "The function returns an empty list when the file has no header line.",
    "Sparrows build their nests under the roof and feed their young with insects.",
    "The minister answered questions about the new law on immigration in parliament.",
    "Paint the wall with a thin first coat and let it dry overnight.",
)


class Embedded(Protocol):
    """What a source answers: float32 [texts, dimensions], and the model that it says it used."""

    @property
    def vectors(self) -> Vectors: ...

    @property
    def model(self) -> str: ...


Ask = Callable[[Sequence[str]], Awaitable[Embedded]]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a source has shown of its model."""

    model: str
    dimension: int
    instructions: Instructions
    related_from: float
    fingerprint: str


class ProviderEmbedder:
    """An Embedder and a TokenLimit over `ask`, which retries by itself and raises an AppError.

    Every failure is a ModelUnavailable; one with `retry_after_s` may pass. `max_tokens` is what the model reads.
    """

    scripts = None  # most are of many languages, and nobody can be asked

    def __init__(self, source: str, ask: Ask, *, max_tokens: int) -> None:
        self.max_tokens = int(max_tokens * ESTIMATED_SHARE)
        self.fault: str | None = None
        self._source, self._ask = source, ask
        self._identity: Identity | None = None
        self._learning: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._retry_after_s: float | None = PAUSES_S[0]
        self._queries, self._documents = asyncio.Semaphore(MAX_QUERIES), asyncio.Semaphore(MAX_DOCUMENT_BATCHES)
        self._cool_until = 0.0

    @property
    def fingerprint(self) -> str | None:
        return None if self._identity is None else self._identity.fingerprint

    @property
    def related_from(self) -> float:
        """See Embedder."""
        return self._identity.related_from if self._identity else 1.0

    async def identify(self) -> str:
        """See Embedder. Waits for the first attempt; after one that failed, others are made in the background."""
        return (await self._known()).fingerprint

    async def embed(self, texts: Sequence[str], *, urgency: Urgency) -> Vectors:
        """See Embedder. A text that is too long is cut at its end. Raises ModelUnavailable."""
        identity = await self._known()
        if not texts:
            return np.zeros((0, identity.dimension), np.float32)
        given = identity.instructions
        prefix = given.query if urgency == "query" else given.document
        marked = [prefix + self._cut(text[:MAX_CHARS]) for text in texts]
        batches = [marked[first : first + BATCH] for first in range(0, len(marked), BATCH)]
        one = self._query if urgency == "query" else self._document
        return np.concatenate(await asyncio.gather(*(one(batch, identity) for batch in batches)))

    def familiarity(self, text: str) -> float:
        """See Embedder. Without its vocabulary nothing else can be said."""
        return 1.0

    def token_offsets(self, texts: Sequence[str]) -> list[list[int]]:
        """See TokenLimit. An estimate."""
        return [token_ends(text) for text in texts]

    async def aclose(self) -> None:
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.wait({self._learning})

    async def _known(self) -> Identity:
        if self._identity is None:
            if self._learning is None:
                self._learning = asyncio.create_task(self._learn())
            await self._tried.wait()
        if self._identity is None:
            raise self._refusal()
        return self._identity

    async def _learn(self) -> None:
        """Until it is known."""
        pauses = chain(PAUSES_S, repeat(PAUSES_S[-1]))
        while True:
            try:
                async with asyncio.timeout(LEARN_TIMEOUT_S):
                    self._identity = await self._identified()
                self.fault = None
                return
            except ModelUnavailable as error:
                self._fail(error)
            except TimeoutError:
                self._fail(self._late(LEARN_TIMEOUT_S))
            finally:
                self._tried.set()
            await asyncio.sleep(next(pauses))

    async def _identified(self) -> Identity:
        first = await self._answer(STRANGERS[:1])
        if first.vectors.ndim != 2:
            raise ModelUnavailable(f"{self._source} gave no vectors")
        given = instructions(first.model)
        half = len(STRANGERS) // 2
        texts = [given.query + text for text in STRANGERS[:half]] + [given.document + t for t in STRANGERS[half:]]
        vectors = self._unit((await self._answer(texts)).vectors, len(texts), first.vectors.shape[1])
        cosines = (vectors @ vectors.T)[np.triu_indices(len(texts), 1)]
        fingerprint = _fingerprint(self._source, first.model, vectors.shape[1], given)
        return Identity(first.model, vectors.shape[1], given, _floor(cosines), fingerprint)

    async def _query(self, texts: Sequence[str], identity: Identity) -> Vectors:
        """A search that waits goes on with words alone instead, and so do those that come right after it."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._cool_until:
            raise self._refusal()
        try:
            async with asyncio.timeout(QUERY_TIMEOUT_S), self._queries:
                return await self._checked(texts, identity)
        except ModelUnavailable as error:
            self._fail(error)
        except TimeoutError:
            self._fail(self._late(QUERY_TIMEOUT_S))
        self._cool_until = loop.time() + COOL_S
        raise self._refusal()

    async def _document(self, texts: Sequence[str], identity: Identity) -> Vectors:
        async with self._documents:
            try:
                return await self._checked(texts, identity)
            except ModelUnavailable as error:
                self._fail(error)
                raise

    async def _checked(self, texts: Sequence[str], identity: Identity) -> Vectors:
        answer = await self._answer(texts)
        if answer.model != identity.model:
            raise ModelUnavailable(
                f"{self._source} now embeds with {answer.model!r} instead of {identity.model!r}, and vectors of two "
                "models are not mixed: restart the service to use it"
            )
        vectors = self._unit(answer.vectors, len(texts), identity.dimension)
        self.fault, self._cool_until = None, 0.0
        return vectors

    async def _answer(self, texts: Sequence[str]) -> Embedded:
        try:
            answer = await self._ask(texts)
        except AppError as error:
            passes = isinstance(error, UpstreamUnavailable | UpstreamTimeout) or error.retry_after_s is not None
            raise ModelUnavailable(
                f"{self._source} does not embed: {error.message}",
                retry_after_s=(error.retry_after_s or PAUSES_S[0]) if passes else None,
            ) from error
        return answer

    def _unit(self, vectors: Vectors, count: int, dimension: int) -> Vectors:
        if vectors.shape != (count, dimension):
            raise ModelUnavailable(f"{self._source} gave vectors of {vectors.shape}, not of {(count, dimension)}")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise ModelUnavailable(f"{self._source} gave a vector without a direction")
        unit: Vectors = (vectors / lengths).astype(np.float32)
        return unit

    def _cut(self, text: str) -> str:
        ends = token_ends(text)
        return text[: ends[self.max_tokens - 1]] if len(ends) > self.max_tokens else text

    def _fail(self, error: ModelUnavailable) -> None:
        if error.message != self.fault:
            logger.warning("search goes on with words alone: {}", error.message)
        self.fault, self._retry_after_s = error.message, error.retry_after_s

    def _refusal(self) -> ModelUnavailable:
        return ModelUnavailable(self.fault or f"{self._source} has not answered yet", retry_after_s=self._retry_after_s)

    def _late(self, timeout_s: float) -> ModelUnavailable:
        return ModelUnavailable(f"{self._source} did not embed within {timeout_s:g} s", retry_after_s=COOL_S)


def _floor(cosines: Vectors) -> float:
    """Three standard deviations above the mean of texts that have nothing in common, at most half way to 1.

    For all-MiniLM-L6-v2, whose own floor was measured on collections (0.25), this gives 0.23.
    """
    mean = float(cosines.mean())
    return min(mean + 3 * float(cosines.std()), (1 + mean) / 2)


def _fingerprint(source: str, model: str, dimension: int, given: Instructions) -> str:
    whole = f"{source}/{model}".replace("|", "_")
    if len(whole) > MAX_FINGERPRINT_CHARS:
        whole = whole[:MAX_FINGERPRINT_CHARS] + sha256(whole.encode()).hexdigest()[:12]
    return f"{whole}@{dimension}{given.mark}"
