"""API keys as clients see them."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from app.core.enums import Scope
from app.schemas.base import Body, Stamped, Text


def _name(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError("use printable characters, without spaces at the ends")
    return name


KeyName = Annotated[Text, AfterValidator(_name), Field(min_length=1, max_length=64, examples=["laptop"])]
SCOPES = Field(
    None,
    min_length=1,
    max_length=20,
    description="openai: all of /v1; chat: chat, conversations, events; files: files and search; models; stats. "
    "Absent: openai",
)


class KeyRequest(Body):
    name: KeyName
    scopes: list[Scope] | None = SCOPES
    expires_in_days: int | None = Field(None, ge=1, le=365, description="absent: it does not expire")


class _Key(Stamped):
    name: str
    scopes: list[Scope]
    expires_at: datetime | None


class KeyMade(_Key):
    key: str = Field(description="the key itself: shown now and never again")


class KeyOut(_Key):
    prefix: str = Field(description="the key's first letters", examples=["sk_ab12cd…"])
    last_used_at: datetime | None = Field(description="to the minute")
