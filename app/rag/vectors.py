"""The vectors, kept by a child process that is started on first use and again when it dies."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush, nlargest
from itertools import count
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import numpy as np
from loguru import logger

from app.core.errors import AppError, Internal, ModelUnavailable, StorageFull
from app.rag import vector_wire as wire
from app.rag.base import Hit, Spans, StoredVector, Vectors
from app.rag.vector_child import Child, Died

BATCH = 32
FILES_PER_QUERY = 256
MAX_QUERIES = 8
MAX_HITS = 1000
MAX_WAITING = 512
R = TypeVar("R", wire.Ready, wire.Found, wire.Counted, wire.Listed, wire.Named)
CLOSE_TIMEOUT_S = 5.0
PAGE = 1000
EXACT = 32_768  # vectors of a library that are compared one by one: 25 MB, and 4 ms for each search


@dataclass(order=True, slots=True)
class _Job:
    rank: int
    number: int
    request: wire.Request = field(compare=False)
    values: bytes = field(compare=False)
    done: asyncio.Future[wire.Reply] = field(compare=False)


class ChromaProcess:
    """A VectorStore. One request is under way at a time; queries and counts go before adds that wait.

    Every call may raise ModelUnavailable (too many wait, or no answer in time), StorageFull or Internal.
    """

    def __init__(self, path: Path, *, prefix: str, exact: int = EXACT) -> None:
        self._path, self._prefix, self._exact = path.absolute(), prefix, exact
        self._child: Child | None = None
        self._jobs: list[_Job] = []
        self._numbers = count()
        self._changed = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._closed = False

    async def add(self, owner: UUID, file_id: UUID, ordinals: Sequence[int], vectors: Vectors, *, space: str) -> None:
        """See VectorStore. Goes in batches, so that a query waits for one at most."""
        rows = np.ascontiguousarray(vectors, np.float32)
        for first in range(0, len(ordinals), BATCH):
            part = slice(first, first + BATCH)
            request = wire.Add(space, owner.hex, file_id.hex, list(ordinals[part]))
            await self._ask(request, wire.Ready, rows[part].tobytes())

    async def query(
        self,
        owner: UUID,
        vector: Vectors,
        file_ids: Iterable[UUID] | None,
        limit: int,
        *,
        space: str,
        spans: Spans | None = None,
    ) -> list[Hit]:
        """See VectorStore. Of more than 2,048 files, only the best 1,000 vectors of the whole library are looked at."""
        values = np.ascontiguousarray(vector, np.float32).tobytes()
        if file_ids is None:
            return await self._query(wire.Query(space, owner.hex, None, limit), values)
        within = {file_id.hex: list(found) for file_id, found in (spans or {}).items()}
        whole = {file_id.hex for file_id in file_ids}
        files = sorted(whole | within.keys())
        if len(files) > FILES_PER_QUERY * MAX_QUERIES:
            found = await self._query(wire.Query(space, owner.hex, None, max(limit, MAX_HITS)), values)
            reached = [hit for hit in found if hit.file_id.hex in whole or _is_in(hit, within)]
            return reached[:limit]
        hits: list[Hit] = []
        for first in range(0, len(files), FILES_PER_QUERY):
            part = files[first : first + FILES_PER_QUERY]
            spanned = {name: within[name] for name in part if name in within and name not in whole}
            request = wire.Query(space, owner.hex, [name for name in part if name not in spanned], limit, spanned)
            hits += await self._query(request, values)
        return nlargest(limit, hits, key=lambda hit: hit.score)

    async def count(self, owner: UUID, file_id: UUID, *, space: str | None = None) -> int:
        return (await self._ask(wire.Count(space, owner.hex, file_id.hex), wire.Counted)).number

    async def delete(self, owner: UUID, file_id: UUID, *, space: str | None = None) -> None:
        """See VectorStore. The child counts what is left, and fails if there is any."""
        if self._was_never_used:
            return  # no need to start the child
        await self._ask(wire.Delete(owner.hex, file_id.hex, space), wire.Ready)

    async def collections(self) -> list[wire.Holding]:
        """See StoredVectors."""
        return [] if self._was_never_used else (await self._ask(wire.List(), wire.Listed)).collections

    async def names(self, collection: str) -> AsyncIterator[list[StoredVector]]:
        """See StoredVectors."""
        offset = 0
        while True:
            page = await self._ask(wire.Names(collection, offset, PAGE), wire.Named)
            yield [_stored(owner, name) for owner, name in zip(page.owners, page.names, strict=True)]
            if len(page.names) < PAGE:
                return
            offset += PAGE

    async def discard(self, collection: str, vectors: Sequence[StoredVector]) -> None:
        """See StoredVectors."""
        names = [vector.name for vector in vectors]
        for first in range(0, len(names), PAGE):
            await self._ask(wire.Discard(collection, names[first : first + PAGE]), wire.Ready)

    async def drop(self, space: str) -> None:
        """See StoredVectors."""
        for holding in await self.collections():
            if holding.space == space:
                await self._ask(wire.Discard(holding.collection, None), wire.Ready)

    @property
    def _was_never_used(self) -> bool:
        return self._pump is None and not self._path.exists()

    async def ping(self) -> str:
        """Whether the child answers. It is not started for this."""
        if self._child is None:
            return "starts with the first document"
        await self.count(UUID(int=0), UUID(int=0))
        return "running"

    async def aclose(self) -> None:
        """Waits shortly for the request under way, then ends the child. Requests that wait are refused."""
        self._closed = True
        self._changed.set()
        if self._pump is not None:
            await asyncio.wait([self._pump], timeout=CLOSE_TIMEOUT_S)
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        for job in self._jobs:
            if not job.done.done():
                job.done.set_exception(_closing())
        self._jobs.clear()
        if self._child is not None:
            await self._child.close()
            self._child = None

    async def _query(self, request: wire.Query, vector: bytes) -> list[Hit]:
        reply = await self._ask(request, wire.Found, vector)
        rows = zip(reply.files, reply.ordinals, reply.scores, strict=True)
        return [Hit(UUID(file), ordinal, score) for file, ordinal, score in rows]

    async def _ask(self, request: wire.Request, expected: type[R], values: bytes = b"") -> R:
        if self._closed:
            raise _closing()
        if len(self._jobs) >= MAX_WAITING:
            raise ModelUnavailable(f"The vector store has {MAX_WAITING} requests waiting; try again.", retry_after_s=5)
        done: asyncio.Future[wire.Reply] = asyncio.get_running_loop().create_future()
        rank = int(not isinstance(request, wire.Query | wire.Count))
        heappush(self._jobs, _Job(rank, next(self._numbers), request, values, done))
        self._changed.set()
        if self._pump is None:
            self._pump = asyncio.create_task(self._work())
        reply = await done
        if not isinstance(reply, expected):
            raise _error(reply, self._path)
        return reply

    async def _work(self) -> None:
        while not self._closed:
            if not self._jobs:
                self._changed.clear()
                await self._changed.wait()
                continue
            job = heappop(self._jobs)
            if not job.done.done():
                await self._perform(job)

    async def _perform(self, job: _Job) -> None:
        """All requests are idempotent: one that a dying child took along is repeated once."""
        try:
            try:
                reply = await self._exchange(job)
            except Died as error:
                logger.warning("the vector process died and is started again: {}", error)
                reply = await self._exchange(job)
        except Died as error:
            reply = wire.Failed(f"its process died twice, the second time with {error}")
        except TimeoutError:
            reply = wire.Failed("it gave no answer in time")
        if not job.done.done():
            job.done.set_result(reply)

    async def _exchange(self, job: _Job) -> wire.Reply:
        if self._child is None:
            started = await Child.start(self._path, self._prefix, exact=self._exact)
            if isinstance(started, wire.Failed):
                return started
            self._child = started
        try:
            return await self._child.ask(job.request, job.values)
        except BaseException:
            # Half a frame may be on its way: this child can be asked nothing more.
            child, self._child = self._child, None
            await child.kill()
            raise


def _stored(owner: str, name: str) -> StoredVector:
    file_id, _, ordinal = name.rpartition(":")
    return StoredVector(owner, file_id, int(ordinal))


def _closing() -> ModelUnavailable:
    return ModelUnavailable("The vector store is closing.", retry_after_s=5)


def _error(reply: wire.Reply, path: Path) -> AppError:
    if not isinstance(reply, wire.Failed):
        return Internal(f"The vector store {str(path)!r} answered {type(reply).__name__!r} to another question.")
    if reply.in_use:
        return ModelUnavailable(f"Another process uses the vectors in {str(path)!r}: end it, or set VECTORDB_PATH.")
    said = reply.reason.lower()
    if "disk is full" in said or "no space left" in said:
        return StorageFull(f"The disk of {str(path)!r} is full: delete files, or ask the administrator for space.")
    return Internal(f"The vector store {str(path)!r} failed: {reply.reason}")


def _is_in(hit: Hit, spans: Mapping[str, Sequence[tuple[int, int]]]) -> bool:
    return any(first <= hit.ordinal <= last for first, last in spans.get(hit.file_id.hex, ()))
