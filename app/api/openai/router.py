"""Every route under /v1."""

from typing import Any, Final

from fastapi import FastAPI

from app.api.openai import chat, embeddings, models
from app.api.openai.errors import PREFIX, OpenAIError

# What OpenAI's clients in a browser send.
STAINLESS: Final = ("Arch", "Async", "Helper-Method", "Lang", "OS", "Package-Version", "Retry-Count", "Runtime")
CLIENT_HEADERS: Final = (
    *("OpenAI-Beta", "OpenAI-Organization", "OpenAI-Project", "User-Agent"),
    *(f"X-Stainless-{name}" for name in (*STAINLESS, "Runtime-Version", "Timeout")),
)
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": OpenAIError, "description": "a parameter is wrong (`param` names it), or the prompt is too long"},
    401: {"model": OpenAIError, "description": "invalid_api_key: send an API key or access token as bearer"},
    404: {"model": OpenAIError, "description": "model_not_found: the closest names are listed"},
    "default": {"model": OpenAIError, "description": "every other error: `code` says which"},
}


def include(app: FastAPI) -> None:
    for module in (chat, embeddings, models):
        app.include_router(module.router, prefix=PREFIX, responses=ERRORS)
