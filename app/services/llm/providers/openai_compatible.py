"""Any endpoint that speaks OpenAI's chat completions: OpenAI, vLLM, llama-server, LM Studio and others."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from yarl import URL

from app.core.errors import ModelUnavailable
from app.core.registry import Registry
from app.services.llm.base import Capabilities, Delta, Embeddings, Generation, ModelInfo
from app.services.llm.http import Credentials, Http, faults, read, refusal, suppressed
from app.services.llm.openai_wire import OpenAIDeltas
from app.services.llm.rerank_wire import rerank
from app.services.llm.sdk import SDK
from app.services.llm.wire import MAX_BODY_BYTES, SSEDecoder

AFTER_END_S: Final = 0.5
# The SDK is slow to import and is not on the token path: the table keeps it out of the start.
SDKS: Registry[Callable[[str, Credentials, bool], SDK]] = Registry(
    "sdk", {"openai": "app.services.llm.openai_sdk:OpenAISDK"}
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One base URL, the models that are known to be there, and what to ask for when a request names none."""

    base_url: str
    model: str | None = None
    embedding_model: str | None = None
    context_tokens: int = 32768
    models: Sequence[ModelInfo] = ()
    verify_tls: bool = True


class OpenAICompatible:
    """Implements Provider and Reranks for one base URL. `http` is shared with the other base URLs of the source."""

    def __init__(self, name: str, endpoint: Endpoint, *, credentials: Credentials, http: Http) -> None:
        self.name = name
        self.default_model = endpoint.model
        embeds_unnamed = endpoint.embedding_model is not None
        self.capabilities = Capabilities(embeds=True, embeds_unnamed=embeds_unnamed, reranks=True)
        self._endpoint, self._credentials, self._http = endpoint, credentials, http
        self._url = URL(endpoint.base_url + "/chat/completions")
        self._sdk: SDK | None = None

    async def models(self) -> list[ModelInfo]:
        known = {model.name: model for model in self._endpoint.models}
        listed = {name: ModelInfo(name) for name in await (await self._open_sdk()).model_names()}
        return list((listed | known).values())

    async def context_tokens(self, model: str | None) -> int:
        known = {m.name: m.context_tokens for m in self._endpoint.models}
        return known.get(model or self.default_model or "") or self._endpoint.context_tokens

    async def stream(self, request: Generation) -> AsyncGenerator[Delta, None]:
        deltas, events = OpenAIDeltas(), SSEDecoder()
        with faults(self._endpoint.base_url):
            async with self._http.post(self._url, self._body(request), self._credentials) as response:
                if response.status != 200 or response.content_type == "text/html":
                    raise await refusal(response, self.name)
                if response.content_type == "application/json":
                    yield deltas.whole(await read(response.content, MAX_BODY_BYTES))
                while data := await response.content.readany():
                    delta = deltas.read(events.feed(data))
                    if delta is not None:
                        yield delta
                    if deltas.finish_reason is not None:
                        # The usage; and a connection that was read to its end can be used again.
                        with suppressed():
                            async with asyncio.timeout(AFTER_END_S):
                                async for data in response.content.iter_any():
                                    deltas.read(events.feed(data))
                        break
                yield deltas.end()

    async def embed(self, texts: Sequence[str], *, model: str | None, dimensions: int | None) -> Embeddings:
        name = model or self._endpoint.embedding_model
        if name is None:
            raise ModelUnavailable(f"{self.name} has no embedding model: name one, such as {self.name}/MODEL")
        return await (await self._open_sdk()).embed(texts, name, dimensions)

    async def rerank(self, query: str, texts: Sequence[str], *, model: str | None) -> list[float]:
        return await rerank(self._http, (self.name, self._endpoint.base_url), self._credentials, query, texts, model)

    async def aclose(self) -> None:
        await self._http.aclose()
        if self._sdk is not None:
            await self._sdk.aclose()

    async def _open_sdk(self) -> SDK:
        """The package takes half a second to import: in a thread, so that answers go on meanwhile."""
        make = await asyncio.to_thread(SDKS.get, "openai")
        if self._sdk is None:
            self._sdk = make(self._endpoint.base_url, self._credentials, self._endpoint.verify_tls)
        return self._sdk

    def _body(self, request: Generation) -> bytes:
        given = msgspec.to_builtins(request.options, builtin_types=(msgspec.Raw,))
        return msgspec.json.encode(
            {
                "model": request.model or self.default_model or "default",
                "messages": request.written or request.turns,
                "stream": True,
                "stream_options": {"include_usage": True},
                **given.pop("others", {}),
                **given,
            }
        )
