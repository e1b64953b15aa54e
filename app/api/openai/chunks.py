"""The bytes of an answer: chunks of a stream, made by filling templates, and the whole answer in one object.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import uuid4

import msgspec
from msgspec import Raw

from app.api.openai import errors
from app.core.errors import AppError
from app.schemas.chat import Source
from app.services.answering import Finished
from app.services.llm.base import Delta

DONE: Final = b"data: [DONE]\n\n"
encode: Final = msgspec.json.Encoder().encode
Extra = Mapping[str, object]


class Chunks:
    """The chunks of one stream. `extra` are fields of ours for each of them, which clients ignore."""

    def __init__(self, model: str, *, include_usage: bool, extra: Extra | None = None) -> None:
        self._usage = include_usage
        head = {
            "id": _id(),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": None,
            **(extra or {}),
        }
        self._head = b"data: " + encode(head)[:-1]
        self._delta = self._head + b',"choices":[{"index":0,"delta":'
        self._content = self._delta + b'{"content":'
        self._after = b"}]" + (b',"usage":null' if include_usage else b"") + b"}\n\n"
        self._goes_on = b',"logprobs":null,"finish_reason":null' + self._after
        self._content_end = b"}" + self._goes_on

    def first(self, sources: Sequence[Source] | None) -> bytes:
        """Whose answer it is, and the passages that it may rest on."""
        delta = {"role": "assistant", "content": "", **({} if sources is None else {"sources": sources})}
        return self._delta + encode(delta) + self._goes_on

    def delta(self, delta: Delta) -> bytes:
        if not (delta.reasoning or delta.tool_calls or delta.logprobs):
            return self._content + encode(delta.text) + self._content_end
        return self._mixed(delta)

    def _mixed(self, delta: Delta) -> bytes:
        """One chunk for each kind: clients look at one of them only."""
        out = []
        if delta.reasoning:
            out.append(self._delta + encode({"reasoning_content": delta.reasoning}) + self._goes_on)
        if delta.text or delta.logprobs:
            logprobs = b"null" if not delta.logprobs else encode(_logprobs(delta.logprobs))
            out.append(self._content + encode(delta.text) + b'},"logprobs":' + logprobs + b',"finish_reason":null')
            out.append(self._after)
        if delta.tool_calls:
            out.append(self._delta + encode({"tool_calls": delta.tool_calls}) + self._goes_on)
        return b"".join(out)

    def last(self, end: Finished) -> bytes:
        """Why it ended and its checked citations, then the usage if it was asked for."""
        delta = encode({"citations": end.citations}) if end.citations else b"{}"
        choice = delta + b',"logprobs":null,"finish_reason":' + encode(end.finish_reason)
        ours = b',"llama_service":' + encode(figures(end)) + b"}\n\n"
        out = self._delta + choice + self._after[:-3] + ours
        if self._usage:
            out += self._head + b',"choices":[],"usage":' + encode(usage(end)) + b"}\n\n"
        return out + DONE

    def error(self, error: AppError) -> bytes:
        """The stream ends with it, without [DONE]."""
        return b"data: " + errors.body(error) + b"\n\n"


def comment(position: int | None) -> bytes:
    """A line that clients pass over: the answer is alive."""
    return b": keep-alive\n\n" if position is None else b": queued %d\n\n" % position


class Whole:
    """The same answer in one object."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._tool_calls: list[Raw] = []
        self._logprobs: list[Raw] = []

    def take(self, delta: Delta) -> None:
        self._text.append(delta.text)
        self._reasoning.append(delta.reasoning)
        self._tool_calls += delta.tool_calls
        self._logprobs += delta.logprobs

    def body(self, model: str, end: Finished, sources: Sequence[Source] | None, extra: Extra) -> bytes:
        calls, text = merged(self._tool_calls), "".join(self._text)
        reasoning = "".join(self._reasoning)
        message = {
            "role": "assistant",
            "content": text if text or not calls else None,
            "refusal": None,
            **({"reasoning_content": reasoning} if reasoning else {}),
            **({"tool_calls": calls} if calls else {}),
            **({} if sources is None else {"sources": sources, "citations": end.citations}),
        }
        choice = {
            "index": 0,
            "message": message,
            "logprobs": _logprobs(self._logprobs) if self._logprobs else None,
            "finish_reason": end.finish_reason,
        }
        return encode(
            {
                "id": _id(),
                "object": "chat.completion",
                "created": int(time.time()),
                "model": model,
                "system_fingerprint": None,
                "choices": [choice],
                "usage": usage(end),
                "llama_service": figures(end),
                **extra,
            }
        )


def merged(pieces: Iterable[Raw]) -> list[dict[str, object]]:
    """Whole tool calls of the pieces that a stream had, by their index: the arguments are joined."""
    calls: dict[object, dict[str, object]] = {}
    arguments: dict[object, list[str]] = {}
    for raw in pieces:
        piece: dict[str, object] = msgspec.json.decode(raw, type=dict[str, object])
        index = piece.pop("index", None)
        key = len(calls) if index is None else index
        function = piece.pop("function", None)
        call = calls.setdefault(key, {"function": {}})
        call.update({name: value for name, value in piece.items() if value is not None and name not in call})
        if isinstance(function, dict):
            arguments.setdefault(key, []).append(str(function.pop("arguments", None) or ""))
            whole = call["function"]
            assert isinstance(whole, dict)  # noqa: S101 - it was made five lines above
            whole.update({name: value for name, value in function.items() if value})
    for key, call in calls.items():
        if isinstance(function := call.pop("function"), dict) and (function or key in arguments):
            call["function"] = {**function, "arguments": "".join(arguments.get(key, []))}
        call.setdefault("type", "function")
    return list(calls.values())


def usage(end: Finished) -> dict[str, object]:
    tokens = end.tokens
    found: dict[str, object] = {
        "prompt_tokens": tokens.prompt_tokens,
        "completion_tokens": tokens.completion_tokens,
        "total_tokens": tokens.prompt_tokens + tokens.completion_tokens,
    }
    if tokens.cached_tokens is not None:
        found["prompt_tokens_details"] = {"cached_tokens": tokens.cached_tokens}
    if tokens.reasoning_tokens is not None:
        found["completion_tokens_details"] = {"reasoning_tokens": tokens.reasoning_tokens}
    return found


def figures(end: Finished) -> dict[str, object]:
    """What we know besides: which model answered, and how long it took."""
    counted = msgspec.to_builtins(end.usage)
    kept = {name: value for name, value in counted.items() if not name.endswith("n_tokens") and name != "prompt_tokens"}
    return {"model_source": end.model_source, "model": end.model, **kept}


def _logprobs(content: Sequence[Raw]) -> dict[str, object]:
    return {"content": content, "refusal": None}


def _id() -> str:
    return f"chatcmpl-{uuid4().hex}"
