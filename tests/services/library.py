"""A working library for tests: real rows, blobs, jobs, parsing child and Chroma, and a quick embedder of our own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from app.core.enums import FileStatus, Role
from app.core.errors import NotFound
from app.core.settings import DocumentSettings
from app.crud import chunks, conversations, files, users
from app.db.models import File
from app.db.session import Database, Session
from app.rag.base import Parser
from app.rag.parser import ChildParser
from app.rag.retriever import Passage, Retriever
from app.rag.vectors import ChromaProcess
from app.schemas.index import IndexOut
from app.services.blobs import BlobKey, Blobs
from app.services.documents import Documents
from app.services.index_status import IndexStatus
from app.services.indexing import Index
from app.services.ingestion import Ingestion
from app.services.jobs import Context, Jobs
from app.services.progress import FileProgress
from app.services.rebuilding import Rebuilding
from app.services.reconciliation import Reconciliation
from app.services.streams.events import UserEvents
from app.services.uploads import Limits, UploadFields
from tests.services.doubles import ScriptedParser, WordEmbedder

SOON_S = 30
SETTINGS = DocumentSettings(_env_file=None, chunk_size=200, chunk_overlap=0)
PARSER = ChildParser(cpu_s=20, memory_mb=1024, wall_s=30)
WORDS = ["harbour", "crane", "ledger", "violin", "copper", "meadow", "lantern", "orbit", "thistle", "quarry"]


@dataclass(frozen=True, slots=True)
class Counts:
    """What is there of one file."""

    pages: int
    chunks: int
    indexed: int
    vectors: int


class Library:
    """All that handles files, on one folder and database."""

    def __init__(
        self,
        db: Database,
        folder: Path,
        *,
        parser: Parser = PARSER,
        vectors: ChromaProcess | None = None,
        quota_bytes: int | None = None,
        max_bytes: int = 4 << 20,
        settings: DocumentSettings = SETTINGS,
        embedder: WordEmbedder | None = None,
        former: Sequence[WordEmbedder] = (),
    ) -> None:
        self.db = db
        self.vectors = vectors
        self.embedder = embedder or WordEmbedder()
        self.events = UserEvents()
        self.blobs = Blobs(folder / "blobs")
        progress = FileProgress(self.events)
        self.index = Index(
            self.embedder if vectors else None,
            None,
            vectors,
            patience_s=settings.embedding_wait_s,
            recipe={"source": self.embedder.fingerprint},
            former=lambda recipe: next((each for each in former if recipe == {"source": each.fingerprint}), None),
        )
        self.ingestion = Ingestion(
            db=db,
            blobs=self.blobs,
            parser=parser,
            index=self.index,
            progress=progress,
            settings=settings,
        )
        self.jobs = Jobs(f"sqlite:///{folder}/jobs.db", db=db, replica="test", alone=True)
        status = IndexStatus(db, self.index, self.events, settings)
        self.rebuilding = Rebuilding(db=db, index=self.index, stored=vectors, jobs=self.jobs, status=status)
        self.documents = Documents(
            db=db,
            blobs=self.blobs,
            jobs=self.jobs,
            ingestion=self.ingestion,
            progress=progress,
            limits=Limits(max_bytes, quota_bytes),
        )
        self.reconciliation = Reconciliation(
            db=db, blobs=self.blobs, jobs=self.jobs, documents=self.documents, ingestion=self.ingestion
        )

    async def user(self) -> UUID:
        async with self.db.begin() as session:
            return await session.run_sync(_add_user, uuid4().hex)

    async def upload(
        self,
        owner: UUID,
        data: bytes,
        *,
        name: str = "notes.txt",
        conversation_id: UUID | None = None,
        key: str | None = None,
    ) -> File:
        async def fields() -> UploadFields:
            return UploadFields(conversation_id=conversation_id)

        return (await self.documents.upload(owner, name, pieces(data), fields=fields, key=key)).file

    async def until(self, owner: UUID, file_id: UUID, *statuses: FileStatus) -> File:
        """Wait until the file is so, by default until it is final."""
        async with asyncio.timeout(SOON_S):
            while True:
                file = await self.documents.get(owner, file_id)
                if file.status in statuses or (not statuses and FileStatus(file.status).is_final):
                    return file
                await asyncio.sleep(0.01)

    async def ready(self, owner: UUID, data: bytes, **options: str | UUID | None) -> File:
        file = await self.upload(owner, data, **options)  # type: ignore[arg-type]
        file = await self.until(owner, file.id)
        assert file.status == FileStatus.READY, file.error
        return file

    async def counts(self, owner: UUID, file_id: UUID) -> Counts:
        async with self.db.read() as session:
            return Counts(
                (await files.page_count(session, file_id)).total,
                await chunks.count(session, file_id),
                await chunks.indexed_count(session, file_id),
                await self.vectors.count(owner, file_id) if self.vectors else 0,
            )

    async def passages(self, owner: UUID, query: str) -> list[Passage]:
        """What a search by words finds."""
        retriever = Retriever(self.db, embedder=None, vectors=None)
        return (await retriever.search(owner, query, scope=None, limit=100)).passages

    def retriever(self) -> Retriever:
        return Retriever(self.db, embedder=self.embedder, vectors=self.vectors, embedder_of=self.index.embedder_of)

    async def until_index(self, state: str) -> IndexOut:
        async with asyncio.timeout(SOON_S):
            while True:
                if (status := await self.rebuilding.status.read()).state == state:
                    return status
                await asyncio.sleep(0.01)

    async def rebuilt(self) -> None:
        """Build a new index and remove the old one."""
        await self.rebuilding.request(None)
        await self.rebuilding.run()

    async def found(self, owner: UUID, query: str) -> set[UUID]:
        """The files that a search by words finds."""
        return {passage.file_id for passage in await self.passages(owner, query)}

    async def aclose(self) -> None:
        await self.reconciliation.aclose()
        await self.rebuilding.aclose()
        await self.documents.aclose()
        await self.jobs.aclose()


@asynccontextmanager
async def running(library: Library) -> AsyncIterator[Library]:
    """With its jobs running."""
    await library.index.prepare(library.db)
    await library.jobs.start(Context(library.ingestion, library.rebuilding))
    try:
        yield library
    finally:
        await library.aclose()


def _add_user(session: Session, name: str) -> UUID:
    return users.create(session, username=name, email=None, password_hash="-", role=Role.USER).id


async def pieces(data: bytes, size: int = 4096) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def prose(lines: int, *, seed: int = 0) -> str:
    """Sentences of about 80 characters with words that tests search for."""
    return "\n\n".join(
        f"Line {n} tells of the {WORDS[(n + seed) % 10]} and the {WORDS[(n * 3 + seed) % 10]}, as seen in spring."
        for n in range(lines)
    )


def parser_of(library: Library) -> ScriptedParser:
    parser = library.ingestion._parser
    assert isinstance(parser, ScriptedParser)
    return parser


async def blobs_of(library: Library) -> set[UUID]:
    return {found.key.file_id for found in await library.blobs.older_than(timedelta(0))}


async def gone(library: Library, owner: UUID, file_id: UUID) -> None:
    """Nothing of the file is anywhere."""
    assert await library.counts(owner, file_id) == Counts(0, 0, 0, 0)
    assert file_id not in await library.found(owner, "harbour crane ledger")
    assert file_id not in await blobs_of(library)
    with pytest.raises(NotFound):
        await library.documents.get(owner, file_id)


async def conversation(library: Library, owner: UUID) -> UUID:
    conversation_id = uuid4()
    async with library.db.begin() as session:
        await session.run_sync(conversations.add, id=conversation_id, user_id=owner, title="Talk")
    return conversation_id


async def stored(library: Library) -> File:
    """A file that no job knows of: the test runs its ingestion itself."""
    owner = await library.user()
    row = File(
        id=uuid4(),
        user_id=owner,
        name="a.txt",
        media_type="text/plain",
        size_bytes=1,
        sha256="-",
        status=FileStatus.STORED,
    )
    await library.blobs.put(BlobKey(owner, row.id), pieces(b"what the scripted parser does not look at"), max_bytes=99)
    async with library.db.begin() as session:
        session.add(row)
    return row


async def look(library: Library, file: File) -> tuple[File, Counts]:
    return await library.documents.get(file.user_id, file.id), await library.counts(file.user_id, file.id)
