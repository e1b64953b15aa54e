"""Collections as clients see them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from app.core.enums import Access
from app.schemas.base import Answer, Body, Stamped, Text


def _one_line(name: str) -> str:
    if not name.strip():
        raise ValueError("a name needs a letter")
    return " ".join(name.split())


Name = Annotated[Text, Field(max_length=200), AfterValidator(_one_line)]
Description = Annotated[Text, Field(max_length=2000)]


class CollectionCreate(Body):
    name: Name
    description: Description = ""


class CollectionPatch(Body):
    name: Name | None = None
    description: Description | None = None


class CollectionOwner(Answer):
    id: UUID
    username: str


class CollectionOut(Stamped):
    name: str
    description: str
    owner: CollectionOwner
    access: Access = Field(description="what you may do: read; write: also put files of yours in, and take files out")
    files_total: int


class ShareIn(Body):
    username: Text | None = Field(max_length=64, description="null: everybody")
    access: Literal[Access.READ, Access.WRITE] = Access.READ


class ShareOut(Answer):
    id: UUID
    username: str | None = Field(description="null: everybody")
    access: Access


class ShareList(Answer):
    items: list[ShareOut]
