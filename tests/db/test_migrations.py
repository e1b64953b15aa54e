"""The history of the tables: applied at start by one of many, reversible, the same on both databases."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, String, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.errors import DatabaseUnusable
from app.db.migrations import FOLDERS, locked, migrate, revisions
from app.db.models import User
from app.db.session import Database
from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
START = "import asyncio, sys; from app.db.migrations import migrate; asyncio.run(migrate(sys.argv[1]))"
START_WHEN_TOLD = "import app.db.upgrade; print('ready', flush=True); input(); " + START


async def run_python(code: str, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def run_alembic(url: str, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", *arguments),
        cwd=ROOT,
        env={**os.environ, "ALEMBIC_DATABASE_URL": url, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def tables(url: str) -> set[str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda c: inspect(c).get_table_names())
    await engine.dispose()
    return set(names)


def test_greatest_file_name_is_the_head_of_one_unbroken_line() -> None:
    script = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))
    line = [revision.revision for revision in script.walk_revisions()]
    assert revisions(FOLDERS[0]) == line[::-1]
    assert script.get_heads() == [revisions(FOLDERS[0])[-1]]


async def test_four_starters_at_once_all_succeed(empty_database_url: str) -> None:
    starters = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", START_WHEN_TOLD, empty_database_url),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(4)
    ]
    for starter in starters:
        assert starter.stdout is not None
        assert await starter.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(starter.communicate(b"go\n") for starter in starters))
    assert [starter.returncode for starter in starters] == [0] * 4, outputs
    assert set(User.metadata.tables) <= await tables(empty_database_url)


async def test_history_makes_what_the_models_say_and_unmakes_it(empty_database_url: str) -> None:
    for arguments, expected in (
        (("upgrade", "head"), 0),
        (("check",), 0),
        (("downgrade", "base"), 0),
    ):
        code, output = await run_alembic(empty_database_url, *arguments)
        assert code == expected, output
    assert await tables(empty_database_url) == {"alembic_version"}
    await migrate(empty_database_url)
    assert set(User.metadata.tables) <= await tables(empty_database_url)


async def test_tags_become_rows_and_go_back(empty_database_url: str) -> None:
    """Those of files that were there before there were tags of pages."""
    old = {"subject": "math", "grade": [5, "6"], "done": True, "share": 2.0}
    file_id, user_id = "0f" * 16, "0e" * 16
    assert (await run_alembic(empty_database_url, "upgrade", "0007"))[0] == 0
    engine = create_async_engine(empty_database_url)
    async with engine.begin() as connection:
        user = "INSERT INTO users (username, username_key, password_hash, role, is_active, id, created_at) VALUES "
        await connection.execute(text(f"{user} ('a', 'a', '-', 'user', true, '{user_id}', '2026-01-01')"))
        file = (
            "INSERT INTO files (id, user_id, name, media_type, size_bytes, sha256, status, attempt, pages_done, "
            f"chunks_done, tags, created_at, updated_at) VALUES ('{file_id}', '{user_id}', 'f', 'text/plain', 1, '', "
            "'ready', 1, 1, 1, :tags, '2026-01-01', '2026-01-01')"
        ).replace(":tags", f"'{json.dumps(old)}'".replace(":", "\\:"))
        await connection.execute(text(file))
    assert (await run_alembic(empty_database_url, "upgrade", "head"))[0] == 0
    async with engine.begin() as connection:
        rows = await connection.execute(text("SELECT key, value FROM file_tags WHERE page_from IS NULL ORDER BY id"))
        assert [tuple(row) for row in rows] == [
            *(("subject", "math"), ("grade", "5"), ("grade", "6"), ("done", "true"), ("share", "2"))
        ] or not empty_database_url.startswith("sqlite")
        count = await connection.execute(text("SELECT count(*), count(DISTINCT key) FROM file_tags"))
        assert tuple(count.one()) == (5, 4)
    assert (await run_alembic(empty_database_url, "downgrade", "0007"))[0] == 0
    async with engine.begin() as connection:
        (found,) = (await connection.execute(text("SELECT tags FROM files"))).one()
        back = json.loads(found) if isinstance(found, str) else found
        assert back == {"subject": "math", "grade": ["5", "6"], "done": "true", "share": "2"}
    await engine.dispose()


async def test_second_start_does_not_import_alembic(database_url: str) -> None:
    code = START + "; print('alembic' in sys.modules)"
    assert await run_python(code, database_url) == (0, "False\n")


async def test_newer_database_is_refused_with_a_sentence(database_url: str) -> None:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()
    with pytest.raises(DatabaseUnusable, match=r"revision '9999'.*start the newer version"):
        await migrate(database_url)


async def test_unreachable_server_is_refused_without_its_password() -> None:
    with pytest.raises(DatabaseUnusable, match=r"cannot be used: .*See DATABASE_URL") as caught:
        await migrate("postgresql+asyncpg://ann:hunter2@127.0.0.1:1/rows")
    assert "hunter2" not in str(caught.value)


async def test_unknown_database_is_refused_with_its_name(postgres: Postgres) -> None:
    with pytest.raises(DatabaseUnusable, match="nowhere"):
        await migrate(postgres.url("nowhere"))


async def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.db").write_bytes(b"this is a letter to my aunt " * 100)
    with pytest.raises(DatabaseUnusable, match=r"rows\.db.*not a database"):
        await migrate(f"sqlite+aiosqlite:///{tmp_path}/rows.db")


async def test_rebuilt_table_keeps_the_rows_that_point_to_it(sqlite_url: str) -> None:
    """Batch mode drops a table and makes it anew, which with foreign keys on deletes what refers to it."""
    db = Database(sqlite_url)
    async with db.begin() as session:
        await session.execute(text("INSERT INTO users VALUES ('a','a',NULL,'h','user',1,'u1','2026-01-01')"))
        await session.execute(
            text("INSERT INTO conversations VALUES ('u1','t',NULL,'2026-01-01','c1','2026-01-01','','[]')")
        )
    async with locked(sqlite_url) as connection:
        await connection.run_sync(rebuild, "users")
    async with db.read() as session:
        assert (await session.execute(text("SELECT id FROM conversations"))).all() == [("c1",)]
    await db.aclose()


def rebuild(connection: Connection, table: str) -> None:
    with Operations(MigrationContext.configure(connection)).batch_alter_table(table, recreate="always") as batch:
        batch.add_column(Column("colour", String()))


async def test_migration_that_breaks_a_reference_changes_nothing(sqlite_url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="'conversations' points to a row of 'users' that is gone"):
        async with locked(sqlite_url) as connection:
            await connection.exec_driver_sql(
                "INSERT INTO conversations VALUES ('u9','t',NULL,'2026-01-01','c1','2026-01-01','','[]')"
            )
    with sqlite3.connect(sqlite_url.partition("///")[2]) as connection:
        assert connection.execute("SELECT count(*) FROM conversations").fetchone() == (0,)
    connection.close()


async def test_file_that_is_not_in_wal_is_put_there_however_busy_it_is(sqlite_url: str) -> None:
    """As a copied or restored file may be. SQLite's own timeout does not cover this change."""
    path = sqlite_url.partition("///")[2]
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    migrating = asyncio.create_task(migrate(sqlite_url))
    await asyncio.wait([migrating], timeout=0.3)
    other.execute("COMMIT")
    await migrating
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
