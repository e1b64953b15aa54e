"""A library of passages on four topics, and an embedder whose vectors a test can foresee."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import numpy as np

from app.core.enums import FileStatus, Role
from app.core.errors import ModelUnavailable
from app.crud import chunks
from app.db.models import Chunk, File, User
from app.db.session import Database
from app.rag.base import Urgency, Vectors
from app.rag.retriever import Retriever
from app.rag.vectors import ChromaProcess

TOPICS = ["fruit", "law", "weather", "music"]
TEXTS = [
    "fruit: the harvest of apples was large this year",
    "law: the notice period is three months",
    "weather: three months of rain spoiled apples and pears",
    "music: the violin is older than the piano",
]


class TopicEmbedder:
    """An Embedder that knows four topics by their name: a text is near another of the same topic."""

    fingerprint = "topics@1/4"
    dimension = 4
    max_tokens = 1000
    scripts = frozenset({"LATIN"})
    fault = None
    related_from = 0.9

    def __init__(self, *, familiarity: float = 1.0, broken: bool = False) -> None:
        self._familiarity, self._broken = familiarity, broken
        self.embedded: list[str] = []

    async def embed(self, texts: Sequence[str], *, urgency: Urgency) -> Vectors:
        if self._broken:
            raise ModelUnavailable("no weights")
        self.embedded += texts
        rows = [[1.0 if topic in text else 0.1 / (n + 1) for n, topic in enumerate(TOPICS)] for text in texts]
        vectors = np.array(rows, np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    async def identify(self) -> str:
        return self.fingerprint

    def familiarity(self, text: str) -> float:
        return self._familiarity

    async def aclose(self) -> None: ...


class Unknown(TopicEmbedder):
    """It has not said yet what it is."""

    fingerprint = None  # type: ignore[assignment]

    async def identify(self) -> str:
        raise ModelUnavailable("it has not answered")


class Library:
    """Users with files, as ingestion would leave them."""

    def __init__(self, db: Database, vectors: ChromaProcess | None) -> None:
        self.db, self.vectors = db, vectors

    async def user(self) -> UUID:
        key = uuid4()
        async with self.db.begin() as session:
            session.add(User(id=key, username="u", username_key=key.hex, password_hash="", role=Role.USER))
        return key

    async def file(
        self,
        owner: UUID,
        texts: Sequence[str] = TEXTS,
        status: FileStatus = FileStatus.READY,
        name: str = "a.pdf",
        *,
        space: str = TopicEmbedder.fingerprint,
        vectors: Vectors | None = None,
    ) -> UUID:
        key = uuid4()
        async with self.db.begin() as session:
            session.add(
                File(
                    id=key,
                    user_id=owner,
                    name=name,
                    media_type="text/plain",
                    size_bytes=1,
                    sha256="",
                    status=status,
                    fingerprint=f"{space}|1|1000|200",
                )
            )
            await session.flush()
            await chunks.add(session, [self.row(owner, key, n, text) for n, text in enumerate(texts)])
        if self.vectors is None:
            return key
        found = await TopicEmbedder().embed(texts, urgency="document") if vectors is None else vectors
        await self.vectors.add(owner, key, range(len(texts)), found, space=space)
        return key

    def row(self, owner: UUID, file: UUID, ordinal: int, text: str) -> Chunk:
        return Chunk(
            file_id=file,
            user_id=owner,
            ordinal=ordinal,
            page_from=ordinal + 1,
            page_to=ordinal + 2,
            char_from=10 * ordinal,
            char_to=10 * ordinal + len(text),
            text=text,
            fingerprint="test",
        )

    def retriever(self, embedder: TopicEmbedder | None) -> Retriever:
        return Retriever(self.db, embedder=embedder, vectors=self.vectors)
