"""Golden questions and their runs."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.enums import FileStatus
from app.crud import paging
from app.db.models import File, GoldenQuestion, GoldenRun

KEPT_RUNS = 50


async def newest(
    session: AsyncSession, owner: UUID, *, limit: int, cursor: str | None
) -> tuple[list[GoldenQuestion], str | None]:
    """One page, newest first, and the cursor of the next one. Raises ValidationFailed."""
    query = select(GoldenQuestion).where(GoldenQuestion.user_id == owner)
    keys = (GoldenQuestion.created_at, GoldenQuestion.id)
    if cursor is not None:
        query = query.where(tuple_(*keys) < tuple_(*paging.decode(cursor), types=[key.type for key in keys]))
    rows = list(await session.scalars(query.order_by(keys[0].desc(), keys[1].desc()).limit(limit + 1)))
    more = len(rows) > limit
    return rows[:limit], paging.encode(rows[limit - 1].created_at, rows[limit - 1].id) if more else None


async def every(session: AsyncSession, owner: UUID) -> Sequence[GoldenQuestion]:
    """Oldest first."""
    mine = select(GoldenQuestion).where(GoldenQuestion.user_id == owner)
    return (await session.scalars(mine.order_by(GoldenQuestion.created_at, GoldenQuestion.id))).all()


async def count(session: AsyncSession, owner: UUID) -> int:
    mine = select(func.count()).select_from(GoldenQuestion).where(GoldenQuestion.user_id == owner)
    return int(await session.scalar(mine) or 0)


async def same(session: AsyncSession, wanted: GoldenQuestion) -> GoldenQuestion | None:
    """A question of the same user with the same words and page."""
    return await session.scalar(
        select(GoldenQuestion)
        .where(GoldenQuestion.user_id == wanted.user_id, GoldenQuestion.question == wanted.question)
        .where(GoldenQuestion.sha256 == wanted.sha256, GoldenQuestion.page == wanted.page)
        .limit(1)
    )


async def files_of(session: AsyncSession, owner: UUID, hashes: Sequence[str]) -> Mapping[str, UUID]:
    """sha256 -> one of the owner's ready files with these bytes."""
    rows = await session.execute(
        select(File.sha256, File.id).where(
            File.user_id == owner, File.status == FileStatus.READY, File.sha256.in_(set(hashes))
        )
    )
    return dict(rows.tuples().all())


async def last_run(session: AsyncSession, owner: UUID) -> GoldenRun | None:
    newest = select(GoldenRun).where(GoldenRun.user_id == owner).order_by(GoldenRun.created_at.desc())
    return (await session.scalars(newest.limit(1))).first()


async def add_run(session: AsyncSession, run: GoldenRun) -> None:
    """Keeps the newest ones alone."""
    session.add(run)
    await session.flush()
    of_user = select(GoldenRun.id).where(GoldenRun.user_id == run.user_id)
    kept = of_user.order_by(GoldenRun.created_at.desc()).limit(KEPT_RUNS)
    await session.execute(delete(GoldenRun).where(GoldenRun.user_id == run.user_id, GoldenRun.id.not_in(kept)))
