"""Rows that several tests need, written as the services write them."""

from dataclasses import replace
from functools import partial
from uuid import UUID, uuid4

from app.core.enums import Author, MessageStatus, Role
from app.crud import conversations, message_search, messages, users
from app.crud.messages import NewMessage
from app.db.base import now
from app.db.session import Database, Session


async def make_user(db: Database, name: str = "") -> UUID:
    name = name or f"user-{uuid4().hex}"
    user = await db.write(partial(users.create, username=name, email=None, password_hash="-", role=Role.USER))
    return user.id


async def make_conversation(db: Database, owner: UUID, title: str = "A title", *said: str) -> UUID:
    """A conversation with one question after another."""
    conversation_id = uuid4()
    await db.write(partial(conversations.add, id=conversation_id, user_id=owner, title=title))
    leaf: UUID | None = None
    for content in said:
        leaf = await say(db, owner, conversation_id, content, parent_id=leaf)
    return conversation_id


async def say(db: Database, owner: UUID, conversation_id: UUID, content: str, parent_id: UUID | None = None) -> UUID:
    """A message that can be found, as the conversation's active leaf."""
    message = new_message(owner, conversation_id, content, parent_id=parent_id)
    await db.write(partial(_store, message=message))
    return message.id


def new_message(owner: UUID, conversation_id: UUID, content: str, **changes: object) -> NewMessage:
    message = NewMessage(
        id=uuid4(),
        user_id=owner,
        conversation_id=conversation_id,
        parent_id=None,
        role=Author.USER,
        content=content,
        status=MessageStatus.COMPLETE,
        created_at=now(),
    )
    return replace(message, **changes)  # type: ignore[arg-type]


def _store(session: Session, message: NewMessage) -> None:
    messages.add(session, [message])
    message_search.index(session, message.id, message.conversation_id, message.user_id, message.content)
    conversations.touch(session, message.conversation_id, message.id)
