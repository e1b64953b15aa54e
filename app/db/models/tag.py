"""Tags: what people call a file, or some pages of it."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class FileTag(Base):
    """One value of one key, on a range of pages or, without one, on the whole file."""

    __tablename__ = "file_tags"
    __table_args__ = (Index("ix_file_tags_file_id_key_value", "file_id", "key", "value"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    file_id: Mapped[UUID] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(64))
    value: Mapped[str] = mapped_column(String(200))
    page_from: Mapped[int | None]
    page_to: Mapped[int | None]
