"""What is not as it should be between rows, text index, vectors and blobs."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from app.schemas.base import Answer


class Drift(StrEnum):
    """A kind of finding."""

    TEXT_MISSING = "text_missing"
    TEXT_SURPLUS = "text_surplus"
    CHUNKS_STRAY = "chunks_stray"
    CHUNKS_DIFFER = "chunks_differ"
    PAGES_MISSING = "pages_missing"
    PAGES_STRAY = "pages_stray"
    VECTORS_MISSING = "vectors_missing"
    VECTORS_SURPLUS = "vectors_surplus"
    BLOB_MISSING = "blob_missing"
    BLOB_STRAY = "blob_stray"
    STALE = "stale"
    NO_JOB = "no_job"
    INDEX_LEFT = "index_left"


class Finding(Answer):
    kind: Drift
    count: int = Field(description="how many chunks, entries, vectors or pages")
    detail: str
    file_id: UUID | None = None
    owner: UUID | None = None
    where: str | None = Field(None, description="the index or the part of the vector store")
    mended: bool | None = Field(None, description="null: nobody tried; false: it could not be, see detail")


class InspectionOut(Answer):
    findings: list[Finding]
    notes: list[str] = Field(description="what was left out, and why")
    files: int
    chunks: int
    vectors: int
