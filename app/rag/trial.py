"""Measures retrieval through the path that real files take: rows, text index, vectors, retriever."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from app.core.enums import FileStatus, Role, SearchMode
from app.crud import chunks
from app.db import models
from app.db.session import Database
from app.rag.base import Chunk, Embedder, Page, TokenLimit, VectorStore
from app.rag.evaluation import Collection
from app.rag.retriever import Passage, Retriever
from app.rag.splitter import Splitter, split

STEP = 256
LIMIT = 200  # all that two halves of 100 can find


@dataclass(frozen=True, slots=True)
class Splitting:
    """How texts are cut, as in the settings. `max_tokens` is the embedder's."""

    size: int
    overlap: int
    limit: TokenLimit | None
    max_tokens: int

    def splitter(self) -> Splitter:
        return Splitter(size=self.size, overlap=self.overlap, limit=self.limit, max_tokens=self.max_tokens)


class Trial:
    """One user with files of texts that are given here. `chunks` counts what was indexed."""

    def __init__(
        self, db: Database, *, embedder: Embedder | None, vectors: VectorStore | None, splitting: Splitting
    ) -> None:
        self.chunks = 0
        self._db, self._embedder, self._vectors, self._splitting = db, embedder, vectors, splitting
        self._retriever = Retriever(db, embedder=embedder, vectors=vectors)
        self._owner = uuid4()
        self._files: list[UUID] = []
        self._space = ""

    async def index(self, collection: Collection) -> AsyncIterator[int]:
        """All documents of a collection as the pages of one file; gives the number of those done after each step."""
        file = await self._begin(collection.name)
        ordinal = 0
        for first in range(0, len(collection.documents), STEP):
            batch = collection.documents[first : first + STEP]
            how = self._splitting
            pieces = [
                piece
                for number, document in enumerate(batch, start=first + 1)
                for piece in split(
                    [Page(number, document.whole)],
                    size=how.size,
                    overlap=how.overlap,
                    limit=how.limit,
                    max_tokens=how.max_tokens,
                )
            ]
            await self._store(file, [replace(piece, ordinal=n) for n, piece in enumerate(pieces, start=ordinal)])
            ordinal += len(pieces)
            yield first + len(batch)

    async def add(self, name: str, pages: Sequence[Page]) -> None:
        """A file as an upload would become it."""
        splitter = self._splitting.splitter()
        pieces = [piece for page in pages for piece in splitter.feed(page)]
        file = await self._begin(name)
        for first in range(0, len(pieces), STEP):
            await self._store(file, pieces[first : first + STEP])

    async def search(self, query: str, mode: SearchMode) -> list[Passage]:
        """The best passages of all files, best first."""
        found = await self._retriever.search(self._owner, query, scope=None, limit=LIMIT, mode=mode)
        return found.passages

    async def forget(self) -> None:
        """Removes all that was stored."""
        if self._vectors is not None:
            for file in self._files:
                await self._vectors.delete(self._owner, file)
        async with self._db.begin() as session:
            for file in self._files:
                await chunks.delete_file(session, file)
            for model, key in (*((models.File, file) for file in self._files), (models.User, self._owner)):
                row = await session.get(model, key)
                if row is not None:
                    await session.delete(row)
                    await session.flush()

    async def _begin(self, name: str) -> UUID:
        """A new file without chunks."""
        self._space = await self._embedder.identify() if self._embedder is not None else ""
        file = uuid4()
        async with self._db.begin() as session:
            if not self._files:
                session.add(_user(self._owner))
                await session.flush()
            session.add(_file(file, self._owner, name, self._space))
        self._files.append(file)
        return file

    async def _store(self, file: UUID, pieces: Sequence[Chunk]) -> None:
        if self._embedder is not None and self._vectors is not None and pieces:
            vectors = await self._embedder.embed([piece.spoken for piece in pieces], urgency="document")
            ordinals = [piece.ordinal for piece in pieces]
            await self._vectors.add(self._owner, file, ordinals, vectors, space=self._space)
        async with self._db.begin() as session:
            await chunks.add(session, [self._row(file, piece) for piece in pieces])
        self.chunks += len(pieces)

    def _row(self, file: UUID, piece: Chunk) -> models.Chunk:
        return models.Chunk(
            file_id=file,
            user_id=self._owner,
            ordinal=piece.ordinal,
            page_from=piece.page_from,
            page_to=piece.page_to,
            char_from=piece.char_from,
            char_to=piece.char_to,
            text=piece.text,
            context=piece.context,
            fingerprint="trial",
        )


def _user(key: UUID) -> models.User:
    name = f"trial-{key.hex}"
    return models.User(id=key, username=name, username_key=name, password_hash="", role=Role.USER, is_active=False)


def _file(key: UUID, owner: UUID, name: str, fingerprint: str) -> models.File:
    return models.File(
        id=key,
        user_id=owner,
        name=name[:255],
        media_type="application/jsonl",
        size_bytes=0,
        sha256="",
        status=FileStatus.READY,
        fingerprint=fingerprint,
    )
