"""Ollama's wire: requests from OpenAI's shape, lines of newline-delimited JSON to deltas.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

import msgspec

from app.core.errors import AppError, ModelUnavailable, UpstreamRefused
from app.services.llm.base import Delta, FinishReason, Generation, TokenUsage, Turn
from app.services.llm.openai_wire import FINISH_REASONS
from app.services.llm.wire import MAX_ANSWER_CHARS, broken_off, clean, not_an_answer, refusal_in_answer, repaired

NS_PER_MS: Final = 1e6
DATA_URL: Final = ";base64,"


class _Function(msgspec.Struct, frozen=True):
    name: str = ""
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _ToolCall(msgspec.Struct, frozen=True):
    function: _Function = _Function()
    id: str | None = None


class _Message(msgspec.Struct):
    content: str = ""
    thinking: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Line(msgspec.Struct):
    message: _Message | None = None
    done: bool = False
    done_reason: str | None = None
    logprobs: list[msgspec.Raw] | None = None
    prompt_eval_count: int = 0
    prompt_eval_duration: int | None = None
    eval_count: int = 0
    eval_duration: int | None = None
    error: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Line).decode


class OllamaDeltas:
    """Joins the lines of one read into one Delta."""

    __slots__ = ("_called", "_chars", "_error", "_last", "finish_reason")

    def __init__(self) -> None:
        self.finish_reason: FinishReason | None = None
        self._error: AppError | None = None
        self._called = self._chars = 0
        self._last: _Line | None = None

    def read(self, lines: list[bytes]) -> Delta | None:
        """Raises what an error in the stream means, and UpstreamUnavailable for what is not this wire."""
        if self._error is not None:
            raise self._error
        text: list[str] = []
        reasoning: list[str] = []
        calls: list[msgspec.Raw] = []
        logprobs: list[msgspec.Raw] = []
        for line in lines:
            try:
                found = _decoded(line)
            except AppError as error:
                if not (text or reasoning or calls):
                    raise
                self._error = error  # what came before it in the same read is given first
                break
            if found.message is not None:
                text.append(found.message.content)
                reasoning.append(found.message.thinking or "")
                calls += [self._call(call) for call in found.message.tool_calls or ()]
            logprobs += found.logprobs or ()
            if found.done:
                self._finish(found)
                break
        return self._joined(clean("".join(text)), clean("".join(reasoning)), calls, logprobs)

    def _joined(self, text: str, reasoning: str, calls: list[msgspec.Raw], logprobs: list[msgspec.Raw]) -> Delta | None:
        self._chars += len(text) + len(reasoning)
        if self._chars > MAX_ANSWER_CHARS:
            self.finish_reason = "length"
        if calls or logprobs:
            return Delta(text, reasoning, tool_calls=tuple(calls), logprobs=tuple(logprobs))
        return Delta(text, reasoning) if text or reasoning else None

    def _call(self, call: _ToolCall) -> msgspec.Raw:
        """Ollama gives a call whole, with its arguments as an object; OpenAI's shape has them as text."""
        number, self._called = self._called, self._called + 1
        function = {"name": call.function.name, "arguments": bytes(call.function.arguments).decode()}
        whole = {"index": number, "id": call.id or f"call_{uuid4().hex[:24]}", "type": "function", "function": function}
        return msgspec.Raw(msgspec.json.encode(whole))

    def _finish(self, line: _Line) -> None:
        if line.done_reason == "load":
            raise ModelUnavailable("Ollama only loaded the model; ask again")
        self._last = line
        reason = FINISH_REASONS.get(line.done_reason or "", "stop")
        self.finish_reason = "tool_calls" if self._called and reason == "stop" else reason

    def end(self) -> Delta:
        """The last delta. Raises UpstreamUnavailable when the stream broke off before the model had finished."""
        if self._error is not None:
            raise self._error
        if self.finish_reason is None:
            raise broken_off()
        return Delta(finish_reason=self.finish_reason, usage=None if self._last is None else _counted(self._last))


def _decoded(line: bytes) -> _Line:
    try:
        found = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            found = _decode(repaired(line))
        except msgspec.DecodeError:
            raise not_an_answer(line) from None
    if found.error and bytes(found.error) != b"null":
        raise refusal_in_answer(found.error, line)
    if found.message is None and not found.done:
        raise not_an_answer(line)
    return found


def _counted(line: _Line) -> TokenUsage:
    return TokenUsage(
        line.prompt_eval_count,
        line.eval_count,
        prompt_ms=None if line.prompt_eval_duration is None else line.prompt_eval_duration / NS_PER_MS,
        decode_ms=None if line.eval_duration is None else line.eval_duration / NS_PER_MS,
    )


def body(request: Generation, *, model: str, context_tokens: int) -> bytes:
    """The body of `POST /api/chat`. A prompt that is longer than `context_tokens` is refused by Ollama, not cut."""
    given = request.options
    options = {
        "num_ctx": context_tokens,
        "num_predict": given.limit,
        "temperature": given.temperature,
        "top_p": given.top_p,
        "stop": [given.stop] if isinstance(given.stop, str) else given.stop,
        "seed": given.seed,
        "presence_penalty": given.presence_penalty,
        "frequency_penalty": given.frequency_penalty,
    }
    extra = {
        "format": _format(given.response_format),
        "tools": given.tools,
        "logprobs": given.logprobs,
        "top_logprobs": given.top_logprobs,
    }
    return msgspec.json.encode(
        {
            "model": model,
            "messages": _messages(request.turns),
            "stream": True,
            "truncate": False,
            "shift": False,
            "options": {name: value for name, value in options.items() if value is not None},
            **{name: value for name, value in extra.items() if value is not None},
        }
    )


class _Schema(msgspec.Struct, frozen=True):
    schema: msgspec.Raw = msgspec.Raw()


class _Format(msgspec.Struct, frozen=True):
    type: str = "text"
    json_schema: _Schema = _Schema()


def _format(given: msgspec.Raw | None) -> str | msgspec.Raw | None:
    found = _Format() if given is None else msgspec.json.decode(given, type=_Format)
    if found.type == "json_schema" and found.json_schema.schema:
        return found.json_schema.schema
    return "json" if found.type.startswith("json") else None


class _ImageUrl(msgspec.Struct, frozen=True):
    url: str = ""


class _Part(msgspec.Struct):
    image_url: _ImageUrl | None = None


class _AskedFunction(msgspec.Struct, frozen=True):
    name: str = ""
    arguments: str = ""


class _AskedCall(msgspec.Struct, frozen=True):
    function: _AskedFunction = _AskedFunction()


def _messages(turns: Sequence[Turn]) -> list[dict[str, object]]:
    """Ollama's messages: text, images beside it as base64, calls with their arguments as objects."""
    return [_message(turn) for turn in turns]


def _message(turn: Turn) -> dict[str, object]:
    message: dict[str, object] = {"role": "system" if turn.role == "developer" else turn.role, "content": turn.text}
    parts = turn.content if isinstance(turn.content, list) else ()
    images = [part.image_url.url for part in (msgspec.json.decode(raw, type=_Part) for raw in parts) if part.image_url]
    if images:
        message["images"] = [url.partition(DATA_URL)[2] or url for url in images]
    if turn.tool_calls:
        calls = [msgspec.json.decode(raw, type=_AskedCall).function for raw in turn.tool_calls]
        message["tool_calls"] = [
            {"function": {"name": c.name, "arguments": msgspec.Raw((c.arguments or "{}").encode())}} for c in calls
        ]
    if turn.role == "tool" and turn.name:
        message["tool_name"] = turn.name
    return message


def not_pulled(model: str) -> UpstreamRefused:
    return UpstreamRefused(f"Ollama has no model {model!r}: ollama pull {model}", details={"upstream_status": 404})
