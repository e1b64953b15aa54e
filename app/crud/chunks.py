"""Chunks of files: their rows, the text index over them, and search by words.

Deleting a chunk's row, by whatever cascade, takes its index entries along: a trigger on SQLite, a foreign key on
PostgreSQL. What writes takes the session of a job's step; what searches is one unit of work for `Database.query`.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast
from uuid import UUID

from sqlalchemy import CursorResult, and_, delete, false, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.enums import FileStatus
from app.core.passages import spoken
from app.crud import bm25, chunks_bm25, chunks_fts5
from app.crud import tags as tag_rows
from app.crud.bm25 import Library, Place, Scored
from app.crud.files import embedder_of
from app.crud.scope import Part, Reach, Scope
from app.crud.sharing import FILES, READABLE_FILE, among
from app.crud.terms import analyse, query_terms
from app.db.models import Chunk, File, FilePage, IndexedFile

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
    """What a search may find, of each owner, in how many files; `strange` ones only by words. `names`: theirs."""

    reaches: list[Reach]
    total: int
    strange: int
    names: dict[UUID, str] = field(default_factory=dict, compare=False)

    def only(self, files: Collection[UUID]) -> list[Reach]:
        """What is in these files."""
        return [narrowed for reach in self.reaches if (narrowed := reach.only(files)) is not None]


class TextIndex(Protocol):
    """What chunks_fts5 and chunks_bm25 both are."""

    async def add(
        self, session: AsyncSession, owner: UUID, terms: Mapping[int, Sequence[str]], *, generation: int
    ) -> None: ...

    def document_frequencies(self, session: Session, library: Library, terms: Sequence[str]) -> dict[str, int]: ...

    def search(
        self,
        session: Session,
        reach: Reach,
        weights: Mapping[str, float],
        *,
        generation: int,
        mean_terms: float,
        limit: int,
    ) -> list[Scored]: ...

    async def count(self, session: AsyncSession, file_id: UUID, generation: int | None) -> int: ...

    async def purge(self, session: AsyncSession) -> None: ...


async def add(session: AsyncSession, rows: Sequence[Chunk]) -> None:
    """Store chunks of one owner and generation and index their words. Sets `terms`. What is there stays as it is."""
    if not rows:
        return
    terms = await asyncio.to_thread(lambda: [analyse(spoken(row.context or "", row.text)) for row in rows])
    values = [
        {
            **{key: getattr(row, key) for key in COLUMNS},
            "context": row.context or "",
            "generation": row.generation or 0,
            "terms": len(words),
        }
        for row, words in zip(rows, terms, strict=True)
    ]
    new = sqlite.insert(Chunk) if _is_sqlite(session) else postgresql.insert(Chunk)
    stored = await session.execute(
        new.on_conflict_do_nothing(index_elements=["file_id", "generation", "ordinal"]).returning(
            Chunk.id, Chunk.file_id, Chunk.ordinal
        ),
        values,
    )
    words_at = {(row.file_id, row.ordinal): words for row, words in zip(rows, terms, strict=True)}
    added = {chunk: words_at[file_id, ordinal] for chunk, file_id, ordinal in stored}
    if added:
        await _index(session).add(session, rows[0].user_id, added, generation=rows[0].generation or 0)


async def delete_file(session: AsyncSession, file_id: UUID, generation: int | None = None) -> None:
    """Remove all chunks of a file from rows and index, or those of one generation. Idempotent."""
    chosen, built = delete(Chunk).where(Chunk.file_id == file_id), delete(IndexedFile)
    if generation is not None:
        chosen, built = chosen.where(Chunk.generation == generation), built.where(IndexedFile.index_id == generation)
    await session.execute(built.where(IndexedFile.file_id == file_id))
    done = await session.execute(chosen)
    if cast(CursorResult[Any], done).rowcount:
        await purge(session)


async def delete_chunks(session: AsyncSession, file_id: UUID, generation: int) -> None:
    """Those of one generation, but not the note of how far the file is in it."""
    done = await session.execute(delete(Chunk).where(Chunk.file_id == file_id, Chunk.generation == generation))
    if cast(CursorResult[Any], done).rowcount:
        await purge(session)


async def of_file(session: AsyncSession, file_id: UUID, generation: int) -> list[Chunk]:
    """A file's chunks in their order."""
    mine = select(Chunk).where(Chunk.file_id == file_id, Chunk.generation == generation)
    return list(await session.scalars(mine.order_by(Chunk.ordinal)))


async def purge(session: AsyncSession) -> None:
    """Leave nothing in the index of chunks that were deleted."""
    await _index(session).purge(session)


async def count(session: AsyncSession, file_id: UUID, generation: int | None = None) -> int:
    """`generation` None: in all indexes."""
    mine = select(func.count()).where(Chunk.file_id == file_id)
    return int(await session.scalar(mine if generation is None else mine.where(Chunk.generation == generation)) or 0)


async def indexed_count(session: AsyncSession, file_id: UUID, generation: int | None = None) -> int:
    """How many chunks of the file the text index has."""
    return await _index(session).count(session, file_id, generation)


def search_text(session: Session, reach: Reach, query: str, limit: int, *, generation: int = 0) -> list[Scored]:
    """Chunks of one owner's ready files with their BM25 scores, best first.

    A chunk with any of the query's terms is found. Frequencies are those of the owner's own library.
    """
    terms = query_terms(query)
    if not terms:
        return []
    whole = select(func.count(), func.avg(Chunk.terms))
    total = session.execute(whole.where(Chunk.user_id == reach.owner, Chunk.generation == generation)).one()
    library = (reach.owner, generation)
    frequencies = _index(session).document_frequencies(session, library, list(terms)) if total[0] else {}
    if not frequencies:
        return []
    weights = bm25.weights(terms, frequencies, total[0])
    mean = float(total[1])
    return _index(session).search(session, reach, weights, generation=generation, mean_terms=mean, limit=limit)


def rarities(
    session: Session, owners: Sequence[UUID], terms: Sequence[str], *, generation: int = 0
) -> dict[str, float]:
    """The inverse document frequency of each term in these libraries, of those that no chunk has as well."""
    count = select(func.count()).where(Chunk.user_id.in_(owners), Chunk.generation == generation)
    total = session.scalar(count) or 0
    found: Counter[str] = Counter()
    for owner in owners if terms and total else ():
        found.update(_index(session).document_frequencies(session, (owner, generation), terms))
    return bm25.weights(dict.fromkeys(terms, 1), {term: found[term] for term in terms}, total)


def by_places(session: Session, reader: UUID, places: Sequence[Place], *, generation: int = 0) -> list[Located]:
    """Those chunks that belong to a ready file which the reader may read at this moment, in no order."""
    ordinals: dict[UUID, list[int]] = {}
    for file_id, ordinal in places:
        ordinals.setdefault(file_id, []).append(ordinal)
    # One condition for each file, and the reader asked of the file: for anything else SQLite reads the whole library.
    at = [
        and_(Chunk.file_id == file_id, Chunk.generation == generation, Chunk.ordinal.in_(numbers))
        for file_id, numbers in ordinals.items()
    ]
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
        .where(or_(*at, false()), READABLE_FILE, File.status == FileStatus.READY),
        {"reader": reader},
    )
    return [Located(*cast(Sequence[Any], row)) for row in rows]


def searchable(
    session: Session, reader: UUID, scope: Scope | None, space: str | None = None, generation: int = 0
) -> Searchable:
    """What of the scope (None: of all the reader's own files) is ready and may be read at this moment.

    Also how many of these files have no vectors of `space`.
    """
    found = Searchable([], 0, 0)
    parts = [Part(reader, None)] if scope is None else scope.parts
    for part in parts:
        rows = _states(session, reader, part)
        wanted = None if part.file_ids is None else set(part.file_ids)
        ready = [row for row in rows if row.status == FileStatus.READY and (wanted is None or row.id in wanted)]
        ids = [row.id for row in ready]
        tags = {} if scope is None else scope.tags
        spans = tag_rows.spans(session, ids, tags, generation=generation)
        all_ready = sum(row.status == FileStatus.READY for row in rows)
        is_all_ready = part.owner == reader and len(ready) == all_ready and not spans
        whole = None if is_all_ready and len(ready) == len(rows) else [key for key in ids if key not in spans]
        if ids:
            found.reaches.append(Reach(part.owner, whole, spans, is_all_ready))
        strange = 0 if space is None else sum(embedder_of(row.fingerprint) != space for row in ready)
        found.names.update({row.id: row.name for row in ready})
        found = replace(found, total=found.total + len(ready), strange=found.strange + strange)
    return found


def _states(session: Session, reader: UUID, part: Part) -> Sequence[Any]:
    """All files of the reader, or those named files of another owner that the reader may read."""
    statement = select(FILES.c.id, FILES.c.name, FILES.c.status, FILES.c.fingerprint).where(
        FILES.c.user_id == part.owner
    )
    if part.owner == reader:
        return session.execute(statement).all()
    named = among(session, FILES.c.id, part.file_ids or ())
    return session.execute(statement.where(named, READABLE_FILE), {"reader": reader}).all()


def _index(session: AsyncSession | Session) -> TextIndex:
    return chunks_fts5 if _is_sqlite(session) else chunks_bm25


def _is_sqlite(session: AsyncSession | Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
