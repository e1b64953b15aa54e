"""One index, by what has to be known to write to it."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from app.core.errors import AppError
from app.core.settings import DocumentSettings
from app.crud.index import Generation
from app.db.models import File
from app.rag.base import Embedder, TokenLimit, VectorStore
from app.rag.pages import Chunk
from app.services.splitting import fingerprint

TEXT: Final = "text"  # in a fingerprint: no embedder
UNLIMITED_TOKENS: Final = 1 << 30
MAX_PAUSE_S: Final = 30.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Writer:
    """Without an embedder it writes no vectors. `patience_s`: how long it waits for one that is down."""

    generation: Generation
    embedder: Embedder | None
    token_limit: TokenLimit | None
    vectors: VectorStore | None
    patience_s: float = 300.0

    @property
    def max_tokens(self) -> int:
        """Of a chunk."""
        return UNLIMITED_TOKENS if self.embedder is None else self.embedder.max_tokens

    def fingerprint(self, rules: DocumentSettings) -> str:
        """Of a file that it writes."""
        return fingerprint(TEXT if self.embedder is None else self.generation.embedder, rules, self.max_tokens)

    async def add(self, file: File, chunks: Sequence[Chunk]) -> None:
        """The vectors of some chunks. Repeated while the embedder is down. Raises an AppError."""
        if self.embedder is not None and self.vectors is not None:
            await patiently(partial(self._add, self.embedder, self.vectors, file, chunks), self.patience_s)

    async def count(self, file: File) -> int | None:
        """How many vectors of this index a file has. None: without an embedder it has none."""
        if self.embedder is None or self.vectors is None:
            return None
        return await self.vectors.count(file.user_id, file.id, space=self.generation.space)

    async def remove(self, file: File) -> None:
        """A file's vectors of this index."""
        if self.vectors is not None:
            await self.vectors.delete(file.user_id, file.id, space=self.generation.space)

    async def _add(self, embedder: Embedder, vectors: VectorStore, file: File, chunks: Sequence[Chunk]) -> None:
        found = await embedder.embed([chunk.spoken for chunk in chunks], urgency="document")
        ordinals = [chunk.ordinal for chunk in chunks]
        await vectors.add(file.user_id, file.id, ordinals, found, space=self.generation.space)


async def patiently(
    work: Callable[[], Awaitable[T]], patience_s: float = math.inf, *, ask_again_s: float | None = None
) -> T:
    """Again after a failure that says when to try again. A permanent one is raised at once, unless `ask_again_s`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while True:
        try:
            return await work()
        except AppError as error:
            pause_s = ask_again_s if error.retry_after_s is None else error.retry_after_s
            if pause_s is None or loop.time() + pause_s > deadline:
                raise
        await asyncio.sleep(min(pause_s, MAX_PAUSE_S))
