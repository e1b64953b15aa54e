"""Accounts as clients see them."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from app.core.enums import Role
from app.schemas.base import Answer, Body, Stamped, Text

USERNAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}")
MAX_EMAIL_CHARS: Final = 254


def _username(name: str) -> str:
    if not USERNAME.fullmatch(name):
        raise ValueError("use 1 to 64 letters, digits, dots, underscores or hyphens")
    return name


def _email(address: str) -> str:
    """In lower case: Ann@example.org and ann@example.org are one. Some letters are longer in lower case."""
    lower = address.lower()
    if not EMAIL.fullmatch(address) or len(lower) > MAX_EMAIL_CHARS:
        raise ValueError(f"use an address such as ann@example.org, with at most {MAX_EMAIL_CHARS} characters")
    return lower


Username = Annotated[
    str,
    AfterValidator(_username),
    Field(
        description="1 to 64 letters, digits, dots, underscores or hyphens",
        examples=["ann"],
        json_schema_extra={"pattern": f"^{USERNAME.pattern}$"},
    ),
]
Email = Annotated[str, AfterValidator(_email), Field(examples=["ann@example.org"])]


class Registration(Body):
    username: Username
    email: Email | None = None
    password: Text = Field(min_length=8, max_length=256)


class Credentials(Body):
    username: Text = Field(max_length=254)
    password: Text = Field(max_length=256)


class RefreshRequest(Body):
    refresh_token: Text = Field(max_length=200)


class TokenPair(Answer):
    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105
    expires_in: int = Field(description="seconds until the access token expires")
    refresh_token: str


class UserOut(Stamped):
    username: str
    email: str | None
    role: Role
