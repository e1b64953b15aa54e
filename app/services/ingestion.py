"""From a stored file to one that can be searched: parse, split, embed, index, verify.

The row says which step is done, so that a job that is run again goes on where a crash left it. Every change of the
row is fenced by its attempt: a job whose file was cancelled, deleted or retried meanwhile writes nothing more.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from loguru import logger

from app.core.enums import FileStatus
from app.core.errors import AppError, Internal, StorageFull
from app.core.settings import DocumentSettings
from app.crud import chunks as chunk_rows
from app.crud import files
from app.crud.index import hold_current
from app.db.models import File, FilePage
from app.db.session import AsyncSession, Database
from app.observability.metrics import INGEST_CHUNKS, INGEST_FILES, INGEST_PAGES, INGEST_SECONDS
from app.rag.base import Parser
from app.rag.coverage import summary, why_empty
from app.rag.pages import Chunk, Page, ParseError
from app.services.blobs import BlobKey, Blobs
from app.services.file_rows import page_row, storable
from app.services.index_writer import Writer
from app.services.indexing import Index
from app.services.jobs.base import Context, Payload
from app.services.progress import FileProgress
from app.services.reading_line import ReadingLine
from app.services.splitting import chunk_row, split, stored_pages

PAGES_PER_STEP = 16
CHARS_PER_STEP = 1 << 20
CHUNKS_PER_STEP = 32
MAX_REASON_ROWS = 10_000


class Superseded(Exception):
    """The file was cancelled, deleted or retried: this job must stop."""


def job_id(file_id: UUID, attempt: int) -> str:
    """One job per attempt: enqueuing it twice is harmless."""
    return f"ingest:{file_id}:{attempt}"


async def ingest(context: Context, payload: Payload) -> None:
    """The job `ingest` with `file_id` and `attempt`."""
    await context.get(Ingestion).run(UUID(payload["file_id"]), int(payload["attempt"]))


class Ingestion:
    """Brings one file at a time through its steps; several files may wait for each other's reading."""

    def __init__(
        self,
        *,
        db: Database,
        blobs: Blobs,
        parser: Parser,
        index: Index,
        progress: FileProgress,
        settings: DocumentSettings,
    ) -> None:
        self.index = index
        self._db = db
        self._blobs = blobs
        self._parser = parser
        self._progress = progress
        self._settings = settings
        self._line = ReadingLine()

    async def run(self, file_id: UUID, attempt: int) -> None:
        """Ends with the file `ready`, or `failed` with a reason; returns quietly when the attempt is over."""
        async with self._db.read() as session:
            file = await files.get(session, file_id)
        if file is None or file.attempt != attempt or FileStatus(file.status).is_final:
            return
        try:
            file = await self._parse(file)
            await self._build(file)
        except Superseded:
            return
        except ParseError as error:
            await self.fail(file, error.code, error.message)
        except AppError as error:
            await self.fail(file, error.code, error.message)
        except Exception as error:
            logger.opt(exception=True).error("the ingestion of file {} failed", file_id)
            await self.fail(file, *_reason(error))

    async def _parse(self, file: File) -> File:
        if file.status not in {FileStatus.STORED, FileStatus.PARSING}:
            return file
        async with self._line.turn(), _timed("parse"):
            async with self._db.begin() as session:
                file = await self._step(session, file, status=FileStatus.PARSING)
                stored = await files.page_count(session, file.id)
            self._progress.tell(file)
            blob = BlobKey(file.user_id, file.id)
            if not await self._blobs.exists(blob):
                raise ParseError("blob_missing", "the stored file is not there any more; upload it again")
            path = self._blobs.path(blob)
            batch: list[Page] = []
            total, next_char, failed = file.pages_total, stored.next_char, None
            # Closed at once when this job is to stop: the generator's end is the parsing child's end.
            pages = aiter(self._parser.pages(path, file.media_type, stored.last + 1))
            try:
                async for page, total in pages:
                    batch.append(replace(page, text=storable(page.text)))
                    if len(batch) >= PAGES_PER_STEP or sum(len(p.text) for p in batch) >= CHARS_PER_STEP:
                        file, next_char = await self._store(file, batch, total, next_char)
                        batch = []
            except ParseError as error:
                failed = error
            finally:
                await _close(pages)
            done = batch[-1].number if batch else file.pages_done
            file, _ = await self._store(file, batch, total if failed else done, next_char, ended=True)
            if failed is not None:
                raise failed
            return file

    async def _store(
        self, file: File, pages: Sequence[Page], total: int | None, char_from: int, *, ended: bool = False
    ) -> tuple[File, int]:
        """One transaction: these pages and the count. Gives where the next page starts, too."""
        rows: list[FilePage] = []
        for page in pages:
            rows.append(page_row(file, page, char_from))
            char_from += len(page.text) + 1
        done = pages[-1].number if pages else file.pages_done
        async with self._db.begin() as session:
            file = await self._step(session, file, pages_total=total, pages_done=done)
            session.add_all(rows)
            if ended:
                await session.flush()
                file = await self._step(session, file, coverage=await _coverage(session, file.id))
        INGEST_PAGES.inc(len(pages))
        self._progress.tell(file)
        return file, char_from

    async def _build(self, file: File) -> None:
        async with self._db.read() as session:
            pages = await stored_pages(session, file.id)
        if not any(page.text.strip() for page in pages):
            raise why_empty(file.coverage)
        while not await self._index(file, pages):
            logger.info("the index was swapped while file {} was written to the old one: again", file.id)
            async with self._db.begin() as session:
                file = await self._step(session, file)

    async def _index(self, file: File, pages: Sequence[Page]) -> bool:
        """False: another index is searched now than the one that was written to."""
        writer = await self.index.current(self._db, self._settings)
        async with _timed("split"):
            chunks = await split(pages, self._settings, limit=writer.token_limit, max_tokens=writer.max_tokens)
        for rebuild in (False, True):
            file = await self._begin(file, len(chunks), writer, rebuild=rebuild)
            async with _timed("index"):
                for first in range(file.chunks_done, len(chunks), CHUNKS_PER_STEP):
                    file = await self._write(file, chunks[first : first + CHUNKS_PER_STEP], writer)
            if await self._complete(file, len(pages), writer):
                return await self._ready(file, writer)
            logger.warning("the index of file {} is incomplete{}", file.id, "" if rebuild else ": building it again")
        raise Internal("the index of this file could not be completed; retry")

    async def _begin(self, file: File, total: int, writer: Writer, *, rebuild: bool) -> File:
        """Go on with the chunks that are there when they are of the same kind and number, else begin anew."""
        status = FileStatus.EMBEDDING if writer.embedder else FileStatus.INDEXING
        fingerprint = writer.fingerprint(self._settings)
        async with self._db.read() as session:
            there = await chunk_rows.count(session, file.id, writer.generation.id)
        known = (file.chunks_total, file.fingerprint, file.chunks_done)
        if not rebuild and known == (total, fingerprint, there):
            changes: dict[str, object] = {"status": status}
        else:
            if file.chunks_total is not None or file.attempt > 1:
                await self.index.remove(file.user_id, file.id)
            changes = {"status": status, "chunks_total": total, "chunks_done": 0, "fingerprint": fingerprint}
        async with self._db.begin() as session:
            file = await self._step(session, file, **changes)
            if file.chunks_done == 0:
                await chunk_rows.delete_file(session, file.id)
        self._progress.tell(file)
        return file

    async def _write(self, file: File, batch: Sequence[Chunk], writer: Writer) -> File:
        """Vectors first, then text rows and the count in one transaction: a crash between repeats the batch."""
        await writer.add(file, batch)
        rows = [chunk_row(file, chunk, writer.generation.id, file.fingerprint or "") for chunk in batch]
        async with self._db.begin() as session:
            file = await self._step(session, file, chunks_done=batch[-1].ordinal + 1)
            await chunk_rows.add(session, rows)
        INGEST_CHUNKS.inc(len(batch))
        self._progress.tell(file)
        return file

    async def _complete(self, file: File, pages: int, writer: Writer) -> bool:
        """Whether all that was counted is really there: pages, text rows, index entries and vectors."""
        async with self._db.begin() as session:
            file = await self._step(session, file, status=FileStatus.INDEXING)
            counts = (chunk_rows.count, chunk_rows.indexed_count)
            found = [await count(session, file.id, writer.generation.id) for count in counts]
        if (vectors := await writer.count(file)) is not None:
            found.append(vectors)
        return set(found) == {file.chunks_total} and file.chunks_done == file.chunks_total and pages == file.pages_done

    async def _ready(self, file: File, writer: Writer) -> bool:
        """False: what was written is not of the current index any more."""
        async with self._db.begin() as session:
            if await hold_current(session) != writer.generation.id:
                return False
            file = await self._step(session, file, status=FileStatus.READY, error=None)
        INGEST_FILES.labels(FileStatus.READY).inc()
        self._progress.tell(file)
        return True

    async def fail(self, file: File, code: str, message: str) -> None:
        """Nothing of a failed file stays searchable; its pages go as well, a retry reads it afresh."""
        error = {"code": code, "message": message}
        async with self._db.begin() as session:
            failed = await files.advance(session, file.id, file.attempt, {"status": FileStatus.FAILED, "error": error})
            if failed is None:
                return
            await chunk_rows.delete_file(session, file.id)
            await files.delete_pages(session, file.id)
        INGEST_FILES.labels(FileStatus.FAILED).inc()
        self._progress.tell(failed)
        if failed.chunks_total is not None or failed.attempt > 1:
            await self.index.remove(file.user_id, file.id)

    async def _step(self, session: AsyncSession, file: File, **changes: object) -> File:
        moved = await files.advance(session, file.id, file.attempt, changes)
        if moved is None:
            raise Superseded
        return moved


async def _coverage(session: AsyncSession, file_id: UUID) -> dict[str, object]:
    states = await files.page_states(session, file_id)
    return summary(states, await files.page_reasons(session, file_id, limit=MAX_REASON_ROWS))


def _reason(error: Exception) -> tuple[str, str]:
    said = str(error).lower()
    if "disk is full" in said or "no space left" in said or "quota exceeded" in said:
        return StorageFull.code, "the disk is full; delete files or ask the administrator for space, then retry"
    return "internal", "the service failed while it read this file; retry, and tell the administrator if it fails again"


async def _close(pages: AsyncIterator[tuple[Page, int | None]]) -> None:
    aclose = getattr(pages, "aclose", None)
    if aclose is not None:
        await aclose()


@asynccontextmanager
async def _timed(stage: str) -> AsyncIterator[None]:
    began = time.perf_counter()
    yield
    INGEST_SECONDS.labels(stage).observe(time.perf_counter() - began)
