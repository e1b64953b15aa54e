"""What all request and response bodies share."""

from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

T = TypeVar("T")


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("a NUL character is not allowed")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"half a surrogate pair at character {error.start} is not a character") from None
    return value


Text = Annotated[str, AfterValidator(_storable)]


class Body(BaseModel):
    """A request body. Unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """A response body, built from rows as they are."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class PageOf(Answer, Generic[T]):
    """One page of a list. `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None = None


class ErrorDetail(BaseModel):
    code: str = Field(examples=["not_found"])
    message: str
    details: dict[str, object]
    request_id: str


class ErrorBody(BaseModel):
    """The one shape of every error."""

    error: ErrorDetail


class Stamped(Answer):
    id: UUID
    created_at: datetime
