"""Every error leaves in the one shape, with the right status and the request's id."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from app.core.errors import AppError, NotAuthenticated, NotFound, ValidationFailed
from app.observability.context import request_id

MAX_PROBLEMS: Final = 20  # a body with thousands of wrong fields gets a short answer
MAX_SHOWN: Final = 200


def error_response(error: AppError, *, status: int | None = None, headers: Mapping[str, str] | None = None) -> Response:
    sent = dict(headers or {})
    if isinstance(error, NotAuthenticated):
        sent["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        sent["Retry-After"] = str(max(1, round(error.retry_after_s)))
    return Response(
        error.body(request_id.get()),
        status_code=status or error.status,
        media_type="application/json",
        headers=sent,
    )


# The handlers are coroutines: Starlette would run plain functions in a thread.
async def on_app_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)  # noqa: S101 - Starlette's handler type is wider than what it calls with
    return error_response(error)


async def on_invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = [_problem(found) for found in error.errors()[:MAX_PROBLEMS]]
    said = "; ".join(f"{p['field']}: {p['message']}" if p["field"] else p["message"] for p in problems[:3])
    return error_response(ValidationFailed(said, details={"errors": problems}))


def _problem(found: Mapping[str, Any]) -> dict[str, str]:
    """A field and what is wrong with it; "body" when it is the whole body."""
    if found["type"] == "json_invalid":
        return {"field": "body", "message": f"it is not JSON: {found['ctx']['error']} at character {found['loc'][-1]}"}
    field = ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0])
    return {"field": field[:MAX_SHOWN], "message": found["msg"].removeprefix("Value error, ")}


async def on_http_error(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: no such route, no such method, a body that cannot be read."""
    assert isinstance(error, HTTPException)  # noqa: S101
    if isinstance(error.__cause__, AppError):  # raised while FastAPI read the body
        return error_response(error.__cause__)
    path = request.scope["path"][:MAX_SHOWN]
    if error.status_code == 404:
        return error_response(NotFound(f"there is nothing at {path!r}; see /docs"))
    refused = ValidationFailed(f"{request.method} {path!r}: {error.detail}; see /docs")
    status = ValidationFailed.status if error.status_code == 400 else error.status_code
    return error_response(refused, status=status, headers=error.headers)


def install(app: FastAPI) -> None:
    app.add_exception_handler(AppError, on_app_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)
