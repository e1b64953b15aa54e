"""Brings a database to the revision that this code knows, under a lock, so that many may start at once.

Alembic is imported only when the stored revision differs from the newest file of `alembic/versions`: files are named
`0001_subject.py`, so the greatest name is the newest.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from sqlalchemy import Connection, event, inspect, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from app.core.errors import DatabaseUnusable
from app.core.registry import Registry

LOCK = 7_305_816_402_118  # any number that no other program takes on the same PostgreSQL database
LOCK_WAIT_S = 120
WAL_ATTEMPTS, WAL_PAUSE_S = 500, 0.02
FOLDERS = (Path(__file__).parents[2] / "alembic", Path(__file__).parent / "alembic")  # a checkout; a wheel
UPGRADE: Registry[Callable[[Connection, Path], None]] = Registry("migration", {"upgrade": "app.db.upgrade:upgrade"})


async def migrate(url: str) -> None:
    """Apply the revisions that are missing. Raises DatabaseUnusable."""
    folder = next(f for f in FOLDERS if (f / "env.py").exists())
    known = revisions(folder)
    stored = await _stored(url)
    await _use_wal(url)
    if stored == known[-1]:
        return
    if stored is not None and stored not in known:
        raise DatabaseUnusable(
            f"The database {_shown(url)} is at revision {stored!r}, which this version does not know "
            f"(its newest is {known[-1]!r}): start the newer version that wrote it, or restore a backup."
        )
    async with locked(url) as connection:
        await connection.run_sync(UPGRADE.get("upgrade"), folder)


def revisions(folder: Path) -> list[str]:
    """The known revisions, oldest first."""
    return sorted(path.stem.partition("_")[0] for path in (folder / "versions").glob("[0-9]*_*.py"))


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[AsyncConnection]:
    """A connection in one transaction that holds the migration lock. Commits at the end."""
    engine = _engine(url)
    try:
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            yield connection
            if engine.dialect.name == "sqlite":
                await _check_references(connection)
    finally:
        await engine.dispose()


async def _stored(url: str) -> str | None:
    engine = _engine(url)
    try:
        async with engine.connect() as connection:
            if not await connection.run_sync(_has_version):
                return None
            return (await connection.exec_driver_sql("SELECT version_num FROM alembic_version")).scalar()
    except (OSError, DBAPIError, TypeError) as error:  # TypeError: an option in the address that asyncpg has not
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise DatabaseUnusable(f"The database {_shown(url)} cannot be used: {reason}. See DATABASE_URL.") from None
    finally:
        await engine.dispose()


async def _use_wal(url: str) -> None:
    """Put a SQLite file in WAL, where it stays. SQLite waits for nobody here, so a file in use is asked for again."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        return
    async with aiosqlite.connect(address.database) as connection:
        for attempt in range(WAL_ATTEMPTS):
            try:
                await connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if attempt == WAL_ATTEMPTS - 1:
                    raise DatabaseUnusable(f"The database {_shown(url)} cannot be used: {error}.") from None
                await asyncio.sleep(WAL_PAUSE_S)


def _has_version(connection: Connection) -> bool:
    return inspect(connection).has_table("alembic_version")


def _engine(url: str) -> AsyncEngine:
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        if engine.url.database:
            _make_folder(Path(engine.url.database).parent, url)
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _make_folder(folder: Path, url: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusable(f"The database {_shown(url)} cannot be used: {error}. See DATABASE_URL.") from None


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Batch mode drops and recreates tables: with foreign keys on, that would delete the rows that point to them."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={LOCK_WAIT_S * 1000}")
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def _check_references(connection: AsyncConnection) -> None:
    broken = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).mappings().first()
    if broken is not None:
        raise DatabaseUnusable(
            f"A row of {broken['table']!r} points to a row of {broken['parent']!r} that is gone; nothing was changed."
        )


def _shown(url: str) -> str:
    return repr(make_url(url).render_as_string(hide_password=True))
