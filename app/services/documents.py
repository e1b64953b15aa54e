"""A user's files: upload, look at, retry, cancel, delete, and which of them a question searches.

A file's blob is stored before its row and removed after everything else, so a blob without a row says what is left
to do. A deleted file's row goes first: from then on nothing finds it, whatever else takes longer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from loguru import logger

from app.core.enums import FileStatus
from app.core.errors import Conflict, NotFound
from app.crud import chunks as chunk_rows
from app.crud import files, scope
from app.crud.scope import Scope, Wanted
from app.crud.sharing import get_own_file, get_readable
from app.db.models import File, FilePage
from app.db.session import AsyncSession, Database
from app.services.blobs import BlobKey, Blobs
from app.services.ingestion import Ingestion, job_id
from app.services.jobs import Jobs
from app.services.progress import FileProgress
from app.services.receiving import RETRYABLE, Asked, Received, accept, has_unread
from app.services.uploads import Limits, Sniffed, UploadFields, clean_name

REMOVAL_TIMEOUT_S = 20
Fields = Callable[[], Awaitable[UploadFields]]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page's text and the file it is of."""

    file: File
    page: FilePage


class Documents:
    """Every method names who asks: what he may not read is not found. Whoever a file is shared with may only look."""

    def __init__(
        self, *, db: Database, blobs: Blobs, jobs: Jobs, ingestion: Ingestion, progress: FileProgress, limits: Limits
    ) -> None:
        self.limits = limits
        self._db = db
        self._blobs = blobs
        self._jobs = jobs
        self._ingestion = ingestion
        self._progress = progress
        self._tasks: set[asyncio.Task[None]] = set()
        self._receiving: set[UUID] = set()

    def is_receiving(self, file_id: UUID) -> bool:
        """Whether an upload is under way, whose blob has no row yet."""
        return file_id in self._receiving

    @property
    def is_receiving_any(self) -> bool:
        """Whether any upload is under way."""
        return bool(self._receiving)

    async def upload(
        self, owner: UUID, name: str, source: AsyncIterator[bytes], *, fields: Fields, key: str | None = None
    ) -> Received:
        """Store a file and start its ingestion. `fields` is asked when `source` has ended.

        The same bytes in the same place are one file: the first, which is read again if it failed or was cancelled.
        Raises TooLarge, UnsupportedType, ValidationFailed (empty, or the key was used with another file), StorageFull,
        NotFound (conversation); then nothing is left behind.
        """
        blob = BlobKey(owner, uuid4())
        self._receiving.add(blob.file_id)
        try:
            async with self._db.read() as session:
                used = await files.used_bytes(session)
            self.limits.check_room(used_bytes=used, more_bytes=1, free_bytes=await self._blobs.free_bytes())
            name = clean_name(name)
            sniffed = await Sniffed.of(source, name)
            stored = await self._blobs.put(blob, sniffed.source(), max_bytes=self.limits.max_bytes)
            media_type = await sniffed.media_type(self._blobs.path(blob))
            file = File(id=blob.file_id, user_id=owner, name=name, media_type=media_type)
            received = await accept(self._db, self.limits, file, stored, Asked(await fields(), key))
        except BaseException:
            await self._blobs.delete(blob)
            raise
        finally:
            self._receiving.discard(blob.file_id)
        if received.file.id != blob.file_id:
            await self._blobs.delete(blob)
        if received.file.status == FileStatus.STORED:  # new or to be read again; enqueuing it twice is harmless
            self._progress.tell(received.file)
            self._later(self._enqueue(received.file.id, received.file.attempt))
        return received

    def needs_reindex(self, file: File) -> bool:
        """Whether a file is found by its words alone, since another model embedded it."""
        return self._ingestion.index.needs_reindex(file)

    async def newest(
        self,
        owner: UUID,
        which: files.Filter,
        *,
        limit: int,
        cursor: str | None,
        needs_reindex: bool = False,
    ) -> tuple[list[File], str | None]:
        """One page of the list, newest first, and the cursor of the next one. `needs_reindex`: only such files."""
        if needs_reindex:
            embedder = self._ingestion.index.known
            if embedder is None:
                return [], None
            which = replace(which, not_of=embedder)
        async with self._db.read() as session:
            return await files.newest(session, owner, which, limit=limit, cursor=cursor)

    async def get(self, owner: UUID, file_id: UUID) -> File:
        """A file of one's own, or one that is shared. Raises NotFound."""
        async with self._db.read() as session:
            return await get_readable(session, file_id, owner)

    async def page(self, owner: UUID, file_id: UUID, number: int) -> Leaf:
        """Raises NotFound for a page that the file does not have, or not yet."""
        async with self._db.read() as session:
            file = await get_readable(session, file_id, owner)
            page = await files.page(session, file_id, number)
        if page is None:
            raise NotFound(f"file {file.name!r} has no page {number}; it has {file.pages_done} so far")
        return Leaf(file, page)

    async def content(self, owner: UUID, file_id: UUID) -> tuple[File, Path]:
        """A file and where its bytes are. Raises NotFound."""
        file = await self.get(owner, file_id)
        blob = BlobKey(file.user_id, file_id)
        if not await self._blobs.exists(blob):
            raise NotFound(f"the bytes of file {file.name!r} are not there any more; upload it again")
        return file, self._blobs.path(blob)

    async def retry(self, owner: UUID, file_id: UUID) -> File:
        """Read a failed or cancelled file again, or a ready one with unread pages; embed one of another model again.

        Raises Conflict for any other, and ModelUnavailable, with the file as it was, when nothing can be embedded now.
        """
        if self.needs_reindex(await self.get(owner, file_id)):
            await self._ingestion.index.check()
        async with self._db.begin() as session:
            file = await get_own_file(session, file_id, owner)
            if self.needs_reindex(file):
                await files.embed_again(session, file)
            elif file.status in RETRYABLE or has_unread(file):
                await chunk_rows.delete_file(session, file_id)
                await files.reset(session, file)
            else:
                raise Conflict(
                    f"file {file.name!r} is {file.status}; only failed and cancelled ones can be retried, and those "
                    "with pages that could not be read or that another model embedded",
                    details={"status": file.status},
                )
        self._progress.tell(file)
        self._later(self._enqueue(file.id, file.attempt))
        return file

    async def cancel(self, owner: UUID, file_id: UUID) -> File:
        """Stop an ingestion. Raises Conflict for a file that is ready or failed."""
        async with self._db.begin() as session:
            file = await get_own_file(session, file_id, owner)
            if file.status == FileStatus.CANCELLED:
                return file
            if FileStatus(file.status).is_final:
                raise Conflict(f"file {file.name!r} is {file.status} already", details={"status": file.status})
            file.status = FileStatus.CANCELLED
            await chunk_rows.delete_file(session, file_id)
            await files.delete_pages(session, file_id)
        self._progress.tell(file)
        self._later(self._stop(file))
        return file

    async def delete(self, owner: UUID, file_id: UUID) -> None:
        """The file is not found any more when this returns, by search or otherwise. Raises NotFound.

        What cannot be removed now, since the vector store is down, is removed by reconciliation.
        """
        async with self._db.begin() as session:
            file = await get_own_file(session, file_id, owner)
            await _delete_rows(session, file)
        await self._remove(file)

    async def delete_for_conversation(self, owner: UUID, conversation_id: UUID) -> None:
        """All files of a conversation, like `delete`. To be called before the conversation's own row goes."""
        async with self._db.begin() as session:
            found = await files.in_conversation(session, owner, conversation_id)
            for file in found:
                await _delete_rows(session, file)
        await asyncio.gather(*(self._remove(file) for file in found))

    async def scope(self, reader: UUID, wanted: Wanted) -> Scope | None:
        """What a search without a conversation searches; None: all files of the reader's own.

        Raises NotFound, or Conflict with the states of named files that are not ready.
        """
        if wanted == Wanted():
            return None
        return await self._db.query(partial(scope.searched, reader=reader, wanted=wanted, everywhere=True))

    async def start_again(self, file: File) -> None:
        """Give an unfinished file a new attempt, after its job ended without finishing it."""
        async with self._db.begin() as session:
            moved = await files.advance(session, file.id, file.attempt, {"attempt": file.attempt + 1})
        if moved is not None:
            await self._enqueue(moved.id, moved.attempt)

    async def enqueue(self, file: File) -> None:
        """Start the job of a file's attempt, unless there is one."""
        await self._enqueue(file.id, file.attempt)

    async def aclose(self) -> None:
        """Wait for what was begun in the background."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=REMOVAL_TIMEOUT_S)

    async def _enqueue(self, file_id: UUID, attempt: int) -> None:
        """While many jobs wait, the row does, until reconciliation comes to it."""
        if not self._jobs.has_room():
            return
        await self._jobs.enqueue("ingest", job_id(file_id, attempt), {"file_id": str(file_id), "attempt": str(attempt)})

    async def _stop(self, file: File) -> None:
        await self._jobs.cancel(job_id(file.id, file.attempt))
        if file.chunks_total is not None or file.attempt > 1:
            await self._ingestion.index.remove(file.user_id, file.id)

    async def _remove(self, file: File) -> None:
        """Say so, and remove all but the rows. A failure leaves the blob, which tells reconciliation what is left."""
        self._progress.tell_deleted(file)
        try:
            async with asyncio.timeout(REMOVAL_TIMEOUT_S):
                stopped = FileStatus(file.status).is_final or await self._jobs.cancel(job_id(file.id, file.attempt))
                if file.chunks_total is not None or file.attempt > 1:
                    await self._ingestion.index.remove(file.user_id, file.id)
                if stopped:
                    await self._blobs.delete(BlobKey(file.user_id, file.id))
        except Exception as error:
            logger.warning("file {} is deleted, what is left of it will be removed later: {!r}", file.id, error)

    def _later(self, work: "Awaitable[None]") -> None:
        """Run beside the request. If it fails, reconciliation does it again."""
        task = asyncio.ensure_future(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _delete_rows(session: AsyncSession, file: File) -> None:
    await chunk_rows.delete_file(session, file.id)
    await files.delete_row(session, file.id)


async def _logged(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception as error:
        logger.warning("reconciliation will repeat what failed: {!r}", error)
