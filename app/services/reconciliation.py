"""What a crash or a fault left undone is found in the rows and blobs and done again, at start, every minute,
and whenever many files wait and there is room for more jobs.
"""

import asyncio
from datetime import timedelta

from loguru import logger

from app.crud import files
from app.db.models import File
from app.db.session import Database
from app.services.blobs import Blobs
from app.services.documents import Documents
from app.services.ingestion import Ingestion, job_id
from app.services.jobs import Jobs, JobState

INTERVAL_S = 60
PASSES_PER_SWEEP = 60
ORPHAN_AGE = timedelta(hours=1)
BATCH = 500
FILES_PER_PASS = 256  # of those that are unfinished; what is behind them waits for its turn
CRASHED = "the service ended many times while it read this file; retry, and tell the administrator if it goes on"


class Reconciliation:
    """Gives unfinished files a job, and removes blobs (with their vectors) whose row is gone or never came."""

    def __init__(self, *, db: Database, blobs: Blobs, jobs: Jobs, documents: Documents, ingestion: Ingestion) -> None:
        self._db = db
        self._blobs = blobs
        self._jobs = jobs
        self._documents = documents
        self._ingestion = ingestion
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin when the jobs run, and repeat until `aclose`."""
        self._task = asyncio.create_task(self._repeat())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def carry_on(self) -> None:
        """Give unfinished files that no job works on a job, the oldest first, while there is room for jobs."""
        async with self._db.read() as session:
            waiting = await files.unfinished(session, limit=FILES_PER_PASS)
        states = await self._jobs.states([job_id(file.id, file.attempt) for file in waiting])
        for file in waiting:
            if not self._jobs.has_room():
                return
            await self._carry_on(file, states.get(job_id(file.id, file.attempt)))

    async def sweep(self, age: timedelta = ORPHAN_AGE) -> None:
        """Remove blobs of that age that have no row, with their vectors, and what writes that were cut off left."""
        found = [f.key for f in await self._blobs.older_than(age) if not self._documents.is_receiving(f.key.file_id)]
        for first in range(0, len(found), BATCH):
            batch = found[first : first + BATCH]
            async with self._db.read() as session:
                known = await files.existing(session, [key.file_id for key in batch])
            for key in batch:
                if key.file_id not in known:
                    await self._ingestion.index.remove(key.owner, key.file_id)
                    await self._blobs.delete(key)
        await self._blobs.delete_unfinished(ORPHAN_AGE)

    async def _carry_on(self, file: File, state: JobState | None) -> None:
        match state:
            case JobState.LIVE:
                return
            case None:
                await self._documents.enqueue(file)
            case JobState.LOST:
                await self._ingestion.fail(file, "crashed", CRASHED)
            case JobState.DONE | JobState.FAILED | JobState.CANCELLED:
                await self._documents.start_again(file)

    async def _repeat(self) -> None:
        # Alone on the data folder, nobody else can be in the middle of an upload or a removal.
        age = timedelta(0) if self._jobs.alone else ORPHAN_AGE
        passes = 0
        while True:
            try:
                await self._jobs.started()
                await self.carry_on()
                if passes % PASSES_PER_SWEEP == 0:
                    await self.sweep(age)
                    age = ORPHAN_AGE
                passes += 1
            except Exception as error:
                logger.opt(exception=True).warning("reconciliation failed and will be repeated: {!r}", error)
            await self._jobs.wait_for_room(INTERVAL_S)
