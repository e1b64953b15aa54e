"""POST /v1/embeddings"""

import base64
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from app.api.deps import CurrentUser, EmbeddingsDep
from app.api.openai import body
from app.api.openai.docs import request_body
from app.schemas.openai import MAX_INPUTS, EmbeddingRequest
from app.services.embeddings import Embedded

router = APIRouter(tags=["openai"])
decoder: Final = msgspec.json.Decoder(EmbeddingRequest)
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "built in": {"model": "all-MiniLM-L6-v2", "input": ["The quick brown fox", "jumps"]},
}
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "a list with one embedding for each text, in their order",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


@router.post(
    "/embeddings", response_class=Response, responses=ANSWERS, openapi_extra=request_body(EmbeddingRequest, EXAMPLES)
)
async def embed(request: Request, user: CurrentUser, embeddings: EmbeddingsDep) -> Response:
    """Turn texts into vectors, with any source that embeds or with the built-in all-MiniLM-L6-v2.

    `encoding_format` base64 gives the little-endian float32 numbers of each vector.
    """
    wanted = body.decoded(decoder, await body.read(request))
    texts = _texts(wanted)
    found = await embeddings.embed(user.user_id, texts, model=wanted.model, dimensions=wanted.dimensions)
    return Response(_body(found, wanted), media_type="application/json")


def _texts(wanted: EmbeddingRequest) -> list[str]:
    given = [wanted.input] if isinstance(wanted.input, str) else wanted.input
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) != len(given):
        said = "'input' has token ids, and each model has its own: send the texts"
        raise body.invalid("input", f"{said} (LangChain: check_embedding_ctx_length=False).")
    if len(texts) > MAX_INPUTS:
        raise body.invalid("input", f"'input' has {len(texts)} texts and {MAX_INPUTS} are allowed.")
    for number, text in enumerate(texts):
        if not text:
            raise body.invalid("input", f"'input' cannot have an empty text, as number {number} is.")
        if "\0" in text:
            raise body.invalid("input", "A NUL character is not allowed in 'input'.")
    if "\0" in wanted.model:
        raise body.invalid("model", "A NUL character is not allowed in 'model'.")
    return texts


def _body(found: Embedded, wanted: EmbeddingRequest) -> bytes:
    vectors = found.vectors.vectors.astype("<f4", copy=False)
    rows: list[object] = (
        [base64.b64encode(row.tobytes()).decode() for row in vectors]
        if wanted.encoding_format == "base64"
        else [row.tolist() for row in vectors]
    )
    tokens = found.tokens.prompt_tokens
    return msgspec.json.encode(
        {
            "object": "list",
            "data": [{"object": "embedding", "index": n, "embedding": row} for n, row in enumerate(rows)],
            "model": wanted.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )
