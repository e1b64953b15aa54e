"""What a user's page is told besides answers: files, jobs, models and conversations as they change."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from app.api.deps import CurrentUser, EventsDep
from app.api.sse import EVENT_STREAM, EventStream

router = APIRouter(prefix="/events", tags=["events"])


@router.get("", response_class=Response, responses=EVENT_STREAM)
async def follow(
    user: CurrentUser, events: EventsDep, last_event_id: Annotated[int | None, Header(ge=0, le=2**63 - 1)] = None
) -> EventStream:
    """Server-sent events of this user from now on, or after `Last-Event-ID`, kept for ten minutes.

    `file` is the file as `GET /files/{id}` gives it, or `{id, change: "deleted"}`. `conversation` is `{id, change}`;
    `change` is `created`, `asked`, `renamed`, `changed` or `deleted`. `job` is how far a new search index is, as
    `GET /index` gives it, with `kind: "rebuild"`: for administrators and who began it.
    """
    return EventStream(events.tail(user.user_id, last_event_id))
