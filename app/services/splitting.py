"""Stored pages cut into chunks: alike for a new file and for an index that is built anew."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from app.core.settings import DocumentSettings
from app.crud import files
from app.crud.index import joined
from app.db import models
from app.db.models import File
from app.db.session import AsyncSession
from app.rag.base import TokenLimit
from app.rag.pages import Chunk, Page
from app.rag.splitter import SPLITTER_VERSION, Splitter


async def stored_pages(session: AsyncSession, file_id: UUID) -> list[Page]:
    """The whole text of a file."""
    return [Page(number, text) for number, text in await files.pages(session, file_id)]


async def split(
    pages: Sequence[Page], rules: DocumentSettings, *, limit: TokenLimit | None, max_tokens: int
) -> list[Chunk]:
    """A page at a time: a whole book in one go would hold the interpreter, and with it every stream."""
    splitter = Splitter(size=rules.chunk_size, overlap=rules.chunk_overlap, limit=limit, max_tokens=max_tokens)
    return [chunk for page in pages for chunk in await asyncio.to_thread(splitter.feed, page)]


def fingerprint(kind: str, rules: DocumentSettings, max_tokens: int) -> str:
    """Whatever changes a chunk or its vector. `kind` is the embedder's own."""
    return joined(kind, SPLITTER_VERSION, rules.chunk_size, rules.chunk_overlap, max_tokens)


def chunk_row(file: File, chunk: Chunk, generation: int, fingerprint: str) -> models.Chunk:
    """As it is stored."""
    return models.Chunk(
        file_id=file.id,
        user_id=file.user_id,
        generation=generation,
        ordinal=chunk.ordinal,
        page_from=chunk.page_from,
        page_to=chunk.page_to,
        char_from=chunk.char_from,
        char_to=chunk.char_to,
        text=chunk.text,
        context=chunk.context,
        fingerprint=fingerprint,
    )


def piece(row: models.Chunk) -> Chunk:
    """A stored chunk as it was cut."""
    return Chunk(row.ordinal, row.page_from, row.page_to, row.char_from, row.char_to, row.text, row.context)
