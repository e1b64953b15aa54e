"""No request without a bound: size and stalls of every body but an upload's, which is watched while it is stored."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import error_response
from app.core.errors import TooLarge, ValidationFailed

UPLOADS: Final = frozenset({"/api/v1/files/upload"})
BYTES_PER_CHAR: Final = 6  # the longest JSON escape of one character
OTHER_FIELDS_BYTES: Final = 256 << 10
STALL_TIMEOUT_S: Final = 60.0


class BodyLimit:
    """Refuses a body that is too large, by its Content-Length at once, else as soon as too much has come; or stalls."""

    def __init__(self, app: ASGIApp, *, max_message_chars: int, stall_timeout_s: float = STALL_TIMEOUT_S) -> None:
        self.app, self._stall_timeout_s = app, stall_timeout_s
        self._max_bytes = max_message_chars * BYTES_PER_CHAR + OTHER_FIELDS_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UPLOADS:
            return await self.app(scope, receive, send)
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            return await error_response(self._refusal())(scope, receive, send)
        return await self.app(scope, _Watched(receive, self._max_bytes, self._stall_timeout_s, self._refusal), send)

    def _refusal(self) -> TooLarge:
        return TooLarge(
            f"the request body may have {self._max_bytes} bytes; upload long text as a file instead",
            details={"max_bytes": self._max_bytes},
        )


class _Watched:
    """Stands in for `receive` until the body has come: counts, and waits for a bounded time."""

    __slots__ = ("_complete", "_left", "_receive", "_refusal", "_stall_timeout_s")

    def __init__(
        self, receive: Receive, max_bytes: int, stall_timeout_s: float, refusal: Callable[[], TooLarge]
    ) -> None:
        self._receive, self._left, self._refusal = receive, max_bytes, refusal
        self._stall_timeout_s, self._complete = stall_timeout_s, False

    async def __call__(self) -> Message:
        if self._complete:  # what comes now is the client's leaving, which may take as long as it likes
            return await self._receive()
        try:
            async with asyncio.timeout(self._stall_timeout_s):
                message = await self._receive()
        except TimeoutError:
            said = f"the body did not go on for {self._stall_timeout_s:g} s; send the request again"
            raise ValidationFailed(said) from None
        self._complete = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise self._refusal()
        return message
