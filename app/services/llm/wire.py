"""What all wires of model servers share: cutting bytes into messages, bounds, and the sentences in error bodies."""

import json
from typing import Final

import msgspec

from app.core.errors import AppError, ContextOverflow, UpstreamRefused, UpstreamUnavailable

MAX_EVENT_BYTES: Final = 1 << 20
MAX_BODY_BYTES: Final = 8 << 20  # of a whole answer
MAX_ANSWER_CHARS: Final = 4_000_000  # an upstream without end must not fill our memory
OVERFLOW_WORDS: Final = ("context_length", "maximum context", "exceed_context_size", "context size", "context window")


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
            self._size = bounded(self._size + len(data))
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


class LineDecoder:
    """Cuts a byte stream into lines, as newline-delimited JSON has them: https://github.com/ndjson/ndjson-spec"""

    __slots__ = ("_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # of a line that has not ended
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes. Raises UpstreamUnavailable for a line without end."""
        if self._parts:
            self._parts.append(data)
            self._size = bounded(self._size + len(data))
            if b"\n" not in data:
                return []
            data = b"".join(self._parts)
        *lines, rest = data.split(b"\n")
        self._parts, self._size = [rest] if rest else [], len(rest)
        return [line for line in lines if line and not line.isspace()]


def bounded(size: int) -> int:
    if size > MAX_EVENT_BYTES:
        raise UpstreamUnavailable(f"the model's server sent {size} bytes without ending a message")
    return size


def clean(text: str) -> str:
    """PostgreSQL cannot keep NUL."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def repaired(payload: bytes) -> bytes:
    """Half a surrogate pair and broken UTF-8 cost a character, not the answer. Raises UpstreamUnavailable."""
    try:
        found = json.loads(payload.decode("utf-8", "replace"))
        return json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        raise not_an_answer(payload) from None


def not_an_answer(payload: bytes) -> UpstreamUnavailable:
    return UpstreamUnavailable(
        f"the model's server sent something that is not a chat completion: {payload[:80]!r}; check its base URL"
    )


def broken_off() -> UpstreamUnavailable:
    return UpstreamUnavailable("the model's server ended the answer in the middle; ask again or continue")


class _Error(msgspec.Struct):
    code: int | str | None = None


def refusal_in_answer(error: msgspec.Raw | bytes, payload: bytes) -> AppError:
    """What an error object inside a stream means: worth trying again, a prompt too long, or a refusal."""
    said = error_text(payload)
    try:
        code = msgspec.json.decode(error, type=_Error).code
    except msgspec.DecodeError:
        code = None
    if is_overflow(said, code):
        return ContextOverflow(f"the prompt is too long for the model: {said}")
    if isinstance(code, int) and (code == 429 or code >= 500):
        return UpstreamUnavailable(f"the model's server failed in mid-answer: {said}")
    return UpstreamRefused(f"the model's server refused in mid-answer: {said}")


def is_overflow(said: str, code: int | str | None = None) -> bool:
    return any(word in f"{code} {said}".lower() for word in OVERFLOW_WORDS)


def error_text(body: bytes) -> str:
    """The sentence in an error body of any common shape, or its beginning."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return clean(body[:200].decode("utf-8", "replace").strip())
    while isinstance(found, dict):
        found = found.get("error") or found.get("message") or found.get("detail") or str(found)
    return clean(str(found)[:500])
