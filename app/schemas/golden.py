"""Golden questions as clients see them."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.enums import SearchMode
from app.schemas.base import Answer, Body, Stamped, Text


class GoldenRequest(Body):
    """A question whose right page is known."""

    question: Text = Field(min_length=1, max_length=10_000, examples=["How long is the notice period?"])
    file_id: UUID
    page: int = Field(ge=1, le=2**31 - 1, description="counted from 1")


class GoldenOut(Stamped):
    question: str
    file_id: UUID | None = Field(None, description="the user's ready file with these bytes; null: there is none now")
    file_name: str
    page: int


class GoldenQuality(Answer):
    """`hit_k`: the share of questions whose page was touched by one of the first k passages."""

    hit_1: float
    hit_5: float
    hit_10: float
    mrr: float


class GoldenRank(Answer):
    """Where the page came: 1 is best, null is not among the first 100. `before`: in the run before."""

    id: UUID
    question: str
    file_name: str
    page: int
    missing: bool = Field(False, description="no ready file has these bytes any more")
    ranks: dict[SearchMode, int | None]
    before: dict[SearchMode, int | None] | None


class GoldenRunOut(Answer):
    created_at: datetime
    embedder: str | None
    quality: dict[SearchMode, GoldenQuality]
    before: dict[SearchMode, GoldenQuality] | None = Field(description="of the run before, over the same questions")
    compared: int = Field(description="how many of the questions that run had, too")
    items: list[GoldenRank]
