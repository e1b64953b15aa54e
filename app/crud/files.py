"""Files, the text of their pages, and the fenced steps of their ingestion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.enums import FileStatus
from app.crud import paging
from app.crud import tags as tag_rows
from app.db.base import now
from app.db.models import File, FilePage, User

ACTIVE = tuple(s for s in FileStatus if not s.is_final)


SEPARATOR = "|"  # in a file's fingerprint, after that of its embedder


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of a user's files a list shows. `not_of`: those that are ready and of another embedder than this.

    `tags`: those that have a value of every key, on the whole file or on some page.
    """

    conversation_id: UUID | None = None
    status: FileStatus | None = None
    name: str | None = None
    not_of: str | None = None
    sha256: str | None = None
    source_url: str | None = None
    tags: tag_rows.Filter = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PageCount:
    """What is stored of a file's text: `total` rows, the last page's number and where the next page would start."""

    total: int
    last: int
    next_char: int


async def newest(
    session: AsyncSession, owner: UUID, which: Filter, *, limit: int, cursor: str | None
) -> tuple[list[File], str | None]:
    """One page of a user's files, newest first, and the cursor of the next page. Raises ValidationFailed."""
    query = select(File).where(File.user_id == owner)
    if which.conversation_id is not None:
        query = query.where(File.conversation_id == which.conversation_id)
    if which.status is not None:
        query = query.where(File.status == which.status)
    if which.name:
        query = query.where(func.lower(File.name).contains(which.name.lower(), autoescape=True))
    if which.sha256 is not None:
        query = query.where(File.sha256 == which.sha256)
    if which.source_url is not None:
        query = query.where(File.source_url == which.source_url)
    if which.not_of is not None:
        query = query.where(*_strange(which.not_of))
    query = tag_rows.narrowed(query, which.tags)
    if cursor is not None:
        query = query.where(
            tuple_(File.created_at, File.id)
            < tuple_(*paging.decode(cursor), types=[File.created_at.type, File.id.type])
        )
    rows = list(await session.scalars(query.order_by(File.created_at.desc(), File.id.desc()).limit(limit + 1)))
    more = len(rows) > limit
    return rows[:limit], paging.encode(rows[limit - 1].created_at, rows[limit - 1].id) if more else None


async def advance(session: AsyncSession, file_id: UUID, attempt: int, changes: Mapping[str, object]) -> File | None:
    """Move one attempt on. None when it was cancelled, deleted or overtaken meanwhile: its job must then stop."""
    return await session.scalar(
        update(File)
        .where(File.id == file_id, File.attempt == attempt, File.status.in_(ACTIVE))
        .values(**changes, updated_at=now())
        .returning(File),
        execution_options={"populate_existing": True},
    )


async def reset(session: AsyncSession, file: File) -> None:
    """Back to `stored`, for a new attempt."""
    await delete_pages(session, file.id)
    file.status, file.attempt, file.error = FileStatus.STORED, file.attempt + 1, None
    file.pages_total, file.pages_done, file.coverage = None, 0, None
    file.chunks_total, file.chunks_done, file.fingerprint = None, 0, None
    file.updated_at = now()


async def embed_again(session: AsyncSession, file: File) -> None:
    """Back to `embedding`, for a new attempt that keeps the pages. What is stored of its chunks still counts."""
    file.status, file.attempt, file.error = FileStatus.EMBEDDING, file.attempt + 1, None
    file.chunks_done = 0
    file.updated_at = now()


def embedder_of(fingerprint: str | None) -> str:
    """The embedder's part of a file's fingerprint."""
    return (fingerprint or "").partition(SEPARATOR)[0]


def ready_counts(session: Session, embedder: str) -> tuple[int, int]:
    """How many files of all users are ready, and how many of these are of another embedder."""
    ready = select(func.count()).select_from(File).where(File.status == FileStatus.READY)
    strange = select(func.count()).select_from(File).where(*_strange(embedder))
    return int(session.scalar(ready) or 0), int(session.scalar(strange) or 0)


def _strange(embedder: str) -> tuple[ColumnElement[bool], ...]:
    begin = embedder + SEPARATOR
    return File.status == FileStatus.READY, func.substr(func.coalesce(File.fingerprint, ""), 1, len(begin)) != begin


async def get(session: AsyncSession, file_id: UUID) -> File | None:
    """For jobs, which act for the file's owner."""
    return await session.get(File, file_id)


async def unfinished(session: AsyncSession, *, limit: int) -> list[File]:
    """The oldest of all users' files that a job should be working on."""
    found = select(File).where(File.status.in_(ACTIVE)).order_by(File.created_at, File.id).limit(limit)
    return list(await session.scalars(found))


async def existing(session: AsyncSession, file_ids: Sequence[UUID]) -> set[UUID]:
    """Those ids that have a row."""
    return set(await session.scalars(select(File.id).where(File.id.in_(file_ids))))


async def by_content(session: AsyncSession, owner: UUID, sha256: str) -> File | None:
    """A file of the user's library with these bytes, the newest if there are several."""
    same = select(File).where(File.user_id == owner, File.sha256 == sha256, File.conversation_id.is_(None))
    return (await session.scalars(same.order_by(File.created_at.desc()).limit(1))).first()


async def same_content(session: AsyncSession, like: File) -> File | None:
    """The oldest file of the same user in the same place with the same bytes and type. Of two uploads at once, the
    second waits here until the first is stored.
    """
    await session.execute(select(User.id).where(User.id == like.user_id).with_for_update(key_share=True))
    same = select(File).where(
        File.user_id == like.user_id,
        File.sha256 == like.sha256,
        File.media_type == like.media_type,
        File.conversation_id == like.conversation_id if like.conversation_id else File.conversation_id.is_(None),
    )
    return (await session.scalars(same.order_by(File.created_at).limit(1))).first()


async def in_conversation(session: AsyncSession, owner: UUID, conversation_id: UUID) -> list[File]:
    """All files of a conversation, whatever their status."""
    return list(
        await session.scalars(select(File).where(File.user_id == owner, File.conversation_id == conversation_id))
    )


async def used_bytes(session: AsyncSession) -> int:
    """What all users' files take."""
    return int(await session.scalar(select(func.coalesce(func.sum(File.size_bytes), 0))) or 0)


async def delete_row(session: AsyncSession, file_id: UUID) -> None:
    """The row and its pages. Chunks and their index go before, by `crud.chunks.delete_file`."""
    await delete_pages(session, file_id)
    await session.execute(delete(File).where(File.id == file_id))


async def delete_pages(session: AsyncSession, file_id: UUID) -> None:
    await session.execute(delete(FilePage).where(FilePage.file_id == file_id))


async def page(session: AsyncSession, file_id: UUID, number: int) -> FilePage | None:
    return await session.get(FilePage, (file_id, number))


async def pages(session: AsyncSession, file_id: UUID) -> list[tuple[int, str]]:
    """The whole text of a file: number and text of each page, in order."""
    rows = await session.execute(
        select(FilePage.number, FilePage.text).where(FilePage.file_id == file_id).order_by(FilePage.number)
    )
    return [(number, text) for number, text in rows]


async def page_states(session: AsyncSession, file_id: UUID) -> dict[str, int]:
    """How many pages of a file are in each state."""
    rows = await session.execute(
        select(FilePage.state, func.count()).where(FilePage.file_id == file_id).group_by(FilePage.state)
    )
    return {state: int(count) for state, count in rows}


async def page_reasons(session: AsyncSession, file_id: UUID, *, limit: int) -> list[tuple[int, str]]:
    """Numbers of the first pages that were not read, each with the reason."""
    rows = await session.execute(
        select(FilePage.number, FilePage.reason)
        .where(FilePage.file_id == file_id, FilePage.reason.is_not(None))
        .order_by(FilePage.number)
        .limit(limit)
    )
    return [(number, reason or "") for number, reason in rows]


async def page_count(session: AsyncSession, file_id: UUID) -> PageCount:
    total = await session.scalar(select(func.count()).select_from(FilePage).where(FilePage.file_id == file_id))
    last = await session.scalar(
        select(FilePage).where(FilePage.file_id == file_id).order_by(FilePage.number.desc()).limit(1)
    )
    if last is None:
        return PageCount(0, 0, 0)
    return PageCount(int(total or 0), last.number, last.char_from + len(last.text) + 1)
