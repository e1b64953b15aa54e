"""Reranking as llama-server, vLLM, Jina and Cohere serve it: the more words of the query, the better."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter

from tests.fakes.http import answer
from tests.fakes.upstream import Upstream


class Reranking(Upstream):
    """The fake server with this route. `said` is answered instead while it is set, None not at all."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.asked: list[dict[str, object]] = []
        self.said: tuple[int, object] | None = (0, None)

    async def _answer(
        self, route: str, headers: dict[str, str], body: bytes, reader: StreamReader, writer: StreamWriter
    ) -> None:
        if route != "POST /v1/rerank":
            await super()._answer(route, headers, body, reader, writer)
            return
        self.asked.append(json.loads(body))
        if self.said is None:
            await asyncio.Event().wait()
        elif self.said[0]:
            writer.write(answer(*self.said))
        else:
            writer.write(answer(200, {"results": scores(self.asked[-1])}))


def scores(body: dict[str, object]) -> list[dict[str, object]]:
    """The best first, as servers do."""
    query = set(str(body["query"]).lower().split())
    found = [(len(query & set(text.lower().split())), n) for n, text in enumerate(body["documents"])]  # type: ignore[arg-type, var-annotated]
    return [{"index": n, "relevance_score": score - 3.5} for score, n in sorted(found, reverse=True)]
