"""Conversations: list, search, rename, branches, export, delete."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response

from app.api.deps import ConversationsDep, CurrentUser, Cursor, Limit
from app.schemas.base import PageOf, Text
from app.schemas.conversations import ConversationCreate, ConversationExport, ConversationOut, ConversationPatch
from app.schemas.messages import MessageOut
from app.services.conversations import Change, Shown, as_markdown

router = APIRouter(prefix="/conversations", tags=["conversations"])
FIELDS = ("id", "title", "created_at", "updated_at", "active_message_id", "collection_ids")


def message_out(shown: Shown) -> MessageOut:
    return MessageOut.model_validate(shown.message).model_copy(update={"run_id": shown.run_id})


@router.post("", status_code=201)
async def create(body: ConversationCreate, user: CurrentUser, conversations: ConversationsDep) -> ConversationOut:
    """Make an empty conversation, to upload files to. `POST /chat` makes one by itself."""
    made = await conversations.create(user.user_id, title=body.title, collection_ids=body.collection_ids)
    return ConversationOut.model_validate(made)


@router.get("", response_model=PageOf[ConversationOut])
async def list_conversations(
    user: CurrentUser,
    conversations: ConversationsDep,
    cursor: Cursor = None,
    limit: Limit = 20,
    q: Annotated[Text | None, Query(max_length=500, description="words to find in titles and messages")] = None,
) -> Response:
    """The user's conversations, newest first."""
    page = await conversations.list(user.user_id, query=q, cursor=cursor, limit=limit)
    items = [dict(zip(FIELDS, row, strict=True)) for row in page.items]
    # encoded directly: this is the page's most frequent request
    body = msgspec.json.encode({"items": items, "next_cursor": page.next_cursor})
    return Response(body, media_type="application/json")


@router.get("/{conversation_id}")
async def get(conversation_id: UUID, user: CurrentUser, conversations: ConversationsDep) -> ConversationOut:
    """One conversation, without its messages."""
    return ConversationOut.model_validate(await conversations.get(user.user_id, conversation_id))


@router.patch("/{conversation_id}")
async def change(
    conversation_id: UUID, body: ConversationPatch, user: CurrentUser, conversations: ConversationsDep
) -> ConversationOut:
    """Rename a conversation, show another of its branches, or choose the collections that its questions search."""
    change = Change(body.title, body.active_message_id, body.collection_ids)
    changed = await conversations.change(user.user_id, conversation_id, change)
    return ConversationOut.model_validate(changed)


@router.delete("/{conversation_id}", status_code=204)
async def delete(conversation_id: UUID, user: CurrentUser, conversations: ConversationsDep) -> None:
    """Delete a conversation, its messages and the files that belong to it."""
    await conversations.delete(user.user_id, conversation_id)


@router.get("/{conversation_id}/messages")
async def list_messages(
    conversation_id: UUID, user: CurrentUser, conversations: ConversationsDep, cursor: Cursor = None, limit: Limit = 100
) -> PageOf[MessageOut]:
    """The messages of every branch, oldest first; `parent_id` makes the tree."""
    page = await conversations.messages(user.user_id, conversation_id, cursor=cursor, limit=limit)
    return PageOf[MessageOut](items=[message_out(shown) for shown in page.items], next_cursor=page.next_cursor)


@router.get("/{conversation_id}/export", response_model=ConversationExport)
async def export(
    conversation_id: UUID,
    user: CurrentUser,
    conversations: ConversationsDep,
    format: Annotated[Literal["markdown", "json"], Query()] = "markdown",  # noqa: A002 - the query's name
) -> Response:
    """The active branch as Markdown, or every branch as JSON."""
    if format == "markdown":
        conversation, branch = await conversations.active_branch(user.user_id, conversation_id)
        return _download(
            as_markdown(conversation, branch).encode(), "text/markdown; charset=utf-8", f"{conversation_id}.md"
        )
    exported = await conversations.everything(user.user_id, conversation_id)
    body = ConversationExport(
        conversation=ConversationOut.model_validate(exported[0]), messages=[message_out(shown) for shown in exported[1]]
    )
    return _download(body.model_dump_json().encode(), "application/json", f"{conversation_id}.json")


def _download(body: bytes, media_type: str, name: str) -> Response:
    return Response(body, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
