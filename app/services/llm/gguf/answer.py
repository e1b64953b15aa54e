"""What a chat asks of llama.cpp's server, and what comes back."""

from typing import Final

import msgspec

from app.core.errors import UpstreamUnavailable, ValidationFailed
from app.services.llm.base import Delta, FinishReason, Generation, TokenUsage
from app.services.llm.openai_wire import DONE, OpenAIDeltas
from app.services.llm.wire import SSEDecoder

# llama.cpp ends an answer that it cannot parse as the asked-for JSON or call, such as one cut at its limit, with this.
UNPARSED: Final = "does not match the expected"


class _Part(msgspec.Struct):
    type: str = "text"


class _Timings(msgspec.Struct):
    cache_n: int = 0
    prompt_n: int = 0
    prompt_ms: float = 0
    predicted_n: int = 0
    predicted_ms: float = 0


class _Timed(msgspec.Struct):
    timings: _Timings


def chat_body(request: Generation, name: str) -> bytes:
    """Raises ValidationFailed for images, which need a second file that we do not load."""
    for turn in request.turns:
        if isinstance(turn.content, list):
            _refuse_images([_type(part) for part in turn.content], name)
    given = msgspec.to_builtins(request.options, builtin_types=(msgspec.Raw,))
    others = given.pop("others", {})
    for limit in ("max_tokens", "max_completion_tokens"):
        given.pop(limit, None)
    if request.options.limit is not None:
        given["max_tokens"] = request.options.limit
    if (choice := given.get("tool_choice")) is not None and bytes(choice) == b'"none"':
        del given["tool_choice"]
        given.pop("tools", None)
    own = {"messages": request.turns, "n": 1, "stream": True, "stream_options": {"include_usage": True}}
    # Progress comes after each batch, and that is also when llama.cpp notices that nobody listens any more.
    own |= {"return_progress": True, "timings_per_token": is_parsed(request)}
    return msgspec.json.encode({**others, **given, **own})


def is_parsed(request: Generation) -> bool:
    """Whether llama.cpp may find at the end that the answer is not what was asked for."""
    return request.options.tools is not None or request.options.response_format is not None


def _type(part: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(part, type=_Part).type
    except msgspec.DecodeError:
        return "unknown"


def _refuse_images(types: list[str], name: str) -> None:
    other = next((kind for kind in types if kind != "text"), None)
    if other is not None:
        raise ValidationFailed(f"{name!r} reads text alone, and a message has a part of type {other!r}; leave it out")


class Answer:
    """Bytes of a streamed answer to deltas."""

    __slots__ = ("_context_tokens", "_deltas", "_events", "_last", "_limit", "_timed", "_watched", "is_over")

    def __init__(self, request: Generation, context_tokens: int) -> None:
        self.is_over = False
        self._deltas, self._events = OpenAIDeltas(), SSEDecoder()
        self._watched = is_parsed(request)
        self._timed = b""
        self._last: Delta | None = None
        self._limit, self._context_tokens = request.options.limit, context_tokens

    def read(self, data: bytes) -> Delta | None:
        """Raises what OpenAIDeltas raises."""
        payloads = self._events.feed(data)
        self.is_over = payloads[-1:] == [DONE]
        if self._watched:
            self._timed = next((p for p in reversed(payloads) if b'"timings"' in p), self._timed)
        try:
            return self._deltas.read(payloads)
        except UpstreamUnavailable as error:
            self._last, self.is_over = self._unparsed(error), True
            return None

    def end(self) -> Delta:
        """The last delta. Raises UpstreamUnavailable when the answer broke off."""
        try:
            return self._last or self._deltas.end()
        except UpstreamUnavailable as error:
            return self._unparsed(error)

    def _unparsed(self, error: UpstreamUnavailable) -> Delta:
        """The end of an answer whose text has been given already. Raises any other error."""
        if UNPARSED not in error.message or not self._timed:
            raise error
        seen = msgspec.json.decode(self._timed, type=_Timed).timings
        prompt, written = seen.cache_n + seen.prompt_n, seen.predicted_n
        limit = min(self._limit or self._context_tokens, self._context_tokens - prompt)
        reason: FinishReason = "length" if written >= limit else "stop"
        usage = TokenUsage(
            prompt, written, cached_tokens=seen.cache_n, prompt_ms=seen.prompt_ms, decode_ms=seen.predicted_ms
        )
        return Delta(finish_reason=reason, usage=usage)
