"""Embeddings as OpenAI and Ollama serve them: words counted by their hash. Texts with the same words are near.

The model's name says the dimension: `words-48`. Names without a number have 32.
"""

import base64
import json
import re
import zlib
from asyncio import StreamReader, StreamWriter
from typing import Any

import numpy as np

from tests.fakes.http import answer
from tests.fakes.upstream import Upstream

MODELS = ("words-48", "words-64:latest")
DIMENSION = re.compile(r"-(\d+)(?::|$)")


class Embeddings(Upstream):
    """The fake server with these routes. `error` is answered instead while it is set."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.error: int | None = None
        self.requests: list[list[str]] = []

    async def _answer(
        self, route: str, headers: dict[str, str], body: bytes, reader: StreamReader, writer: StreamWriter
    ) -> None:
        match route:
            case "GET /api/tags":
                models = [{"model": name, "name": name, "size": 1000} for name in MODELS]
                writer.write(answer(200, {"models": models}))
            case "POST /api/show":
                writer.write(answer(200, {"model_info": {"words.context_length": 2048}}))
            case "POST /v1/embeddings" | "POST /api/embed":
                writer.write(answer(*self._embed(json.loads(body), is_ollama=route == "POST /api/embed")))
            case _:
                await super()._answer(route, headers, body, reader, writer)

    def _embed(self, body: dict[str, Any], *, is_ollama: bool) -> tuple[int, dict[str, Any]]:
        texts = [body["input"]] if isinstance(body["input"], str) else list(body["input"])
        if self.error is not None:
            said = f"injected {self.error}"
            return self.error, {"error": said if is_ollama else {"message": said, "type": "injected"}}
        self.requests.append(texts)
        model, tokens = body["model"], sum(len(text.split()) for text in texts)
        vectors = words(texts, body.get("dimensions") or dimension(model))
        if is_ollama:
            return 200, {"model": model, "embeddings": vectors.tolist(), "prompt_eval_count": tokens}
        whole = body.get("encoding_format") != "base64"
        data = [
            {"index": n, "object": "embedding", "embedding": row.tolist() if whole else base64.b64encode(row).decode()}
            for n, row in enumerate(vectors)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return 200, {"object": "list", "data": data, "model": model, "usage": usage}


def dimension(model: str) -> int:
    found = DIMENSION.search(model)
    return int(found[1]) if found else 32


def words(texts: list[str], width: int) -> np.ndarray:
    """Not of length 1."""
    vectors = np.zeros((len(texts), width), "<f4")
    for row, text in enumerate(texts):
        vectors[row, 0] = 0.1
        for word in re.findall(r"\w+", text.lower()):
            vectors[row, zlib.crc32(word.encode()) % width] += 1
    return vectors
