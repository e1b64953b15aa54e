"""Our errors in OpenAI's shape: https://platform.openai.com/docs/guides/error-codes"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from pydantic import BaseModel, Field

from app.core.errors import AppError, UnknownName, UpstreamRefused

PREFIX: Final = "/v1"
ABOUT_THE_REQUEST: Final = frozenset({400, 413, 415, 422})


class OpenAIErrorDetail(BaseModel):
    message: str
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(description="the parameter that is wrong", examples=["messages[0].role"])
    code: str | None = Field(examples=["model_not_found"])


class OpenAIError(BaseModel):
    """The shape of every error under /v1."""

    error: OpenAIErrorDetail


@dataclass(frozen=True, slots=True)
class Shape:
    """A status, with OpenAI's words for it."""

    status: int
    type: str
    code: str | None
    param: str | None = None


INVALID: Final = "invalid_request_error"
SERVER: Final = "server_error"
NO_MODEL: Final = Shape(404, INVALID, "model_not_found", "model")
SHAPES: Final[Mapping[str, Shape]] = {
    "validation_error": Shape(400, INVALID, None),
    "not_authenticated": Shape(401, INVALID, "invalid_api_key"),
    "forbidden": Shape(403, INVALID, "insufficient_permissions"),
    "not_found": Shape(404, INVALID, "not_found"),
    "conflict": Shape(409, INVALID, "conflict"),
    "too_large": Shape(413, INVALID, "request_too_large"),
    "unsupported_type": Shape(415, INVALID, "unsupported_type"),
    "rate_limited": Shape(429, "rate_limit_error", "rate_limit_exceeded"),
    "quota_exceeded": Shape(429, "insufficient_quota", "insufficient_quota"),
    "upstream_refused": Shape(502, SERVER, "upstream_refused"),
    "upstream_unavailable": Shape(503, SERVER, "upstream_unavailable"),
    "upstream_timeout": Shape(504, SERVER, "upstream_timeout"),
    "context_overflow": Shape(400, INVALID, "context_length_exceeded", "messages"),
    "model_unavailable": Shape(503, SERVER, "model_unavailable"),
    "storage_full": Shape(507, SERVER, "storage_full"),
    "internal": Shape(500, SERVER, "internal_error"),
}


def belongs(path: str) -> bool:
    """Whether what is asked for is of this surface."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def shape(error: AppError) -> Shape:
    if isinstance(error, UnknownName):
        return NO_MODEL
    if isinstance(error, UpstreamRefused):
        status = error.details.get("upstream_status")
        if status == 404:
            return NO_MODEL
        if status in ABOUT_THE_REQUEST:
            return SHAPES["validation_error"]
    return SHAPES[error.code]


def body(error: AppError) -> bytes:
    found = shape(error)
    param = error.details.get("param", found.param)
    said = {"message": error.message, "type": found.type, "param": param, "code": found.code}
    return msgspec.json.encode({"error": said})
