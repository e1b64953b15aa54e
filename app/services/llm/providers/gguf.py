"""GGUF files, run by llama.cpp's server engine in processes of our own."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from pathlib import Path

from app.core.errors import ModelUnavailable
from app.core.model_settings import LocalSettings
from app.services.llm.base import Capabilities, Delta, Embeddings, Generation, ModelInfo, ModelKind
from app.services.llm.gguf import vectors
from app.services.llm.gguf.answer import Answer, chat_body
from app.services.llm.gguf.folder import Files, Folder, gguf_files
from app.services.llm.gguf.loader import Loader, ModelState


class GGUF:
    """Implements Provider, CountsTokens, LoadsModels and Reranks. `files` names the models that are at `where`."""

    def __init__(self, name: str, settings: LocalSettings, *, where: Path, files: Files | None = None) -> None:
        self.name = name
        self.default_model = settings.local_model
        self.capabilities = Capabilities(embeds=True, counts_tokens=True, reranks=True)
        self._folder = Folder(files or gguf_files(where), where=where, preferred=settings.local_model)
        self._loader = Loader(self._folder, settings)

    async def models(self) -> list[ModelInfo]:
        """Files that cannot be used are among them, without a kind."""
        states = await self.states()
        if not states:
            await self._folder.find(None)  # says what is missing
        if self.default_model is None:
            self.default_model = next((state.name for state in states if state.kind is ModelKind.CHAT), None)
        return [_info(state) for state in states]

    async def states(self) -> list[ModelState]:
        """For the status page: what is loaded, what failed and why."""
        return await self._loader.states()

    async def context_tokens(self, model: str | None) -> int:
        found = await self._folder.find(model)
        if model is None:
            self.default_model = found.name
        return self._loader.plan(found.header).context_tokens

    async def stream(self, request: Generation) -> AsyncGenerator[Delta, None]:
        async with self._loader.using(request.model, ModelKind.CHAT) as engine:
            answer = Answer(request, engine.plan.context_tokens)
            async with engine.chat(chat_body(request, engine.name)) as content:
                while data := await content.readany():
                    delta = answer.read(data)
                    if delta is not None:
                        yield delta
                    if answer.is_over:
                        break
                yield answer.end()

    async def embed(self, texts: Sequence[str], *, model: str | None, dimensions: int | None) -> Embeddings:
        async with self._loader.using(model, ModelKind.EMBEDDING) as engine:
            return await vectors.embed(engine, texts, dimensions)

    async def rerank(self, query: str, texts: Sequence[str], *, model: str | None) -> list[float]:
        async with self._loader.using(model, ModelKind.RERANK) as engine:
            return await vectors.rerank(engine, query, texts)

    async def count_tokens(self, request: Generation) -> int:
        async with self._loader.using(request.model, ModelKind.CHAT) as engine:
            return await engine.count_chat(chat_body(request, engine.name))

    async def count_text(self, text: str, *, model: str | None) -> int:
        found = await self._folder.find(model)
        async with self._loader.using(found.name, found.header.kind) as engine:
            return await engine.count_text(text)

    async def load(self, model: str | None) -> ModelInfo:
        found = await self._folder.find(model)
        await self._loader.load(found)
        return next(info for info in await self.models() if info.name == found.name)

    async def unload(self, model: str | None) -> None:
        name = model or (await self._folder.find(None)).name
        if not await self._loader.unload(name):
            with suppress(ModelUnavailable):  # a file that cannot be read was never loaded
                await self._folder.find(name)  # raises when there is no such model

    async def aclose(self) -> None:
        await self._loader.aclose()


def _info(state: ModelState) -> ModelInfo:
    return ModelInfo(
        state.name,
        state.kind,
        state.context_tokens,
        state.size_bytes,
        loaded=state.state == "loaded",
        memory_bytes=state.needs_bytes,
    )
