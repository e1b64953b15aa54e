"""Who may read what: conditions for statements, each over a `reader` that is a parameter of the statement.

A file is read by its owner and by everybody who may use a collection that it is in. An administrator is nobody special.
"""

from collections.abc import Collection as Several
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, bindparam, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.errors import Forbidden, NotFound
from app.db.base import table_of
from app.db.models import Collection, CollectionFile, CollectionShare, File

FILES, COLLECTIONS = table_of(File), table_of(Collection)
MEMBERS, SHARES = table_of(CollectionFile), table_of(CollectionShare)
READER = bindparam("reader", type_=Uuid)
FEW = 20

_SHARED = exists().where(
    SHARES.c.collection_id == COLLECTIONS.c.id, or_(SHARES.c.user_id == READER, SHARES.c.user_id.is_(None))
)
OPEN_COLLECTION: ColumnElement[bool] = or_(COLLECTIONS.c.user_id == READER, _SHARED)
READABLE_FILE: ColumnElement[bool] = or_(
    FILES.c.user_id == READER,
    exists().where(MEMBERS.c.file_id == FILES.c.id, MEMBERS.c.collection_id == COLLECTIONS.c.id, OPEN_COLLECTION),
)


def find_readable(session: Session, file_id: UUID, reader: UUID) -> File:
    """A file that the reader may look at. Raises NotFound for all others, whether they are there or not."""
    row = session.scalar(select(File).where(File.id == file_id, READABLE_FILE), {"reader": reader})
    if row is None:
        raise NotFound(f"there is no file {str(file_id)!r}")
    return row


async def get_readable(session: AsyncSession, file_id: UUID, reader: UUID) -> File:
    """`find_readable` for a session outside the hot path."""
    return await session.run_sync(find_readable, file_id, reader)


def find_own_file(session: Session, file_id: UUID, owner: UUID) -> File:
    """A file to be changed. Raises Forbidden when it is only shared with whoever asks, else NotFound."""
    file = find_readable(session, file_id, owner)
    if file.user_id != owner:
        raise Forbidden(f"file {file.name!r} is shared with you to be read; only its owner may change it")
    return file


async def get_own_file(session: AsyncSession, file_id: UUID, owner: UUID) -> File:
    """`find_own_file` for a session outside the hot path."""
    return await session.run_sync(find_own_file, file_id, owner)


def among(session: Session, column: ColumnElement[UUID], ids: Several[UUID]) -> ColumnElement[bool]:
    """Whether a column is one of these, however many: as one parameter, since a statement has room for 32,766."""
    if len(ids) <= FEW:
        return column.in_(ids)
    if session.get_bind().dialect.name == "sqlite":
        each = func.json_each("[" + ",".join(f'"{one.hex}"' for one in ids) + "]").table_valued("value")
        return column.in_(select(each.c.value))
    return column == func.any(bindparam(None, list(ids), type_=ARRAY(Uuid)))
