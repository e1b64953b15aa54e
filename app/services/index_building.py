"""Builds an index file by file, beside the one that is searched. Goes on where it was cut off, by the rows alone."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from loguru import logger

from app.core.enums import IndexState
from app.core.errors import Internal
from app.crud import chunks as chunk_rows
from app.crud import index as rows
from app.crud.files import embedder_of
from app.crud.index import Generation
from app.db.models import File, SearchIndex
from app.db.session import Database
from app.rag.base import StoredVector, StoredVectors
from app.rag.pages import Chunk
from app.services.index_status import IndexStatus
from app.services.index_writer import Writer
from app.services.indexing import Index
from app.services.splitting import chunk_row, piece, split, stored_pages

CHUNKS_PER_STEP: Final = 32


class Stopped(Exception):
    """The index is not being built any more."""


class IndexBuilder:
    """One index. A file that is deleted or retried meanwhile leaves nothing in it; a new one is built at the end."""

    def __init__(self, db: Database, index: Index, stored: StoredVectors | None, status: IndexStatus) -> None:
        self._db, self._index, self._stored, self._status = db, index, stored, status
        self._rules = status.rules

    async def build(self, row: SearchIndex) -> None:
        """Returns when it is searched. Raises Stopped, or an AppError that will not pass."""
        generation = Generation(row.id, embedder_of(row.fingerprint))
        writer = replace(self._index.writer(generation), patience_s=math.inf)
        logger.info("an index of {} is built beside the current one", row.fingerprint)
        while True:
            async with self._db.read() as session:
                file = await rows.next_file(session, row.id)
            if file is not None:
                await self._file(writer, file)
                await self._status.tell()
            elif await self._is_verified(writer):
                async with self._db.begin() as session:
                    if swapped := await rows.swap(session, row.id):
                        break
                    if not any(r.id == row.id for r in await rows.by_state(session, IndexState.BUILDING)):
                        raise Stopped
        self._index.swapped(generation)
        logger.info("the index of {} is searched from now on: {}", row.fingerprint, swapped)

    async def _file(self, writer: Writer, file: File) -> None:
        """All of one file: anew when its counts do not fit. Leaves nothing of one that was deleted meanwhile."""
        chunks = await self._chunks(writer, file)
        for _ in range(2):
            if not await self._write(writer, file, chunks):
                await self._forget(writer, file)
                return
            if await self._complete(writer, file, len(chunks)):
                return
            await self._forget(writer, file)
        raise Internal(f"the index of file {str(file.id)!r} could not be completed")

    async def _chunks(self, writer: Writer, file: File) -> list[Chunk]:
        """Cut from the stored pages. A file without pages keeps the passages that it has."""
        async with self._db.read() as session:
            pages = await stored_pages(session, file.id)
            if not any(page.text.strip() for page in pages):
                current = await session.run_sync(rows.current_id)
                return [piece(row) for row in await chunk_rows.of_file(session, file.id, current)]
        return await split(pages, self._rules, limit=writer.token_limit, max_tokens=writer.max_tokens)

    async def _write(self, writer: Writer, file: File, chunks: Sequence[Chunk]) -> bool:
        """Vectors first, then rows, entries and the count: a crash between repeats the batch. False: it is gone."""
        index_id, fingerprint = writer.generation.id, writer.fingerprint(self._rules)
        async with self._db.begin() as session:
            staged = await rows.stage(session, index_id, file, len(chunks))
            if staged.chunks_done == 0:
                await chunk_rows.delete_chunks(session, file.id, index_id)
            done = staged.chunks_done
        for first in range(done, len(chunks), CHUNKS_PER_STEP):
            batch = chunks[first : first + CHUNKS_PER_STEP]
            await writer.add(file, batch)
            async with self._db.begin() as session:
                if not await rows.advance(session, index_id, file, chunks_done=first + len(batch)):
                    return False
                await chunk_rows.add(session, [chunk_row(file, chunk, index_id, fingerprint) for chunk in batch])
            await self._status.tell()
        return True

    async def _complete(self, writer: Writer, file: File, total: int) -> bool:
        """Whether all of it is there; then it is noted."""
        index_id = writer.generation.id
        vectors = await writer.count(file)
        async with self._db.begin() as session:
            counts = (chunk_rows.count, chunk_rows.indexed_count)
            found = {await count(session, file.id, index_id) for count in counts} | {total}
            whole = len(found | ({vectors} if vectors is not None else set())) == 1
            return whole and await rows.advance(session, index_id, file, is_complete=True)

    async def _forget(self, writer: Writer, file: File) -> None:
        """Nothing of the file is left in this index. Raises Stopped when the index itself was given up."""
        await writer.remove(file)
        async with self._db.begin() as session:
            await chunk_rows.delete_file(session, file.id, writer.generation.id)
            if not any(r.id == writer.generation.id for r in await rows.by_state(session, IndexState.BUILDING)):
                raise Stopped

    async def _is_verified(self, writer: Writer) -> bool:
        """Whether the vectors are just those of the files. Removes what is too much; what is missing is built again."""
        if self._stored is None or writer.embedder is None:
            return True
        async with self._db.read() as session:
            totals = await rows.totals(session, writer.generation.id)
        seen: Counter[UUID] = Counter()
        for holding in await self._stored.collections():
            if holding.space != writer.generation.space:
                continue
            surplus: list[StoredVector] = []
            async for page in self._stored.names(holding.collection):
                surplus += [vector for vector in page if vector.ordinal >= totals.get(UUID(vector.file), 0)]
                seen.update(UUID(vector.file) for vector in page)
            await self._stored.discard(holding.collection, surplus)
            seen.subtract(UUID(vector.file) for vector in surplus)
        missing = [file_id for file_id, total in totals.items() if seen[file_id] != total]
        async with self._db.begin() as session:
            for file_id in missing:
                await rows.reset(session, writer.generation.id, file_id)
        return not missing
