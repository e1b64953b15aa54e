"""A new index beside the old one, when the settings ask for another embedder or another way of cutting texts.

The rows say how far it is, so a job that is run again goes on where a crash left it. The old index is searched and
written to until all ready files are whole in the new one; then one transaction swaps them, and the old one is removed.
"""

import asyncio
from typing import Final
from uuid import UUID, uuid4

from loguru import logger

from app.core.enums import IndexState
from app.core.errors import AppError, Conflict, Internal
from app.core.settings import DocumentSettings
from app.crud import chunks as chunk_rows
from app.crud import index as rows
from app.crud.files import embedder_of
from app.crud.index import Generation
from app.db.models import SearchIndex
from app.db.session import Database
from app.rag.base import StoredVectors
from app.services.index_building import IndexBuilder, Stopped
from app.services.index_status import IndexStatus
from app.services.index_writer import TEXT, patiently
from app.services.indexing import Index
from app.services.jobs.base import Context, Payload
from app.services.jobs.runtime import Jobs

REMOVED_PER_STEP: Final = 200
ASK_AGAIN_S: Final = 5.0


async def rebuild(context: Context, _: Payload) -> None:
    """The job `rebuild`: whatever is to be built or removed."""
    await context.get(Rebuilding).run()


class Rebuilding:
    """Builds one index at a time. `auto`: begins by itself when the settings ask for another one."""

    def __init__(
        self, *, db: Database, index: Index, stored: StoredVectors | None, jobs: Jobs, status: IndexStatus
    ) -> None:
        self.status = status
        self._db, self._index, self._stored, self._jobs = db, index, stored, jobs
        self._rules: DocumentSettings = status.rules
        self._running = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look, once jobs run and the embedder says what it is, whether there is something to do."""
        self._task = asyncio.create_task(self._begin())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def request(self, by: UUID | None) -> None:
        """Begin to build, or go on after a failure. Nothing happens while one is being built.

        Raises ModelUnavailable when the embedder does not say what it is, Conflict while one of another kind is built.
        """
        wanted = await self._index.wanted(self._rules)
        async with self._db.begin() as session:
            if not await rows.by_state(session, IndexState.CURRENT):
                await rows.adopt(session, wanted, self._index.recipe)
            for row in await rows.by_state(session, IndexState.BUILDING, IndexState.FAILED):
                if row.fingerprint == wanted:
                    row.state, row.error, row.started_by = IndexState.BUILDING, None, by or row.started_by
                    break
                if row.state == IndexState.BUILDING:
                    raise Conflict(f"an index of {row.fingerprint!r} is being built; cancel that first")
                row.state = IndexState.CANCELLED
            else:
                new = SearchIndex(fingerprint=wanted, recipe=self._index.recipe, state=IndexState.BUILDING)
                new.started_by = by
                await rows.begin(session, new)
        await self._enqueue()

    async def cancel(self) -> None:
        """Build it no more and remove what there is of it. Raises Conflict when none is built and none has failed."""
        async with self._db.begin() as session:
            found = await rows.by_state(session, IndexState.BUILDING, IndexState.FAILED)
            for row in found:
                await rows.end(session, row.id, IndexState.CANCELLED)
        if not found:
            raise Conflict("no index is being built")
        await self._enqueue()

    async def run(self) -> None:
        """Build what is to be built, remove what is not used any more. Ends when there is nothing left to do."""
        async with self._running:
            async with self._db.read() as session:
                building = await rows.by_state(session, IndexState.BUILDING)
            if building and building[0].fingerprint == await patiently(self._wanted, ask_again_s=ASK_AGAIN_S):
                await self._try(building[0])
            await self.clean()

    async def _begin(self) -> None:
        try:
            await self._jobs.started()
            wanted = await patiently(self._wanted, ask_again_s=ASK_AGAIN_S)
            if await self._is_due(wanted):
                await self.request(None)
            else:
                async with self._db.read() as session:
                    if await rows.leftovers(session):
                        await self._enqueue()
        except Exception as error:  # an administrator can begin it
            logger.opt(exception=True).error("the index could not be looked after: {!r}", error)

    async def _wanted(self) -> str:
        return await self._index.wanted(self._rules)

    async def _is_due(self, wanted: str) -> bool:
        """Whether to build now. An unfinished index that nobody asks for any more is given up."""
        async with self._db.begin() as session:
            current = await rows.by_state(session, IndexState.CURRENT)
            unfinished = await rows.by_state(session, IndexState.BUILDING, IndexState.FAILED)
            for row in unfinished:
                if row.fingerprint != wanted:
                    await rows.end(session, row.id, IndexState.CANCELLED)
        if any(row.fingerprint == wanted and row.state == IndexState.BUILDING for row in unfinished):
            return True
        if not current or current[0].fingerprint == wanted:
            return False
        logger.warning("the index is of {}, the settings ask for {}", current[0].fingerprint, wanted)
        return self._rules.reindex == "auto"

    async def _enqueue(self) -> None:
        await self.status.tell(now=True)
        await self._jobs.enqueue("rebuild", f"rebuild:{uuid4()}", {})

    async def _try(self, row: SearchIndex) -> None:
        try:
            await IndexBuilder(self._db, self._index, self._stored, self.status).build(row)
        except Stopped:
            logger.info("the index {} is not built any more", row.id)
        except AppError as error:
            await self._fail(row, error.message)
        except Exception as error:
            logger.opt(exception=True).error("the index {} could not be built", row.id)
            await self._fail(row, f"{type(error).__name__}; the log has more")
        await self.status.tell(now=True)

    async def _fail(self, row: SearchIndex, reason: str) -> None:
        """The old index stays as it is; asking again goes on from here."""
        logger.error("the index {} could not be built, the old one is searched: {}", row.id, reason)
        async with self._db.begin() as session:
            await rows.end(session, row.id, IndexState.FAILED, reason)

    async def clean(self) -> None:
        """Remove indexes that are not used any more: chunks with their entries, then vectors; then count."""
        async with self._db.read() as session:
            unused = await rows.leftovers(session)
        for row in unused:
            while await self._delete_some(row.id) == REMOVED_PER_STEP:
                await self.status.tell()
            space = Generation(row.id, embedder_of(row.fingerprint)).space
            if self._stored is not None and embedder_of(row.fingerprint) != TEXT:
                await self._stored.drop(space)
                if any(holding.space == space for holding in await self._stored.collections()):
                    raise Internal(f"vectors of the index {row.id} are left after its removal")
            async with self._db.begin() as session:
                await chunk_rows.purge(session)
                await rows.removed(session, row.id)
            logger.info("the index {} of {} is removed", row.id, row.fingerprint)
        if unused:
            await self.status.tell(now=True)

    async def _delete_some(self, index_id: int) -> int:
        async with self._db.begin() as session:
            return await rows.delete_chunks(session, index_id, REMOVED_PER_STEP)
