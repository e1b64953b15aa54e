"""Uploaded files, the text of their pages, the chunks that are searched, and the postings of the text index."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import tags
from app.core.enums import PageState
from app.core.tags import Placed
from app.db.base import Base, Json, Owned, now
from app.db.models.tag import FileTag


class File(Owned):
    """An upload and the step its ingestion is at. `attempt` counts retries: a job's id is made of both."""

    __tablename__ = "files"
    __table_args__ = (
        Index("ix_files_user_created", "user_id", "created_at", "id"),
        Index("ix_files_status", "status"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    conversation_id: Mapped[UUID | None] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    status: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(default=1)
    pages_total: Mapped[int | None]
    pages_done: Mapped[int] = mapped_column(default=0)
    chunks_total: Mapped[int | None]
    chunks_done: Mapped[int] = mapped_column(default=0)
    error: Mapped[dict[str, object] | None] = mapped_column(Json)
    fingerprint: Mapped[str | None] = mapped_column(String(200))
    source_url: Mapped[str | None] = mapped_column(String(2000))  # of a web page or another document by its address
    coverage: Mapped[dict[str, object] | None] = mapped_column(Json)  # how many pages were read, empty, failed, and why
    updated_at: Mapped[datetime] = mapped_column(default=now)
    # Loaded with every file, since every list and every event shows them.
    tag_rows: Mapped[list[FileTag]] = relationship(
        lazy="selectin", order_by=FileTag.id, cascade="all, delete-orphan", passive_deletes=True
    )

    @property
    def tags(self) -> dict[str, object]:
        """Of the whole file: {key: value or [values]}."""
        return tags.of_whole_file(self._placed())

    @property
    def page_tags(self) -> list[dict[str, object]]:
        """Of ranges of its pages: [{pages, tags}]."""
        return tags.of_pages(self._placed())

    def _placed(self) -> list[Placed]:
        return [Placed(row.key, row.value, row.page_from, row.page_to) for row in self.tag_rows]


class FilePage(Base):
    """The text of one page. Offsets count code points in the file's text, pages joined by a form feed."""

    __tablename__ = "file_pages"

    file_id: Mapped[UUID] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    char_from: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    label: Mapped[str | None] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16), default=PageState.READ)
    reason: Mapped[str | None] = mapped_column(String(500))


class Chunk(Base):
    """A passage. The integer id is the FTS5 rowid and the postings' key; vectors are named `<file_id>:<ordinal>`.

    `generation` is the id of the index that it belongs to: what searches names one, see `crud/index.py`.
    """

    __tablename__ = "chunks"
    __table_args__ = (
        UniqueConstraint("file_id", "generation", "ordinal"),
        # Covers what BM25 needs to know of a library.
        Index("ix_chunks_user_terms", "user_id", "generation", "terms"),
        Index("ix_chunks_file_pages", "file_id", "page_from", "page_to", "ordinal"),  # for tags of pages
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    file_id: Mapped[UUID] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    generation: Mapped[int] = mapped_column(default=0, server_default="0")
    ordinal: Mapped[int]
    page_from: Mapped[int]
    page_to: Mapped[int]
    char_from: Mapped[int]
    char_to: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    context: Mapped[str] = mapped_column(Text, default="")
    terms: Mapped[int]  # the length that BM25 normalises by, in index terms
    fingerprint: Mapped[str] = mapped_column(String(200))


class Posting(Base):
    """One term of one chunk: the text index on PostgreSQL. SQLite has FTS5 instead and leaves this table empty."""

    __tablename__ = "postings"
    __table_args__ = (
        Index("ix_postings_user_term", "user_id", "generation", "term", postgresql_include=["chunk_id", "frequency"]),
    )

    chunk_id: Mapped[int] = mapped_column(ForeignKey("chunks.id", ondelete="CASCADE"), primary_key=True)
    term: Mapped[str] = mapped_column(String(100), primary_key=True)
    user_id: Mapped[UUID]
    generation: Mapped[int] = mapped_column(default=0, server_default="0")
    frequency: Mapped[int]
