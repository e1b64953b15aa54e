"""The doctor: each kind of drift is planted, found by its name, mended, and not found again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import delete, text, update

from app.core.enums import FileStatus
from app.db.models import Chunk, File, FilePage, Posting, User
from app.db.session import Database
from app.rag.vectors import ChromaProcess
from app.schemas.inspection import Drift, InspectionOut
from app.services.blobs import BlobKey
from app.services.doctoring import Doctor
from app.services.mending import Stores
from tests.services.library import SETTINGS, Library, conversation, gone, pieces, prose, running

TEXT = prose(60).encode()
Plant = Callable[[Library, UUID, UUID], Awaitable[None]]


@pytest.fixture
async def own_chroma(tmp_path: Path) -> AsyncIterator[ChromaProcess]:
    """One of its own, since the doctor looks at everything in it."""
    store = ChromaProcess(tmp_path / "vectors", prefix="test")
    yield store
    await store.aclose()


@pytest.fixture
async def home(db: Database, tmp_path: Path, own_chroma: ChromaProcess) -> AsyncIterator[Library]:
    async with running(Library(db, tmp_path, vectors=own_chroma)) as library:
        yield library


def doctor(library: Library) -> Doctor:
    stores = Stores(library.db, library.blobs, library.vectors, library.index, SETTINGS)
    return Doctor.in_service(stores, library.jobs, library.documents, library.rebuilding)


async def no_text(library: Library, owner: UUID, file_id: UUID) -> None:
    async with library.db.begin() as session:
        if library.db.is_sqlite:
            ids = f"SELECT id FROM chunks WHERE file_id = '{file_id.hex}' LIMIT 3"
            await session.execute(text(f"DELETE FROM chunks_fts WHERE rowid IN ({ids})"))
        else:
            await session.execute(delete(Posting).where(Posting.user_id == owner))


async def text_without_rows(library: Library, owner: UUID, file_id: UUID) -> None:
    async with library.db.begin() as session:
        if library.db.is_sqlite:
            await session.execute(text("INSERT INTO chunks_fts (rowid, words) VALUES (999999, 'stray words')"))
        else:
            await session.execute(text("SET LOCAL session_replication_role = replica"))  # without foreign keys
            await session.execute(
                text("INSERT INTO postings (chunk_id, term, user_id, frequency) VALUES (999999, 'stray', :u, 1)"),
                {"u": owner},
            )


async def rows_of_a_failed_file(library: Library, owner: UUID, file_id: UUID) -> None:
    async with library.db.begin() as session:
        failed = File(id=uuid4(), user_id=owner, name="f", media_type="t", size_bytes=1, sha256="", attempt=1)
        failed.status = FileStatus.FAILED
        session.add(failed)
        await session.flush()
        session.add(Chunk(**{**_chunk(failed.id, owner), "generation": 0}))
    await library.blobs.put(BlobKey(owner, failed.id), pieces(b"x"), max_bytes=9)


async def rows_of_an_unknown_index(library: Library, owner: UUID, file_id: UUID) -> None:
    async with library.db.begin() as session:
        session.add(Chunk(**{**_chunk(file_id, owner), "generation": 77}))


def _chunk(file_id: UUID, owner: UUID) -> dict[str, object]:
    places = dict.fromkeys(("ordinal", "page_from", "page_to", "char_from", "char_to", "terms"), 0)
    return {"file_id": file_id, "user_id": owner, "text": "stray", "fingerprint": "x", **places}


async def fewer_chunks(library: Library, owner: UUID, file_id: UUID) -> None:
    async with library.db.begin() as session:
        await session.execute(delete(Chunk).where(Chunk.file_id == file_id, Chunk.ordinal.in_([1, 2])))


async def no_pages(library: Library, owner: UUID, file_id: UUID) -> None:
    async with library.db.begin() as session:
        await session.execute(delete(FilePage).where(FilePage.file_id == file_id))


async def no_vectors(library: Library, owner: UUID, file_id: UUID) -> None:
    assert library.vectors is not None
    for holding in await library.vectors.collections():
        async for page in library.vectors.names(holding.collection):
            some = [vector for vector in page if vector.file == file_id.hex and vector.ordinal % 3 == 1]
            await library.vectors.discard(holding.collection, some)


async def too_many_vectors(library: Library, owner: UUID, file_id: UUID) -> None:
    await _add(library, owner, file_id, [900, 901], "words@1/32")


async def vectors_of_a_deleted_file(library: Library, owner: UUID, file_id: UUID) -> None:
    await _add(library, owner, uuid4(), [0, 1], "words@1/32")


async def vectors_of_a_deleted_user(library: Library, owner: UUID, file_id: UUID) -> None:
    await _add(library, uuid4(), uuid4(), [0], "words@1/32")


async def vectors_of_another_space(library: Library, owner: UUID, file_id: UUID) -> None:
    await _add(library, owner, file_id, [0, 1], "somebody's@32")


async def _add(library: Library, owner: UUID, file_id: UUID, ordinals: list[int], space: str) -> None:
    assert library.vectors is not None
    await library.vectors.add(owner, file_id, ordinals, np.eye(len(ordinals), 32, dtype=np.float32), space=space)


async def blob_without_row(library: Library, owner: UUID, file_id: UUID) -> None:
    await library.blobs.put(BlobKey(owner, uuid4()), pieces(b"stray"), max_bytes=99)


async def row_without_blob(library: Library, owner: UUID, file_id: UUID) -> None:
    await library.blobs.delete(BlobKey(owner, file_id))


async def another_fingerprint(library: Library, owner: UUID, file_id: UUID) -> None:
    async with library.db.begin() as session:
        await session.execute(update(File).where(File.id == file_id).values(fingerprint="old@3|1|200"))


async def unfinished_without_job(library: Library, owner: UUID, file_id: UUID) -> None:
    async with library.db.begin() as session:
        await session.execute(
            update(File).where(File.id == file_id).values(status=FileStatus.EMBEDDING, attempt=5, chunks_done=0)
        )


PLANTED: list[tuple[Plant, Drift]] = [
    (no_text, Drift.TEXT_MISSING),
    (text_without_rows, Drift.TEXT_SURPLUS),
    (rows_of_a_failed_file, Drift.CHUNKS_STRAY),
    (rows_of_an_unknown_index, Drift.CHUNKS_STRAY),
    (fewer_chunks, Drift.CHUNKS_DIFFER),
    (no_pages, Drift.PAGES_MISSING),
    (no_vectors, Drift.VECTORS_MISSING),
    (too_many_vectors, Drift.VECTORS_SURPLUS),
    (vectors_of_a_deleted_file, Drift.VECTORS_SURPLUS),
    (vectors_of_a_deleted_user, Drift.VECTORS_SURPLUS),
    (vectors_of_another_space, Drift.VECTORS_SURPLUS),
    (blob_without_row, Drift.BLOB_STRAY),
    (another_fingerprint, Drift.STALE),
    (unfinished_without_job, Drift.NO_JOB),
    (row_without_blob, Drift.BLOB_MISSING),  # last, since what is read again says nothing of it any more
]


def kinds(found: InspectionOut) -> set[Drift]:
    return {finding.kind for finding in found.findings}


async def test_each_kind_of_drift_is_found_mended_and_not_found_again(home: Library) -> None:
    owner = await home.user()
    file_id = (await home.ready(owner, TEXT)).id
    other = (await home.ready(owner, TEXT + b" ", name="other.txt")).id
    examined = doctor(home)
    assert (await examined.examine()).findings == []
    before = await home.counts(owner, other)
    for plant, kind in PLANTED:
        await plant(home, owner, file_id)
        found = await examined.examine()
        assert kind in kinds(found), plant.__name__
        assert found.findings == (await examined.examine()).findings, "looking changes nothing"
        fixed = await examined.examine(fix=True)
        assert all(finding.mended for finding in fixed.findings) or kind is Drift.NO_JOB, (plant.__name__, fixed)
        assert (await home.until(owner, file_id)).status == FileStatus.READY
        if kind is Drift.NO_JOB:
            await examined.examine(fix=True)  # what is surplus is not deleted while a file is read
        assert (await examined.examine()).findings == [], plant.__name__
    assert await home.counts(owner, other) == before
    assert home.vectors is not None
    assert await home.found(owner, "violin") == {file_id, other}


async def test_nothing_is_deleted_while_a_file_is_read(home: Library) -> None:
    owner = await home.user()
    await home.ready(owner, TEXT)
    home.embedder.waits_after = home.embedder.embedded
    reading = await home.upload(owner, TEXT + b" ")
    await home.embedder.reached.wait()
    await blob_without_row(home, owner, reading.id)
    examined = doctor(home)
    found = await examined.examine(fix=True)
    assert [(finding.kind, finding.mended) for finding in found.findings] == [(Drift.BLOB_STRAY, False)]
    assert "nothing was deleted" in found.notes[0]
    home.embedder.gate.set()
    assert (await home.until(owner, reading.id)).status == FileStatus.READY
    await asyncio.sleep(0)
    assert [f.mended for f in (await examined.examine(fix=True)).findings] == [True]
    assert (await examined.examine()).findings == []


async def test_what_is_deleted_is_nowhere_any_more(home: Library) -> None:
    owner, leaver = await home.user(), await home.user()
    talk = await conversation(home, owner)
    alone, inside = await home.ready(owner, TEXT), await home.ready(owner, TEXT, conversation_id=talk)
    left = await home.ready(leaver, TEXT)
    await home.documents.delete(owner, alone.id)
    await home.documents.delete_for_conversation(owner, talk)
    for file in (alone, inside):
        await gone(home, owner, file.id)
    async with home.db.begin() as session:
        await session.execute(delete(User).where(User.id == leaver))
    examined = doctor(home)
    assert kinds(await examined.examine()) == {Drift.VECTORS_SURPLUS, Drift.BLOB_STRAY}
    assert all(finding.mended for finding in (await examined.examine(fix=True)).findings)
    await gone(home, leaver, left.id)
    assert (await examined.examine()).findings == []
