"""Loads models one at a time, within the memory that there is, and unloads those that rest."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import msgspec
from loguru import logger

from app.core.errors import ModelUnavailable
from app.core.model_settings import LocalSettings
from app.services.llm.base import ModelKind
from app.services.llm.gguf import memory
from app.services.llm.gguf.engine import Engine
from app.services.llm.gguf.folder import Broken, Folder, Model
from app.services.llm.gguf.header import Header
from app.services.llm.gguf.plan import Plan, plan
from app.services.llm.gguf.process import Failed, Process

UNLOADED = "it was unloaded"
CLOSING = "the service is ending"


class ModelState(msgspec.Struct, frozen=True):
    """For the status page. `needs_bytes` is an estimate; `error` is why it cannot be used, or what went wrong last."""

    name: str
    state: Literal["unloaded", "loading", "loaded", "failed"]
    kind: ModelKind | None = None
    size_bytes: int = 0
    needs_bytes: int | None = None
    context_tokens: int | None = None
    answers: int = 0
    error: str | None = None


class _Loaded:
    """A model in memory, and how many answers use it."""

    def __init__(self, model: Model, engine: Engine, needs: memory.Need) -> None:
        self.model, self.engine, self.needs = model, engine, needs
        self.answers = 0
        self.last_used = time.monotonic()
        self.rest: asyncio.TimerHandle | None = None
        self.watch: asyncio.Task[None] | None = None


class Loader:
    def __init__(self, folder: Folder, settings: LocalSettings) -> None:
        self._folder, self._settings = folder, settings
        self._loaded: dict[str, _Loaded] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._errors: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()
        self._closed = False

    def plan(self, header: Header) -> Plan:
        return plan(header, self._settings)

    async def states(self) -> list[ModelState]:
        return [self._state(model) for model in await self._folder.models()]

    @asynccontextmanager
    async def using(self, name: str | None, kind: ModelKind) -> AsyncIterator[Engine]:
        """The model, loaded if need be. It is not unloaded for rest or for room meanwhile."""
        loaded = await self.load(await self._folder.find(name, kind))
        loaded.answers += 1
        if loaded.rest is not None:
            loaded.rest.cancel()
        try:
            yield loaded.engine
        finally:
            loaded.answers -= 1
            self._rest(loaded)

    async def load(self, model: Model) -> _Loaded:
        """Raises ModelUnavailable. Goes on when nobody waits for it any more: the next one who asks finds it there."""
        while True:
            if self._closed:
                raise ModelUnavailable(f"{model.name!r} is not loaded any more: {CLOSING}", retry_after_s=5)
            loaded = self._loaded.get(model.name)
            if loaded is not None and loaded.model.stamp == model.stamp:
                return loaded
            task = self._loading.get(model.name)
            if task is None:
                task = self._loading[model.name] = self._spawn(self._load(model))
            await asyncio.wait([task])
            if task.cancelled():
                raise ModelUnavailable(f"{model.name!r} was unloaded while it was being loaded; try again")
            task.result()

    async def unload(self, name: str, why: str = UNLOADED) -> bool:
        """Ends its answers, and its loading. False: it was not loaded."""
        task = self._loading.get(name)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        loaded = self._loaded.pop(name, None)
        if loaded is not None:
            await self._end(loaded, why)
        return bool(task or loaded)

    async def aclose(self) -> None:
        self._closed = True
        for name in {*self._loading, *self._loaded}:
            await self.unload(name, CLOSING)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _load(self, model: Model) -> None:
        try:
            async with self._one_at_a_time:
                await self.unload_changed(model)
                self._loaded[model.name] = await self._opened(model)
                self._errors.pop(model.name, None)
        except ModelUnavailable as error:
            self._errors[model.name] = error.message
            raise
        finally:
            del self._loading[model.name]

    async def unload_changed(self, model: Model) -> None:
        """A file that was replaced: answers of the old one end."""
        old = self._loaded.pop(model.name, None)
        if old is not None:
            await self._end(old, "its file was replaced")

    async def _opened(self, model: Model) -> _Loaded:
        how = self.plan(model.header)
        needs = memory.need(model.header, how)
        began = time.monotonic()
        try:
            process = await Process.start(how)
            try:
                await self._make_room(model, needs, process)
                await process.load()
            except BaseException:
                await process.end()
                raise
        except Failed as error:
            raise ModelUnavailable(
                f"{str(model.path)!r} cannot be loaded: {error}; fetch it again, or take a model that llama.cpp knows"
            ) from None
        except OSError as error:
            raise ModelUnavailable(f"{model.name!r} cannot be loaded: no process can be started: {error}") from None
        logger.info(
            "model {!r} is loaded in {:.1f} s, about {} MB", model.name, time.monotonic() - began, _mb(needs.total)
        )
        loaded = _Loaded(model, Engine(model.name, process), needs)
        loaded.watch = self._spawn(self._watch(loaded))
        self._rest(loaded)
        return loaded

    async def _make_room(self, model: Model, needs: memory.Need, process: Process) -> None:
        """Unloads models that rest, the longest unused first. Raises ModelUnavailable."""
        while (there := await asyncio.to_thread(self._room, process.gpu_free_bytes)) < needs.total:
            resting = [loaded for loaded in self._loaded.values() if not loaded.answers]
            if not resting:
                raise self._too_large(model, needs, there, process.plan)
            oldest = min(resting, key=lambda loaded: loaded.last_used)
            await self.unload(oldest.model.name, "its memory was needed for another model")

    def _room(self, gpu_free_bytes: int) -> int:
        there = memory.available() + gpu_free_bytes
        there -= sum(memory.file_pages(loaded.engine.pid) for loaded in list(self._loaded.values()))
        if self._settings.local_memory_mb is not None:
            taken = sum(loaded.needs.total for loaded in list(self._loaded.values()))
            there = min(there, (self._settings.local_memory_mb << 20) - taken)
        return max(0, there)

    def _too_large(self, model: Model, needs: memory.Need, there: int, how: Plan) -> ModelUnavailable:
        limit = "" if self._settings.local_memory_mb is None else ", raise LOCAL_MEMORY_MB"
        return ModelUnavailable(
            f"{model.name!r} needs about {_mb(needs.total)} MB of memory ({_mb(needs.weights)} for its weights, "
            f"{_mb(needs.cache)} for {how.slots} chats of {how.context_tokens} tokens) and {_mb(there)} MB are free; "
            f"lower LOCAL_CONTEXT_TOKENS or LOCAL_PARALLEL, unload another model{limit}, or take a smaller file",
            details={"needed_bytes": needs.total, "available_bytes": there},
        )

    def _rest(self, loaded: _Loaded) -> None:
        """From now on it is unused, if it is."""
        loaded.last_used = time.monotonic()
        if loaded.rest is not None:
            loaded.rest.cancel()
        if self._settings.local_idle_unload_s and not loaded.answers and not self._closed:
            loop = asyncio.get_running_loop()
            loaded.rest = loop.call_later(self._settings.local_idle_unload_s, self._rested, loaded)

    def _rested(self, loaded: _Loaded) -> None:
        if not loaded.answers and self._loaded.get(loaded.model.name) is loaded:
            logger.info("model {!r} is unloaded: nobody used it", loaded.model.name)
            del self._loaded[loaded.model.name]
            self._spawn(self._end(loaded, UNLOADED))

    async def _end(self, loaded: _Loaded, why: str) -> None:
        if loaded.rest is not None:
            loaded.rest.cancel()
        await loaded.engine.end(why)

    async def _watch(self, loaded: _Loaded) -> None:
        """Notices when its process ends by itself: the next question loads it again."""
        why = await loaded.engine.wait()
        name = loaded.model.name
        if self._loaded.get(name) is loaded:
            logger.warning("model {!r} is gone: {}", name, why)
            self._errors[name] = why
            del self._loaded[name]
            await self._end(loaded, why)

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever waited for it, and kept for the status

    def _state(self, model: Model | Broken) -> ModelState:
        if isinstance(model, Broken):
            return ModelState(model.name, "failed", size_bytes=model.stamp[0], error=model.fault)
        loaded, error = self._loaded.get(model.name), self._errors.get(model.name)
        how = self.plan(model.header)
        return ModelState(
            model.name,
            "loaded" if loaded else "loading" if model.name in self._loading else "failed" if error else "unloaded",
            model.header.kind,
            model.header.size_bytes,
            memory.need(model.header, how).total,
            how.context_tokens,
            loaded.answers if loaded else 0,
            error,
        )


def _mb(size: int) -> int:
    return size >> 20
