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

CollectionIds = Annotated[
    list[UUID],
    Field(max_length=100, description="its questions search the files of these, beside those that are uploaded to it"),
]


class ConversationCreate(Body):
    title: Title = "New conversation"
    collection_ids: CollectionIds = Field(default_factory=list)


class ConversationPatch(Body):
    title: Title | None = Field(None, description="a new title")
    active_message_id: UUID | None = Field(
        None, description="show the branch that ends in, or goes through, this message"
    )
    collection_ids: CollectionIds | None = None


class ConversationOut(Stamped):
    title: str
    updated_at: datetime
    active_message_id: UUID | None
    collection_ids: list[UUID]


class ConversationExport(Answer):
    """A whole conversation: every branch, oldest message first."""

    conversation: ConversationOut
    messages: list[MessageOut]
