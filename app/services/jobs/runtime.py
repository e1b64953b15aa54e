"""Jobs that survive the process: started at once, bounded in number, taken over after a crash."""

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from loguru import logger

from app.core.registry import Registry
from app.crud import executors
from app.db.session import Database
from app.services.jobs.base import JOBS, LONG, Context, Job, JobState

if TYPE_CHECKING:
    from app.services.jobs.durable import DurableJobs

LAUNCH_DELAY_S = 1
BEAT_S = 5
DEAD_AFTER_S = 20
STOP_TIMEOUT_S = 10
FORGET_AFTER = timedelta(days=7)
# Jobs at once, running or waiting for their turn: what comes on top stays with its rows, which need no memory.
MAX_LIVE = 64
FEW_LIVE = 16

R = TypeVar("R")
Payload = Mapping[str, str]
Runtime = Callable[[str, str, Callable[[str, str, dict[str, str]], Awaitable[None]]], "DurableJobs"]

RUNTIMES: Registry[Runtime] = Registry("job runtime", {"dbos": "app.services.jobs.durable:DurableJobs"})


class Jobs:
    """Enqueue and cancel by an id that the caller derives from its rows, so that enqueuing twice is harmless.

    `replica` names the data folder, whose lock proves that earlier executors of that name are dead. `alone`: so are
    all others. Else executors tell each other by a heartbeat in the rows' database that they live.
    """

    def __init__(
        self, url: str, *, db: Database, replica: str, alone: bool, concurrency: int = 4, table: Registry[Job] = JOBS
    ) -> None:
        self._url = url
        self._db = db
        self.alone = alone
        self._table = table
        self._replica = replica
        self._executor_id = f"{replica}:{uuid4().hex[:16]}"
        self._slots = asyncio.Semaphore(concurrency)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._refused = False
        self._room = asyncio.Event()
        self._context = Context()
        self._starting: asyncio.Task[DurableJobs] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._launching = False
        self._closing = False

    async def start(self, context: Context) -> None:
        """Returns at once. The runtime is imported and launched a second later, or when it is wanted."""
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._starting = asyncio.create_task(self._launch())
        self._starting.add_done_callback(_log_failure)

    async def started(self) -> None:
        """Wait until jobs run, without hurrying them. Raises what kept them from it."""
        await asyncio.shield(self._begun())

    def has_room(self) -> bool:
        """Whether one more job should be enqueued. Who is told no will be told by `wait_for_room` when to try again."""
        self._refused = self._refused or len(self._running) >= MAX_LIVE
        return len(self._running) < MAX_LIVE

    async def wait_for_room(self, timeout_s: float) -> None:
        """Until somebody was refused and few jobs are left, or so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._room.wait(), timeout_s)
        self._room.clear()

    async def enqueue(self, name: str, job_id: str, payload: Payload) -> None:
        """Start a job, unless one with this id exists, whatever became of it."""
        durable = await self._durable()
        await asyncio.to_thread(durable.start, job_id, name, dict(payload))

    async def cancel(self, job_id: str) -> bool:
        """Never start it again and stop it when it runs here. False: it runs elsewhere or has not stopped in time."""
        durable = await self._durable()
        await asyncio.to_thread(durable.cancel, job_id)
        task = self._running.get(job_id)
        if task is None:
            return self.alone
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=STOP_TIMEOUT_S)
        return bool(done)

    async def states(self, job_ids: Sequence[str]) -> dict[str, JobState]:
        """What became of these jobs. Ids without a job are left out."""
        durable = await self._durable()
        return await asyncio.to_thread(durable.states, job_ids)

    async def aclose(self) -> None:
        """Stop what runs here. It stays unfinished on record, and the next start takes it over."""
        self._closing = True
        if self._starting is None:
            return
        if not self._launching:
            self._starting.cancel()
            await asyncio.wait({self._starting})
            return
        with contextlib.suppress(Exception):
            durable = await self._durable()
            if self._beating is not None:
                self._beating.cancel()
                await asyncio.wait({self._beating})
            for task in self._running.values():
                task.cancel()
            if self._running:
                await asyncio.wait(self._running.values(), timeout=STOP_TIMEOUT_S)
            await asyncio.to_thread(durable.close)
            if not self.alone:
                async with self._db.begin() as session:
                    await executors.forget(session, self._replica)

    async def _durable(self) -> "DurableJobs":
        self._wanted.set()
        return await asyncio.shield(self._begun())

    def _begun(self) -> "asyncio.Task[DurableJobs]":
        if self._starting is None:
            raise RuntimeError("jobs were not started: await Jobs.start() first")
        return self._starting

    async def _launch(self) -> "DurableJobs":
        # The import holds the interpreter for a while: the service answers first.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), LAUNCH_DELAY_S)
        self._launching = True
        runtime = await asyncio.to_thread(RUNTIMES.get, "dbos")
        durable = await asyncio.to_thread(runtime, self._url, self._executor_id, self._bridge)
        if not self.alone:
            async with self._db.begin() as session:
                await executors.forget(session, self._replica)
        await self._take_over(durable)
        self._beating = asyncio.create_task(self._beat(durable))
        gc.freeze()  # the runtime stays: with its 70,000 objects a full collection holds the event loop for 40 ms
        return durable

    async def _bridge(self, job_id: str, name: str, payload: dict[str, str]) -> None:
        """Runs in the runtime's own loop. The job itself runs in ours, where its database and its child live."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._run(job_id, name, payload), self._loop))

    async def _run(self, job_id: str, name: str, payload: Payload) -> None:
        task = asyncio.current_task()
        if task is None or self._closing:
            raise asyncio.CancelledError
        self._running[job_id] = task
        try:
            async with contextlib.nullcontext() if name in LONG else self._slots:
                await self._table.get(name)(self._context, payload)
        finally:
            del self._running[job_id]
            if self._refused and len(self._running) <= FEW_LIVE:
                self._refused = False
                self._room.set()

    async def _take_over(self, durable: "DurableJobs") -> None:
        living: Sequence[str] = ()
        if not self.alone:
            async with self._db.begin() as session:
                await executors.beat(session, self._executor_id)
                living = await executors.living(session, within_s=DEAD_AFTER_S)
        taken = await asyncio.to_thread(durable.take_over, living)
        if taken:
            logger.info("took over {} jobs of processes that ended", taken)

    async def _beat(self, durable: "DurableJobs") -> None:
        """Heartbeat and sweep. A pass that fails is simply repeated."""
        ticks = 0
        while True:
            try:
                if ticks * BEAT_S % 3600 == 0:
                    await asyncio.to_thread(durable.forget, FORGET_AFTER)
                if not self.alone:
                    await self._take_over(durable)
            except Exception as error:
                logger.warning("the job sweep failed and will be repeated: {!r}", error)
            ticks += 1
            await asyncio.sleep(BEAT_S)


def _log_failure(starting: "asyncio.Task[DurableJobs]") -> None:
    if not starting.cancelled() and starting.exception() is not None:
        logger.error("jobs cannot run: {!r}; uploads wait until the service is restarted", starting.exception())
