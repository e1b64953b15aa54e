"""An embedder and a parser that tests look into and hold up."""

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np

from app.rag.base import Urgency, Vectors
from app.rag.pages import Page, ParseError


class WordEmbedder:
    """An Embedder that counts words by their hash: texts with the same words are near each other."""

    fingerprint = "words@1/32"
    dimension = 32
    max_tokens = 10_000
    scripts = frozenset({"LATIN"})
    fault = None
    related_from = 0.1

    def __init__(self) -> None:
        self.embedded = 0
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()
        self.waits_after = 1 << 30

    async def embed(self, texts: Sequence[str], *, urgency: Urgency) -> Vectors:
        if self.embedded >= self.waits_after:
            self.reached.set()
            await self.gate.wait()
        self.embedded += len(texts)
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            vectors[row, 0] = 0.01
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % self.dimension] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    async def identify(self) -> str:
        return self.fingerprint

    def familiarity(self, text: str) -> float:
        return 1.0

    def token_offsets(self, texts: Sequence[str]) -> list[list[int]]:
        return [[match.end() for match in re.finditer(r"\S+", text)] for text in texts]

    async def aclose(self) -> None:
        return None


class ScriptedParser:
    """A Parser whose file is written by the test: pages as they are released, then an error or the end."""

    def __init__(self, pages: Sequence[str], *, error: ParseError | None = None) -> None:
        self.asked_first: list[int] = []
        self.closed = 0
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()
        self.waits_at = 0
        self.scripted: dict[int, Page] = {}  # pages that are more than their text
        self._pages = pages
        self._error = error

    async def pages(self, path: Path, media_type: str, first: int) -> AsyncIterator[tuple[Page, int | None]]:
        self.asked_first.append(first)
        try:
            written = {number: Page(number, text) for number, text in enumerate(self._pages, 1)} | self.scripted
            for number in range(first, len(written) + 1):
                if number == self.waits_at:
                    self.reached.set()
                    await self.gate.wait()
                yield written[number], len(written)
            if self._error is not None:
                raise self._error
        finally:
            self.closed += 1
