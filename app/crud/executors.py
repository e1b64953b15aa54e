"""Heartbeats of the processes that run jobs, by the database's clock."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Double, delete, func, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Executor


async def beat(session: AsyncSession, executor_id: str) -> None:
    """Say that this process lives."""
    clock = _clock(session)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = insert(Executor).values(id=executor_id, beat_s=clock)
    await session.execute(row.on_conflict_do_update(index_elements=["id"], set_={"beat_s": clock}))


async def living(session: AsyncSession, *, within_s: float) -> Sequence[str]:
    """The processes that said so in the last seconds; the others are forgotten."""
    await session.execute(delete(Executor).where(Executor.beat_s < _clock(session) - within_s))
    return list(await session.scalars(select(Executor.id)))


async def forget(session: AsyncSession, replica: str) -> None:
    """The processes of one replica are known to be dead."""
    await session.execute(delete(Executor).where(Executor.id.startswith(f"{replica}:", autoescape=True)))


def _clock(session: AsyncSession) -> ColumnElement[Any]:
    if session.get_bind().dialect.name == "postgresql":
        return func.date_part("epoch", func.clock_timestamp(), type_=Double)
    return literal_column("(julianday('now') - 2440587.5) * 86400.0", Double)
