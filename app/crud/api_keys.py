"""API keys: the rows behind what programs sign in with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, case, delete, or_, select, update
from sqlalchemy.orm import Session

from app.core.enums import Role, Scope
from app.core.errors import Conflict, NotFound
from app.crud.ownership import find_owned
from app.crud.users import SignIn
from app.db.base import now, table_of
from app.db.models import ApiKey, User

MAX_LIVE = 50
MAX_LISTED = 200
KEPT = timedelta(days=30)  # after a key has expired or was revoked
USE_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class NewKey:
    id: UUID
    user_id: UUID
    name: str
    digest: str
    scopes: Sequence[Scope]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as the decision about a request needs it."""

    digest: str
    sign_in: SignIn
    expires_at: datetime | None
    is_revoked: bool
    is_barred: bool


def add(session: Session, key: NewKey) -> ApiKey:
    """An expired key of the same name gives way. Raises Conflict: the name is taken, or there are too many."""
    owner = select(User.id).where(User.id == key.user_id)
    session.execute(owner.with_for_update(key_share=True))  # one at a time: PostgreSQL would let two count the same
    of_user = (ApiKey.user_id == key.user_id, ApiKey.revoked_at.is_(None))
    expired = update(ApiKey).where(*of_user, ApiKey.name == key.name, ApiKey.expires_at <= now())
    session.execute(expired.values(revoked_at=now()))
    names = session.scalars(select(ApiKey.name).where(*of_user, _not_expired())).all()
    if key.name in names:
        raise Conflict(f"one of your keys is named {key.name!r}; choose another name or delete that key")
    if len(names) >= MAX_LIVE:
        raise Conflict(f"you have {len(names)} keys and {MAX_LIVE} are allowed; delete one that is not used any more")
    row = ApiKey(
        id=key.id,
        user_id=key.user_id,
        name=key.name,
        digest=key.digest,
        scopes=list(key.scopes),
        expires_at=key.expires_at,
    )
    session.add(row)
    session.flush()
    return row


def of_user(session: Session, user_id: UUID) -> Sequence[ApiKey]:
    """Those that are not revoked, newest first, expired ones last."""
    query = select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    order = (case((_not_expired(), 0), else_=1), ApiKey.created_at.desc(), ApiKey.id)
    return session.scalars(query.order_by(*order).limit(MAX_LISTED)).all()


def revoke(session: Session, key_id: UUID, user_id: UUID) -> None:
    """Raises NotFound, also for one that was revoked before."""
    key = find_owned(session, ApiKey, key_id, user_id)
    if key.revoked_at is not None:
        raise NotFound(f"the API key {str(key_id)!r} was revoked before")
    key.revoked_at = now()


_FIND = (
    select(
        ApiKey.digest,
        ApiKey.id,
        ApiKey.user_id,
        User.username,
        User.role,
        ApiKey.scopes,
        ApiKey.expires_at,
        ApiKey.revoked_at,
        User.is_active,
    )
    .join(User, User.id == ApiKey.user_id)
    .where(ApiKey.id == bindparam("key_id"))
)


def find(session: Session, key_id: UUID) -> StoredKey | None:
    row = session.execute(_FIND, {"key_id": key_id}).one_or_none()
    if row is None:
        return None
    digest, found_id, user_id, username, role, scopes, expires_at, revoked_at, is_active = row
    known = frozenset(scope for scope in Scope if scope in scopes)
    sign_in = SignIn(found_id, user_id, username, Role(role), known)
    return StoredKey(digest, sign_in, expires_at, is_revoked=revoked_at is not None, is_barred=not is_active)


_USE = (
    update(table_of(ApiKey))
    .where(
        table_of(ApiKey).c.id == bindparam("key_id"),
        or_(table_of(ApiKey).c.last_used_at.is_(None), table_of(ApiKey).c.last_used_at <= bindparam("before")),
    )
    .values(last_used_at=bindparam("at"))
)


def note_uses(session: Session, uses: Mapping[UUID, datetime]) -> None:
    """At most one write a minute for each key, also when several processes note."""
    session.execute(_USE, [{"key_id": key_id, "at": at, "before": at - USE_EVERY} for key_id, at in uses.items()])


def delete_over(session: Session) -> None:
    """Keys that have been expired or revoked for a month."""
    long_ago = now() - KEPT
    session.execute(delete(ApiKey).where(or_(ApiKey.revoked_at < long_ago, ApiKey.expires_at < long_ago)))


def _not_expired() -> ColumnElement[bool]:
    return or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now())
