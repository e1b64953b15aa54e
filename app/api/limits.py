"""No request without a bound: size and stalls of every body. An upload's is watched while it is stored."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import error_response
from app.core.errors import TooLarge, ValidationFailed

UPLOADS: Final = frozenset({"/api/v1/files/upload"})
OPENAI: Final = frozenset({"/v1/chat/completions", "/v1/embeddings"})  # bodies with images, or many texts
BYTES_PER_CHAR: Final = 6  # the longest JSON escape of one character
OTHER_FIELDS_BYTES: Final = 256 << 10
STALL_TIMEOUT_S: Final = 60.0
DRAIN_BYTES: Final = 256 << 20
DRAIN_TIMEOUT_S: Final = 10.0
BODY_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})


class BodyLimit:
    """Refuses a body that is too large, by its Content-Length at once, else as soon as too much has come; or stalls."""

    def __init__(
        self, app: ASGIApp, *, max_message_chars: int, max_openai_mb: int, stall_timeout_s: float = STALL_TIMEOUT_S
    ) -> None:
        self.app, self._stall_timeout_s = app, stall_timeout_s
        self._max_bytes = max_message_chars * BYTES_PER_CHAR + OTHER_FIELDS_BYTES
        self._max_openai_bytes = max_openai_mb << 20

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if headers.keys().isdisjoint(BODY_HEADERS):
            return await self.app(scope, receive, send)
        path = scope["path"]
        is_upload = path in UPLOADS
        most = self._max_openai_bytes if path in OPENAI else self._max_bytes
        body = _Body(receive) if is_upload else _Watched(receive, most, self._stall_timeout_s)
        answer = _Answer(send, body)
        declared = headers.get(b"content-length", b"0")
        if not is_upload and declared.isdigit() and int(declared) > most:
            return await error_response(_refusal(most), path=path)(scope, receive, answer)
        return await self.app(scope, body, answer)


def _refusal(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"the request body may have {max_bytes} bytes; upload long text as a file instead",
        details={"max_bytes": max_bytes},
    )


class _Body:
    """Stands in for `receive`: knows whether the whole body has come."""

    __slots__ = ("complete", "receive")

    def __init__(self, receive: Receive) -> None:
        self.receive, self.complete = receive, False

    async def __call__(self) -> Message:
        message = await self.receive()
        self.complete = self.complete or not message.get("more_body", False)
        return message


class _Watched(_Body):
    """Counts besides, and waits for a bounded time."""

    __slots__ = ("_left", "_max_bytes", "_stall_timeout_s")

    def __init__(self, receive: Receive, max_bytes: int, stall_timeout_s: float) -> None:
        super().__init__(receive)
        self._left = self._max_bytes = max_bytes
        self._stall_timeout_s = stall_timeout_s

    async def __call__(self) -> Message:
        if self.complete:  # what comes now is the client's leaving, which may take as long as it likes
            return await self.receive()
        try:
            async with asyncio.timeout(self._stall_timeout_s):
                message = await super().__call__()
        except TimeoutError:
            said = f"the body did not go on for {self._stall_timeout_s:g} s; send the request again"
            raise ValidationFailed(said) from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _refusal(self._max_bytes)
        return message


class _Answer:
    """Stands in for `send`. A client that is still sending would miss a refusal, so its body is read on to the end,
    within bounds; the connection of one that goes on for ever is closed."""

    __slots__ = ("_body", "_send")

    def __init__(self, send: Send, body: _Body) -> None:
        self._send, self._body = send, body

    def __call__(self, message: Message) -> Awaitable[None]:
        if self._body.complete or message["type"] != "http.response.start":
            return self._send(message)
        return self._after_the_body(message)

    async def _after_the_body(self, message: Message) -> None:
        left = DRAIN_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                while left > 0 and not self._body.complete:
                    got = await _Body.__call__(self._body)
                    left -= len(got.get("body", b""))
        if not self._body.complete:
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await self._send(message)
