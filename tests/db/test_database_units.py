"""Units of work by `write` and `query`: one transaction for many on SQLite, each alone when one fails."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from app.core.errors import Conflict, StorageFull
from app.db.models import Conversation, User
from app.db.session import MAX_BATCH, Database, Session
from tests.db.units import add, names

OTHER_PROCESS = """
import sqlite3, sys, uuid
rows = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
print("open", flush=True)
input()
for number in range(200):
    rows.execute("BEGIN IMMEDIATE")
    rows.execute("SELECT count(*) FROM users").fetchone()
    name = f"other{number}"
    rows.execute(
        "INSERT INTO users (id, username, username_key, password_hash, role, is_active, created_at) "
        "VALUES (?, ?, ?, 'h', 'user', 1, '2026-01-01 00:00:00.000000')", (uuid.uuid4().hex, name, name))
    rows.execute("COMMIT")
print("done", flush=True)
"""


def fail(session: Session, name: str, error: Exception) -> None:
    add(session, name)
    session.flush()
    raise error


async def batch(db: Database, *works: Callable[[Session], object]) -> list[object]:
    """Run these units as one batch: all wait while somebody else writes."""
    async with db.begin():
        tasks = [asyncio.create_task(db.write(work)) for work in works]
        await asyncio.sleep(0.01)
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def commits(sqlite_db: Database) -> list[None]:
    """One entry for each commit of the writing thread."""
    assert sqlite_db._threads is not None
    seen: list[None] = []
    event.listen(sqlite_db._threads._write_engine, "commit", lambda _: seen.append(None))
    return seen


async def test_what_a_unit_gives_comes_back_and_stays(db: Database) -> None:
    assert await db.write(partial(add, name="ann")) == "ann"
    assert await db.query(names) == {"ann"}


async def test_row_that_a_unit_gives_can_be_read_after_the_commit(db: Database) -> None:
    await db.write(partial(add, name="ann"))
    ann = await db.write(lambda s: s.scalars(select(User)).one())
    assert (ann.username, ann.is_active) == ("ann", True)


async def test_error_of_a_unit_reaches_its_caller_and_nothing_stays(db: Database) -> None:
    with pytest.raises(Conflict, match="taken"):
        await db.write(partial(fail, name="ann", error=Conflict("taken")))
    assert await db.query(names) == set()


async def test_error_at_the_commit_reaches_its_caller(db: Database) -> None:
    await db.write(partial(add, name="ann"))
    with pytest.raises(IntegrityError):
        await db.write(partial(add, name="ann"))
    await db.write(partial(add, name="bob"))
    assert await db.query(names) == {"ann", "bob"}


async def test_stop_iteration_does_not_leave_its_caller_waiting(db: Database) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await db.write(lambda _: next(iter(())))
    assert await db.write(partial(add, name="ann")) == "ann"


async def test_those_that_wait_share_one_commit(sqlite_db: Database, commits: list[None]) -> None:
    works = [partial(add, name=f"user{number}") for number in range(50)]
    assert await batch(sqlite_db, *works) == [f"user{number}" for number in range(50)]
    assert len(commits) == 1
    await batch(sqlite_db, *(partial(add, name=f"more{number}") for number in range(MAX_BATCH + 1)))
    assert len(commits) == 3


async def test_failing_units_of_a_batch_fail_alone(sqlite_db: Database) -> None:
    outcomes = await batch(
        sqlite_db,
        partial(add, name="ann"),
        partial(fail, name="bob", error=Conflict("taken")),
        partial(add, name="carl"),
        partial(add, name="carl"),
        partial(add, name="dora"),
    )
    assert [type(outcome) for outcome in outcomes] == [str, Conflict, str, IntegrityError, str]
    assert await sqlite_db.query(names) == {"ann", "carl", "dora"}


async def test_unit_sees_what_earlier_ones_of_its_batch_wrote(sqlite_db: Database) -> None:
    """Also when an earlier one has loaded the row, and another has changed it beside the mapper."""
    await sqlite_db.write(partial(add, name="ann"))

    def load(session: Session) -> User:
        return session.scalars(select(User)).one()

    outcomes = await batch(
        sqlite_db, load, lambda s: s.execute(update(User.__table__).values(username="Ann")), lambda s: load(s).username
    )
    assert outcomes[2] == "Ann"


async def test_change_of_a_row_that_an_earlier_unit_gave_is_not_written(sqlite_db: Database) -> None:
    """A caller's objects are its own: they are no part of the next unit's transaction."""
    await sqlite_db.write(partial(add, name="ann"))
    given: list[User] = []
    await batch(
        sqlite_db,
        lambda s: given.append(s.scalars(select(User)).one()),
        lambda _: setattr(given[0], "username", "changed"),
    )
    assert await sqlite_db.query(names) == {"ann"}


async def test_cancelled_caller_leaves_the_others_alone(sqlite_db: Database) -> None:
    async with sqlite_db.begin():
        tasks = [asyncio.create_task(sqlite_db.write(partial(add, name=name))) for name in ("ann", "bob", "carl")]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[::2] == ["ann", "carl"]
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert await sqlite_db.query(names) == {"ann", "carl"}


async def test_caller_that_is_cancelled_while_its_unit_runs_leaves_the_others_alone(sqlite_db: Database) -> None:
    running, go_on = threading.Event(), threading.Event()

    def slow(session: Session) -> str:
        running.set()
        go_on.wait(10)
        return add(session, "ann")

    task = asyncio.create_task(sqlite_db.write(slow))
    await asyncio.to_thread(running.wait, 10)
    other = asyncio.create_task(sqlite_db.write(partial(add, name="bob")))
    task.cancel()
    go_on.set()
    assert await other == "bob"
    assert task.cancelled()
    assert await sqlite_db.query(names) == {"ann", "bob"}


async def test_session_that_is_cancelled_gives_its_turn_back(db: Database) -> None:
    entered = asyncio.Event()

    async def stay() -> None:
        async with db.begin() as session:
            await session.run_sync(add, "ann")
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stay())
    await entered.wait()
    task.cancel()
    await asyncio.wait([task])
    await db.write(partial(add, name="bob"))
    assert await db.query(names) == {"bob"}


async def test_full_disk_fails_only_what_does_not_fit(sqlite_db: Database) -> None:
    pages = await sqlite_db.write(lambda s: s.execute(text("PRAGMA page_count")).scalar_one())
    await sqlite_db.write(lambda s: s.execute(text(f"PRAGMA max_page_count = {pages + 20}")))

    def too_much(session: Session) -> None:
        owner = User(username="x", username_key="x", password_hash="h", role="user")
        session.add(owner)
        session.flush()
        rows = [{"user_id": owner.id, "title": "x" * 200} for _ in range(2_000)]
        session.execute(insert(Conversation), rows)

    outcomes = await batch(sqlite_db, partial(add, name="ann"), too_much, partial(add, name="bob"))
    assert outcomes[::2] == ["ann", "bob"]
    assert isinstance(outcomes[1], StorageFull)
    assert "free some space" in outcomes[1].message
    assert await sqlite_db.query(names) == {"ann", "bob"}


async def test_writers_of_all_kinds_and_another_process_meet_no_locked_file(
    sqlite_db: Database, sqlite_url: str
) -> None:
    path = sqlite_url.partition("///")[2]
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER_PROCESS, path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"open\n"

    async def by_session(number: int) -> None:
        async with sqlite_db.begin() as session:
            await session.execute(select(func.count()).select_from(User))
            await session.run_sync(add, f"session{number}")

    writers = asyncio.gather(
        *(by_session(number) for number in range(50)),
        *(sqlite_db.write(partial(add, name=f"unit{number}")) for number in range(300)),
        *(sqlite_db.query(names) for _ in range(50)),
    )
    output, _ = await other.communicate(b"go\n")
    await writers
    assert output == b"done\n"
    assert len(await sqlite_db.query(names)) == 550


async def test_write_waits_for_a_process_that_holds_the_file(sqlite_db: Database, sqlite_url: str) -> None:
    other = sqlite3.connect(sqlite_url.partition("///")[2], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(sqlite_db.write(partial(add, name="ann")))
    await asyncio.wait([waiting], timeout=0.3)
    assert not waiting.done()
    assert await sqlite_db.query(names) == set()
    other.execute("COMMIT")
    other.close()
    assert await waiting == "ann"


async def test_closing_waits_for_what_was_begun(sqlite_url: str) -> None:
    db = Database(sqlite_url)
    tasks = [asyncio.create_task(db.write(partial(add, name=f"user{number}"))) for number in range(100)]
    await asyncio.sleep(0)
    await db.aclose()
    assert len(await asyncio.gather(*tasks)) == 100
    rows = sqlite3.connect(Path(sqlite_url.partition("///")[2]))
    assert rows.execute("SELECT count(*) FROM users").fetchone() == (100,)
    rows.close()


async def test_write_after_the_end_is_an_error_and_not_a_wait(sqlite_url: str) -> None:
    db = Database(sqlite_url)
    await db.aclose()
    with pytest.raises(RuntimeError, match="shutdown"):
        await db.write(partial(add, name="ann"))
    with pytest.raises(RuntimeError, match="shutdown"):
        await db.query(names)
