"""Files and search as clients see them."""

from uuid import UUID

from pydantic import BaseModel, Field

from app.core.enums import FileStatus, PageState, SearchMode
from app.schemas.base import Answer, Body, Stamped, Text


class FileError(Answer):
    code: str
    message: str


class FileOut(Stamped):
    name: str
    media_type: str
    size_bytes: int
    status: FileStatus
    pages_total: int | None
    pages_done: int
    chunks_total: int | None
    chunks_done: int
    error: FileError | None
    conversation_id: UUID | None
    tags: dict[str, object]
    sha256: str = Field(description="of its bytes")
    source_url: str | None = Field(None, description="where it came from, if that is known")
    attempt: int
    needs_reindex: bool = Field(
        False, description="ready, but another model embedded it: found by words alone until it is retried"
    )


class UploadForm(BaseModel):
    """The form of an upload, for the documentation: it is read as a stream."""

    file: bytes = Field(description="the file itself, with its name", json_schema_extra={"format": "binary"})
    conversation_id: UUID | None = Field(None, description="absent: the file belongs to the user's library")
    tags: str | None = Field(None, description="a JSON object", examples=['{"subject": "math", "grade": 5}'])
    source_url: str | None = Field(None, max_length=2000, description="where it came from, to find it again by that")


class UrlUpload(Body):
    """A document by its address."""

    url: Text = Field(min_length=1, max_length=2000, examples=["https://example.com/report.pdf"])
    conversation_id: UUID | None = Field(None, description="absent: the file belongs to the user's library")
    tags: dict[str, str | int | float | bool | list[str]] = Field(default_factory=dict, max_length=100)


class PageOut(Answer):
    file_id: UUID
    file_name: str
    page: int
    pages_total: int | None
    char_from: int
    text: str
    label: str | None = Field(None, description="a sheet's name, a chapter's title")
    state: PageState = PageState.READ
    reason: str | None = Field(None, description="why it could not be read")


class SearchRequest(Body):
    query: Text = Field(min_length=1, max_length=10_000)
    limit: int = Field(10, ge=1, le=100)
    mode: SearchMode = SearchMode.HYBRID
    file_ids: list[UUID] | None = Field(None, max_length=1000)
    collection_ids: list[UUID] | None = Field(None, max_length=100)
    tags: dict[str, list[str]] | None = None


class SearchHit(Answer):
    """A passage with its fused score and its rank in each half (1 is best; null: not among that half's best)."""

    file_id: UUID
    file_name: str
    page_from: int
    page_to: int
    char_from: int
    char_to: int
    text: str
    score: float
    dense_rank: int | None
    text_rank: int | None
    context: str = Field("", description="what belongs before the text, such as the header of its table")
    page_label: str | None = Field(None, description="what people call the first page when it is no number: a sheet")


class SearchAnswer(Answer):
    items: list[SearchHit]
    mode: SearchMode = Field(
        description="the mode that was used: text when the query's script is not the embedder's, or it does not answer"
    )
    text_only_files: int = Field(
        description="how many of the searched files are found by words alone, since another model embedded them"
    )
