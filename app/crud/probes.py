"""The smallest questions that show whether the rows and the text index answer."""

from sqlalchemy import text
from sqlalchemy.orm import Session


def rows(session: Session) -> None:
    session.execute(text("SELECT 1 FROM users LIMIT 1")).all()


def text_index(session: Session) -> None:
    table = "chunks_fts" if session.get_bind().dialect.name == "sqlite" else "postings"
    session.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).all()  # noqa: S608 - one of two constants


def has_chunks(session: Session) -> bool:
    return session.execute(text("SELECT 1 FROM chunks LIMIT 1")).first() is not None
