"""The same bytes uploaded twice, at once, after a failure and after a cancel at any step."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from app.core.enums import FileStatus
from app.db.session import Database
from app.rag.pages import ParseError
from app.rag.vectors import ChromaProcess
from tests.services.library import Counts, Library, blobs_of, conversation, parser_of, prose, running

NOTHING = Counts(0, 0, 0, 0)
TEXT = prose(30).encode()


class SlowCount:
    """A VectorStore whose counts, with which a file is verified, wait for ever when they are told to."""

    def __init__(self, store: ChromaProcess) -> None:
        self._store = store
        self.reached, self.waits = asyncio.Event(), False
        self.add, self.query, self.delete, self.aclose = store.add, store.query, store.delete, store.aclose

    async def count(self, owner: UUID, file_id: UUID, *, space: str | None = None) -> int:
        if self.waits:
            self.reached.set()
            await asyncio.Event().wait()
        return await self._store.count(owner, file_id, space=space)


async def test_the_same_bytes_in_the_same_place_are_one_file(library: Library) -> None:
    owner, other = await library.user(), await library.user()
    talk = await conversation(library, owner)
    places = [(owner, None), (owner, talk), (other, None)]
    first = [await library.upload(who, TEXT, conversation_id=where) for who, where in places]
    assert len({file.id for file in first}) == 3
    again = [
        await library.upload(who, TEXT, name="copy.txt", conversation_id=where, key=str(where)) for who, where in places
    ]
    assert [file.id for file in again] == [file.id for file in first]
    assert await blobs_of(library) == {file.id for file in first}
    repeated = await library.upload(owner, TEXT, name="copy.txt", key="None")
    assert repeated.id == first[0].id
    assert (await library.upload(owner, TEXT + b"!")).id not in {file.id for file in first}
    await library.until(owner, first[0].id)
    await library.documents.delete(owner, first[0].id)
    assert (await library.upload(owner, TEXT)).id != first[0].id


async def test_many_uploads_of_the_same_bytes_at_once_are_one_file(db: Database, tmp_path: Path) -> None:
    async with running(Library(db, tmp_path)) as library:
        owner = await library.user()
        found = await asyncio.gather(*(library.upload(owner, TEXT) for _ in range(8)))
        assert len({file.id for file in found}) == 1
        assert await blobs_of(library) == {found[0].id}
        assert (await library.until(owner, found[0].id)).status == FileStatus.READY


async def test_a_failed_file_is_read_again_when_it_is_uploaded_again(scripted: Library) -> None:
    parser = parser_of(scripted)
    parser.waits_at, parser._error = 0, ParseError("damaged", "page 41 cannot be read")
    owner = await scripted.user()
    failed = await scripted.upload(owner, TEXT)
    assert (await scripted.until(owner, failed.id)).status == FileStatus.FAILED
    parser._error = None
    again = await scripted.upload(owner, TEXT)
    assert (again.id, again.status, again.attempt) == (failed.id, FileStatus.STORED, 2)
    assert (await scripted.until(owner, failed.id)).status == FileStatus.READY


@pytest.mark.parametrize("step", [FileStatus.STORED, FileStatus.EMBEDDING, FileStatus.INDEXING])
async def test_cancel_at_any_step_leaves_nothing_to_be_found(
    sqlite_db: Database, tmp_path: Path, chroma: ChromaProcess, step: FileStatus
) -> None:
    vectors = SlowCount(chroma)
    async with running(Library(sqlite_db, tmp_path, vectors=vectors)) as library:
        owner = await library.user()
        before = [await library.upload(owner, TEXT + b"%d" % n) for n in range(3)] if step == FileStatus.STORED else []
        library.embedder.waits_after = 0 if before else 32 if step == FileStatus.EMBEDDING else 1 << 30
        vectors.waits = step == FileStatus.INDEXING
        file = await library.upload(owner, prose(200).encode())
        if not before:
            await (vectors.reached if vectors.waits else library.embedder.reached).wait()
        assert (await library.documents.get(owner, file.id)).status == step
        assert (await library.documents.cancel(owner, file.id)).status == FileStatus.CANCELLED
        await library.documents.aclose()
        vectors.waits = False
        assert await library.counts(owner, file.id) == NOTHING
        assert await library.found(owner, "violin") == set()
        library.embedder.gate.set()
        assert (await library.upload(owner, prose(200).encode())).id == file.id
        assert (await library.until(owner, file.id)).status == FileStatus.READY
