"""Sends an answer, as a stream or whole. Nothing is sent before the model has begun, so that an error is a status.

After 15 s of waiting a stream begins all the same, with a comment line, so that nobody between takes it for dead.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.errors import error_response
from app.api.openai.chunks import Chunks, Whole, comment
from app.api.sse import HEADERS, send_until_left
from app.core.errors import AppError
from app.observability.middleware import SEND
from app.schemas.chat import Source
from app.services.answering import Finished
from app.services.llm.base import Delta

JSON_HEADERS: Final = {"Cache-Control": "no-store"}
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "a chat completion; with `stream`, server-sent events: one chunk each, then `[DONE]`",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/event-stream": {"schema": {"type": "string"}},
        },
    }
}


class Reading(Protocol):
    """An answer that is being written: see Answering."""

    position: int | None

    @property
    def sources(self) -> Sequence[Source] | None: ...

    async def read(self) -> Delta | Finished | None: ...

    def cancel(self) -> None: ...


class Sending(Response):
    """Reads an answer to its end, or until the client leaves: then the model's connection is closed at once."""

    media_type = "application/json"

    def __init__(self, answer: Reading, model: str, *, extra: Mapping[str, object] | None = None) -> None:
        self.status_code, self.background = 200, None
        self._answer, self._model, self._extra = answer, model, extra or {}
        self.init_headers(JSON_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send_until_left(self._send(scope, receive, send), receive)
        finally:
            self._answer.cancel()

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = Whole()
        try:
            while not isinstance(step := await self._answer.read(), Finished):
                if step is not None:
                    whole.take(step)
        except AppError as error:
            await error_response(error, path=scope["path"])(scope, receive, send)
            return
        self.body = whole.body(self._model, step, self._answer.sources, self._extra)
        self.init_headers(JSON_HEADERS)
        await super().__call__(scope, receive, send)


class Streaming(Sending):
    """The same as server-sent events."""

    media_type = "text/event-stream"

    def __init__(
        self, answer: Reading, model: str, *, include_usage: bool, extra: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(answer, model, extra=extra)
        self.init_headers(HEADERS)
        self._chunks = Chunks(model, include_usage=include_usage, extra=extra)

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer
        try:
            step = await answer.read()
        except AppError as error:
            await error_response(error, path=scope["path"])(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        raw_send = scope.get(SEND, send)
        frame = self._chunks.first(answer.sources)
        try:
            while not isinstance(step, Finished):
                frame += comment(answer.position) if step is None else self._chunks.delta(step)
                await raw_send({"type": "http.response.body", "body": frame, "more_body": True})
                frame = b""
                step = await answer.read()
            frame += self._chunks.last(step)
        except AppError as error:
            frame = self._chunks.error(error)
        await raw_send({"type": "http.response.body", "body": frame, "more_body": False})
