"""Reads request bodies of the OpenAI surface. What is wrong is told with the parameter, as OpenAI does."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from fastapi import Request
from msgspec import Raw
from msgspec.json import Decoder
from starlette.requests import ClientDisconnect

from app.core import tags
from app.core.errors import ValidationFailed
from app.crud.scope import Wanted
from app.schemas import openai as schemas
from app.schemas.openai import ChatCompletionRequest, ChatMessage
from app.services.completions import Asked
from app.services.llm.base import Options, Turn

T = TypeVar("T")
MAX_SAID: Final = 500
PLACE: Final = re.compile(r"(?P<said>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
MISSING: Final = re.compile(r"Object missing required field `(\w+)`")

_fields = Decoder(dict[str, Raw])
_request = Decoder(ChatCompletionRequest)
_messages = Decoder(list[Raw])
_part = Decoder(schemas.Part)
_function = Decoder(schemas.FunctionName)
_tools = Decoder(list[schemas.Tool])
_format = Decoder(schemas.ResponseFormat)
# Passed on as they came, once they are known to be what they should be.
CHECKED: Final[Mapping[str, Decoder[Any]]] = {
    "tools": _tools,
    "tool_choice": Decoder(str | schemas.ToolChoice),
    "response_format": _format,
    "parallel_tool_calls": Decoder(bool),
    "logit_bias": Decoder(dict[str, float]),
    "user": Decoder(str),
    "metadata": Decoder(dict[str, Raw]),
}
NONE: Final = Raw(b"[]")
NULL: Final = memoryview(b"null")
OPTIONS: Final = tuple(name for name in Options.__struct_fields__ if name in ChatCompletionRequest.__struct_fields__)
RAW_OPTIONS: Final = ("tools", "tool_choice", "response_format")
# About the caller, and so not sent on.
KEPT_HERE: Final = frozenset({"user", "metadata"})
NOT_SENT: Final = KEPT_HERE | set(ChatCompletionRequest.__struct_fields__) | set(RAW_OPTIONS)
NEEDS_CONTENT: Final = frozenset({"system", "developer", "user", "tool"})


def invalid(param: str | None, said: str) -> ValidationFailed:
    return ValidationFailed(said, details={"param": param})


async def read(request: Request) -> bytes:
    """Raises ValidationFailed for a body of another type, or half a body."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise invalid(None, f"Unsupported content type {kind[:80]!r}: send JSON with 'Content-Type: application/json'.")
    try:
        return await request.body()
    except ClientDisconnect:
        raise invalid(None, "The body of your request broke off.") from None


def decoded(decoder: "Decoder[T]", body: bytes | Raw, *, prefix: str = "") -> T:
    """Raises ValidationFailed that names the parameter, such as `messages[0].role`."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), prefix) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        said = str(error) if body else "it is empty"
        raise invalid(prefix or None, f"We could not parse the JSON body of your request: {said[:MAX_SAID]}.") from None
    except RecursionError:
        raise invalid(prefix or None, "The JSON body of your request is nested too deeply.") from None


def _refusal(said: str, prefix: str) -> ValidationFailed:
    match = PLACE.fullmatch(said)
    said, path = (match["said"], match["path"] or "") if match else (said, "")
    missing = MISSING.fullmatch(said)
    names = [prefix, path, *([missing[1]] if missing else [])]
    param = ".".join(name for name in names if name).replace(".[", "[")[:MAX_SAID]
    if missing:
        return invalid(param, f"Missing required parameter: '{param}'.")
    if not param:
        return invalid(None, f"The body of the request is not as it should be: {said[:MAX_SAID]}.")
    return invalid(param, f"Invalid value for '{param}': {said[:1].lower()}{said[1:MAX_SAID]}.")


def chat(body: bytes) -> tuple[Asked, ChatCompletionRequest]:
    """A chat completion's request: what is asked, and how the answer is to be sent. Raises ValidationFailed."""
    fields = {name: value for name, value in decoded(_fields, body).items() if memoryview(value) != NULL}
    request = decoded(_request, body)
    _check(request, fields)
    _check_raw(fields)
    given: dict[str, Any] = {name: getattr(request, name) for name in OPTIONS}
    given |= {name: fields[name] for name in RAW_OPTIONS if name in fields}
    others = {name: value for name, value in fields.items() if name not in NOT_SENT}
    asked = Asked(
        model=request.model,
        turns=[_turn(number, message) for number, message in enumerate(request.messages)],
        written=decoded(_messages, fields["messages"]),
        options=Options(**given, others=others),
        use_rag=request.use_rag is not False and (bool(request.use_rag) or _says_what(request)),
        wanted=Wanted(request.file_ids, request.collection_ids, _tags(request)),
        store=bool(request.store),
        conversation_id=request.conversation_id,
    )
    return asked, request


def _says_what(request: ChatCompletionRequest) -> bool:
    """Whether it names what to search: then it wants passages, without a word more."""
    return request.file_ids is not None or bool(request.collection_ids or request.tags)


def _tags(request: ChatCompletionRequest) -> tags.Tags | None:
    if not request.tags:
        return None
    try:
        return tags.normalised(request.tags)
    except ValidationFailed as error:
        raise invalid("tags", error.message) from None


def _check(request: ChatCompletionRequest, fields: Mapping[str, Raw]) -> None:
    """What one parameter says about another."""
    if "\0" in request.model:
        raise invalid("model", "A NUL character is not allowed in 'model'.")
    if request.stream_options is not None and not request.stream:
        raise invalid("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    if request.top_logprobs and not request.logprobs:
        raise invalid("top_logprobs", "'top_logprobs' needs 'logprobs': true.")
    if request.conversation_id is not None and not request.store:
        raise invalid("conversation_id", "'conversation_id' needs 'store': true.")
    for name, instead in (("functions", "tools"), ("function_call", "tool_choice")):
        if name in fields:
            raise invalid(name, f"{name!r} is not supported: use {instead!r}.")


def _check_raw(fields: Mapping[str, Raw]) -> None:
    """That what is passed on is what it should be, as far as every model needs it."""
    for name, decoder in CHECKED.items():
        if name in fields:
            decoded(decoder, fields[name], prefix=name)
    for number, tool in enumerate(_tools.decode(fields.get("tools", NONE))):
        if tool.type == "function":
            decoded(_function, tool.function, prefix=f"tools[{number}].function")
    if "response_format" in fields:
        wanted = _format.decode(fields["response_format"])
        if wanted.type == "json_schema" and wanted.json_schema is None:
            raise invalid("response_format.json_schema", "Missing required parameter: 'response_format.json_schema'.")


def _turn(number: int, message: ChatMessage) -> Turn:
    where = f"messages[{number}]"
    if message.content is None and (message.role in NEEDS_CONTENT or _says_nothing(message)):
        raise invalid(f"{where}.content", f"Invalid value for '{where}.content': expected a string, got null.")
    if message.role == "tool" and message.tool_call_id is None:
        raise invalid(f"{where}.tool_call_id", f"Missing required parameter: '{where}.tool_call_id'.")
    texts = [message.content] if isinstance(message.content, str) else _texts(message.content or [], where)
    if any("\0" in text for text in texts):
        raise invalid(f"{where}.content", f"A NUL character is not allowed in '{where}.content'.")
    return Turn(message.role, message.content, message.name, message.tool_calls, message.tool_call_id)


def _says_nothing(message: ChatMessage) -> bool:
    instead = (message.tool_calls, message.refusal, bytes(message.audio), bytes(message.function_call))
    return message.role == "assistant" and not any(instead)


def _texts(parts: list[Raw], where: str) -> list[str]:
    """Of the parts that are text. Raises ValidationFailed for what is no part."""
    found = []
    for number, raw in enumerate(parts):
        part = decoded(_part, raw, prefix=f"{where}.content[{number}]")
        if part.type == "text":
            if part.text is None:
                param = f"{where}.content[{number}].text"
                raise invalid(param, f"Missing required parameter: '{param}'.")
            found.append(part.text)
    return found
