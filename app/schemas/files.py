"""Files and search as clients see them."""

from uuid import UUID

from pydantic import BaseModel, Field, computed_field

from app.core.enums import Access, FileStatus, PageState, SearchMode
from app.schemas.base import Answer, Body, Stamped, Text
from app.schemas.tags import TagFilter, TagMap


class FileError(Answer):
    code: str
    message: str


class Unread(Answer):
    pages: str = Field(examples=["3-5, 9"])
    reason: str


class Coverage(Answer):
    """How many pages were read, how, and why others were not. The counts are of pages."""

    read: int
    empty: int
    ocr: int = Field(description="their text was recognised on a picture")
    needs_ocr: int = Field(description="pictures of text, which nobody has read")
    failed: int
    reasons: list[Unread] = Field(description="at most 20")


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
    tags: dict[str, object] = Field(description="of the whole file: {key: value or [values]}")
    page_tags: list[dict[str, object]] = Field(default_factory=list, description="[{pages, tags}]")
    sha256: str = Field(description="of its bytes")
    source_url: str | None = Field(None, description="where it came from, if that is known")
    attempt: int
    access: Access = Field(Access.OWNER, description="read: it is another's, in a collection shared with you")
    coverage: Coverage | None = Field(None, description="what became of the pages; null until all were looked at")
    duplicate: bool = Field(
        False, description="in the answer of an upload: the same bytes were here already, and this is the first file"
    )
    needs_reindex: bool = Field(
        False, description="ready, but another model embedded it: found by words alone until it is retried"
    )

    @computed_field(description="the status, and finer: parsing, then splitting; indexing is verifying")  # type: ignore[prop-decorator]
    @property
    def step(self) -> str:
        if self.status is FileStatus.INDEXING:
            return "verifying"
        return "splitting" if self.status is FileStatus.PARSING and self.coverage is not None else self.status.value


class UploadForm(BaseModel):
    """The form of an upload, for the documentation: it is read as a stream."""

    file: bytes = Field(description="the file itself, with its name", json_schema_extra={"format": "binary"})
    conversation_id: UUID | None = Field(None, description="absent: the file belongs to the user's library")
    collection_id: UUID | None = Field(None, description="a collection that you may write, to put the file in")
    tags: str | None = Field(None, description="a JSON object", examples=['{"subject": "math", "grade": 5}'])
    page_tags: str | None = Field(
        None, description="a JSON list", examples=['[{"pages": "12-40", "tags": {"grade": ["5", "6"]}}]']
    )
    source_url: str | None = Field(None, max_length=2000, description="where it came from, to find it again by that")


class UrlUpload(Body):
    """A document by its address."""

    url: Text = Field(min_length=1, max_length=2000, examples=["https://example.com/report.pdf"])
    conversation_id: UUID | None = Field(None, description="absent: the file belongs to the user's library")
    collection_id: UUID | None = Field(None, description="a collection that you may write, to put the file in")
    tags: TagMap = Field(default_factory=dict)


class Highlight(Answer):
    """A stretch of a page's text, in code points of that page."""

    from_: int = Field(serialization_alias="from")
    to: int


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
    highlights: list[Highlight] = Field(default=[], description="what of the asked stretch of the file is on this page")


class SearchRequest(Body):
    query: Text = Field(min_length=1, max_length=10_000)
    limit: int = Field(10, ge=1, le=100)
    mode: SearchMode = SearchMode.HYBRID
    file_ids: list[UUID] | None = Field(None, max_length=1000)
    collection_ids: list[UUID] | None = Field(None, max_length=100, description="search the files of these too")
    tags: TagFilter | None = None


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
