"""The token path of OpenAI's wire: payloads of a stream to deltas. msgspec decodes; no SDK object per token."""

from collections.abc import Mapping
from typing import Final

import msgspec

from app.core.errors import AppError, UpstreamRefused
from app.services.llm.base import Delta, FinishReason, TokenUsage
from app.services.llm.wire import (
    MAX_ANSWER_CHARS,
    broken_off,
    clean,
    error_text,
    not_an_answer,
    refusal_in_answer,
    repaired,
)

DONE: Final = b"[DONE]"
# Other servers' words for the end count as `stop`.
FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class _DeltaBody(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[msgspec.Raw] | None = None


class _Logprobs(msgspec.Struct):
    content: list[msgspec.Raw] | None = None


class _Choice(msgspec.Struct):
    delta: _DeltaBody | None = None
    message: _DeltaBody | None = None
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Timings(msgspec.Struct):
    """What llama.cpp's server adds."""

    prompt_ms: float | None = None
    predicted_ms: float | None = None


class _PromptProgress(msgspec.Struct):
    """What llama.cpp's server sends while it reads the prompt, when `return_progress` asks for it."""

    total: int = 0
    processed: int = 0


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw()
    timings: _Timings | None = None
    prompt_progress: _PromptProgress | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class OpenAIDeltas:
    """Joins the chunks of one read into one Delta. https://platform.openai.com/docs/api-reference/chat-streaming"""

    __slots__ = ("_chars", "_error", "_timings", "_usage", "finish_reason")

    def __init__(self) -> None:
        self.finish_reason: FinishReason | None = None
        self._error: AppError | None = None
        self._chars = 0
        self._usage: _Usage | None = None
        self._timings: _Timings | None = None

    def read(self, payloads: list[bytes]) -> Delta | None:
        """Raises what an error in the stream means, and UpstreamUnavailable for what is not this wire."""
        if self._error is not None:
            raise self._error
        text: list[str] = []
        rest: _Rest | None = None
        for payload in payloads:
            if payload == DONE:
                continue
            try:
                chunk = decode_chunk(payload)
            except AppError as error:
                if self.finish_reason is None:
                    self._fail(error, came_before=bool(text) or rest is not None)
                break
            if (plain := _plain_text(chunk)) is not None:
                text.append(plain)
            else:
                rest = rest or _Rest()
                self._take(chunk, text, rest)
        return self._joined(text, rest)

    def _take(self, chunk: _Chunk, text: list[str], rest: "_Rest") -> None:
        self._usage = chunk.usage or self._usage
        self._timings = chunk.timings or self._timings
        if chunk.prompt_progress is not None and chunk.prompt_progress.total:
            rest.progress = min(1.0, chunk.prompt_progress.processed / chunk.prompt_progress.total)
        for choice in chunk.choices[:1] if chunk.choices else ():
            body = choice.delta or choice.message or _DeltaBody()
            if said := body.content or body.refusal:
                text.append(said)
            if thought := body.reasoning_content or body.reasoning:
                rest.reasoning.append(thought)
            rest.tool_calls += body.tool_calls or ()
            if choice.logprobs is not None:
                rest.logprobs += choice.logprobs.content or ()
            if choice.finish_reason is not None:
                self.finish_reason = FINISH_REASONS.get(choice.finish_reason, "stop")

    def _fail(self, error: AppError, *, came_before: bool) -> None:
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

    def _joined(self, said: list[str], rest: "_Rest | None") -> Delta | None:
        text = clean("".join(said))
        reasoning = "" if rest is None else clean("".join(rest.reasoning))
        self._chars += len(text) + len(reasoning)
        if self._chars > MAX_ANSWER_CHARS:
            self.finish_reason = "length"
        if rest is None or not (rest.tool_calls or rest.logprobs or rest.progress is not None):
            return Delta(text, reasoning) if text or reasoning else None
        return Delta(
            text,
            reasoning,
            tool_calls=tuple(rest.tool_calls),
            logprobs=tuple(rest.logprobs),
            progress=rest.progress,
        )

    def end(self) -> Delta:
        """The last delta. Raises UpstreamUnavailable when the stream broke off before the model had finished."""
        if self._error is not None:
            raise self._error
        if self.finish_reason is None:
            raise broken_off()
        return Delta(finish_reason=self.finish_reason, usage=self._counted())

    def _counted(self) -> TokenUsage | None:
        usage, timings = self._usage, self._timings or _Timings()
        if usage is None:
            return None
        prompt, written = usage.prompt_tokens_details, usage.completion_tokens_details
        return TokenUsage(
            usage.prompt_tokens,
            usage.completion_tokens,
            cached_tokens=None if prompt is None else prompt.cached_tokens,
            reasoning_tokens=None if written is None else written.reasoning_tokens,
            prompt_ms=timings.prompt_ms,
            decode_ms=timings.predicted_ms,
        )


class _Rest:
    """What the chunks of one read say besides text."""

    __slots__ = ("logprobs", "progress", "reasoning", "tool_calls")

    def __init__(self) -> None:
        self.reasoning: list[str] = []
        self.tool_calls: list[msgspec.Raw] = []
        self.logprobs: list[msgspec.Raw] = []
        self.progress: float | None = None


def _plain_text(chunk: _Chunk) -> str | None:
    """The text of a chunk that says nothing else, as nearly all do."""
    if not chunk.choices or chunk.usage is not None or chunk.timings is not None:
        return None
    choice = chunk.choices[0]
    body = choice.delta
    if body is None or not body.content or choice.finish_reason is not None or choice.logprobs is not None:
        return None
    return None if body.tool_calls or body.reasoning_content or body.reasoning else body.content


def decode_chunk(payload: bytes) -> _Chunk:
    """Raises UpstreamUnavailable for what is not a chunk, and whatever an error chunk means."""
    try:
        chunk = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            chunk = _decode(repaired(payload))
        except msgspec.DecodeError:
            raise not_an_answer(payload) from None
    if chunk.error and bytes(chunk.error) != b"null":
        raise refusal_in_answer(chunk.error, payload)
    return chunk
