"""Where the chunks of files go, and by which embedder: vectors of another one are neither used nor left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

from loguru import logger

from app.core.enums import FileStatus
from app.core.errors import AppError, ModelUnavailable
from app.crud import files, probes
from app.crud.files import embedder_of
from app.db.models import File
from app.db.session import Database
from app.rag.base import Embedder, TokenLimit, VectorStore
from app.rag.pages import Chunk

TEXT: Final = "text"  # in a fingerprint: no embedder
UNLIMITED_TOKENS: Final = 1 << 30
MAX_PAUSE_S: Final = 30.0
ASK_AGAIN_S: Final = 5.0
FIRST_ASKED_S: Final = 1.0  # the service answers first: what speaks to a source is slow to import
NOBODY: Final = UUID(int=0)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Index:
    """Without an embedder there is a text index alone. `patience_s`: how long a file waits for one that is down."""

    embedder: Embedder | None
    token_limit: TokenLimit | None
    vectors: VectorStore | None
    patience_s: float = 300.0

    @property
    def max_tokens(self) -> int:
        """Of a chunk."""
        return UNLIMITED_TOKENS if self.embedder is None else self.embedder.max_tokens

    async def kind(self) -> str:
        """The embedder's fingerprint. Raises ModelUnavailable when it does not say in `patience_s`."""
        return TEXT if self.embedder is None else await self._patiently(self.embedder.identify)

    async def add(self, file: File, chunks: Sequence[Chunk]) -> None:
        """The vectors of some chunks. Repeated while the embedder is down. Raises an AppError."""
        if self.embedder is not None and self.vectors is not None:
            await self._patiently(partial(self._add, self.embedder, self.vectors, file, chunks))

    async def count(self, file: File) -> int | None:
        """How many vectors of its own kind a file has. None: without an embedder it has none."""
        if self.embedder is None or self.vectors is None:
            return None
        return await self.vectors.count(file.user_id, file.id, space=embedder_of(file.fingerprint))

    async def remove(self, owner: UUID, file_id: UUID) -> None:
        """All vectors of a file, whoever made them. Raises when the store cannot be reached or still has some."""
        if self.vectors is not None:
            await self.vectors.delete(owner, file_id)

    def needs_reindex(self, file: File) -> bool:
        """Whether a ready file has no vectors of this embedder. False while nobody knows what it is."""
        known = self.known
        return known is not None and file.status == FileStatus.READY and embedder_of(file.fingerprint) != known

    @property
    def known(self) -> str | None:
        """The embedder's fingerprint. None: there is no embedder, or it has not answered yet."""
        return None if self.embedder is None else self.embedder.fingerprint

    async def check(self) -> None:
        """Raises ModelUnavailable when nothing can be embedded now."""
        if self.embedder is not None:
            await self.embedder.embed(["ready"], urgency="query")

    async def describe(self, db: Database) -> str:
        """Which embedder, and which files it cannot search. Raises ModelUnavailable when it does not work now."""
        if self.embedder is None:
            return "no model is installed: search by words alone"
        kind = await self.embedder.identify()
        if self.embedder.fault is not None:
            raise ModelUnavailable(self.embedder.fault)
        total, strange = await db.query(partial(files.ready_counts, embedder=kind))
        return f"{kind}; {_advice(strange, total)}" if strange else kind

    async def warm_up(self, db: Database) -> None:
        """At start: have the first question not wait for the embedder and the vectors' process, and say how it is.

        An embedder that is down is asked again until it answers.
        """
        if self.embedder is None or self.vectors is None:
            return
        if self.embedder.fingerprint is None:
            await asyncio.sleep(FIRST_ASKED_S)
        try:
            kind = await self._patiently(self.embedder.identify, forever=True)
            total, strange = await db.query(partial(files.ready_counts, embedder=kind))
            logger.info("texts are embedded by {}", kind)
            if strange:
                logger.warning(_advice(strange, total))
            if await db.query(probes.has_chunks):
                await self.check()
                await self.vectors.count(NOBODY, NOBODY)
        except AppError as error:  # told again by whatever needs them, and by /ready
            logger.warning("search is not ready: {}", error)

    async def _add(self, embedder: Embedder, vectors: VectorStore, file: File, chunks: Sequence[Chunk]) -> None:
        found = await embedder.embed([chunk.spoken for chunk in chunks], urgency="document")
        ordinals = [chunk.ordinal for chunk in chunks]
        await vectors.add(file.user_id, file.id, ordinals, found, space=embedder_of(file.fingerprint))

    async def _patiently(self, work: Callable[[], Awaitable[T]], *, forever: bool = False) -> T:
        """Again after a failure that says when to try again. A permanent one is raised at once."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.patience_s
        while True:
            try:
                return await work()
            except AppError as error:
                pause_s = error.retry_after_s
                if forever:
                    pause_s = ASK_AGAIN_S if pause_s is None else pause_s
                elif pause_s is None or loop.time() + pause_s > deadline:
                    raise
            await asyncio.sleep(min(pause_s, MAX_PAUSE_S))


def _advice(strange: int, total: int) -> str:
    return (
        f"of {total} ready files, {strange} have vectors of another model or none and are found by words alone: "
        "GET /api/v1/files?needs_reindex=true lists them, POST /api/v1/files/FILE_ID/retry embeds one again"
    )
