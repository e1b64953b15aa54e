"""Conversations: a tree of messages with one active leaf."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Json, Owned, now


class Conversation(Owned):
    __tablename__ = "conversations"
    __table_args__ = (Index("ix_conversations_user_updated", "user_id", "updated_at", "id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    title_key: Mapped[str] = mapped_column(Text, default="", server_default="")  # folded, for the search
    active_message_id: Mapped[UUID | None]  # no foreign key: it would close a circle with messages
    collection_ids: Mapped[list[object]] = mapped_column(Json, default=list, server_default="[]")
    updated_at: Mapped[datetime] = mapped_column(default=now)
