"""Units of work: committed whole or not at all, and writers that wait instead of failing."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from app.core.errors import StorageFull
from app.db.models import Conversation, File, User
from app.db.session import Database


def user(name: str = "ann") -> User:
    return User(username=name, username_key=name.casefold(), password_hash="h", role="user")


async def users(db: Database) -> int:
    async with db.read() as session:
        return (await session.execute(select(func.count()).select_from(User))).scalar_one()


async def test_unit_of_work_is_committed_at_its_end(db: Database) -> None:
    async with db.begin() as session:
        session.add(user())
    assert await users(db) == 1


async def test_error_undoes_the_whole_unit(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.begin() as session:
            session.add(user())
            await session.flush()
            session.add(Conversation(user_id=uuid4(), title="t"))
    assert await users(db) == 0


async def test_many_writers_that_read_first_all_succeed(db: Database) -> None:
    """A deferred transaction that reads and then writes fails at once under load on SQLite."""
    ann = user()
    async with db.begin() as session:
        session.add(ann)

    async def rename(number: int) -> None:
        async with db.begin() as session:
            row = await session.get_one(User, ann.id, with_for_update=True)
            row.email = f"{int((row.email or '0@x').partition('@')[0]) + 1}@x"

    await asyncio.gather(*(rename(number) for number in range(64)))
    async with db.read() as session:
        assert (await session.get_one(User, ann.id)).email == "64@x"


async def test_readers_do_not_wait_for_a_writer(db: Database) -> None:
    async with db.begin() as session:
        session.add(user())
        await session.flush()
        assert await users(db) == 0


async def test_times_come_back_in_utc(db: Database) -> None:
    ann = user()
    ann.created_at = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    async with db.begin() as session:
        session.add(ann)
    async with db.read() as session:
        stored = await session.get_one(User, ann.id)
    assert stored.created_at == ann.created_at
    assert stored.created_at.tzinfo is UTC


async def test_naive_time_is_refused(db: Database) -> None:
    ann = user()
    ann.created_at = datetime(2026, 3, 1)  # noqa: DTZ001
    with pytest.raises(StatementError, match="naive"):
        async with db.begin() as session:
            session.add(ann)


async def test_foreign_keys_hold(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.begin() as session:
            session.add(Conversation(user_id=uuid4(), title="t"))


async def test_deleting_a_user_deletes_what_the_user_owns(db: Database) -> None:
    ann = user()
    async with db.begin() as session:
        session.add(ann)
        await session.flush()
        session.add(Conversation(user_id=ann.id, title="t"))
    async with db.begin() as session:
        await session.execute(text("DELETE FROM users"))
    async with db.read() as session:
        assert (await session.execute(select(func.count()).select_from(Conversation))).scalar_one() == 0


async def test_size_over_two_gigabytes_fits(db: Database) -> None:
    ann = user()
    size = 5 << 30
    async with db.begin() as session:
        session.add(ann)
        await session.flush()
        session.add(
            File(
                user_id=ann.id,
                name="f",
                media_type="text/plain",
                size_bytes=size,
                sha256="0" * 64,
                status="stored",
            )
        )
    async with db.read() as session:
        assert (await session.execute(select(File.size_bytes))).scalar_one() == size


async def test_reader_cannot_hold_back_a_writer(sqlite_db: Database) -> None:
    async with sqlite_db.read() as reading:
        await reading.execute(select(User))
        async with sqlite_db.begin() as session:
            session.add(user())
        assert (await reading.execute(select(func.count()).select_from(User))).scalar_one() == 1


async def test_names_are_unique_whatever_their_case(db: Database) -> None:
    async with db.begin() as session:
        session.add(user("Ann"))
    with pytest.raises(DBAPIError):
        async with db.begin() as session:
            session.add(user("ann"))


async def test_error_does_not_show_what_was_stored(db: Database) -> None:
    with pytest.raises(IntegrityError) as caught:
        async with db.begin() as session:
            session.add(Conversation(user_id=uuid4(), title="my illness"))
    assert "my illness" not in str(caught.value)


def insert(name: str) -> Callable[[Session], None]:
    """A unit of work that fails for the name `broken`."""

    def work(session: Session) -> None:
        session.add(user(name))
        session.flush()
        if name == "broken":
            raise ZeroDivisionError(name)

    return work


async def test_many_units_at_once_are_all_written(db: Database) -> None:
    await asyncio.gather(*(db.write(insert(f"user{number}")) for number in range(200)))
    assert await users(db) == 200


async def test_failing_unit_takes_no_other_with_it(db: Database) -> None:
    names = [f"user{number}" for number in range(20)]
    results = await asyncio.gather(
        *(db.write(insert(name)) for name in [*names[:10], "broken", *names[10:]]), return_exceptions=True
    )
    assert [type(result) for result in results].count(ZeroDivisionError) == 1
    assert await db.query(lambda session: set(session.scalars(select(User.username)))) == set(names)


async def test_sessions_and_units_take_turns(db: Database) -> None:
    async def by_session(number: int) -> None:
        async with db.begin() as session:
            session.add(user(f"session{number}"))

    await asyncio.gather(*(f(n) for n in range(30) for f in (by_session, lambda n: db.write(insert(f"unit{n}")))))
    assert await users(db) == 60


async def test_full_disk_has_an_error_of_its_own(sqlite_url: str) -> None:
    db = Database(sqlite_url)

    def fill(session: Session) -> None:
        session.execute(text("PRAGMA max_page_count = 1"))
        ann = user()
        session.add(ann)
        session.flush()
        session.add_all(Conversation(user_id=ann.id, title="x" * 200) for _ in range(1000))
        session.flush()

    with pytest.raises(StorageFull):
        await db.write(fill)
    async with db.begin() as session:
        await session.execute(text("PRAGMA max_page_count = 1"))
    with pytest.raises(StorageFull):
        async with db.begin() as session:
            await session.run_sync(fill)
    await db.aclose()
