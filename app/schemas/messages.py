"""Messages as clients see them."""

from uuid import UUID

from pydantic import Field

from app.core.enums import Author, MessageStatus
from app.schemas.base import Body, Stamped, Text


class MessageOut(Stamped):
    conversation_id: UUID
    parent_id: UUID | None
    role: Author
    content: str
    reasoning: str | None
    status: MessageStatus
    model_source: str | None
    model: str | None
    finish_reason: str | None
    sources: list[dict[str, object]]
    citations: list[dict[str, object]] = Field(
        description="one for each number of each mark such as [1]: whether its passage says what the sentence says"
    )
    usage: dict[str, object] | None
    error: dict[str, object] | None
    feedback: dict[str, object] | None
    run_id: UUID | None = Field(None, description="the run that is writing this message now")


class Feedback(Body):
    rating: int = Field(ge=-1, le=1, description="1 good, -1 bad, 0 none")
    comment: Text | None = Field(None, max_length=2000)
