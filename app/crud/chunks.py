"""Chunks of files: their rows, the text index over them, and search by words.

Deleting a chunk's row, by whatever cascade, takes its index entries along: a trigger on SQLite, a foreign key on
PostgreSQL. What writes takes the session of a job's step; what searches is one unit of work for `Database.query`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast
from uuid import UUID

from sqlalchemy import CursorResult, and_, delete, false, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.enums import FileStatus
from app.core.passages import spoken
from app.crud import bm25, chunks_bm25, chunks_fts5
from app.crud.bm25 import Place, Scored
from app.crud.files import embedder_of
from app.crud.terms import analyse, query_terms
from app.db.models import Chunk, File, FilePage

COLUMNS = [column.key for column in Chunk.__table__.columns if column.key not in {"id", "terms"}]


@dataclass(frozen=True, slots=True)
class Located:
    """A chunk of a ready file, with the file's name."""

    file_id: UUID
    file_name: str
    ordinal: int
    page_from: int
    page_to: int
    char_from: int
    char_to: int
    text: str
    context: str
    page_label: str | None


@dataclass(frozen=True, slots=True)
class Searchable:
    """The files that a search may find, None when these are all that the owner has; `strange` ones only by words."""

    file_ids: list[UUID] | None
    total: int
    strange: int


class TextIndex(Protocol):
    """What chunks_fts5 and chunks_bm25 both are."""

    async def add(self, session: AsyncSession, owner: UUID, terms: Mapping[int, Sequence[str]]) -> None: ...

    def document_frequencies(self, session: Session, owner: UUID, terms: Sequence[str]) -> dict[str, int]: ...

    def search(
        self,
        session: Session,
        owner: UUID,
        weights: Mapping[str, float],
        *,
        mean_terms: float,
        file_ids: Sequence[UUID] | None,
        limit: int,
    ) -> list[Scored]: ...

    async def count(self, session: AsyncSession, file_id: UUID) -> int: ...

    async def purge(self, session: AsyncSession) -> None: ...


async def add(session: AsyncSession, rows: Sequence[Chunk]) -> None:
    """Store chunks of one owner and index their words. Sets `terms`. A chunk that is already there stays as it is."""
    if not rows:
        return
    terms = await asyncio.to_thread(lambda: [analyse(spoken(row.context or "", row.text)) for row in rows])
    values = [
        {**{key: getattr(row, key) for key in COLUMNS}, "context": row.context or "", "terms": len(words)}
        for row, words in zip(rows, terms, strict=True)
    ]
    new = sqlite.insert(Chunk) if _is_sqlite(session) else postgresql.insert(Chunk)
    stored = await session.execute(
        new.on_conflict_do_nothing(index_elements=["file_id", "ordinal"]).returning(
            Chunk.id, Chunk.file_id, Chunk.ordinal
        ),
        values,
    )
    words_at = {(row.file_id, row.ordinal): words for row, words in zip(rows, terms, strict=True)}
    added = {chunk: words_at[file_id, ordinal] for chunk, file_id, ordinal in stored}
    if added:
        await _index(session).add(session, rows[0].user_id, added)


async def delete_file(session: AsyncSession, file_id: UUID) -> None:
    """Remove all chunks of a file from rows and index. Idempotent."""
    done = await session.execute(delete(Chunk).where(Chunk.file_id == file_id))
    if cast(CursorResult[Any], done).rowcount:
        await _index(session).purge(session)


async def count(session: AsyncSession, file_id: UUID) -> int:
    return int(await session.scalar(select(func.count()).where(Chunk.file_id == file_id)) or 0)


async def indexed_count(session: AsyncSession, file_id: UUID) -> int:
    """How many chunks of the file the text index has."""
    return await _index(session).count(session, file_id)


def search_text(session: Session, owner: UUID, query: str, file_ids: Sequence[UUID] | None, limit: int) -> list[Scored]:
    """Chunks of the owner's ready files with their BM25 scores, best first. `file_ids` None: all of them.

    A chunk with any of the query's terms is found. Frequencies are those of the owner's own library.
    """
    terms = query_terms(query)
    if not terms:
        return []
    total = session.execute(select(func.count(), func.avg(Chunk.terms)).where(Chunk.user_id == owner)).one()
    frequencies = _index(session).document_frequencies(session, owner, list(terms)) if total[0] else {}
    if not frequencies:
        return []
    weights = bm25.weights(terms, frequencies, total[0])
    mean = float(total[1])
    return _index(session).search(session, owner, weights, mean_terms=mean, file_ids=file_ids, limit=limit)


def rarities(session: Session, owner: UUID, terms: Sequence[str]) -> dict[str, float]:
    """The inverse document frequency of each term in the owner's library, of those that no chunk has as well."""
    total = session.scalar(select(func.count()).where(Chunk.user_id == owner)) or 0
    found = _index(session).document_frequencies(session, owner, terms) if total and terms else {}
    return bm25.weights(dict.fromkeys(terms, 1), {term: found.get(term, 0) for term in terms}, total)


def by_places(session: Session, owner: UUID, places: Sequence[Place]) -> list[Located]:
    """Those of the owner's chunks that belong to a ready file, in no order."""
    ordinals: dict[UUID, list[int]] = {}
    for file_id, ordinal in places:
        ordinals.setdefault(file_id, []).append(ordinal)
    # One condition for each file, and the owner asked of the file: for anything else SQLite reads the whole library.
    at = [and_(Chunk.file_id == file_id, Chunk.ordinal.in_(numbers)) for file_id, numbers in ordinals.items()]
    rows = session.execute(
        select(
            Chunk.file_id,
            File.name,
            Chunk.ordinal,
            Chunk.page_from,
            Chunk.page_to,
            Chunk.char_from,
            Chunk.char_to,
            Chunk.text,
            Chunk.context,
            FilePage.label,
        )
        .join(File, File.id == Chunk.file_id)
        .outerjoin(FilePage, and_(FilePage.file_id == Chunk.file_id, FilePage.number == Chunk.page_from))
        .where(or_(*at, false()), File.user_id == owner, File.status == FileStatus.READY)
    )
    return [Located(*cast(Sequence[Any], row)) for row in rows]


def searchable(session: Session, owner: UUID, file_ids: Sequence[UUID] | None, space: str | None = None) -> Searchable:
    """The ready files among `file_ids` (None: among all), and how many of them have no vectors of `space`."""
    rows = session.execute(select(File.id, File.status, File.fingerprint).where(File.user_id == owner)).all()
    wanted = None if file_ids is None else set(file_ids)
    ready = [row for row in rows if row.status == FileStatus.READY and (wanted is None or row.id in wanted)]
    strange = 0 if space is None else sum(embedder_of(row.fingerprint) != space for row in ready)
    ids = None if rows and len(ready) == len(rows) else [row.id for row in ready]
    return Searchable(ids, len(ready), strange)


def _index(session: AsyncSession | Session) -> TextIndex:
    return chunks_fts5 if _is_sqlite(session) else chunks_bm25


def _is_sqlite(session: AsyncSession | Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
