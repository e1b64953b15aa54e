"""The indexes over all files: the one that is searched, one that is being built beside it, and those that were."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Json, now

ONE_OF_EACH = text("state IN ('current', 'building')")


class SearchIndex(Base):
    """`id` is the generation of its chunks. `recipe` says how its embedder is built; `fingerprint` what it made.

    Rows stay when an index is removed, so that no generation is used twice.
    """

    __tablename__ = "search_indexes"
    __table_args__ = (
        Index("uq_search_indexes_state", "state", unique=True, sqlite_where=ONE_OF_EACH, postgresql_where=ONE_OF_EACH),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(String(16))
    fingerprint: Mapped[str] = mapped_column(String(200))
    recipe: Mapped[dict[str, object] | None] = mapped_column(Json)
    error: Mapped[str | None] = mapped_column(Text)
    started_by: Mapped[UUID | None]
    started_at: Mapped[datetime] = mapped_column(default=now)
    swapped_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class IndexedFile(Base):
    """How far a file is in an index that is being built. `attempt` is the file's: a retried one is built again."""

    __tablename__ = "indexed_files"

    index_id: Mapped[int] = mapped_column(ForeignKey("search_indexes.id", ondelete="CASCADE"), primary_key=True)
    file_id: Mapped[UUID] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), primary_key=True, index=True)
    attempt: Mapped[int]
    chunks_total: Mapped[int]
    chunks_done: Mapped[int] = mapped_column(default=0)
    is_complete: Mapped[bool] = mapped_column(default=False)
