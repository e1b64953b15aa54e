"""Engines and transactions. The only place that commits, besides the token journal on its own file.

SQLite: WAL, which the migrations set, and one writer that begins IMMEDIATE (a deferred transaction that reads and then
writes fails at once under load). The hot path hands whole units of work to one thread, which commits all that wait as
one transaction: one thread hop for many chats, instead of four for every statement. PostgreSQL: one pool, one
transaction per unit.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, QueuePool

from app.core.errors import StorageFull

__all__ = ["AsyncSession", "Database", "Session"]

READERS = 2
QUEUE_TIMEOUT_S = 60
MAX_BATCH = 64
MAX_QUERIES = 16  # in one batch: what comes later waits for all of them
DISK_FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "53100"})

T = TypeVar("T")
Work = Callable[[Session], T]


class Database:
    """`write` and `query` run one unit of work of the hot path; `begin` and `read` are sessions for all others."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self._writer = _aiosqlite_engine(url, size=1, begin="BEGIN IMMEDIATE")
            self._reader = _aiosqlite_engine(url, size=READERS, begin=None)
        else:
            self._writer = self._reader = create_async_engine(
                url, pool_size=10, max_overflow=10, pool_timeout=QUEUE_TIMEOUT_S, hide_parameters=True
            )
        self._begin = async_sessionmaker(self._writer, expire_on_commit=False)
        self._read = async_sessionmaker(self._reader, expire_on_commit=False, autoflush=False)
        self._threads = _SQLiteThreads(url) if self.is_sqlite else None

    async def write(self, work: Work[T]) -> T:
        """Run `work` as one transaction. It may run twice, so all that it does is its session's. Raises StorageFull."""
        if self._threads is not None:
            return await self._threads.write(work)
        async with self.begin() as session:
            return await session.run_sync(work)

    async def query(self, work: Work[T]) -> T:
        """Run `work`, which only reads."""
        if self._threads is not None:
            return await self._threads.query(work)
        async with self.read() as session:
            return await session.run_sync(work)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """One unit of work: commit on success, roll back on error. Raises StorageFull."""
        try:
            if self._threads is None:
                async with self._begin() as session, session.begin():
                    yield session
            else:
                async with self._threads.turn, self._begin() as session, session.begin():
                    yield session
        except DBAPIError as error:
            raise _translated(error) from error

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that must not write."""
        async with self._read() as session:
            yield session

    async def aclose(self) -> None:
        if self._threads is not None:
            await self._threads.aclose()
        await self._writer.dispose()
        await self._reader.dispose()


@dataclass(slots=True)
class _Unit(Generic[T]):
    """A unit of work that waits, and who waits for it."""

    work: Work[T]
    done: asyncio.Future[T]
    result: T | None = None
    error: Exception | None = None

    def settle(self) -> None:
        if self.done.cancelled():
            return
        if self.error is None:
            self.done.set_result(cast(T, self.result))
        elif isinstance(self.error, StopIteration):  # no future takes it
            self.done.set_exception(RuntimeError("a unit of work raised StopIteration"))
        else:
            self.done.set_exception(self.error)


class _SQLiteThreads:
    """A thread that writes and a few that read. `turn` is held by whoever writes: nobody meets a locked file."""

    def __init__(self, url: str) -> None:
        path = "sqlite://" + url.removeprefix("sqlite+aiosqlite://")
        self._write_engine = _sqlite_engine(path, size=1, begin="BEGIN IMMEDIATE")
        self._read_engine = _sqlite_engine(path, size=READERS, begin=None)
        self._write_session = sessionmaker(self._write_engine, expire_on_commit=False)
        self._read_session = sessionmaker(self._read_engine, expire_on_commit=False, autoflush=False)
        self._write_thread = ThreadPoolExecutor(1, "rows-writer")
        self._read_threads = ThreadPoolExecutor(READERS, "rows-reader")
        self._waiting: list[_Unit[Any]] = []
        self._drain: asyncio.Task[None] | None = None
        self.turn = asyncio.Lock()
        self._queries: list[_Unit[Any]] = []
        self._reading = 0  # batches that are due or in a thread

    async def write(self, work: Work[T]) -> T:
        unit: _Unit[T] = _Unit(work, asyncio.get_running_loop().create_future())
        self._waiting.append(unit)
        if self._drain is None:
            self._drain = asyncio.create_task(self._write_all())
        return await unit.done

    async def query(self, work: Work[T]) -> T:
        """What is asked in one turn of the event loop goes to a thread together: a hop costs as much as a query."""
        loop = asyncio.get_running_loop()
        unit: _Unit[T] = _Unit(work, loop.create_future())
        self._queries.append(unit)
        if self._reading < READERS:
            self._reading += 1
            loop.call_soon(self._read_some, loop)
        return await unit.done

    def _read_some(self, loop: asyncio.AbstractEventLoop) -> None:
        units = [unit for unit in self._queries[:MAX_QUERIES] if not unit.done.cancelled()]
        del self._queries[:MAX_QUERIES]
        try:
            if units:  # an earlier batch of this turn may have taken all
                self._read_threads.submit(self._run_queries, units, loop)
                return
        except RuntimeError as error:  # closed: who asks now must hear of it
            for unit in units:
                unit.error = error
        self._have_read(units, loop)

    def _run_queries(self, units: list[_Unit[Any]], loop: asyncio.AbstractEventLoop) -> None:
        try:
            with self._read_session() as session:
                for unit in units:
                    self._run_query(unit, session)
        except Exception as error:  # not even a session could be ended: who still waits must hear of it
            for unit in units:
                unit.error = error
        loop.call_soon_threadsafe(self._have_read, units, loop)

    def _run_query(self, unit: _Unit[T], session: Session) -> None:
        try:
            unit.result = unit.work(session)
        except Exception as error:
            unit.error = error
            session.rollback()
        session.expunge_all()  # the next unit sees the rows as they are

    def _have_read(self, units: list[_Unit[Any]], loop: asyncio.AbstractEventLoop) -> None:
        for unit in units:
            unit.settle()
        if self._queries:
            self._read_some(loop)
        else:
            self._reading -= 1

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                async with self.turn:
                    units = self._next_batch()
                    try:
                        await loop.run_in_executor(self._write_thread, self._run_units, units)
                    except Exception as error:  # the thread has ended: who still waits must hear of it
                        for unit in units:
                            unit.error = error
                for unit in units:
                    unit.settle()
        finally:
            self._drain = None

    def _next_batch(self) -> list[_Unit[Any]]:
        """The first of those that wait, without those whose caller has gone."""
        waiting = [unit for unit in self._waiting if not unit.done.cancelled()]
        self._waiting = waiting[MAX_BATCH:]
        return waiting[:MAX_BATCH]

    def _run_units(self, units: list[_Unit[Any]]) -> None:
        """All in one transaction; when one fails, each again in a transaction of its own."""
        try:
            with self._write_session() as session, session.begin():
                for unit in units:
                    unit.result = unit.work(session)
                    session.flush()
                    session.expunge_all()  # the next unit sees the rows as they are, not as this one loaded them
        except Exception as error:
            if len(units) == 1:
                units[0].error = _translated(error)
                return
            for unit in units:
                self._run_units([unit])

    async def aclose(self) -> None:
        while self._drain is not None:
            await asyncio.wait([self._drain])
        for pool in (self._write_thread, self._read_threads):
            await asyncio.to_thread(pool.shutdown)
        self._write_engine.dispose()
        self._read_engine.dispose()


def _translated(error: Exception) -> Exception:
    """StorageFull for a full disk, else the error itself."""
    if isinstance(error, DBAPIError):
        cause = error.orig
        name = cause.sqlite_errorname if isinstance(cause, sqlite3.Error) else getattr(cause, "sqlstate", None)
        if name in DISK_FULL:
            return StorageFull("the disk is full; free some space and try again")
    return error


def _aiosqlite_engine(url: str, *, size: int, begin: str | None) -> AsyncEngine:
    engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, **_options(size, begin))
    _listen(engine.sync_engine, begin)
    return engine


def _sqlite_engine(url: str, *, size: int, begin: str | None) -> Engine:
    engine = create_engine(url, poolclass=QueuePool, connect_args={"check_same_thread": False}, **_options(size, begin))
    _listen(engine, begin)
    return engine


def _options(size: int, begin: str | None) -> dict[str, Any]:
    """`begin` None: autocommit, so that a read costs no BEGIN and no ROLLBACK. Parameters are people's messages."""
    return {
        "hide_parameters": True,
        "pool_size": size,
        "max_overflow": 0,
        "pool_timeout": QUEUE_TIMEOUT_S,
        "isolation_level": "AUTOCOMMIT" if begin is None else None,
        "pool_reset_on_return": None if begin is None else "rollback",
    }


def _listen(engine: Engine, begin: str | None) -> None:
    event.listen(engine, "connect", _set_pragmas)
    if begin is None:
        event.listen(engine, "connect", _refuse_writes)
    else:
        event.listen(engine, "begin", _begin_immediate)


def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout=30000",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "cache_size=-16000",
        "secure_delete=ON",  # what was deleted is overwritten: not every build of SQLite does so by itself
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _refuse_writes(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """A reader that wrote would commit at once here, and be undone on PostgreSQL."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
