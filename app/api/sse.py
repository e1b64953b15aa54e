"""Server-sent events as ready-made bytes: at one frame per token a library that builds each frame costs too much."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.observability.middleware import SEND

HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EVENT_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "server-sent events; each has an `id`, an `event` name and JSON in `data`",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


class EventStream(Response):
    """Sends frames as they come, until they end or the client leaves.

    Starlette's StreamingResponse opens a task group for this, which costs more than the whole rest of the response.
    """

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncIterator[bytes], status_code: int = 200) -> None:
        self.status_code = status_code
        self.background = None
        self.init_headers(HEADERS)
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send_until_left(self._send(scope.get(SEND, send)), receive)

    async def _send(self, send: Send) -> None:
        async for frame in self._frames:
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def send_until_left(work: Coroutine[None, None, None], receive: Receive) -> None:
    """Send to the end, or until the client leaves.

    In a task of its own: below all layers of the app, each wake-up would pass through some twenty coroutines.
    """
    sending, left = asyncio.ensure_future(work), asyncio.ensure_future(disconnected(receive))
    try:
        await asyncio.wait((sending, left), return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        sending.cancel()
        left.cancel()


async def disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
