"""Conversations: lists with cursors, full-text search, and the tree of messages."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, Uuid, bindparam, delete, insert, select, tuple_, update
from sqlalchemy.orm import Session

from app.crud import message_search
from app.crud.ownership import find_owned
from app.crud.paging import Position
from app.crud.terms import fold
from app.db.base import UTCDateTime, now, table_of
from app.db.models import Conversation, Message

ConversationRow = Row[UUID, str, datetime, datetime, UUID | None, list[object]]

# Statements of the hot path are made once, of tables and not of mappers.
TABLE = table_of(Conversation)
_ADD = insert(TABLE)
_TOUCH = (
    update(TABLE)
    .where(TABLE.c.id == bindparam("conversation_id"))
    .values(active_message_id=bindparam("leaf_id"), updated_at=bindparam("at"))
)
_PAGE = (
    select(
        TABLE.c.id,
        TABLE.c.title,
        TABLE.c.created_at,
        TABLE.c.updated_at,
        TABLE.c.active_message_id,
        TABLE.c.collection_ids,
    )
    .where(TABLE.c.user_id == bindparam("owner"))
    .order_by(TABLE.c.updated_at.desc(), TABLE.c.id.desc())
    .limit(bindparam("limit"))
)
_PAGE_AFTER = _PAGE.where(
    tuple_(TABLE.c.updated_at, TABLE.c.id) < tuple_(bindparam("at", type_=UTCDateTime), bindparam("row_id", type_=Uuid))
)


def add(session: Session, *, id: UUID, user_id: UUID, title: str) -> None:  # noqa: A002
    at = now()
    values = {"id": id, "user_id": user_id, "title": title, "created_at": at, "updated_at": at}
    session.execute(_ADD, {**values, "title_key": fold(title)})


def rename(conversation: Conversation, title: str) -> None:
    conversation.title, conversation.title_key = title, fold(title)


def get(session: Session, conversation_id: UUID, user_id: UUID) -> Conversation:
    return find_owned(session, Conversation, conversation_id, user_id)


def page(
    session: Session, user_id: UUID, *, query: str, after: Position | None, limit: int
) -> Sequence[ConversationRow]:
    """Newest first; with a query those whose title or messages match."""
    values: dict[str, object] = {"owner": user_id, "limit": limit}
    statement = _PAGE
    if after is not None:
        statement = _PAGE_AFTER
        values["at"], values["row_id"] = after
    if query:
        statement = statement.where(message_search.matches(session, user_id, query))
    return session.execute(statement, values).all()


def touch(session: Session, conversation_id: UUID, active_message_id: UUID) -> None:
    """Make a message the active leaf and the conversation the newest."""
    session.execute(_TOUCH, {"conversation_id": conversation_id, "leaf_id": active_message_id, "at": now()})


def remove(session: Session, conversation_id: UUID, user_id: UUID) -> None:
    """With its messages, runs and ledgers. Its files are the documents service's to delete first."""
    find_owned(session, Conversation, conversation_id, user_id)
    session.execute(delete(Conversation).where(Conversation.id == conversation_id))


def newest_leaf(session: Session, conversation_id: UUID, message_id: UUID) -> UUID:
    """The leaf below a message that the newest child at every step leads to."""
    rows = session.execute(
        select(Message.id, Message.parent_id)
        .where(Message.conversation_id == conversation_id)
        .order_by(Message.created_at, Message.id)
    )
    newest_child = {parent_id: child_id for child_id, parent_id in rows}
    leaf = message_id
    while leaf in newest_child:
        leaf = newest_child[leaf]
    return leaf
