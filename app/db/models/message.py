"""Messages, the runs that write them, what each run's model saw, and the keys that make a retry harmless."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Json, Owned, now


class Message(Owned):
    __tablename__ = "messages"
    __table_args__ = (Index("ix_messages_conversation_created", "conversation_id", "created_at", "id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(16))
    content: Mapped[str] = mapped_column(Text)
    reasoning: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    model_source: Mapped[str | None] = mapped_column(String(64))
    model: Mapped[str | None] = mapped_column(String(200))
    finish_reason: Mapped[str | None] = mapped_column(String(16))
    scope: Mapped[dict[str, object] | None] = mapped_column(Json)  # of a question: what its request said to search
    sources: Mapped[list[object]] = mapped_column(Json, default=list)
    citations: Mapped[list[object]] = mapped_column(Json, default=list)
    usage: Mapped[dict[str, object] | None] = mapped_column(Json)
    error: Mapped[dict[str, object] | None] = mapped_column(Json)
    feedback: Mapped[dict[str, object] | None] = mapped_column(Json)


class MessageText(Base):
    """A message's different words for the conversation search. The integer id is the FTS5 rowid."""

    __tablename__ = "message_texts"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    message_id: Mapped[UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), unique=True)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    words: Mapped[str] = mapped_column(Text)


class Run(Owned):
    """One generation. It writes one assistant message; `continue` adds a further run to the same message."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_status", "status"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    user_message_id: Mapped[UUID | None]
    message_id: Mapped[UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    model_source: Mapped[str] = mapped_column(String(64))
    model: Mapped[str | None] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(16))
    replica: Mapped[str] = mapped_column(String(32))  # the data folder whose journal holds its frames
    request_id: Mapped[str] = mapped_column(String(128), default="")
    content_before: Mapped[int] = mapped_column(default=0)  # characters of the message that earlier runs wrote
    reasoning_before: Mapped[int] = mapped_column(default=0)
    trace: Mapped[bytes | None]  # the length of each frame's text, for a resume after the journal has let go
    error: Mapped[dict[str, object] | None] = mapped_column(Json)
    finished_at: Mapped[datetime | None]


class Ledger(Base):
    """What the model saw for one run: the prompt, turns kept and dropped, passages with scores, token counts."""

    __tablename__ = "ledgers"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    message_id: Mapped[UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    entry: Mapped[dict[str, object]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(default=now)


class IdempotencyKey(Base):
    """A client's key for one costly POST: the same key and body give the same run for 24 hours."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    target_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
