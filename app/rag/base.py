"""The seams of retrieval: what a loader, an embedder and a vector store are, and the values that pass between them.

Offsets count Unicode code points in a file's text: its pages joined by a form feed.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.rag.pages import PAGE_SEPARATOR, Chunk, Loader, Page, ParseError

__all__ = [
    "PAGE_SEPARATOR",
    "Chunk",
    "Embedder",
    "Hit",
    "Holding",
    "LimitedEmbedder",
    "Loader",
    "Page",
    "ParseError",
    "Parser",
    "Spans",
    "StoredVector",
    "StoredVectors",
    "TokenLimit",
    "Urgency",
    "VectorStore",
    "Vectors",
]

Vectors = NDArray[np.float32]
Urgency = Literal["query", "document"]
Spans = Mapping[UUID, Sequence[tuple[int, int]]]  # of files: ordinals of chunks, from and to


@dataclass(frozen=True, slots=True)
class Hit:
    """One vector that is near a query. `score` is the cosine similarity."""

    file_id: UUID
    ordinal: int
    score: float


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    max_tokens: int  # of a text; the marks that a model adds around it are not counted

    @property
    def fingerprint(self) -> str | None:
        """Model and dimension, stored with every chunk. None: not known yet, see `identify`."""

    @property
    def scripts(self) -> frozenset[str] | None:
        """Unicode scripts it was trained on, e.g. {"LATIN"}. None: all of them."""

    @property
    def fault(self) -> str | None:
        """Why it does not work at this moment; None when it does, or when nobody has tried."""

    @property
    def related_from(self) -> float:
        """The cosine similarity below which two texts have nothing to do with each other."""

    async def identify(self) -> str:
        """The fingerprint, learned from whoever embeds. Raises ModelUnavailable while that is not possible."""

    async def embed(self, texts: Sequence[str], *, urgency: Urgency) -> Vectors:
        """Shape (len(texts), dimension), float32, rows of length 1. Queries go before documents."""

    def familiarity(self, text: str) -> float:
        """From 0 to 1: the share of a short text's words that it knows whole. Low for a language it was not taught."""

    async def aclose(self) -> None: ...


class TokenLimit(Protocol):
    """Cuts texts to what an embedder reads. Separate from Embedder: splitting needs no model."""

    def token_offsets(self, texts: Sequence[str]) -> list[list[int]]:
        """For each text, the code-point offset at which each of its tokens ends."""


class LimitedEmbedder(Embedder, TokenLimit, Protocol):
    """Both in one."""


class VectorStore(Protocol):
    """Vectors by owner and file. Every call names the owner: no search crosses it.

    `space` is the fingerprint of the embedder that made the vectors: those of two are never compared.
    """

    async def add(self, owner: UUID, file_id: UUID, ordinals: Sequence[int], vectors: Vectors, *, space: str) -> None:
        """Idempotent: the same file and ordinal are written once."""

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
        """Best first. `file_ids` None: the owner's whole library; else in these files and in `spans` of others."""

    async def count(self, owner: UUID, file_id: UUID, *, space: str | None = None) -> int:
        """`space` None: the file's vectors in all of them."""

    async def delete(self, owner: UUID, file_id: UUID, *, space: str | None = None) -> None:
        """Of every space, or of one: afterwards `count` is 0. Idempotent."""

    async def aclose(self) -> None: ...


class Holding(Protocol):
    """A part of a vector store, and whose vectors are in it."""

    @property
    def collection(self) -> str: ...

    @property
    def space(self) -> str: ...

    @property
    def vectors(self) -> int: ...


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector by what is stored of it: the hexadecimal ids of its owner and file, and the number of its chunk."""

    owner: str
    file: str
    ordinal: int

    @property
    def name(self) -> str:
        return f"{self.file}:{self.ordinal}"


class StoredVectors(Protocol):
    """What is in a vector store, whoever it belongs to: for those who look after it, never for a search."""

    async def collections(self) -> Sequence[Holding]: ...

    def names(self, collection: str) -> AsyncIterator[list[StoredVector]]:
        """All of a collection, a page of at most 1,000 at a time. Nothing may be discarded meanwhile."""

    async def discard(self, collection: str, vectors: Sequence[StoredVector]) -> None:
        """Idempotent."""

    async def drop(self, space: str) -> None:
        """All vectors of a space at once. Idempotent."""


class Parser(Protocol):
    """Reads a file in a limited child process."""

    def pages(self, path: Path, media_type: str, first: int) -> AsyncIterator[tuple[Page, int | None]]:
        """Pages from number `first` on, each with the total when it is known. Raises ParseError."""
