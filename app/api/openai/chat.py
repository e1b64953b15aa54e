"""POST /v1/chat/completions"""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api.deps import CompletionsDep, CurrentUser, StoredDep
from app.api.openai import body
from app.api.openai.answer import ANSWERS, Reading, Sending, Streaming
from app.api.openai.docs import request_body
from app.schemas.openai import ChatCompletionRequest

router = APIRouter(tags=["openai"])
HELLO: Final[dict[str, Any]] = {"messages": [{"role": "user", "content": "Say hello."}]}
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "stream": {"model": "openai/gpt-4o-mini", **HELLO, "stream": True},
    "from documents": {
        "model": "openai",
        "messages": [{"role": "user", "content": "What costs most?"}],
        "use_rag": True,
    },
    "JSON": {"model": "ollama/llama3.2:latest", **HELLO, "response_format": {"type": "json_object"}},
}


@router.post(
    "/chat/completions",
    response_class=Response,
    responses=ANSWERS,
    openapi_extra=request_body(ChatCompletionRequest, EXAMPLES),
)
async def complete(request: Request, user: CurrentUser, completions: CompletionsDep, stored: StoredDep) -> Response:
    """Answer a conversation that comes whole with the request, with any configured model: `model` is `source/model`.

    Parameters that are not listed are passed on to models that speak this protocol. `use_rag` or `file_ids` answer
    from your documents; the passages come as `sources` of the message, or of a stream's first delta, and
    the checked `citations` as those of the message, or of a stream's last delta. `store` keeps
    question and answer as a conversation, whose id comes as `conversation_id`. Errors of the model have a status until
    the answer has begun; later they are one `error` event.
    """
    asked, wanted = body.chat(await body.read(request))
    answer: Reading
    extra: dict[str, object] = {}
    if asked.store:
        answer = kept = await stored.start(user.user_id, asked)
        extra["conversation_id"] = kept.conversation_id
    else:
        answer = await completions.start(user.user_id, asked)
    if not wanted.stream:
        return Sending(answer, wanted.model, extra=extra)
    include_usage = wanted.stream_options is not None and bool(wanted.stream_options.include_usage)
    return Streaming(answer, wanted.model, include_usage=include_usage, extra=extra)
