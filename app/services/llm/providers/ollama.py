"""Ollama: chat on the byte path, everything else through the ollama package."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from yarl import URL

from app.core.errors import AppError, ContextOverflow
from app.core.registry import Registry
from app.services.llm import ollama_wire
from app.services.llm.base import Capabilities, Delta, Embeddings, Generation, ModelInfo
from app.services.llm.http import FixedKey, Http, faults, refusal
from app.services.llm.ollama_wire import OllamaDeltas
from app.services.llm.tokens import TOKENS_PER_MESSAGE, estimate_tokens
from app.services.llm.wire import LineDecoder

if TYPE_CHECKING:
    from app.services.llm.ollama_sdk import OllamaSDK

SDKS: Registry[Callable[[str], "OllamaSDK"]] = Registry("sdk", {"ollama": "app.services.llm.ollama_sdk:OllamaSDK"})
LEAST_CONTEXT: Final = 4096
ESTIMATE_MARGIN: Final = 1.25
ASK_AGAIN_S: Final = 10.0
ANSWER_TOKENS: Final = 2048  # kept free when a request does not say how long the answer may be
NO_KEY: Final = FixedKey(None)


@dataclass(frozen=True, slots=True)
class Models:
    """What is asked for when a request names no model, and how many tokens a model may be loaded with."""

    chat: str
    embedding: str
    context_tokens: int


class Ollama:
    """Implements Provider for one base URL."""

    def __init__(self, base_url: str, models: Models, *, http: Http) -> None:
        self.name = "ollama"
        self.default_model: str | None = models.chat
        self.capabilities = Capabilities(embeds=True)
        self._base_url, self._models, self._http = base_url, models, http
        self._url = URL(base_url + "/api/chat")
        self._sdk: OllamaSDK | None = None
        self._limits: dict[str, int] = {}  # how many tokens each model takes
        self._silent_until = 0.0
        self._loaded: dict[str, int] = {}  # the context that each model was last asked with

    async def models(self) -> list[ModelInfo]:
        return await self.sdk.models()

    async def context_tokens(self, model: str | None) -> int:
        """The model's own, at most OLLAMA_CONTEXT_TOKENS. What is asked of Ollama is as much as fits the prompt."""
        name = model or self._models.chat
        if name not in self._limits:
            now = asyncio.get_running_loop().time()
            if now < self._silent_until:
                return self._models.context_tokens
            try:
                trained = await self.sdk.context_tokens(name)
            except AppError:  # chat itself will say what is wrong
                self._silent_until = now + ASK_AGAIN_S
                return self._models.context_tokens
            self._limits[name] = min(trained or self._models.context_tokens, self._models.context_tokens)
        return self._limits[name]

    async def stream(self, request: Generation) -> AsyncGenerator[Delta, None]:
        model = request.model or self._models.chat
        body = ollama_wire.body(request, model=model, context_tokens=await self._context_for(request, model))
        deltas, lines = OllamaDeltas(), LineDecoder()
        with faults(self._base_url):
            async with self._http.post(self._url, body, NO_KEY) as response:
                if response.status == 404:
                    raise ollama_wire.not_pulled(model)
                if response.status != 200 or response.content_type == "text/html":
                    raise await refusal(response, self.name)
                while data := await response.content.readany():
                    delta = deltas.read(lines.feed(data))
                    if delta is not None:
                        yield delta
                    if deltas.finish_reason is not None:
                        break
                yield deltas.end()

    async def embed(self, texts: Sequence[str], *, model: str | None, dimensions: int | None) -> Embeddings:
        return await self.sdk.embed(texts, model or self._models.embedding, dimensions)

    async def aclose(self) -> None:
        await self._http.aclose()
        if self._sdk is not None:
            await self._sdk.aclose()

    @property
    def sdk(self) -> "OllamaSDK":
        """Opened with the first use: the package is slow to import."""
        if self._sdk is None:
            self._sdk = SDKS.get("ollama")(self._base_url)
        return self._sdk

    async def _context_for(self, request: Generation, model: str) -> int:
        """A power of two that holds prompt and answer, never less than before: another size makes Ollama load again."""
        most = await self.context_tokens(model)
        prompt = sum(estimate_tokens(turn.text) + TOKENS_PER_MESSAGE for turn in request.turns)
        if prompt > most:
            raise ContextOverflow(
                f"the prompt needs about {prompt} tokens and {model} takes {most} here; shorten it or raise "
                "OLLAMA_CONTEXT_TOKENS",
                details={"needed_tokens": prompt, "available_tokens": most, "counted_by": "estimate"},
            )
        need = int(prompt * ESTIMATE_MARGIN) + (request.options.limit or ANSWER_TOKENS)
        size = max(self._loaded.get(model, 0), min(LEAST_CONTEXT, most))
        while size < min(need, most):
            size *= 2
        self._loaded[model] = min(size, most)
        return self._loaded[model]
