"""Every route under /api/v1, and those of the OpenAI surface under /v1."""

from typing import Any, Final

from fastapi import FastAPI

from app.api.openai import router as openai
from app.api.v1 import (
    api_keys,
    auth,
    chat,
    collections,
    conversations,
    events,
    files,
    golden,
    index,
    models,
    search,
    stats,
    tags,
)
from app.schemas.base import ErrorBody

PREFIX: Final = "/api/v1"
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": ErrorBody, "description": "not_authenticated: sign in, or refresh the access token"},
    403: {"model": ErrorBody, "description": "forbidden: the account, or the API key by its scopes, may not do this"},
    404: {"model": ErrorBody, "description": "not_found: it does not exist, or it is another user's"},
    422: {"model": ErrorBody, "description": "validation_error: the message names the field"},
    "default": {"model": ErrorBody, "description": "every other error: `code` says which"},
}


def include(app: FastAPI) -> None:
    """The most asked first, and no router inside another: each level is matched again for every request."""
    often = (chat, conversations, files, search, events, models, stats)
    for module in (*often, collections, tags, golden, index, api_keys, auth):
        app.include_router(module.router, prefix=PREFIX, responses=ERRORS)
    openai.include(app)
