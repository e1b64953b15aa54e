"""Units of work that the tests of the database run."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.models import User


def add(session: Session, name: str) -> str:
    """Fails at the next flush when there is such a name."""
    session.add(User(username=name, username_key=name, password_hash="h", role="user"))
    return name


def names(session: Session) -> set[str]:
    return set(session.scalars(select(User.username)))
