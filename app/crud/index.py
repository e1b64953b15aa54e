"""The indexes over all files: which one is searched, how far the one is that is being built, and the swap."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.enums import FileStatus, IndexState
from app.crud.files import SEPARATOR, embedder_of
from app.db.base import now, table_of
from app.db.models import Chunk, File, IndexedFile, SearchIndex

TABLE = table_of(SearchIndex)
CURRENT = select(TABLE.c.id, TABLE.c.fingerprint).where(TABLE.c.state == IndexState.CURRENT)
HAS_LEFTOVERS = (IndexState.RETIRED, IndexState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Generation:
    """An index by what a search must know: whose chunks, and the fingerprint of the embedder of its vectors."""

    id: int
    embedder: str

    @property
    def space(self) -> str:
        """What the vector store calls its vectors: two indexes of one embedder do not share any."""
        return f"{self.embedder}#{self.id}" if self.id else self.embedder


@dataclass(frozen=True, slots=True)
class Done:
    """How far an index is that is being built. Its own chunks are known file by file, before that those of today."""

    files_total: int
    files_done: int
    chunks_total: int
    chunks_done: int


def current(session: Session) -> Generation | None:
    """The index that is searched. None: nothing was ever indexed."""
    row = session.execute(CURRENT).first()
    return None if row is None else Generation(row.id, embedder_of(row.fingerprint))


def current_id(session: Session) -> int:
    """The generation of the chunks that count."""
    row = session.execute(CURRENT).first()
    return 0 if row is None else int(row.id)


async def hold_current(session: AsyncSession) -> int:
    """Like `current_id`; until this transaction ends, it stays so."""
    return int(await session.scalar(CURRENT.with_for_update(read=True)) or 0)


async def by_state(session: AsyncSession, *states: IndexState) -> list[SearchIndex]:
    """The newest first."""
    return list(
        await session.scalars(
            select(SearchIndex).where(SearchIndex.state.in_(states)).order_by(SearchIndex.id.desc()),
            execution_options={"populate_existing": True},
        )
    )


async def leftovers(session: AsyncSession) -> list[SearchIndex]:
    """Those that are not used any more and not removed yet."""
    return [row for row in await by_state(session, *HAS_LEFTOVERS) if row.removed_at is None]


async def begin(session: AsyncSession, row: SearchIndex) -> None:
    """Store a new index with the next id; 0 is that of the chunks that are older than this table."""
    row.id = int(await session.scalar(select(func.coalesce(func.max(SearchIndex.id), -1))) or 0) + 1
    session.add(row)
    await session.flush()


async def adopt(session: AsyncSession, fingerprint: str, recipe: dict[str, object] | None) -> None:
    """The first index, of what is there already or will be. Does nothing when there is one."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    values = {"id": 0, "state": IndexState.CURRENT, "fingerprint": fingerprint, "recipe": recipe, "started_at": now()}
    await session.execute(insert(SearchIndex).values(**values).on_conflict_do_nothing(index_elements=["id"]))


async def commonest_fingerprint(session: AsyncSession) -> str | None:
    """Of the ready files."""
    ready = select(File.fingerprint).where(File.status == FileStatus.READY, File.fingerprint.is_not(None))
    return await session.scalar(ready.group_by(File.fingerprint).order_by(func.count().desc(), File.fingerprint))


async def next_file(session: AsyncSession, index_id: int) -> File | None:
    """A ready file that this index has not whole yet, the oldest first."""
    waiting = select(File).where(File.status == FileStatus.READY, ~_whole(index_id)).order_by(File.created_at, File.id)
    return (await session.scalars(waiting.limit(1))).first()


async def stage(session: AsyncSession, index_id: int, file: File, chunks_total: int) -> IndexedFile:
    """Where the file is in this index. Anew when it was retried or is cut otherwise than it was."""
    row = await session.get(IndexedFile, (index_id, file.id))
    if row is None:
        row = IndexedFile(index_id=index_id, file_id=file.id, attempt=file.attempt, chunks_total=chunks_total)
        row.chunks_done, row.is_complete = 0, False
        session.add(row)
    elif (row.attempt, row.chunks_total) != (file.attempt, chunks_total):
        row.attempt, row.chunks_total, row.chunks_done, row.is_complete = file.attempt, chunks_total, 0, False
    await session.flush()
    return row


async def advance(session: AsyncSession, index_id: int, file: File, **changes: object) -> bool:
    """Move a file on in an index. False: the file was deleted or retried, or the index is not built any more."""
    building = select(SearchIndex.id).where(SearchIndex.id == index_id, SearchIndex.state == IndexState.BUILDING)
    if await session.scalar(building.with_for_update(read=True)) is None:
        return False
    ready = select(File.attempt).where(File.id == file.id, File.status == FileStatus.READY)
    if await session.scalar(ready.with_for_update(read=True)) != file.attempt:
        return False
    moved = await session.execute(
        update(IndexedFile)
        .where(IndexedFile.index_id == index_id, IndexedFile.file_id == file.id, IndexedFile.attempt == file.attempt)
        .values(**changes)
        .returning(IndexedFile.file_id)
    )
    return moved.first() is not None


async def swap(session: AsyncSession, index_id: int) -> bool:
    """From now on this index is searched, and the one before is not. False: a file is missing, or it was cancelled.

    All in the caller's transaction. A file that becomes ready at the same moment waits for it, see `hold_current`.
    """
    rows = await session.scalars(select(SearchIndex).order_by(SearchIndex.id).with_for_update())
    by_id = {row.id: row for row in rows}
    new = by_id[index_id]
    if new.state != IndexState.BUILDING or await next_file(session, index_id) is not None:
        return False
    for row in by_id.values():
        if row.state == IndexState.CURRENT:
            row.state = IndexState.RETIRED
    await session.flush()  # there is one current index at any time
    new.state, new.swapped_at, new.error = IndexState.CURRENT, now(), None
    total = select(IndexedFile.chunks_total).where(IndexedFile.index_id == index_id, IndexedFile.file_id == File.id)
    await session.execute(
        update(File)
        .where(File.status == FileStatus.READY)
        .values(fingerprint=new.fingerprint, chunks_total=total.scalar_subquery(), chunks_done=total.scalar_subquery()),
        execution_options={"synchronize_session": False},
    )
    await session.execute(delete(IndexedFile).where(IndexedFile.index_id == index_id))
    return True


async def end(session: AsyncSession, index_id: int, state: IndexState, error: str | None = None) -> bool:
    """Stop building it. False: it was not being built."""
    done = await session.execute(
        update(SearchIndex)
        .where(SearchIndex.id == index_id, SearchIndex.state.in_([IndexState.BUILDING, IndexState.FAILED]))
        .values(state=state, error=error)
        .returning(SearchIndex.id)
    )
    return done.first() is not None


async def removed(session: AsyncSession, index_id: int) -> None:
    """Nothing of it is left."""
    await session.execute(delete(IndexedFile).where(IndexedFile.index_id == index_id))
    await session.execute(update(SearchIndex).where(SearchIndex.id == index_id).values(removed_at=now()))


async def delete_chunks(session: AsyncSession, index_id: int, limit: int) -> int:
    """Up to `limit` of its chunks, with their index entries. How many these were."""
    some = select(Chunk.id).where(Chunk.generation == index_id).limit(limit)
    done = await session.execute(delete(Chunk).where(Chunk.id.in_(some)).returning(Chunk.id))
    return len(done.all())


async def done(session: AsyncSession, index_id: int) -> Done:
    """How far it is."""
    mine = and_(IndexedFile.file_id == File.id, IndexedFile.index_id == index_id, IndexedFile.attempt == File.attempt)
    row = (
        await session.execute(
            select(
                func.count(),
                func.count().filter(IndexedFile.is_complete),
                func.coalesce(func.sum(func.coalesce(IndexedFile.chunks_total, File.chunks_total, 0)), 0),
                func.coalesce(func.sum(IndexedFile.chunks_done), 0),
            )
            .select_from(File)
            .outerjoin(IndexedFile, mine)
            .where(File.status == FileStatus.READY)
        )
    ).one()
    return Done(int(row[0] or 0), int(row[1] or 0), int(row[2] or 0), int(row[3] or 0))


async def ready_done(session: AsyncSession) -> Done:
    """The same of the index that is searched."""
    ready = select(func.count(), func.coalesce(func.sum(File.chunks_total), 0)).where(File.status == FileStatus.READY)
    total, chunks = (await session.execute(ready)).one()
    return Done(int(total), int(total), int(chunks or 0), int(chunks or 0))


def _whole(index_id: int) -> ColumnElement[bool]:
    return exists().where(
        IndexedFile.index_id == index_id,
        IndexedFile.file_id == File.id,
        IndexedFile.attempt == File.attempt,
        IndexedFile.is_complete,
    )


def joined(*parts: object) -> str:
    """A whole fingerprint: the embedder's, then what the splitter goes by."""
    return SEPARATOR.join(map(str, parts))


async def totals(session: AsyncSession, index_id: int) -> dict[UUID, int]:
    """How many chunks each file has in an index that is being built."""
    rows = await session.execute(
        select(IndexedFile.file_id, IndexedFile.chunks_total).where(
            IndexedFile.index_id == index_id, IndexedFile.is_complete
        )
    )
    return {row.file_id: row.chunks_total for row in rows}


async def reset(session: AsyncSession, index_id: int, file_id: UUID) -> None:
    """The file has to be built again."""
    mine = (IndexedFile.index_id == index_id, IndexedFile.file_id == file_id)
    await session.execute(update(IndexedFile).where(*mine).values(chunks_done=0, is_complete=False))
