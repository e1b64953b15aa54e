"""Messages and their search words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import CursorResult, Row, bindparam, insert, select, tuple_, update
from sqlalchemy.orm import Session

from app.core.enums import Author, MessageStatus
from app.core.errors import NotFound
from app.crud.ownership import find_owned
from app.crud.paging import Position
from app.db.base import table_of
from app.db.models import Message, Run

TABLE = table_of(Message)
_ADD = insert(TABLE)
MessageRow = Row[Message, UUID | None]


@dataclass(frozen=True, slots=True)
class Node:
    """A message as the prompt needs it."""

    id: UUID
    parent_id: UUID | None
    role: Author
    content: str
    status: MessageStatus


@dataclass(frozen=True, slots=True)
class NewMessage:
    id: UUID
    user_id: UUID
    conversation_id: UUID
    parent_id: UUID | None
    role: Author
    content: str
    status: MessageStatus
    created_at: datetime
    model_source: str | None = None
    model: str | None = None
    scope: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves in its message."""

    content: str
    reasoning: str | None
    status: MessageStatus
    finish_reason: str | None
    sources: list[object]
    citations: list[object]
    usage: dict[str, object] | None
    error: dict[str, object] | None
    model_source: str | None
    model: str | None


def add(session: Session, messages: Sequence[NewMessage]) -> None:
    session.execute(
        _ADD,
        [
            {**{name: getattr(m, name) for name in NewMessage.__slots__}, "sources": [], "citations": []}
            for m in messages
        ],
    )


def get(session: Session, message_id: UUID, user_id: UUID) -> Message:
    return find_owned(session, Message, message_id, user_id)


def get_in(session: Session, message_id: UUID, conversation_id: UUID, user_id: UUID) -> Message:
    message = find_owned(session, Message, message_id, user_id)
    if message.conversation_id != conversation_id:
        raise NotFound(f"there is no message {str(message_id)!r} in this conversation")
    return message


def path(session: Session, conversation_id: UUID, leaf_id: UUID | None) -> list[Node]:
    """The messages from the root to a leaf. Empty when the leaf is not of this conversation."""
    if leaf_id is None:
        return []
    rows = session.execute(
        select(Message.id, Message.parent_id, Message.role, Message.content, Message.status).where(
            Message.conversation_id == conversation_id
        )
    )
    nodes = {row[0]: Node(row[0], row[1], Author(row[2]), row[3], MessageStatus(row[4])) for row in rows}
    found: list[Node] = []
    step = leaf_id
    while node := nodes.get(step):
        found.append(node)
        if node.parent_id is None:
            break
        step = node.parent_id
    return found[::-1]


def page(
    session: Session, conversation_id: UUID, user_id: UUID, *, after: Position | None, limit: int
) -> Sequence[MessageRow]:
    """Every branch, oldest first, each message with the run that is writing it now."""
    query = (
        select(Message, Run.id)
        .outerjoin(
            Run,
            (Run.message_id == Message.id) & (Message.status == MessageStatus.STREAMING) & Run.finished_at.is_(None),
        )
        .where(Message.conversation_id == conversation_id, Message.user_id == user_id)
        .order_by(Message.created_at, Message.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(Message.created_at, Message.id) > tuple_(*after))
    return (session.execute(query)).all()


_FINISH = (
    update(TABLE)
    .where(TABLE.c.id == bindparam("message_id"))
    .values({name: bindparam(f"new_{name}") for name in Outcome.__slots__})
)


_BEGIN_AGAIN = (
    update(TABLE)
    .where(TABLE.c.id == bindparam("message_id"), TABLE.c.user_id == bindparam("owner"))
    .where(TABLE.c.role == Author.ASSISTANT, TABLE.c.status != MessageStatus.STREAMING)
    .values(status=MessageStatus.STREAMING)
)


def finish(session: Session, message_id: UUID, outcome: Outcome) -> bool:
    """Whether the message was still there."""
    values = {f"new_{name}": getattr(outcome, name) for name in Outcome.__slots__}
    result = cast(CursorResult[object], session.execute(_FINISH, {"message_id": message_id, **values}))
    return result.rowcount > 0


def begin_again(session: Session, message_id: UUID, user_id: UUID) -> bool:
    """Mark a finished message as being written; of two who try at the same moment one may."""
    result = session.execute(_BEGIN_AGAIN, {"message_id": message_id, "owner": user_id})
    return cast(CursorResult[object], result).rowcount > 0


def set_feedback(session: Session, message_id: UUID, user_id: UUID, feedback: dict[str, object]) -> None:
    message = find_owned(session, Message, message_id, user_id)
    message.feedback = feedback
