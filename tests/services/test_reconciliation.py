"""What a crash or a fault left undone is found and done: jobs, removals, blobs that no row knows."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from app.core.enums import FileStatus
from app.core.errors import NotFound
from app.db.models import File
from app.db.session import Database
from app.rag.vectors import ChromaProcess
from app.services.blobs import BlobKey
from app.services.ingestion import job_id
from app.services.jobs import runtime
from tests.services.library import Counts, Library, blobs_of, gone, parser_of, pieces, prose, running

TEXT = prose(30).encode()
NOTHING = Counts(0, 0, 0, 0)


class Breakable:
    """A VectorStore that can be out of reach."""

    def __init__(self, store: ChromaProcess) -> None:
        self._store = store
        self.down = False
        self.add, self.query, self.count, self.aclose = store.add, store.query, store.count, store.aclose

    async def delete(self, owner: UUID, file_id: UUID) -> None:
        if self.down:
            raise ConnectionError("the vector store is down")
        await self._store.delete(owner, file_id)


async def test_a_deletion_without_the_vector_store_is_finished_later(
    sqlite_db: Database, tmp_path: Path, chroma: ChromaProcess
) -> None:
    store = Breakable(chroma)
    async with running(Library(sqlite_db, tmp_path, vectors=store)) as library:
        owner = await library.user()
        file = await library.ready(owner, TEXT)
        store.down = True
        await library.documents.delete(owner, file.id)
        with pytest.raises(NotFound):
            await library.documents.get(owner, file.id)
        assert await library.found(owner, "violin") == set()
        assert (await library.counts(owner, file.id)).vectors > 0
        store.down = False
        await library.reconciliation.sweep(timedelta(0))
        await gone(library, owner, file.id)


async def test_unfinished_files_without_a_job_get_one(library: Library) -> None:
    owner = await library.user()
    lost = [
        File(id=uuid4(), user_id=owner, name="a.txt", media_type="text/plain", size_bytes=1, sha256="-", status=status)
        for status in (FileStatus.STORED, FileStatus.PARSING)
    ]
    for file in lost:
        await library.blobs.put(BlobKey(owner, file.id), pieces(TEXT), max_bytes=1 << 20)
    async with library.db.begin() as session:
        session.add_all(lost)
    await library.reconciliation.carry_on()
    for file in lost:
        assert (await library.until(owner, file.id)).status == FileStatus.READY


async def test_a_file_whose_job_ended_without_finishing_it_gets_a_new_attempt(scripted: Library) -> None:
    owner = await scripted.user()
    file = await scripted.upload(owner, TEXT)
    await parser_of(scripted).reached.wait()
    await scripted.jobs.cancel(job_id(file.id, 1))
    parser_of(scripted).gate.set()
    await scripted.reconciliation.carry_on()
    ready = await scripted.until(owner, file.id)
    assert (ready.status, ready.attempt) == (FileStatus.READY, 2)


async def test_a_file_that_ends_the_service_again_and_again_is_failed(scripted: Library, tmp_path: Path) -> None:
    owner = await scripted.user()
    file = await scripted.upload(owner, TEXT)
    await parser_of(scripted).reached.wait()
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as jobs, jobs:
        jobs.execute(
            "UPDATE workflow_status SET status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED' WHERE workflow_uuid = ?",
            [job_id(file.id, 1)],
        )
    await scripted.reconciliation.carry_on()
    failed = await scripted.documents.get(owner, file.id)
    assert failed.status == FileStatus.FAILED
    assert failed.error is not None
    assert failed.error["code"] == "crashed"
    assert await scripted.counts(owner, file.id) == NOTHING


async def test_blobs_that_no_row_knows_are_removed_and_others_stay(library: Library) -> None:
    owner = await library.user()
    kept = await library.ready(owner, TEXT)
    orphan = BlobKey(owner, uuid4())
    await library.blobs.put(orphan, pieces(TEXT), max_bytes=1 << 20)
    await library.reconciliation.sweep()
    assert await blobs_of(library) == {kept.id, orphan.file_id}
    await library.reconciliation.sweep(timedelta(0))
    assert await blobs_of(library) == {kept.id}
    assert (await library.documents.get(owner, kept.id)).status == FileStatus.READY


async def test_more_files_than_jobs_are_wanted_at_once_wait_in_their_rows(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "MAX_LIVE", 3)
    monkeypatch.setattr(runtime, "FEW_LIVE", 1)
    library.embedder.waits_after = 0
    owner = await library.user()
    uploaded = [await library.upload(owner, TEXT + b"%d" % n) for n in range(3)]
    await library.embedder.reached.wait()
    async with asyncio.timeout(30):
        while library.jobs.has_room():  # noqa: ASYNC110 - jobs begin in their runtime's thread
            await asyncio.sleep(0.01)
    waiting = [await library.upload(owner, TEXT + b"later %d" % n) for n in range(6)]
    await library.reconciliation.carry_on()
    states = await library.jobs.states([job_id(file.id, 1) for file in uploaded + waiting])
    assert set(states) == {job_id(file.id, 1) for file in uploaded}
    library.reconciliation.start()
    library.embedder.gate.set()
    for file in uploaded + waiting:
        assert (await library.until(owner, file.id)).status == FileStatus.READY
