"""POST /rerank, as llama-server, vLLM, Jina and Cohere speak it."""

from collections.abc import Sequence
from typing import Final

import msgspec
from yarl import URL

from app.core.errors import UpstreamRefused
from app.services.llm.http import Credentials, Http, faults, read, refusal

MAX_BODY_BYTES: Final = 8 << 20


class _Score(msgspec.Struct):
    index: int
    relevance_score: float


class _Scores(msgspec.Struct):
    results: list[_Score]


async def rerank(
    http: Http, address: tuple[str, str], credentials: Credentials, query: str, texts: Sequence[str], model: str | None
) -> list[float]:
    """One score for each text, in their order. `address`: the source's name and base URL. Raises an UpstreamError."""
    name, base_url = address
    body = {"query": query, "documents": texts, "top_n": len(texts), **({} if model is None else {"model": model})}
    with faults(base_url):
        async with http.post(URL(f"{base_url}/rerank"), msgspec.json.encode(body), credentials) as response:
            if response.status != 200:
                raise await refusal(response, name)
            answer = await read(response.content, MAX_BODY_BYTES)
    try:
        found = {score.index: score.relevance_score for score in msgspec.json.decode(answer, type=_Scores).results}
        return [found[number] for number in range(len(texts))]
    except (msgspec.DecodeError, KeyError) as error:
        raise UpstreamRefused(f"{name} did not rerank: its answer is of another kind: {error}") from None
