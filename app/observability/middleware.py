"""One pure ASGI layer around every request: its id, its metrics, its line in the log, and the last net for errors.

It costs one call per message of the answer, so that a streamed token pays next to nothing.
"""

import random
import re
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from loguru import logger

from app.core.errors import Internal
from app.observability.context import request_id
from app.observability.metrics import REQUEST_SECONDS, REQUESTS

# ASGI's own types: its messages are open mappings.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}\Z")
CLIENT_LEFT = 499  # as nginx counts requests whose client closed before the answer
QUIET = frozenset({"/health", "/ready", "/metrics"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LONGEST_PATH = 200
SEND = "llama_service.send"  # in the scope: the server's own `send`, for the body of an answer that has begun


class Observed:
    """Wraps an app. Add it last, so that it is the outermost of the app's own layers."""

    def __init__(self, app: App, *, failure_body: Callable[[str], bytes] | None = None) -> None:
        """`failure_body` says, for a path, what an answer there is when nobody expected its error."""
        self.app, self._failure_body = app, failure_body or _failure_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = _request_id(scope["headers"])
        request_id.set(name)
        scope[SEND] = send
        answer = _Answer(send, name.encode())
        began = perf_counter()
        try:
            await self.app(scope, receive, answer)
        except Exception:
            if answer.status:
                raise  # the answer is on its way: the server logs it and cuts the connection
            logger.exception("{} {} failed unexpectedly", scope["method"], scope["path"][:LONGEST_PATH])
            await answer.fail(self._failure_body(scope["path"]))
        finally:
            _record(scope, answer.status, perf_counter() - began)


class _Answer:
    """Stands in for `send`: notes the status and adds the request's id to the answer's head."""

    __slots__ = ("_header", "_send", "status")

    def __init__(self, send: Send, name: bytes) -> None:
        self._send, self._header, self.status = send, (b"x-request-id", name), 0

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), self._header]
        return self._send(message)

    async def fail(self, body: bytes) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self({"type": "http.response.start", "status": Internal.status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


def _failure_body(_: str) -> bytes:
    error = Internal("something went wrong on our side; the log has more under this request id")
    return error.body(request_id.get())


def _request_id(headers: list[tuple[bytes, bytes]]) -> str:
    """The client's own id when it is harmless, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and SAFE_ID.match(value):
            return value.decode("ascii")
    return f"{random.getrandbits(128):032x}"  # nothing depends on it being a secret


def _record(scope: Scope, status: int, seconds: float) -> None:
    path, route = scope["path"], _route(scope)
    method = scope["method"] if scope["method"] in METHODS else "other"
    REQUESTS.labels(method, route, str(status or CLIENT_LEFT)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    level = "DEBUG" if path in QUIET else "INFO"
    logger.bind(status=status, ms=round(seconds * 1000, 1)).log(level, "{} {}", method, path[:LONGEST_PATH])


def _route(scope: Scope) -> str:
    """The template of the route, prefixes included, so that the label has few values."""
    context = scope.get("fastapi", {}).get("effective_route_context")
    if context is not None:
        return str(context.path)
    return str(getattr(scope.get("route"), "path", "")) or "(none)"
