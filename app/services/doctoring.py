"""The doctor: looks over all that is stored, and mends it when that is asked."""

import asyncio
from collections.abc import Awaitable, Callable

from app.core.errors import Conflict
from app.crud import inspection as rows
from app.db.models import File
from app.schemas.inspection import InspectionOut
from app.services.documents import Documents
from app.services.ingestion import Ingestion
from app.services.inspection import Found, Inspection
from app.services.jobs import Jobs
from app.services.mending import Mending, Stores
from app.services.rebuilding import Rebuilding

Read = Callable[[File], Awaitable[None]]


class Doctor:
    """One examination at a time."""

    def __init__(self, inspection: Inspection, mending: Mending) -> None:
        self._inspection, self._mending = inspection, mending
        self._busy = asyncio.Lock()

    @classmethod
    def in_service(cls, stores: Stores, jobs: Jobs, documents: Documents, rebuilding: Rebuilding) -> "Doctor":
        """Beside uploads, jobs and searches. What has to be read again is a job's."""

        async def is_busy() -> bool:
            return documents.is_receiving_any or await _unfinished(stores) > 0

        inspection = Inspection(stores.db, stores.blobs, stores.stored, jobs=jobs, is_receiving=documents.is_receiving)
        mending = Mending(
            stores,
            inspection,
            read=documents.enqueue,
            carry_on=documents.start_again,
            clean=rebuilding.clean,
            is_busy=is_busy,
        )
        return cls(inspection, mending)

    @classmethod
    def alone(cls, stores: Stores, ingestion: Ingestion, rebuilding: Rebuilding, *, alone: bool) -> "Doctor":
        """Without a service. What has to be read again is read at once. `alone`: nobody else uses the same rows."""

        async def is_busy() -> bool:
            return not alone and await _unfinished(stores) > 0

        async def read(file: File) -> None:
            await ingestion.run(file.id, file.attempt)

        inspection = Inspection(stores.db, stores.blobs, stores.stored)
        mending = Mending(stores, inspection, read=read, carry_on=read, clean=rebuilding.clean, is_busy=is_busy)
        return cls(inspection, mending)

    async def examine(self, *, fix: bool = False) -> InspectionOut:
        """Raises Conflict while another examination is under way."""
        if self._busy.locked():
            raise Conflict("an examination is under way already; wait for its end")
        async with self._busy:
            found = await self._inspection.look()
            if fix:
                await self._mending.mend(found)
            return _shown(found)


async def _unfinished(stores: Stores) -> int:
    async with stores.db.read() as session:
        return await rows.unfinished_count(session)


def _shown(found: Found) -> InspectionOut:
    return InspectionOut(
        findings=found.findings, notes=found.notes, files=found.files, chunks=found.chunks, vectors=found.vectors
    )
