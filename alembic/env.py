"""Runs the revisions: on the connection that the service brings at its start, else on one of our own."""

import asyncio

from alembic import context
from sqlalchemy import Column, Connection, Index
from sqlalchemy.sql.schema import SchemaItem

from app.core.settings import Settings
from app.db import models
from app.db.migrations import locked


def is_ours(item: SchemaItem, name: str | None, kind: str, reflected: bool, compare_to: SchemaItem | None) -> bool:
    """Leaves out what one database alone has, and the models therefore do not describe.

    These are what serves FTS5 on SQLite, its name in theirs, and indexes over expressions on PostgreSQL.
    """
    if not reflected or compare_to is not None:
        return True
    if name is not None and "_fts" in name:
        return False
    return not isinstance(item, Index) or all(isinstance(part, Column) for part in item.expressions)


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=models.User.metadata,
        include_object=is_ours,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_alone() -> None:
    async with locked(Settings.load().storage.migration_url) as connection:
        await connection.run_sync(run)


if context.is_offline_mode():
    raise SystemExit("--sql is not supported: the revisions ask the database which of SQLite and PostgreSQL it is.")
if "connection" in context.config.attributes:
    run(context.config.attributes["connection"])
else:
    asyncio.run(run_alone())
