"""Users, their sign-ins and refresh tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.enums import Role, Scope
from app.core.errors import Conflict
from app.db.base import now
from app.db.models import ApiKey, AuthSession, RefreshToken, User


@dataclass(frozen=True, slots=True)
class SignIn:
    """A live sign-in and its user. Of an API key, `session_id` is the key's id; `scopes` None: not by a key."""

    session_id: UUID
    user_id: UUID
    username: str
    role: Role
    scopes: frozenset[Scope] | None = None


def get(session: Session, user_id: UUID) -> User | None:
    return session.get(User, user_id)


def by_username(session: Session, username: str) -> User | None:
    return session.scalar(select(User).where(User.username_key == username.casefold()))


def admins(session: Session) -> Sequence[UUID]:
    """Who may look after the service."""
    return session.scalars(select(User.id).where(User.role == Role.ADMIN, User.is_active)).all()


def any_admin(session: Session) -> bool:
    return bool(session.scalar(select(exists().where(User.role == Role.ADMIN, User.is_active))))


def create(session: Session, *, username: str, email: str | None, password_hash: str, role: Role) -> User:
    """Raises Conflict when the name or the address is taken."""
    user = User(
        username=username,
        username_key=username.casefold(),
        email=email,
        password_hash=password_hash,
        role=role,
    )
    session.add(user)
    try:
        session.flush()
    except IntegrityError as error:
        what = "email" if "email" in str(error.orig) else "username"
        value = email if what == "email" else username
        raise Conflict(f"the {what} {value!r} is taken; choose another", details={"field": what}) from None
    return user


def open_session(session: Session, user_id: UUID, expires_at: datetime, token_hash: str) -> UUID:
    """A new sign-in with its first refresh token. Gives the session's id. Those of the user's that are over go."""
    session.execute(delete(AuthSession).where(AuthSession.user_id == user_id, AuthSession.expires_at < now()))
    sign_in = AuthSession(user_id=user_id, expires_at=expires_at)
    session.add(sign_in)
    session.flush()
    session.add(RefreshToken(session_id=sign_in.id, token_hash=token_hash))
    return sign_in.id


_LIVE = (
    select(AuthSession.id, User.id, User.username, User.role)
    .join(User, User.id == AuthSession.user_id)
    .where(
        AuthSession.id == bindparam("session_id"),
        AuthSession.revoked_at.is_(None),
        AuthSession.expires_at > bindparam("at"),
        User.is_active,
    )
)


def live_session(session: Session, session_id: UUID) -> SignIn | None:
    """The sign-in, unless it is revoked, over, or its user is barred."""
    row = session.execute(_LIVE, {"session_id": session_id, "at": now()}).one_or_none()
    return None if row is None else SignIn(row[0], row[1], row[2], Role(row[3]))


def ensure_admin(session: Session, username: str, password_hash: str) -> bool:
    """Make `username` an active administrator with this password. False: it is one already and is left as it is."""
    user = by_username(session, username)
    if user is None:
        create(session, username=username, email=None, password_hash=password_hash, role=Role.ADMIN)
        return True
    if user.role == Role.ADMIN and user.is_active:
        return False
    user.role, user.is_active = Role.ADMIN, True
    set_password(session, user, password_hash)
    return True


def set_password(session: Session, user: User, password_hash: str) -> None:
    """A new password ends every sign-in that the old one began, and revokes the user's API keys."""
    user.password_hash = password_hash
    for kind in (AuthSession, ApiKey):
        live = update(kind).where(kind.user_id == user.id, kind.revoked_at.is_(None))
        session.execute(live.values(revoked_at=now()))


def reset_password(session: Session, username: str, password_hash: str) -> bool:
    """False: there is no such user."""
    user = by_username(session, username)
    if user is not None:
        set_password(session, user, password_hash)
    return user is not None


def rotate_token(session: Session, token_hash: str, fresh_hash: str) -> tuple[SignIn | None, bool]:
    """Use a refresh token and add the next one. (sign-in or None, whether it was used before).

    A token that was used before is in two hands: the whole sign-in is revoked.
    """
    session_id = _session_of(session, token_hash)
    sign_in = None if session_id is None else live_session(session, session_id)
    if sign_in is None:
        return None, False
    unused = update(RefreshToken).where(RefreshToken.token_hash == token_hash, RefreshToken.used_at.is_(None))
    used_now = session.scalars(unused.values(used_at=now()).returning(RefreshToken.id)).first()
    if used_now is None:
        _revoke(session, sign_in.session_id)
    else:
        session.add(RefreshToken(session_id=sign_in.session_id, token_hash=fresh_hash))
    return sign_in, used_now is None


def end_session(session: Session, token_hash: str) -> UUID | None:
    """Revoke the sign-in that a refresh token belongs to, and give its id."""
    session_id = _session_of(session, token_hash)
    if session_id is not None:
        _revoke(session, session_id)
    return session_id


def delete_expired(session: Session) -> None:
    """Sign-ins that are over, with their tokens."""
    session.execute(delete(AuthSession).where(AuthSession.expires_at < now()))


def _session_of(session: Session, token_hash: str) -> UUID | None:
    return session.scalar(select(RefreshToken.session_id).where(RefreshToken.token_hash == token_hash))


def _revoke(session: Session, session_id: UUID) -> None:
    live = update(AuthSession).where(AuthSession.id == session_id, AuthSession.revoked_at.is_(None))
    session.execute(live.values(revoked_at=now()))
