"""Measures retrieval on a collection through the path that real files take: rows, text index, vectors, retriever."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from app.core.enums import FileStatus, Role, SearchMode
from app.crud import chunks
from app.db import models
from app.db.session import Database
from app.rag.base import Chunk, Embedder, Page, TokenLimit, VectorStore
from app.rag.evaluation import Collection, Document
from app.rag.retriever import Retriever
from app.rag.splitter import split

STEP = 256
LIMIT = 200  # all that two halves of 100 can find


@dataclass(frozen=True, slots=True)
class Splitting:
    """How texts are cut, as in the settings. `max_tokens` is the embedder's."""

    size: int
    overlap: int
    limit: TokenLimit | None
    max_tokens: int


class Trial:
    """One user with one file, each page of which is a document of the collection."""

    def __init__(
        self, db: Database, *, embedder: Embedder | None, vectors: VectorStore | None, splitting: Splitting
    ) -> None:
        self._db, self._embedder, self._vectors, self._splitting = db, embedder, vectors, splitting
        self._retriever = Retriever(db, embedder=embedder, vectors=vectors)
        self._owner, self._file = uuid4(), uuid4()
        self._space = ""

    async def index(self, collection: Collection) -> AsyncIterator[int]:
        """Stores and indexes everything; gives the number of documents done after each step."""
        self._space = await self._embedder.identify() if self._embedder is not None else ""
        async with self._db.begin() as session:
            session.add(_user(self._owner))
            await session.flush()
            session.add(_file(self._file, self._owner, collection.name, self._space))
        ordinal = 0
        for first in range(0, len(collection.documents), STEP):
            batch = collection.documents[first : first + STEP]
            rows = self._rows(batch, first, ordinal)
            ordinal += len(rows)
            await self._store(rows)
            yield first + len(batch)

    async def rank(self, collection: Collection, query: str, mode: SearchMode) -> list[str]:
        """Document ids, best first: a document is as good as its best chunk."""
        found = await self._retriever.search(self._owner, query, scope=None, limit=LIMIT, mode=mode)
        pages = dict.fromkeys(passage.page_from for passage in found.passages)
        return [collection.documents[page - 1].id for page in pages]

    async def forget(self) -> None:
        """Removes all that was stored."""
        if self._vectors is not None:
            await self._vectors.delete(self._owner, self._file)
        async with self._db.begin() as session:
            await chunks.delete_file(session, self._file)
            for model, key in ((models.File, self._file), (models.User, self._owner)):
                row = await session.get(model, key)
                if row is not None:
                    await session.delete(row)
                    await session.flush()

    def _rows(self, documents: Sequence[Document], first: int, ordinal: int) -> list[models.Chunk]:
        pieces = [
            piece
            for number, document in enumerate(documents, start=first + 1)
            for piece in self._split(Page(number, document.whole))
        ]
        return [self._row(piece, number) for number, piece in enumerate(pieces, start=ordinal)]

    def _split(self, page: Page) -> list[Chunk]:
        how = self._splitting
        return split([page], size=how.size, overlap=how.overlap, limit=how.limit, max_tokens=how.max_tokens)

    def _row(self, piece: Chunk, ordinal: int) -> models.Chunk:
        return models.Chunk(
            file_id=self._file,
            user_id=self._owner,
            ordinal=ordinal,
            page_from=piece.page_from,
            page_to=piece.page_to,
            char_from=piece.char_from,
            char_to=piece.char_to,
            text=piece.text,
            context=piece.context,
            fingerprint="trial",
        )

    async def _store(self, rows: Sequence[models.Chunk]) -> None:
        if self._embedder is not None and self._vectors is not None and rows:
            vectors = await self._embedder.embed([row.text for row in rows], urgency="document")
            ordinals = [row.ordinal for row in rows]
            await self._vectors.add(self._owner, self._file, ordinals, vectors, space=self._space)
        async with self._db.begin() as session:
            await chunks.add(session, rows)


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
