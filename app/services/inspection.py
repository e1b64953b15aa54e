"""Compares rows, text index, vectors and blobs, file by file, and says what is not as it should be."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.core.enums import FileStatus, IndexState
from app.core.errors import AppError
from app.crud import files as file_rows
from app.crud import index as index_rows
from app.crud import inspection as rows
from app.crud.files import embedder_of
from app.crud.index import Generation
from app.crud.inspection import Row
from app.db.session import Database
from app.rag.base import Holding, StoredVector, StoredVectors
from app.schemas.inspection import Drift, Finding
from app.services.blobs import Blobs
from app.services.index_writer import TEXT
from app.services.ingestion import job_id
from app.services.jobs.base import JobState
from app.services.jobs.runtime import FEW_LIVE, Jobs

LOST_BLOB: Final = "blob_missing"
LOOKED_AT: Final = 256  # of the files that are not read yet, the oldest


@dataclass(slots=True)
class Found:
    """What one pass has seen. `right`: how many vectors of the current index each file has."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: int = 0
    chunks: int = 0
    vectors: int = 0
    right: Counter[UUID] = field(default_factory=Counter)

    def add(self, kind: Drift, count: int, detail: str, row: Row | None = None, **more: object) -> None:
        of_file = {} if row is None else {"file_id": row.id, "owner": row.owner}
        self.findings.append(
            Finding.model_validate({"kind": kind, "count": count, "detail": detail, **of_file, **more})
        )


class Inspection:
    """One pass over everything, in bounded memory. Files that are being read are passed over.

    `stored` None: vectors are not looked at. `jobs` None: nor is whether unfinished files have a job.
    """

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        stored: StoredVectors | None,
        *,
        jobs: Jobs | None = None,
        is_receiving: Callable[[UUID], bool] = lambda _: False,
    ) -> None:
        self._db, self._blobs, self._stored, self._jobs = db, blobs, stored, jobs
        self._is_receiving = is_receiving

    async def look(self) -> Found:
        """Raises nothing for a part that cannot be looked at: `notes` say so."""
        found = Found()
        current = await self._db.query(index_rows.current) or Generation(0, TEXT)
        try:
            await self._vectors(current, found)
            with_vectors = self._stored is not None and current.embedder != TEXT
        except AppError as error:
            found.notes.append(f"vectors were not looked at: {error.message}")
            with_vectors = False
        blobs = await self._blob_ids(found)
        async for row in self._rows(current):
            found.files += 1
            found.chunks += row.chunks
            if row.is_ready:
                await self._ready_file(row, current, found)
                if with_vectors and embedder_of(row.fingerprint) == current.embedder:
                    self._missing_vectors(row, found)
            if row.id not in blobs and row.error_code != LOST_BLOB and row.status != FileStatus.CANCELLED:
                found.add(Drift.BLOB_MISSING, 1, f"the bytes of {row.name!r} are gone; upload it again", row)
        await self._strays(found)
        await self._unfinished(found)
        return found

    async def _rows(self, current: Generation) -> AsyncIterator[Row]:
        after: UUID | None = None
        while True:
            async with self._db.read() as session:
                page = await rows.page(session, current.id, after)
            for row in page:
                yield row
            if len(page) < rows.PAGE:
                return
            after = page[-1].id

    async def _ready_file(self, row: Row, current: Generation, found: Found) -> None:
        counted = {row.chunks_total, row.chunks_done, row.chunks, row.last + 1}
        if row.pages != row.pages_done:
            found.add(Drift.PAGES_MISSING, abs(row.pages_done - row.pages), f"{row.name!r}: {row.pages} pages", row)
        elif len(counted) > 1:
            detail = f"{row.name!r}: {row.chunks} passages are stored of {row.chunks_total}"
            found.add(Drift.CHUNKS_DIFFER, abs(row.chunks_total - row.chunks), detail, row)
        elif embedder_of(row.fingerprint) != current.embedder:
            found.add(Drift.STALE, row.chunks, f"{row.name!r} is of {embedder_of(row.fingerprint)!r}", row)
        else:
            async with self._db.read() as session:
                wrong = await rows.wrong_entries(session, row, current.id)
            if wrong:
                found.add(Drift.TEXT_MISSING, wrong, f"{row.name!r}: passages that words do not find", row)

    def _missing_vectors(self, row: Row, found: Found) -> None:
        if (missing := row.chunks - found.right[row.id]) > 0:
            found.add(Drift.VECTORS_MISSING, missing, f"{row.name!r}: passages that meaning does not find", row)

    async def _vectors(self, current: Generation, found: Found) -> None:
        """What is too much, and how many of each file are right."""
        if self._stored is None:
            found.notes.append("vectors were not looked at")
            return
        async with self._db.read() as session:
            building = await index_rows.by_state(session, IndexState.BUILDING)
        beside = {Generation(row.id, embedder_of(row.fingerprint)).space for row in building}
        for holding in await self._stored.collections():
            found.vectors += holding.vectors
            if holding.space in beside:
                found.notes.append(f"vectors of {holding.space} are being built")
            elif holding.vectors:
                for vectors in (await self.surplus(holding, current, found.right)).values():
                    detail = f"vectors of file {vectors[0].file}, which it should not have"
                    found.add(Drift.VECTORS_SURPLUS, len(vectors), detail, where=holding.collection)

    async def surplus(
        self, holding: Holding, current: Generation, right: Counter[UUID] | None = None
    ) -> dict[str, list[StoredVector]]:
        """The vectors of a collection that belong to no ready file of the current index, by file."""
        if self._stored is None:
            return {}
        surplus: defaultdict[str, list[StoredVector]] = defaultdict(list)
        async for page in self._stored.names(holding.collection):
            async with self._db.read() as session:
                known = await rows.known(session, sorted({UUID(vector.file) for vector in page}))
            for vector in page:
                owner, status, total = known.get(UUID(vector.file), (None, "", 0))
                if status and not FileStatus(status).is_final:
                    continue
                fits = status == FileStatus.READY and owner is not None and owner.hex == vector.owner
                if fits and holding.space == current.space and vector.ordinal < total:
                    if right is not None:
                        right[UUID(vector.file)] += 1
                else:
                    surplus[vector.file].append(vector)
        return surplus

    async def _blob_ids(self, found: Found) -> set[UUID]:
        keys = [each.key for each in await self._blobs.older_than(timedelta(0))]
        ids = {key.file_id for key in keys}
        async with self._db.read() as session:
            known = await rows.known(session, sorted(ids))
        for key in keys:
            if key.file_id not in known and not self._is_receiving(key.file_id):
                said = "bytes of a file that has no row"
                found.add(Drift.BLOB_STRAY, 1, said, file_id=key.file_id, owner=key.owner)
        return ids

    async def _strays(self, found: Found) -> None:
        async with self._db.read() as session:
            if entries := await rows.surplus_entries(session):
                found.add(Drift.TEXT_SURPLUS, entries, "entries of the text index whose passage is gone")
            if pages := await rows.orphan_pages(session):
                found.add(Drift.PAGES_STRAY, pages, "pages of files that are gone")
            for file_id, generation, count in await rows.stray_chunks(session):
                detail = f"passages of file {file_id} in index {generation}, which it should not have"
                found.add(Drift.CHUNKS_STRAY, count, detail, file_id=file_id, where=str(generation))
            for row in await index_rows.leftovers(session):
                found.add(Drift.INDEX_LEFT, 1, f"what is left of the index {row.fingerprint!r}", where=str(row.id))

    async def _unfinished(self, found: Found) -> None:
        async with self._db.read() as session:
            waiting = await file_rows.unfinished(session, limit=LOOKED_AT)
        if self._jobs is None:
            if waiting:
                found.notes.append(
                    f"{len(waiting)} files are unfinished: the next start of the service goes on with them"
                )
            return
        states = await self._jobs.states([job_id(file.id, file.attempt) for file in waiting])
        live = sum(state is JobState.LIVE for state in states.values())
        for file in waiting if live < FEW_LIVE else ():  # else they wait for their turn
            if states.get(job_id(file.id, file.attempt)) is not JobState.LIVE:
                said = f"{file.name!r} is {file.status} and nobody reads it"
                found.add(Drift.NO_JOB, 1, said, file_id=file.id, owner=file.user_id)
