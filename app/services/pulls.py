"""Pulls of models in the background: one per name, a few at once, told to who asked for them."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from loguru import logger

from app.core.enums import PullState
from app.core.errors import AppError, Conflict, Internal, RateLimited, UnknownName
from app.schemas.models import PullOut
from app.services.llm.store.base import Progress, Puller
from app.services.llm.store.store import Store
from app.services.streams.events import UserEvents

LOCAL: Final = "local"
AT_ONCE: Final = 2
MAX_WAITING: Final = 20
INTERVAL_S: Final = 0.3
KEPT_S: Final = 600.0  # that a pull is shown after its end

Key = tuple[str, str]


@dataclass(eq=False, slots=True)
class Pull:
    """One model on its way. `name` is what it will be called, `file` what is fetched for it."""

    name: str
    model_source: str
    file: str | None
    state: PullState = PullState.QUEUED
    progress: float | None = None
    bytes_done: int = 0
    bytes_total: int | None = None
    error: AppError | None = None
    users: set[UUID] = field(default_factory=set)
    told_at: float = 0.0
    ended_at: float = 0.0


class Pulls:
    """They go on when who asked is gone. `others` are model servers that pull for themselves, by their names."""

    def __init__(self, store: Store, events: UserEvents, *, others: Mapping[str, Puller] | None = None) -> None:
        self._store = store
        self._events = events
        self._others = dict(others or {})
        self._pulls: dict[Key, Pull] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def start(self, user_id: UUID, address: str, *, model_source: str = LOCAL) -> Pull:
        """Begin to fetch a model, or join who is fetching it.

        Raises UnknownName (source, model), RateLimited when too many wait, and what the address is refused for.
        """
        if model_source == LOCAL:
            found = await self._store.find(address)
            pull = Pull(found.name, LOCAL, found.files[0].path, bytes_total=found.size_bytes)
            steps: AsyncIterator[Progress] = self._store.pull(found)
        elif model_source in self._others:
            pull, steps = Pull(address, model_source, None), self._others[model_source].pull(address)
        else:
            raise UnknownName.of("model_source", model_source, [LOCAL, *self._others])
        running = self._running(pull)
        if running is None:
            self._begin(pull, steps)
            running = pull
        running.users.add(user_id)
        self._tell(running)
        return running

    def shown(self) -> list[Pull]:
        """Those that run, and those that ended in the last ten minutes; the newest last."""
        now = time.monotonic()
        self._pulls = {
            key: pull for key, pull in self._pulls.items() if key in self._tasks or now - pull.ended_at < KEPT_S
        }
        return list(self._pulls.values())

    async def cancel(self, name: str, *, model_source: str = LOCAL) -> None:
        """End a pull; what was fetched is kept for the next one. One that has ended is no longer shown."""
        key = (model_source, name)
        if key not in self._pulls:
            raise UnknownName.of("pull", name, [pull.name for pull in self.shown()])
        task = self._tasks.get(key)
        if task is None:
            del self._pulls[key]
        else:
            pull = self._pulls[key]
            task.cancel()
            await asyncio.wait([task])
            if not pull.state.is_final:  # it had not begun to run
                self._end(key, pull, PullState.CANCELLED)

    async def remove(self, name: str) -> None:
        """A model's files. Raises UnknownName, or Conflict while it is pulled or another process has it loaded."""
        if (LOCAL, name) in self._tasks:
            raise Conflict(f"model {name!r} is being pulled; cancel that first")
        await self._store.folder.remove(name)

    async def aclose(self) -> None:
        """End all; the next pull of the same goes on from where they were."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    def _running(self, pull: Pull) -> Pull | None:
        key = (pull.model_source, pull.name)
        return self._pulls[key] if key in self._tasks else None

    def _begin(self, pull: Pull, steps: AsyncIterator[Progress]) -> None:
        if len(self._tasks) >= MAX_WAITING:
            raise RateLimited(f"{MAX_WAITING} models are being pulled already; wait for one of them")
        key = (pull.model_source, pull.name)
        self._pulls.pop(key, None)
        self._pulls[key] = pull
        self._tasks[key] = asyncio.create_task(self._run(key, pull, steps))

    async def _run(self, key: Key, pull: Pull, steps: AsyncIterator[Progress]) -> None:
        try:
            async with self._slots:
                await self._follow(pull, steps)
            self._end(key, pull, PullState.READY)
        except asyncio.CancelledError:
            self._end(key, pull, PullState.CANCELLED)
            raise
        except AppError as error:
            self._end(key, pull, PullState.FAILED, error)
        except Exception as error:
            logger.opt(exception=error).error("the pull of {} failed", pull.name)
            self._end(key, pull, PullState.FAILED, Internal("the pull failed; the log says why"))

    async def _follow(self, pull: Pull, steps: AsyncIterator[Progress]) -> None:
        try:
            async for step in steps:
                if not step.state.is_final:
                    is_news = pull.state != step.state
                    pull.state, pull.progress = step.state, step.fraction
                    pull.bytes_done, pull.bytes_total = step.bytes_done, step.bytes_total
                    if is_news or time.monotonic() - pull.told_at >= INTERVAL_S:
                        self._tell(pull)
        finally:
            if isinstance(steps, AsyncGenerator):
                await steps.aclose()

    def _end(self, key: Key, pull: Pull, state: PullState, error: AppError | None = None) -> None:
        self._tasks.pop(key, None)
        pull.state, pull.error, pull.ended_at = state, error, time.monotonic()
        if state == PullState.READY:
            pull.progress, pull.bytes_done = 1.0, pull.bytes_total or pull.bytes_done
        logger.info("the pull of {} is {}{}", pull.name, state, f": {error}" if error else "")
        self._tell(pull)

    def _tell(self, pull: Pull) -> None:
        pull.told_at = time.monotonic()
        body = PullOut.model_validate(pull).model_dump_json().encode()
        for user_id in pull.users:
            self._events.publish(user_id, "model", body, subject=f"{pull.model_source}/{pull.name}")
