"""Documents: uploads are read and found, told of, retried, cancelled and deleted, and users are kept apart."""

import asyncio
from functools import partial
from uuid import UUID, uuid4

import pytest

from app.core.enums import FileStatus
from app.core.errors import Conflict, NotFound, ValidationFailed
from app.crud import files, scope
from app.db.models import File
from app.rag.pages import ParseError
from app.services.blobs import BlobKey
from app.services.ingestion import job_id
from app.services.jobs import JobState
from tests.services.library import Counts, Library, conversation, gone, parser_of, prose

NOTHING = Counts(0, 0, 0, 0)
TEXT = prose(30).encode()


async def searched(
    library: Library, owner: UUID, conversation_id: UUID | None, file_ids: list[UUID] | None
) -> list[UUID]:
    """The files that a question of this user searches."""
    wanted = scope.Wanted(file_ids)
    ask = partial(scope.searched, reader=owner, wanted=wanted, conversation_id=conversation_id)
    return list((await library.db.query(ask)).file_ids)


async def test_an_upload_is_stored_read_and_found(library: Library) -> None:
    owner = await library.user()
    accepted = await library.upload(owner, TEXT, name="../dir/notes.txt")
    assert (accepted.status, accepted.name, accepted.size_bytes) == (FileStatus.STORED, "notes.txt", len(TEXT))
    assert library.blobs.path(BlobKey(owner, accepted.id)).read_bytes() == TEXT
    file = await library.until(owner, accepted.id)
    assert (file.status, file.media_type) == (FileStatus.READY, "text/plain")
    counts = await library.counts(owner, file.id)
    assert counts == Counts(file.pages_done, file.chunks_done, file.chunks_done, file.chunks_done)
    assert await library.found(owner, "violin") == {file.id}


async def test_a_page_is_told_of_every_status_and_of_the_end(library: Library) -> None:
    owner = await library.user()
    told: list[bytes] = []
    reading = asyncio.create_task(read_until_ready(library, owner, told))
    await asyncio.sleep(0)
    await library.ready(owner, TEXT)
    await reading
    assert all(frame.splitlines()[1] == b"event: file" for frame in told)
    assert b'"status":"ready"' in told[-1]
    assert b'"status":"stored"' in told[0]


async def read_until_ready(library: Library, owner: UUID, told: list[bytes]) -> None:
    async with asyncio.timeout(30):
        async for frame in library.events.tail(owner, None):
            told.append(frame)
            if b'"status":"ready"' in frame:
                return


async def test_a_failed_file_leaves_no_text_and_can_be_retried(scripted: Library) -> None:
    parser = parser_of(scripted)
    parser.waits_at, parser._error = 0, ParseError("damaged", "page 41 cannot be read")
    owner = await scripted.user()
    file = await scripted.upload(owner, TEXT)
    failed = await scripted.until(owner, file.id)
    assert (failed.status, failed.error) == (
        FileStatus.FAILED,
        {"code": "damaged", "message": "page 41 cannot be read"},
    )
    assert await scripted.counts(owner, file.id) == NOTHING
    parser._error = None
    retried = await scripted.documents.retry(owner, file.id)
    assert (retried.status, retried.attempt, retried.error) == (FileStatus.STORED, 2, None)
    ready = await scripted.until(owner, file.id)
    assert (ready.status, ready.pages_done) == (FileStatus.READY, 40)
    with pytest.raises(Conflict, match="is ready; only failed and cancelled"):
        await scripted.documents.retry(owner, file.id)


async def test_cancel_stops_the_reading_and_retry_begins_again(scripted: Library) -> None:
    parser = parser_of(scripted)
    owner = await scripted.user()
    file = await scripted.upload(owner, TEXT)
    await parser.reached.wait()
    with pytest.raises(Conflict, match="is parsing"):
        await scripted.documents.retry(owner, file.id)
    assert (await scripted.documents.cancel(owner, file.id)).status == FileStatus.CANCELLED
    await scripted.documents.aclose()
    assert parser.closed == 1
    assert await scripted.jobs.states([job_id(file.id, 1)]) == {job_id(file.id, 1): JobState.CANCELLED}
    assert await scripted.counts(owner, file.id) == NOTHING
    assert (await scripted.documents.cancel(owner, file.id)).status == FileStatus.CANCELLED
    parser.gate.set()
    await scripted.documents.retry(owner, file.id)
    assert (await scripted.until(owner, file.id)).status == FileStatus.READY
    with pytest.raises(Conflict, match="is ready already"):
        await scripted.documents.cancel(owner, file.id)


async def test_deleting_while_it_is_read_leaves_nothing(scripted: Library) -> None:
    owner = await scripted.user()
    file = await scripted.upload(owner, TEXT)
    await parser_of(scripted).reached.wait()
    await scripted.documents.delete(owner, file.id)
    assert parser_of(scripted).closed == 1
    await gone(scripted, owner, file.id)


async def test_deleting_while_it_is_embedded_leaves_nothing(scripted: Library) -> None:
    parser_of(scripted).gate.set()
    scripted.embedder.waits_after = 64
    owner = await scripted.user()
    file = await scripted.upload(owner, TEXT)
    await scripted.embedder.reached.wait()
    assert (await scripted.counts(owner, file.id)).vectors == 64
    await scripted.documents.delete(owner, file.id)
    await gone(scripted, owner, file.id)


async def test_a_conversation_takes_its_files_along(library: Library) -> None:
    owner, other = await library.user(), await library.user()
    talk = await conversation(library, owner)
    inside = [await library.ready(owner, TEXT + b"%d" % n, conversation_id=talk) for n in range(2)]
    outside = await library.ready(owner, TEXT)
    await library.documents.delete_for_conversation(other, talk)
    assert (await library.documents.get(owner, inside[0].id)).status == FileStatus.READY
    await library.documents.delete_for_conversation(owner, talk)
    for file in inside:
        await gone(library, owner, file.id)
    assert await library.found(owner, "violin") == {outside.id}


async def test_which_files_a_question_searches(scripted: Library) -> None:
    parser_of(scripted).waits_at = 0
    owner = await scripted.user()
    talk, empty, waiting = [await conversation(scripted, owner) for _ in range(3)]
    assert await searched(scripted, owner, talk, None) == []
    library_file = await scripted.ready(owner, TEXT)
    talk_file = await scripted.ready(owner, TEXT, conversation_id=talk)
    assert await searched(scripted, owner, talk, None) == [talk_file.id]
    assert await searched(scripted, owner, empty, None) == [library_file.id]
    assert await searched(scripted, owner, None, None) == [library_file.id]
    assert await searched(scripted, owner, talk, [library_file.id, library_file.id]) == [library_file.id]
    assert await searched(scripted, owner, talk, []) == []
    parser_of(scripted).waits_at = 20
    unread = await scripted.upload(owner, TEXT, conversation_id=waiting)
    await parser_of(scripted).reached.wait()
    assert await searched(scripted, owner, waiting, None) == []
    with pytest.raises(Conflict, match=r"notes\.txt") as caught:
        await searched(scripted, owner, None, [library_file.id, unread.id])
    assert caught.value.details == {"files": {str(unread.id): "parsing"}}
    with pytest.raises(NotFound):
        await searched(scripted, owner, None, [uuid4()])
    with pytest.raises(NotFound):
        await searched(scripted, await scripted.user(), None, [library_file.id])


async def test_a_file_without_its_bytes_is_failed(library: Library) -> None:
    owner = await library.user()
    file = await library.ready(owner, TEXT)
    await library.blobs.delete(BlobKey(owner, file.id))
    with pytest.raises(NotFound, match="upload it again"):
        await library.documents.content(owner, file.id)
    async with library.db.begin() as session:
        row = await session.get(File, file.id)
        assert row is not None
        row.status = FileStatus.CANCELLED
    await library.documents.retry(owner, file.id)
    failed = await library.until(owner, file.id)
    assert failed.error == {
        "code": "blob_missing",
        "message": "the stored file is not there any more; upload it again",
    }


async def test_no_method_reaches_another_users_file(library: Library) -> None:
    owner, stranger = await library.user(), await library.user()
    file = await library.ready(owner, TEXT)
    documents = library.documents
    for attempt in (
        documents.get(stranger, file.id),
        documents.page(stranger, file.id, 1),
        documents.content(stranger, file.id),
        documents.retry(stranger, file.id),
        documents.cancel(stranger, file.id),
        documents.delete(stranger, file.id),
        documents.scope(stranger, scope.Wanted([file.id])),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await documents.newest(stranger, files.Filter(), limit=9, cursor=None))[0] == []
    assert await searched(library, stranger, None, None) == []
    assert await library.found(stranger, "violin") == set()
    assert (await documents.get(owner, file.id)).status == FileStatus.READY


async def test_lists_page_by_page_and_filter(library: Library) -> None:
    owner = await library.user()
    talk = await conversation(library, owner)
    uploaded = [await library.upload(owner, TEXT + b"%d" % n, name=f"Report {n}.txt") for n in range(5)]
    inside = await library.upload(owner, TEXT, name="100% sure.txt", conversation_id=talk)
    newest_first = [inside.id, *(file.id for file in reversed(uploaded))]
    seen: list[UUID] = []
    cursor: str | None = None
    for _ in range(10):
        rows, cursor = await library.documents.newest(owner, files.Filter(), limit=2, cursor=cursor)
        seen += [file.id for file in rows]
        if cursor is None:
            break
    assert seen == newest_first
    for which, expected in (
        (files.Filter(conversation_id=talk), [inside.id]),
        (files.Filter(name="report 3"), [uploaded[3].id]),
        (files.Filter(name="0% S"), [inside.id]),
        (files.Filter(status=FileStatus.FAILED), []),
    ):
        rows, cursor = await library.documents.newest(owner, which, limit=9, cursor=None)
        assert ([file.id for file in rows], cursor) == (expected, None)
    with pytest.raises(ValidationFailed, match="cursor="):
        await library.documents.newest(owner, files.Filter(), limit=9, cursor="nonsense")
