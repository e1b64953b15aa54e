"""Gives documents to a service, a few at a time, and waits for each to be ready or failed."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from app.cli.connection import connected
from app.cli.ingest import Order
from app.cli.ingest.plan import Document, plan
from app.cli.ingest.report import Outcome, Result, Screen
from app.cli.ingest.service import File, Service
from app.core.enums import FileStatus
from app.core.errors import AppError, Internal
from app.core.tags import PageTags, of_pages, of_whole_file, placed
from app.services.object_urls import pieces_of

AT_ONCE: Final = 4
POLL_S: Final = 0.2
STALLED_S: Final = 600.0
READ_BYTES: Final = 1 << 20
AGAIN: Final = {FileStatus.FAILED, FileStatus.CANCELLED}


async def ingest(order: Order) -> bool:
    """Whether every document is ready. Raises AppError for a list or a service that cannot be used."""
    documents = await asyncio.to_thread(plan, order.targets)
    screen = Screen(len(documents))
    with screen.starting():
        async with connected(order.server, order.key, order.user) as connection:
            with screen.working():
                results = await Run(Service(connection), screen).all(documents)
    screen.summary(results)
    if order.json is not None:
        order.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    return all(result.state == FileStatus.READY for result in results)


class Run:
    """One ingestion of many documents."""

    def __init__(self, service: Service, screen: Screen) -> None:
        self._service, self._screen = service, screen
        self._collections: dict[str, asyncio.Task[str]] = {}

    async def all(self, documents: Sequence[Document]) -> list[Result]:
        """In the order of the documents."""
        waiting = iter(enumerate(documents))
        results: dict[int, Result] = {}

        async def work() -> None:
            for number, document in waiting:
                results[number] = await self._one(document)
                self._screen.done(results[number])

        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(documents))):
                group.create_task(work())
        return [results[number] for number in sorted(results)]

    async def _one(self, document: Document) -> Result:
        clock = asyncio.get_running_loop().time
        began = clock()
        file: File | None = None
        try:
            file, outcome = await self._accepted(document)
            file = await self._settled(document, file)
            if file["status"] == FileStatus.READY:
                outcome = await self._finished(document, file, outcome)
            return Result.of(document.shown, file, outcome, clock() - began)
        except AppError as error:
            return Result.refused(document.shown, file, error, clock() - began)
        except OSError as error:
            unreadable = Internal(f"{document.source}: {error.strerror or error}")
            return Result.refused(document.shown, file, unreadable, clock() - began)
        finally:
            self._screen.forget(document)

    async def _accepted(self, document: Document) -> tuple[File, Outcome]:
        """The file as the service has it: as before, or a new one."""
        if document.is_web:
            file = await self._service.fetch(document.source)
        else:
            async with _on_disk(document) as path:
                known = await self._service.known(await asyncio.to_thread(_sha256, path))
                name = PurePosixPath(document.source).name
                file = known or await self._service.upload(path, name, _origin(document))
            file["duplicate"] = file.get("duplicate") or known is not None
        if file["status"] in AGAIN or file["needs_reindex"]:
            return await self._service.retry(file["id"]), Outcome.RETRIED
        return file, Outcome.UNCHANGED if file.get("duplicate") else Outcome.NEW

    async def _settled(self, document: Document, file: File) -> File:
        """Waits for the end of its reading. Raises Internal when nothing moves for ten minutes."""
        clock = asyncio.get_running_loop().time
        before, moved_at = None, clock()
        while not FileStatus(file["status"]).is_final:
            self._screen.show(document, file)
            now = (file["status"], file["pages_done"], file["chunks_done"])
            if now != before:
                before, moved_at = now, clock()
            elif clock() - moved_at > STALLED_S:
                raise Internal(
                    f"it has been {file['status']} for {STALLED_S / 60:g} minutes; look at the service's log"
                )
            await asyncio.sleep(POLL_S)
            file = await self._service.file(file["id"])
        return file

    async def _finished(self, document: Document, file: File, outcome: Outcome) -> Outcome:
        """Tags, collection, and the removal of what it takes the place of."""
        rows = placed(document.tags, [PageTags(each.pages, each.tags) for each in document.page_tags])
        if (of_whole_file(rows), of_pages(rows)) != (file["tags"], file["page_tags"]):
            await self._service.tag(file["id"], document.tags, document.page_tags)
            outcome = Outcome.TAGGED if outcome is Outcome.UNCHANGED else outcome
        if document.collection is not None:
            await self._service.collect(await self._collection(document.collection), file["id"])
        if outcome is Outcome.NEW:
            for old in await self._service.of_source(_origin(document)):
                if old["id"] != file["id"]:
                    await self._service.delete(old["id"])
                    outcome = Outcome.REPLACED
        return outcome

    async def _collection(self, name: str) -> str:
        """Made once, however many documents ask for it at the same time."""
        if name not in self._collections:
            self._collections[name] = asyncio.create_task(self._service.collection(name))
        return await self._collections[name]


def _origin(document: Document) -> str:
    """What the service remembers as the source, so that a changed document takes the place of its former self."""
    return Path(document.source).as_uri() if document.is_local else document.source


@asynccontextmanager
async def _on_disk(document: Document) -> AsyncIterator[Path]:
    """The document's bytes as a local file; those of an object store in a temporary one."""
    if document.is_local:
        yield Path(document.source)
        return
    with tempfile.TemporaryDirectory(prefix="llama-service-ingest-") as folder:
        path = Path(folder) / "object"
        with path.open("wb") as file:
            async for data in pieces_of(document.source):
                file.write(data)
        yield path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
