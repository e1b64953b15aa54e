"""What the rows say about files, to be compared with the text index, the vectors and the blobs. Of all users."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.enums import FileStatus, IndexState
from app.crud import chunks, chunks_fts5
from app.crud.files import ACTIVE
from app.db.models import Chunk, File, FilePage, SearchIndex

PAGE = 500
WRONG_FTS5 = text("""
    SELECT count(*) FROM chunks LEFT JOIN chunks_fts_content AS entry ON entry.id = chunks.id
    WHERE chunks.file_id = :file AND chunks.generation = :generation AND (
        entry.id IS NULL
        OR chunks.terms <> CASE entry.c0 WHEN '' THEN 0
            ELSE length(entry.c0) - length(replace(entry.c0, ' ', '')) + 1 END
        OR (chunks.terms > 0 AND substr(entry.c0, 1, :mark_chars) <> :mark)
    )
""")
WRONG_POSTINGS = text("""
    SELECT count(*) FROM chunks WHERE chunks.file_id = CAST(:file AS uuid) AND chunks.generation = :generation
        AND chunks.terms <> (
            SELECT coalesce(sum(frequency), 0) FROM postings WHERE postings.chunk_id = chunks.id
                AND postings.user_id = chunks.user_id AND postings.generation = chunks.generation
        )
""")
SURPLUS_FTS5 = "FROM chunks_fts_content WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.id = chunks_fts_content.id)"
SURPLUS_POSTINGS = "FROM postings WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.id = postings.chunk_id)"


@dataclass(frozen=True, slots=True)
class Row:
    """A file and what there is of it in the rows. `chunks` and `last` are those of the current index."""

    id: UUID
    owner: UUID
    name: str
    status: str
    attempt: int
    fingerprint: str | None
    error_code: str | None
    chunks_total: int
    chunks_done: int
    chunks: int
    last: int
    pages_done: int
    pages: int

    @property
    def is_ready(self) -> bool:
        return self.status == FileStatus.READY


async def page(session: AsyncSession, generation: int, after: UUID | None) -> list[Row]:
    """The next files in the order of their ids."""
    mine = (Chunk.file_id == File.id, Chunk.generation == generation)
    query = select(
        File,
        select(func.count()).where(*mine).correlate(File).scalar_subquery(),
        select(func.max(Chunk.ordinal)).where(*mine).correlate(File).scalar_subquery(),
        select(func.count()).where(FilePage.file_id == File.id).correlate(File).scalar_subquery(),
    )
    if after is not None:
        query = query.where(File.id > after)
    found = await session.execute(query.order_by(File.id).limit(PAGE))
    return [_row(file, count, -1 if last is None else last, pages) for file, count, last, pages in found]


async def wrong_entries(session: AsyncSession, row: Row, generation: int) -> int:
    """How many of a file's chunks are not in the text index as they should be."""
    values = {"file": row.id, "generation": generation}
    if _is_sqlite(session):
        mark = chunks_fts5.mark((row.owner, generation))
        more = {"file": row.id.hex, "mark": mark, "mark_chars": len(mark)}
        return int((await session.execute(WRONG_FTS5, values | more)).scalar_one())
    return int((await session.execute(WRONG_POSTINGS, values)).scalar_one())


async def index_again(session: AsyncSession, file_id: UUID, generation: int) -> None:
    """Write the text index's entries of a file anew, from its chunks: they keep their places, but not their ids."""
    rows = await chunks.of_file(session, file_id, generation)
    copies = [Chunk(**{key: getattr(row, key) for key in chunks.COLUMNS}) for row in rows]
    await chunks.delete_chunks(session, file_id, generation)
    await chunks.add(session, copies)


async def surplus_entries(session: AsyncSession) -> int:
    """Entries of the text index whose chunk is gone."""
    what = SURPLUS_FTS5 if _is_sqlite(session) else SURPLUS_POSTINGS
    return int((await session.execute(text(f"SELECT count(*) {what}"))).scalar_one())


async def delete_surplus_entries(session: AsyncSession) -> None:
    if _is_sqlite(session):
        await session.execute(text(f"DELETE FROM chunks_fts WHERE rowid IN (SELECT id {SURPLUS_FTS5})"))  # noqa: S608
        await chunks.purge(session)
    else:
        await session.execute(text(f"DELETE {SURPLUS_POSTINGS}"))


async def stray_chunks(session: AsyncSession) -> list[tuple[UUID, int, int]]:
    """File, generation and number of chunks that belong to no ready file, or to no index that is in use."""
    used = select(SearchIndex.id).where(SearchIndex.state.in_([IndexState.CURRENT, IndexState.BUILDING]))
    some = select(func.count()).select_from(SearchIndex).scalar_subquery()
    query = (
        select(Chunk.file_id, Chunk.generation, func.count())
        .outerjoin(File, File.id == Chunk.file_id)
        .where(
            or_(
                File.id.is_(None),
                File.status.in_([FileStatus.FAILED, FileStatus.CANCELLED]),
                (some > 0) & File.status.not_in(ACTIVE) & Chunk.generation.not_in(used),
            )
        )
    )
    found = await session.execute(query.group_by(Chunk.file_id, Chunk.generation))
    return [(file_id, generation, count) for file_id, generation, count in found]


async def orphan_pages(session: AsyncSession) -> int:
    """Pages of files that are gone."""
    gone = select(func.count()).select_from(FilePage).where(FilePage.file_id.not_in(select(File.id)))
    return int(await session.scalar(gone) or 0)


async def delete_orphan_pages(session: AsyncSession) -> None:
    await session.execute(delete(FilePage).where(FilePage.file_id.not_in(select(File.id))))


async def known(session: AsyncSession, file_ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, str, int]]:
    """Owner, status and number of chunks of those files that have a row."""
    found: dict[UUID, tuple[UUID, str, int]] = {}
    for first in range(0, len(file_ids), PAGE):
        some = select(File.id, File.user_id, File.status, File.chunks_total).where(
            File.id.in_(file_ids[first : first + PAGE])
        )
        for file_id, owner, status, total in await session.execute(some):
            found[file_id] = (owner, status, total or 0)
    return found


async def unfinished_count(session: AsyncSession) -> int:
    return int(await session.scalar(select(func.count()).select_from(File).where(File.status.in_(ACTIVE))) or 0)


async def note_error(session: AsyncSession, file_id: UUID, code: str, message: str) -> None:
    """A ready file stays ready: its text is there."""
    error = {"code": code, "message": message}
    await session.execute(update(File).where(File.id == file_id).values(error=error))


def _row(file: File, count: int, last: int, pages: int) -> Row:
    return Row(
        id=file.id,
        owner=file.user_id,
        name=file.name,
        status=file.status,
        attempt=file.attempt,
        fingerprint=file.fingerprint,
        error_code=str(file.error.get("code")) if file.error else None,
        chunks_total=file.chunks_total or 0,
        chunks_done=file.chunks_done,
        chunks=count,
        last=last,
        pages_done=file.pages_done,
        pages=pages,
    )


def _is_sqlite(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "sqlite"
