"""Every error leaves in the one shape, with the right status and the request's id; under /v1 in OpenAI's."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from app.api.openai import errors as openai
from app.core.errors import AppError, Internal, NotAuthenticated, NotFound, ValidationFailed
from app.observability.context import request_id

MAX_PROBLEMS: Final = 20  # a body with thousands of wrong fields gets a short answer
MAX_SHOWN: Final = 200


def error_response(
    error: AppError, *, path: str, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a request for `path`. `status` instead of the error's own."""
    sent = dict(headers or {})
    if isinstance(error, NotAuthenticated):
        sent["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        sent["Retry-After"] = str(max(1, round(error.retry_after_s)))
    is_openai = openai.belongs(path)
    return Response(
        openai.body(error) if is_openai else error.body(request_id.get()),
        status_code=status or (openai.shape(error).status if is_openai else error.status),
        media_type="application/json",
        headers=sent,
    )


# The handlers are coroutines: Starlette would run plain functions in a thread.
async def on_app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)  # noqa: S101 - Starlette's handler type is wider than what it calls with
    return error_response(error, path=request.scope["path"])


async def on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = [_problem(found) for found in error.errors()[:MAX_PROBLEMS]]
    said = "; ".join(f"{p['field']}: {p['message']}" if p["field"] else p["message"] for p in problems[:3])
    return error_response(ValidationFailed(said, details={"errors": problems}), path=request.scope["path"])


def _problem(found: Mapping[str, Any]) -> dict[str, str]:
    """A field and what is wrong with it; "body" when it is the whole body."""
    if found["type"] == "json_invalid":
        return {"field": "body", "message": f"it is not JSON: {found['ctx']['error']} at character {found['loc'][-1]}"}
    field = ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0])
    return {"field": field[:MAX_SHOWN], "message": found["msg"].removeprefix("Value error, ")}


async def on_http_error(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: no such route, no such method, a body that cannot be read."""
    assert isinstance(error, HTTPException)  # noqa: S101
    path = request.scope["path"]
    if isinstance(error.__cause__, AppError):  # raised while FastAPI read the body
        return error_response(error.__cause__, path=path)
    shown = repr(path[:MAX_SHOWN])
    if error.status_code == 404:
        return error_response(NotFound(f"there is nothing at {shown}; see /docs"), path=path)
    refused = ValidationFailed(f"{request.method} {shown}: {error.detail}; see /docs")
    status = ValidationFailed.status if error.status_code == 400 else error.status_code
    return error_response(refused, path=path, status=status, headers=error.headers)


def failure_body(path: str) -> bytes:
    """Of the answer at a path whose error nobody expected."""
    error = Internal("something went wrong on our side; the log has more under this request id")
    return openai.body(error) if openai.belongs(path) else error.body(request_id.get())


def install(app: FastAPI) -> None:
    app.add_exception_handler(AppError, on_app_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)
