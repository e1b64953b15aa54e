"""Conversations as clients see them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from app.schemas.base import Answer, Body, Stamped, Text
from app.schemas.messages import MessageOut


def _one_line(title: str) -> str:
    if not title.strip():
        raise ValueError("a title needs a letter")
    return " ".join(title.split())


Title = Annotated[Text, Field(max_length=200), AfterValidator(_one_line)]


class ConversationCreate(Body):
    title: Title = "New conversation"


class ConversationPatch(Body):
    title: Title | None = Field(None, description="a new title")
    active_message_id: UUID | None = Field(
        None, description="show the branch that ends in, or goes through, this message"
    )


class ConversationOut(Stamped):
    title: str
    updated_at: datetime
    active_message_id: UUID | None


class ConversationExport(Answer):
    """A whole conversation: every branch, oldest message first."""

    conversation: ConversationOut
    messages: list[MessageOut]
