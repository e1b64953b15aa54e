"""Requests of the OpenAI surface: https://platform.openai.com/docs/api-reference/chat

msgspec reads them, so that what is only passed on (tools, images, schemas) keeps every byte.
"""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, field

from app.core.enums import PassageMode
from app.core.tags import TagValue

Penalty = Annotated[float, Meta(ge=-2, le=2)]
Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=400)]
MAX_INPUTS = 2048


class Part(msgspec.Struct):
    """One piece of a message's content: text, an image, audio, a file."""

    type: Annotated[str, Meta(description="text, image_url, input_audio, file", examples=["text"])]
    text: str | None = None


class ChatMessage(msgspec.Struct):
    """One message. What else it has is passed on."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Raw] | None = None
    name: str | None = None
    tool_calls: list[Raw] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    audio: Raw = field(default_factory=Raw)
    function_call: Raw = field(default_factory=Raw)


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ChatCompletionRequest(msgspec.Struct, kw_only=True):
    """What we read of a chat completion. Every other parameter is passed on to models that speak this protocol."""

    model: Annotated[Name, Meta(description="`source/model`, or a model's bare name", examples=["openai/gpt-4o-mini"])]
    messages: Annotated[list[ChatMessage], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=1, description="one answer at a time")] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    use_rag: Annotated[bool, Meta(description="ours: answer from your documents")] | None = None
    file_ids: (
        Annotated[list[UUID], Meta(max_length=1000, description="ours: answer from these files, given by their ids")]
        | None
    ) = None
    collection_ids: (
        Annotated[list[UUID], Meta(max_length=100, description="ours: answer from the files of these collections")]
        | None
    ) = None
    tags: (
        Annotated[
            dict[str, TagValue | list[TagValue]],
            Meta(description="ours: answer from passages with these tags, of each key any value"),
        ]
        | None
    ) = None
    strict: (
        Annotated[bool, Meta(description="ours: answer from passages, or say that the documents do not have it")] | None
    ) = None
    mode: Annotated[PassageMode, Meta(description="ours: auto: short files go in whole; passages: never")] | None = None
    store: Annotated[bool, Meta(description="ours: keep question and answer as a conversation of yours")] | None = None
    conversation_id: Annotated[UUID, Meta(description="ours, with `store`: go on with this conversation")] | None = None


class Tool(msgspec.Struct):
    type: str
    function: Raw = Raw(b"{}")


class FunctionName(msgspec.Struct):
    name: Annotated[str, Meta(min_length=1)]


class ToolChoice(msgspec.Struct):
    type: str


class JsonSchema(msgspec.Struct):
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    schema: dict[str, Raw] | None = None


class ResponseFormat(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class EmbeddingRequest(msgspec.Struct, kw_only=True):
    """Texts to vectors."""

    model: Annotated[Name, Meta(description="`source/model`, or all-MiniLM-L6-v2", examples=["all-MiniLM-L6-v2"])]
    input: (
        str
        | Annotated[
            list[str | int | list[int]],
            Meta(min_length=1, description=f"a text, or up to {MAX_INPUTS} of them"),
        ]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=65536)] | None = None
    user: str | None = None
