"""The token path: bytes of a model server's stream to deltas. msgspec decodes; no SDK object per token."""

import json
from typing import Final

import msgspec

from app.core.errors import UpstreamError, UpstreamRefused, UpstreamUnavailable
from app.services.llm.base import Delta, TokenUsage

MAX_EVENT_BYTES: Final = 1 << 20
MAX_BODY_BYTES: Final = 8 << 20  # of a whole answer
MAX_ANSWER_CHARS: Final = 4_000_000  # an upstream without end must not fill our memory
DONE: Final = b"[DONE]"


class SSEDecoder:
    """Cuts a byte stream into the `data` of server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

    __slots__ = ("_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # of an event that has not ended
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes. Raises UpstreamUnavailable for an event without end."""
        if self._parts:
            held_cr = self._parts[-1].endswith(b"\r")
            self._parts.append(data)
            self._size += len(data)
            if self._size > MAX_EVENT_BYTES:
                raise UpstreamUnavailable(f"the model's server sent {self._size} bytes without ending an event")
            if b"\n" not in data and b"\r" not in data and not held_cr:
                return []  # joined once: again for every read, an endless event would cost its square
            data = b"".join(self._parts)
        if b"\r" in data:
            # A CR at the very end may be half of CRLF: it waits for the next read.
            held = data[-1:] if data.endswith(b"\r") else b""
            data = data[: len(data) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
        *events, rest = data.split(b"\n\n")
        self._parts, self._size = [rest] if rest else [], len(rest)
        return [payload for event in events if (payload := _payload(event))]


def _payload(event: bytes) -> bytes:
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


class _DeltaBody(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(msgspec.Struct):
    delta: _DeltaBody | None = None
    message: _DeltaBody | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Chunk).decode


class OpenAIDeltas:
    """Joins the chunks of one read into one Delta. https://platform.openai.com/docs/api-reference/chat-streaming"""

    __slots__ = ("_chars", "_error", "_usage", "finish_reason")

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self._error: UpstreamError | None = None
        self._chars = 0
        self._usage: _Usage | None = None

    def read(self, payloads: list[bytes]) -> Delta | None:
        """Raises UpstreamRefused for an error in the stream, UpstreamUnavailable for what is not this protocol."""
        if self._error is not None:
            raise self._error
        text: list[str] = []
        reasoning: list[str] = []
        for payload in payloads:
            if payload == DONE:
                continue
            try:
                chunk = decode_chunk(payload)
            except UpstreamError as error:
                if self.finish_reason is None:
                    self._fail(error, text or reasoning)
                break
            self._usage = chunk.usage or self._usage
            for choice in chunk.choices[:1] if chunk.choices else ():
                body = choice.delta or choice.message
                if body is None:
                    pass
                elif body.content:
                    text.append(body.content)
                elif thought := body.reasoning_content or body.reasoning:
                    reasoning.append(thought)
                self.finish_reason = choice.finish_reason or self.finish_reason
        return self._joined(text, reasoning) if text or reasoning else None

    def _fail(self, error: UpstreamError, came_before: list[str]) -> None:
        """What came before the error in the same read is given first."""
        if not came_before:
            raise error
        self._error = error

    def whole(self, body: bytes) -> Delta:
        """The answer of a server that does not stream. Raises UpstreamRefused for anything else."""
        delta = self.read([body])
        if self.finish_reason is None:
            raise UpstreamRefused(
                f"the model's server answered with something that is not a chat completion: {error_text(body)}; check "
                "its base URL"
            )
        return delta or Delta()

    def _joined(self, text: list[str], reasoning: list[str]) -> Delta:
        delta = Delta(clean("".join(text)), clean("".join(reasoning)))
        self._chars += len(delta.text) + len(delta.reasoning)
        if self._chars > MAX_ANSWER_CHARS:
            self.finish_reason = "length"
        return delta

    def end(self) -> Delta:
        """The last delta. Raises UpstreamUnavailable when the stream broke off before the model had finished."""
        if self._error is not None:
            raise self._error
        if self.finish_reason is None:
            raise UpstreamUnavailable("the model's server ended the answer in the middle; ask again or continue")
        usage = self._usage
        return Delta(
            finish_reason="length" if self.finish_reason == "length" else "stop",
            usage=None if usage is None else TokenUsage(usage.prompt_tokens, usage.completion_tokens),
        )


def clean(text: str) -> str:
    """PostgreSQL cannot keep NUL."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def decode_chunk(payload: bytes) -> _Chunk:
    try:
        chunk = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        chunk = _decode_leniently(payload)
    if chunk.error and bytes(chunk.error) != b"null":
        raise _refusal(chunk.error, payload)
    return chunk


def _decode_leniently(payload: bytes) -> _Chunk:
    """Half a surrogate pair and broken UTF-8 cost a character, not the answer."""
    try:
        found = json.loads(payload.decode("utf-8", "replace"))
        return _decode(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError, msgspec.DecodeError):
        raise UpstreamUnavailable(
            f"the model's server sent something that is not a chat completion: {payload[:80]!r}; check its base URL"
        ) from None


class _Error(msgspec.Struct):
    code: int | str | None = None


def _refusal(error: msgspec.Raw, payload: bytes) -> UpstreamError:
    said = f"the model's server refused in mid-answer: {error_text(payload)}"
    try:
        code = msgspec.json.decode(error, type=_Error).code
    except msgspec.DecodeError:
        code = None
    busy = isinstance(code, int) and (code == 429 or code >= 500)
    return UpstreamUnavailable(said) if busy else UpstreamRefused(said)


def error_text(body: bytes) -> str:
    """The sentence in an error body of any common shape, or its beginning."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return clean(body[:200].decode("utf-8", "replace").strip())
    while isinstance(found, dict):
        found = found.get("error") or found.get("message") or found.get("detail") or str(found)
    return clean(str(found)[:500])
