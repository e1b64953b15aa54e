"""Collections: who may use one, which files are in it, and with whom it is shared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, Uuid, bindparam, case, delete, exists, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.enums import Access
from app.core.errors import Conflict, Forbidden, NotFound, ValidationFailed
from app.crud.ownership import find_owned
from app.crud.paging import Position
from app.crud.sharing import COLLECTIONS, MEMBERS, OPEN_COLLECTION, READER, SHARES, find_own_file
from app.db.base import UTCDateTime, now, table_of
from app.db.models import Collection, CollectionShare, File, User

MAX_FILES: Final = 10_000
MAX_SHARES: Final = 1000
MAX_COLLECTIONS: Final = 1000  # of one owner
USERS = table_of(User)
ShareRow = Row[UUID, str | None, str]

_MAY_WRITE = exists().where(
    SHARES.c.collection_id == COLLECTIONS.c.id,
    or_(SHARES.c.user_id == READER, SHARES.c.user_id.is_(None)),
    SHARES.c.access == Access.WRITE,
)
_SEEN = (
    select(
        COLLECTIONS.c.id,
        COLLECTIONS.c.name,
        COLLECTIONS.c.description,
        COLLECTIONS.c.created_at,
        COLLECTIONS.c.user_id,
        USERS.c.username,
        case(
            (COLLECTIONS.c.user_id == READER, Access.OWNER.value),
            (_MAY_WRITE, Access.WRITE.value),
            else_=Access.READ.value,
        ).label("access"),
        select(func.count()).where(MEMBERS.c.collection_id == COLLECTIONS.c.id).scalar_subquery().label("files_total"),
    )
    .join(USERS, USERS.c.id == COLLECTIONS.c.user_id)
    .where(OPEN_COLLECTION)
)
_ONE = _SEEN.where(COLLECTIONS.c.id == bindparam("collection_id"))
_PAGE = _SEEN.order_by(COLLECTIONS.c.created_at.desc(), COLLECTIONS.c.id.desc()).limit(bindparam("limit"))
_PAGE_AFTER = _PAGE.where(
    tuple_(COLLECTIONS.c.created_at, COLLECTIONS.c.id)
    < tuple_(bindparam("at", type_=UTCDateTime), bindparam("row_id", type_=Uuid))
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A collection as one user sees it."""

    id: UUID
    name: str
    description: str
    created_at: datetime
    owner_id: UUID
    owner_name: str
    access: Access
    files_total: int


def page(session: Session, reader: UUID, *, after: Position | None, limit: int) -> list[Seen]:
    """All that the reader may use, newest first."""
    values: dict[str, object] = {"reader": reader, "limit": limit}
    if after is not None:
        values["at"], values["row_id"] = after
    return [_seen(row) for row in session.execute(_PAGE if after is None else _PAGE_AFTER, values)]


def get(session: Session, collection_id: UUID, reader: UUID, *, needs: Access = Access.READ) -> Seen:
    """Raises NotFound when the reader may not use it, and Forbidden when he may, but not for this."""
    row = session.execute(_ONE, {"reader": reader, "collection_id": collection_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no collection {str(collection_id)!r}")
    seen = _seen(row)
    if needs is Access.OWNER and seen.access is not Access.OWNER:
        raise Forbidden(f"collection {seen.name!r} is {seen.owner_name}'s; only they may do this")
    if needs is Access.WRITE and seen.access is Access.READ:
        raise Forbidden(f"collection {seen.name!r} is shared with you to be read; ask {seen.owner_name} for more")
    return seen


def add(session: Session, owner: UUID, *, id: UUID, name: str, description: str) -> None:  # noqa: A002
    if (session.scalar(select(func.count()).where(COLLECTIONS.c.user_id == owner)) or 0) >= MAX_COLLECTIONS:
        raise Conflict(f"you have {MAX_COLLECTIONS} collections, which is all there may be; delete some first")
    row = {"id": id, "user_id": owner, "name": name, "description": description, "created_at": now()}
    session.execute(insert(COLLECTIONS), row)


def change(session: Session, collection_id: UUID, owner: UUID, *, name: str | None, description: str | None) -> None:
    given = {"name": name, "description": description}
    changes = {field: value for field, value in given.items() if value is not None}
    get(session, collection_id, owner, needs=Access.OWNER)
    if changes:
        session.execute(update(COLLECTIONS).where(COLLECTIONS.c.id == collection_id).values(changes))


def remove(session: Session, collection_id: UUID, owner: UUID) -> None:
    """The files stay: they are their owners'."""
    get(session, collection_id, owner, needs=Access.OWNER)
    session.delete(find_owned(session, Collection, collection_id, owner))


def files(session: Session, collection_id: UUID, reader: UUID, *, after: Position | None, limit: int) -> Sequence[File]:
    """Newest first."""
    get(session, collection_id, reader)
    statement: Select[File] = (
        select(File)
        .join(MEMBERS, MEMBERS.c.file_id == File.id)
        .where(MEMBERS.c.collection_id == collection_id)
        .order_by(File.created_at.desc(), File.id.desc())
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(
            tuple_(File.created_at, File.id) < tuple_(*after, types=[File.created_at.type, File.id.type])
        )
    return session.scalars(statement).all()


def add_file(session: Session, collection_id: UUID, file_id: UUID, user_id: UUID) -> None:
    """Put a file of the user's own library in. Nothing changes when it is in already."""
    seen = get(session, collection_id, user_id, needs=Access.WRITE)
    file = find_own_file(session, file_id, user_id)
    if file.conversation_id is not None:
        raise Conflict(f"file {file.name!r} belongs to a conversation and goes with it; upload it to your library")
    if seen.files_total >= MAX_FILES:
        raise Conflict(f"collection {seen.name!r} has {MAX_FILES} files, which is all there may be; make another")
    new = (sqlite if session.get_bind().dialect.name == "sqlite" else postgresql).insert(MEMBERS)
    session.execute(new.on_conflict_do_nothing(), {"collection_id": collection_id, "file_id": file_id})


def remove_file(session: Session, collection_id: UUID, file_id: UUID, user_id: UUID) -> None:
    """Take a file out. Who may write may do so, and the file's owner always."""
    file = session.scalar(
        select(File)
        .join(MEMBERS, MEMBERS.c.file_id == File.id)
        .where(File.id == file_id)
        .where(MEMBERS.c.collection_id == collection_id)
    )
    if file is None or file.user_id != user_id:
        get(session, collection_id, user_id, needs=Access.WRITE)
    if file is None:
        raise NotFound(f"there is no file {str(file_id)!r} in this collection")
    session.execute(delete(MEMBERS).where(MEMBERS.c.collection_id == collection_id, MEMBERS.c.file_id == file_id))


def shares(session: Session, collection_id: UUID, owner: UUID) -> Sequence[ShareRow]:
    """Id, name (None: everybody) and access of each, in the order of their making."""
    get(session, collection_id, owner, needs=Access.OWNER)
    statement = select(SHARES.c.id, USERS.c.username, SHARES.c.access).outerjoin(USERS, USERS.c.id == SHARES.c.user_id)
    statement = statement.where(SHARES.c.collection_id == collection_id)
    return session.execute(statement.order_by(SHARES.c.created_at, SHARES.c.id)).all()


def share(
    session: Session, collection_id: UUID, owner: UUID, *, username: str | None, access: Access
) -> tuple[UUID, str | None]:
    """With a user, or with everybody. Who has it already gets this access instead. Gives the share and the name."""
    get(session, collection_id, owner, needs=Access.OWNER)
    user = None
    if username is not None:
        user = session.scalar(select(User).where(User.username_key == username.casefold()))
        if user is None:
            raise NotFound(f"there is no user {username!r}; ask for the exact name")
        if user.id == owner:
            raise ValidationFailed("the collection is yours already; name another user, or null for everybody")
    user_id = None if user is None else user.id
    known = session.scalar(
        select(CollectionShare).where(
            CollectionShare.collection_id == collection_id, CollectionShare.user_id.is_not_distinct_from(user_id)
        )
    )
    if known is None:
        if (session.scalar(select(func.count()).where(SHARES.c.collection_id == collection_id)) or 0) >= MAX_SHARES:
            raise Conflict(f"a collection has at most {MAX_SHARES} shares; share it with everybody instead")
        known = CollectionShare(collection_id=collection_id, user_id=user_id, access=access)
        session.add(known)
    known.access = access
    session.flush()
    return known.id, None if user is None else user.username


def unshare(session: Session, collection_id: UUID, share_id: UUID, owner: UUID) -> None:
    get(session, collection_id, owner, needs=Access.OWNER)
    gone = delete(SHARES).where(SHARES.c.id == share_id, SHARES.c.collection_id == collection_id)
    if session.scalar(gone.returning(SHARES.c.id)) is None:
        raise NotFound(f"there is no share {str(share_id)!r} of this collection")


def _seen(row: Any) -> Seen:
    at, access = row.created_at, Access(row.access)
    return Seen(row.id, row.name, row.description, at, row.user_id, row.username, access, row.files_total)
