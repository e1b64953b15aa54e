"""Units of work that only read: one thread hop for all that are asked at once."""

import asyncio
import threading
from contextlib import nullcontext
from functools import partial

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db.models import User
from app.db.session import Database
from tests.db.units import add, names


async def test_query_cannot_write(db: Database) -> None:
    """SQLite refuses; PostgreSQL undoes it."""
    with pytest.raises(DBAPIError, match="readonly") if db.is_sqlite else nullcontext():
        await db.query(lambda s: (add(s, "ann"), s.flush()))
    assert await db.query(names) == set()


async def test_queries_run_while_a_unit_writes(db: Database) -> None:
    async with db.begin() as session:
        await session.run_sync(add, "ann")
        await session.flush()
        assert await asyncio.gather(*(db.query(names) for _ in range(10))) == [set()] * 10


async def test_queries_asked_at_once_answer_and_fail_each_for_itself(db: Database) -> None:
    await db.write(partial(add, name="ann"))

    def broken(session: Session) -> set[str]:
        session.scalars(select(User)).one().username = "changed"
        raise KeyError("broken")

    works = [broken if number % 7 == 3 else names for number in range(100)]
    outcomes = await asyncio.gather(*(db.query(work) for work in works), return_exceptions=True)
    for work, outcome in zip(works, outcomes, strict=True):
        assert isinstance(outcome, KeyError) if work is broken else outcome == {"ann"}


async def test_row_that_a_query_gives_stays_as_it_was_read(db: Database) -> None:
    await db.write(partial(add, name="ann"))
    row = await db.query(lambda s: s.scalars(select(User)).one())
    others = await asyncio.gather(*(db.query(lambda s: s.scalars(select(User)).one()) for _ in range(3)))
    assert [row.username, *(other.username for other in others)] == ["ann"] * 4
    assert len({id(other) for other in others}) == 3


async def test_query_whose_caller_is_gone_leaves_the_others_alone(sqlite_db: Database) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(session: Session) -> set[str]:
        started.set()
        go_on.wait(10)
        return names(session)

    slow_ones = [asyncio.create_task(sqlite_db.query(slow)) for _ in range(40)]
    await asyncio.to_thread(started.wait, 10)
    for task in slow_ones[1:]:
        task.cancel()
    last = asyncio.create_task(sqlite_db.query(names))
    await asyncio.sleep(0)
    go_on.set()
    assert await slow_ones[0] == await last == set()
