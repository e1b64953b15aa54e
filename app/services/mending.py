"""Mends what an inspection has found. Nothing is deleted while files are uploaded or read."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from loguru import logger

from app.core.errors import AppError
from app.core.settings import DocumentSettings
from app.crud import chunks as chunk_rows
from app.crud import files as file_rows
from app.crud import index as index_rows
from app.crud import inspection as rows
from app.crud.index import Generation
from app.db.models import File
from app.db.session import Database
from app.rag.base import StoredVectors
from app.schemas.inspection import Drift, Finding
from app.services.blobs import BlobKey, Blobs
from app.services.indexing import Index
from app.services.inspection import LOST_BLOB, Found, Inspection
from app.services.splitting import piece

DELETES: Final = {
    *(Drift.TEXT_SURPLUS, Drift.CHUNKS_STRAY, Drift.PAGES_STRAY, Drift.VECTORS_SURPLUS, Drift.BLOB_STRAY),
}
GONE: Final = "the stored file is not there any more, its text is; upload it again to have it whole"
STEP: Final = 32
Work = Callable[[], Awaitable[None]]


class CannotMend(Exception):
    """This finding stays: the message says why."""


@dataclass(frozen=True, slots=True)
class Stores:
    """All that is mended."""

    db: Database
    blobs: Blobs
    stored: StoredVectors | None
    index: Index
    rules: DocumentSettings


class Mending:
    """`read` has an unfinished file read, now or soon; `carry_on` gives files without a job one.

    `clean` removes what is left of old indexes. `is_busy`: whether files are uploaded or read at this moment.
    """

    def __init__(
        self,
        stores: Stores,
        inspection: Inspection,
        *,
        read: Callable[[File], Awaitable[None]],
        carry_on: Callable[[File], Awaitable[None]],
        clean: Work,
        is_busy: Callable[[], Awaitable[bool]],
    ) -> None:
        self._to, self._inspection = stores, inspection
        self._read, self._carry_on, self._clean, self._is_busy = read, carry_on, clean, is_busy

    async def mend(self, found: Found) -> None:
        """Each finding says afterwards whether it was mended. What deletes goes first."""
        busy = await self._is_busy()
        if busy and any(finding.kind in DELETES for finding in found.findings):
            found.notes.append("nothing was deleted, since files are being uploaded or read: try again later")
        ordered = sorted(found.findings, key=lambda finding: finding.kind not in DELETES)
        found.findings[:] = [await self._one(finding, busy=busy) for finding in ordered]

    async def _one(self, finding: Finding, *, busy: bool) -> Finding:
        if busy and finding.kind in DELETES:
            return finding.model_copy(update={"mended": False})
        try:
            await self._work(finding)()
        except (AppError, CannotMend) as error:
            logger.warning("{} could not be mended: {}", finding.kind, error)
            return finding.model_copy(update={"mended": False, "detail": f"{finding.detail}; {error}"})
        return finding.model_copy(update={"mended": True})

    def _work(self, finding: Finding) -> Work:
        works: dict[Drift, Work] = {
            Drift.TEXT_SURPLUS: partial(self._rows, rows.delete_surplus_entries),
            Drift.PAGES_STRAY: partial(self._rows, rows.delete_orphan_pages),
            Drift.INDEX_LEFT: self._clean,
        }
        by_finding: dict[Drift, Callable[[Finding], Awaitable[None]]] = {
            Drift.CHUNKS_STRAY: self._stray_chunks,
            Drift.VECTORS_SURPLUS: self._surplus_vectors,
            Drift.BLOB_STRAY: self._stray_blob,
            Drift.BLOB_MISSING: self._missing_blob,
            Drift.TEXT_MISSING: self._text,
            Drift.VECTORS_MISSING: self._missing_vectors,
            Drift.NO_JOB: self._unfinished,
            Drift.STALE: self._again,
            Drift.CHUNKS_DIFFER: self._again,
            Drift.PAGES_MISSING: self._from_bytes,
        }
        return works[finding.kind] if finding.kind in works else partial(by_finding[finding.kind], finding)

    async def _rows(self, change: Callable[..., Awaitable[None]]) -> None:
        async with self._to.db.begin() as session:
            await change(session)

    async def _unfinished(self, finding: Finding) -> None:
        async with self._to.db.read() as session:
            file = await file_rows.get(session, _file_id(finding))
        if file is not None:
            await self._carry_on(file)

    async def _stray_chunks(self, finding: Finding) -> None:
        async with self._to.db.begin() as session:
            await chunk_rows.delete_chunks(session, _file_id(finding), int(finding.where or 0))

    async def _surplus_vectors(self, finding: Finding) -> None:
        """Looked for again: a file may have become ready since."""
        if self._to.stored is None:
            return
        current = await self._current()
        for holding in await self._to.stored.collections():
            if holding.collection == finding.where:
                for vectors in (await self._inspection.surplus(holding, current)).values():
                    await self._to.stored.discard(holding.collection, vectors)

    async def _stray_blob(self, finding: Finding) -> None:
        if finding.owner is None:
            return
        await self._to.index.remove(finding.owner, _file_id(finding))
        await self._to.blobs.delete(BlobKey(finding.owner, _file_id(finding)))

    async def _missing_blob(self, finding: Finding) -> None:
        """It cannot come back: the file says so from now on, and keeps its text."""
        async with self._to.db.begin() as session:
            await rows.note_error(session, _file_id(finding), LOST_BLOB, GONE)

    async def _text(self, finding: Finding) -> None:
        async with self._to.db.begin() as session:
            generation = await index_rows.hold_current(session)
            await rows.index_again(session, _file_id(finding), generation)

    async def _missing_vectors(self, finding: Finding) -> None:
        writer = await self._to.index.current(self._to.db, self._to.rules)
        if self._to.stored is None or writer.embedder is None:
            raise CannotMend("nobody can embed for this index now: build a new one with POST /api/v1/index/rebuild")
        there: defaultdict[str, set[int]] = defaultdict(set)
        async with self._to.db.read() as session:
            file = await file_rows.get(session, _file_id(finding))
            chunks = await chunk_rows.of_file(session, _file_id(finding), writer.generation.id)
        if file is None:
            return
        for holding in await self._to.stored.collections():
            if holding.space == writer.generation.space:
                async for page in self._to.stored.names(holding.collection):
                    there[file.id.hex] |= {vector.ordinal for vector in page if vector.file == file.id.hex}
        missing = [piece(row) for row in chunks if row.ordinal not in there[file.id.hex]]
        for first in range(0, len(missing), STEP):
            await writer.add(file, missing[first : first + STEP])

    async def _again(self, finding: Finding) -> None:
        """Cut and embedded again, from the stored pages."""
        await self._restart(finding, file_rows.embed_again)

    async def _from_bytes(self, finding: Finding) -> None:
        if not await self._to.blobs.exists(BlobKey(finding.owner or UUID(int=0), _file_id(finding))):
            raise CannotMend("its bytes are gone as well: delete it, or upload it again")
        await self._restart(finding, file_rows.reset)

    async def _restart(self, finding: Finding, change: Callable[..., Awaitable[None]]) -> None:
        async with self._to.db.begin() as session:
            file = await file_rows.get(session, _file_id(finding))
            if file is None:
                return
            await change(session, file)
        await self._read(file)

    async def _current(self) -> Generation:
        return await self._to.db.query(index_rows.current) or Generation(0, "")


def _file_id(finding: Finding) -> UUID:
    if finding.file_id is None:
        raise CannotMend("it names no file")
    return finding.file_id
