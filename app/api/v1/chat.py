"""Ask, follow an answer, stop it, see what the model saw."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response

from app.api.deps import ChatDep, CurrentUser, IdempotencyKey
from app.api.sse import EVENT_STREAM, EventStream
from app.core.errors import ValidationFailed
from app.schemas.chat import ChatAnswer, ChatRequest, LedgerOut, StopAnswer
from app.schemas.messages import Feedback, MessageOut
from app.services.chat import Started

router = APIRouter(prefix="/chat", tags=["chat"])


async def started_run(body: ChatRequest, user: CurrentUser, chat: ChatDep, key: IdempotencyKey = None) -> Started:
    """All that may fail happens here, so that it reaches the client as an HTTP status and not as a broken stream."""
    return await chat.start(user.user_id, body, key=key)


StartedRun = Annotated[Started, Depends(started_run)]


async def last_event_id(
    header: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
    after: Annotated[int, Query(ge=0, description="instead of the header, for clients that cannot send one")] = 0,
) -> int:
    if header is None or header == "":
        return after
    if not header.isascii() or not header.isdigit() or len(header) > 12:
        raise ValidationFailed(f"Last-Event-ID {header[:40]!r} is not the id of an event of this stream")
    return int(header)


LastEventId = Annotated[int, Depends(last_event_id)]


@router.post("")
async def ask(run: StartedRun, user: CurrentUser, chat: ChatDep) -> ChatAnswer:
    """Ask and wait for the whole answer. It is written to its end even when this connection is lost."""
    message = await chat.answer(user.user_id, run)
    return ChatAnswer(
        conversation_id=run.conversation_id, run_id=run.run_id, message=MessageOut.model_validate(message)
    )


@router.post("/stream", response_class=Response, responses=EVENT_STREAM)
async def ask_and_stream(run: StartedRun, user: CurrentUser, chat: ChatDep) -> EventStream:
    """Ask and follow the answer as server-sent events: `run`, `status`, `sources`, `reasoning`, `delta`, `citation`,
    `usage`, and one of `done` and `error` at the end. Resume a lost stream at `GET /chat/runs/{run_id}/events`."""
    return EventStream(await chat.follow(user.user_id, run))


@router.get("/runs/{run_id}/events", response_class=Response, responses=EVENT_STREAM)
async def resume(run_id: UUID, after: LastEventId, user: CurrentUser, chat: ChatDep) -> EventStream:
    """The events of a run after `Last-Event-ID`, live until the end. Any number of clients may read."""
    return EventStream(await chat.resume(user.user_id, run_id, after))


@router.post("/runs/{run_id}/stop", status_code=202)
async def stop(run_id: UUID, user: CurrentUser, chat: ChatDep) -> StopAnswer:
    """Close the connection to the model. The stream ends in `done` with finish_reason `stopped`."""
    return StopAnswer(run_id=run_id, status=await chat.stop(user.user_id, run_id))


@router.get("/messages/{message_id}/ledger")
async def ledger(message_id: UUID, user: CurrentUser, chat: ChatDep) -> LedgerOut:
    """What the model saw: system prompt, turns kept and dropped, passages with scores, token counts."""
    found = await chat.ledgers(user.user_id, message_id)
    return LedgerOut(message_id=message_id, entries=[{"run_id": e.run_id, **e.entry} for e in found])


@router.put("/messages/{message_id}/feedback", status_code=204)
async def rate(message_id: UUID, body: Feedback, user: CurrentUser, chat: ChatDep) -> None:
    """Say whether an answer was good."""
    await chat.rate(user.user_id, message_id, rating=body.rating, comment=body.comment)
